//! Power and carbon of workloads and namespaces at present: sums over their pods.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use kube_sci_cluster::{
    energy::Latest,
    objects::{Workload, WorkloadKey},
    snapshot::{PodRecord, Snapshot},
};
use rustc_hash::FxHashMap;

/// Pods whose energy has to be known, of all: a window that covers less has no value either.
const KNOWN_SHARE: f64 = 0.8;

/// Sums by workload and by namespace, of one snapshot.
#[derive(Debug, Default)]
pub struct Rates {
    workloads: FxHashMap<WorkloadKey, (Arc<Workload>, Rate)>,
    namespaces: FxHashMap<Arc<str>, Rate>,
}

/// The sum over some pods.
#[derive(Debug, Clone, Default)]
pub struct Rate {
    /// Pods that are there.
    pub pods: u32,
    /// Pods whose energy is known.
    known: u32,
    watts: f64,
    grams_per_hour: f64,
    cores: f64,
    /// Pods of which a part of the energy has no price.
    unpriced: u32,
    measured: u32,
    oldest: Option<Timestamp>,
    window: Duration,
    /// How many pods stand on which node.
    pub nodes: FxHashMap<Arc<str>, u32>,
}

/// What a sum says at present.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum {
    /// Power in watts.
    pub watts: f64,
    /// Carbon in gCO2e per hour; `None` where an intensity is missing.
    pub grams_per_hour: Option<f64>,
    /// Requested cores.
    pub cores: f64,
    /// The end of the oldest window in it.
    pub at: Timestamp,
    /// The longest window in it.
    pub window: Duration,
    /// How it is known: `measured`, `modelled` or `mixed`.
    pub quality: &'static str,
}

/// Why there is no sum.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoSum {
    /// No pod.
    #[error("it has no running pods")]
    NoPods,
    /// New pods, or a meter that is silent.
    #[error(
        "the energy of {known} of its {pods} pods is known, eight of ten are needed: the first window of a pod takes a minute or two"
    )]
    TooFewKnown {
        /// Pods whose energy is known.
        known: u32,
        /// Pods.
        pods: u32,
    },
    /// Known once.
    #[error("its energy is {age_seconds} s old, more than {limit_seconds} s are too old")]
    Stale {
        /// How old.
        age_seconds: i64,
        /// How old it may be.
        limit_seconds: i64,
    },
}

/// The sums of the newest snapshot, made by whoever asks first.
#[derive(Debug, Default)]
pub struct RatesCache {
    current: ArcSwapOption<(Arc<Snapshot>, Rates)>,
}

impl RatesCache {
    /// Sums of `snapshot`, not older than `stale_after` at `now`.
    pub fn of(
        &self,
        snapshot: &Arc<Snapshot>,
        stale_after: SignedDuration,
        now: Timestamp,
    ) -> Arc<(Arc<Snapshot>, Rates)> {
        if let Some(current) = self.current.load_full()
            && std::ptr::eq(current.0.accounts(), snapshot.accounts())
            && std::ptr::eq(current.0.directory(), snapshot.directory())
        {
            return current;
        }
        let made = Arc::new((Arc::clone(snapshot), Rates::new(snapshot, stale_after, now)));
        self.current.store(Some(Arc::clone(&made)));
        made
    }
}

impl Rates {
    /// Adds up. What is older than `stale_after` at `now` is not known.
    pub fn new(snapshot: &Snapshot, stale_after: SignedDuration, now: Timestamp) -> Self {
        let mut rates = Self::default();
        for (namespace, pods) in snapshot.directory().namespaces() {
            for pod in pods {
                let latest = latest_of(snapshot, namespace, pod).filter(|latest| age(latest, now) <= stale_after);
                let workload = rates.workloads.entry(pod.workload.key());
                workload.or_insert_with(|| (Arc::clone(&pod.workload), Rate::default())).1.add(pod, latest);
                rates.namespaces.entry(Arc::clone(namespace)).or_default().add(pod, latest);
            }
        }
        rates
    }

    /// Of a workload.
    pub fn workload(&self, key: WorkloadKey) -> Option<&Rate> {
        self.workloads.get(&key).map(|(_, rate)| rate)
    }

    /// A workload that has pods, as it is kept.
    pub fn known(&self, workload: &Workload) -> Option<&Workload> {
        self.workloads.get(&workload.key()).map(|(known, _)| &**known).filter(|known| *known == workload)
    }

    /// Workloads of a namespace that have pods, in no order.
    pub fn workloads_in<'r>(&'r self, namespace: &'r str) -> impl Iterator<Item = &'r Workload> {
        self.workloads.values().map(|(known, _)| &**known).filter(move |known| *known.namespace == *namespace)
    }

    /// Namespaces that have pods, in no order.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.keys().map(AsRef::as_ref)
    }

    /// Of a namespace.
    pub fn namespace(&self, name: &str) -> Option<&Rate> {
        self.namespaces.get(name)
    }
}

impl Rate {
    fn add(&mut self, pod: &PodRecord, latest: Option<&Latest>) {
        self.pods += 1;
        *self.nodes.entry(Arc::clone(&pod.node)).or_default() += 1;
        let Some(latest) = latest else { return };
        self.known += 1;
        self.watts += latest.power().get();
        self.cores += latest.cores();
        self.measured += u32::from(latest.measured);
        match latest.carbon() {
            Some(carbon) => self.grams_per_hour += carbon.get(),
            None => self.unpriced += 1,
        }
        self.oldest = Some(self.oldest.map_or(latest.end, |oldest| oldest.min(latest.end)));
        self.window = self.window.max(latest.length);
    }

    /// The sum, with pods that are not known taken to be like the others.
    ///
    /// # Errors
    /// [`NoSum`].
    pub fn sum(&self, stale_after: SignedDuration, now: Timestamp) -> Result<Sum, NoSum> {
        if self.pods == 0 {
            return Err(NoSum::NoPods);
        }
        let (pods, known) = (f64::from(self.pods), f64::from(self.known));
        let Some(at) = self.oldest.filter(|_| known >= KNOWN_SHARE * pods) else {
            return Err(NoSum::TooFewKnown { known: self.known, pods: self.pods });
        };
        let age = now.duration_since(at);
        if age > stale_after {
            return Err(NoSum::Stale { age_seconds: age.as_secs(), limit_seconds: stale_after.as_secs() });
        }
        let whole = pods / known;
        Ok(Sum {
            watts: self.watts * whole,
            grams_per_hour: (self.unpriced == 0).then_some(self.grams_per_hour * whole),
            cores: self.cores * whole,
            at,
            window: self.window,
            quality: match self.measured {
                0 => "modelled",
                measured if measured == self.known => "measured",
                _ => "mixed",
            },
        })
    }
}

/// What the pod did in its last window.
pub fn latest_of<'s>(snapshot: &'s Snapshot, namespace: &str, pod: &PodRecord) -> Option<&'s Latest> {
    snapshot.accounts().pod(namespace, &pod.name).map(|account| &account.latest)
}

/// How long ago the window ended.
pub fn age(latest: &Latest, now: Timestamp) -> SignedDuration {
    now.duration_since(latest.end).max(SignedDuration::ZERO)
}
