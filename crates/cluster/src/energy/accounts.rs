//! Joules and grams since start, by pod, workload and node.
//!
//! Only energy of windows that this process saw is added, so the counters begin at zero and never take over what a
//! meter counted before: a restart is a reset like any other, not a jump. The number of pods and workloads with
//! accounts of their own is bounded; all others share one account.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rustc_hash::FxHashMap;
use sci_core::quantity::{GramsCo2e, GramsPerHour, Joules, Watts};

use crate::objects::{Workload, WorkloadKey};

/// An account without a pod for this long is closed.
const KEEP_SECONDS: i64 = 900;

/// Energy and carbon of one account.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Energy of work.
    pub active: Joules,
    /// Idle energy of what was reserved.
    pub idle: Joules,
    /// Carbon of both, with the overhead of the site.
    pub operational: GramsCo2e,
    /// Energy while the zone's intensity was missing: it is not in [`operational`](Self::operational).
    pub unpriced: Joules,
    /// Embodied carbon of what was reserved.
    pub embodied: GramsCo2e,
    /// Seconds of requested cores.
    pub core_seconds: f64,
}

/// What was measured and what was modelled: never in one number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Account {
    /// While a meter answered.
    pub measured: Tally,
    /// While none did.
    pub modelled: Tally,
}

/// What a pod did in the last stretch of time that is accounted for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latest {
    /// What was counted in it.
    pub tally: Tally,
    /// How long it is.
    pub length: Duration,
    /// When it ended.
    pub end: Timestamp,
    /// Whether a meter answered.
    pub measured: bool,
}

/// The account of one pod.
#[derive(Debug, Clone, PartialEq)]
pub struct PodAccount {
    /// Its name.
    pub name: Arc<str>,
    /// What it belongs to; its namespace is the pod's.
    pub workload: Arc<Workload>,
    /// What was counted.
    pub account: Account,
    /// The last of it.
    pub latest: Latest,
    last: Timestamp,
}

/// The account of one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadAccount {
    /// Which one.
    pub workload: Arc<Workload>,
    /// What was counted.
    pub account: Account,
    last: Timestamp,
}

/// The account of one node.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NodeAccount {
    /// Everything.
    pub node: Account,
    /// The part of no known pod.
    pub system: Account,
    /// Idle energy that nobody reserved.
    pub unallocated: Account,
}

/// All accounts. Immutable once published.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Accounts {
    /// By namespace and name: a pod of a `StatefulSet` that comes back goes on where it was.
    pods: FxHashMap<WorkloadKey, PodAccount>,
    workloads: FxHashMap<WorkloadKey, WorkloadAccount>,
    nodes: FxHashMap<Arc<str>, NodeAccount>,
    other_pods: Account,
    other_workloads: Account,
    limit: usize,
}

/// Whose energy is added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PodEntry<'a> {
    pub name: &'a str,
    pub key: WorkloadKey,
    pub workload: &'a Arc<Workload>,
}

impl Latest {
    /// Mean power.
    pub fn power(&self) -> Watts {
        Watts::clamped(self.per_second(self.tally.energy().get()))
    }

    /// Mean rate of carbon, operational and embodied; `None` where the intensity was missing for a part of it.
    pub fn carbon(&self) -> Option<GramsPerHour> {
        let grams = self.tally.operational.get() + self.tally.embodied.get();
        let priced = self.tally.unpriced == Joules::ZERO;
        priced.then(|| GramsPerHour::clamped(self.per_second(grams) * 3_600.0))
    }

    /// Mean of the requested cores.
    pub fn cores(&self) -> f64 {
        self.per_second(self.tally.core_seconds)
    }

    fn per_second(&self, amount: f64) -> f64 {
        let seconds = self.length.as_secs_f64();
        if seconds > 0.0 { amount / seconds } else { 0.0 }
    }
}

impl Tally {
    /// Energy of both kinds.
    pub fn energy(&self) -> Joules {
        self.active + self.idle
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.active = self.active + other.active;
        self.idle = self.idle + other.idle;
        self.operational = self.operational + other.operational;
        self.unpriced = self.unpriced + other.unpriced;
        self.embodied = self.embodied + other.embodied;
        self.core_seconds += other.core_seconds;
    }
}

impl Account {
    fn add(&mut self, tally: &Tally, measured: bool) {
        if measured { self.measured.add(tally) } else { self.modelled.add(tally) }
    }
}

impl Accounts {
    /// No account yet; at most `limit` pods and as many workloads will have one of their own.
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Pods with an account of their own, in no order.
    pub fn pods(&self) -> impl Iterator<Item = &PodAccount> {
        self.pods.values()
    }

    /// The account of one pod.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&PodAccount> {
        let found = self.pods.get(&WorkloadKey::of(namespace, name, None))?;
        (*found.name == *name && *found.workload.namespace == *namespace).then_some(found)
    }

    /// Workloads with an account of their own, in no order.
    pub fn workloads(&self) -> impl Iterator<Item = &WorkloadAccount> {
        self.workloads.values()
    }

    /// Nodes, in no order.
    pub fn nodes(&self) -> impl Iterator<Item = (&Arc<str>, &NodeAccount)> {
        self.nodes.iter()
    }

    /// The account of one node.
    pub fn node(&self, name: &str) -> Option<&NodeAccount> {
        self.nodes.get(name)
    }

    /// What all pods without an account of their own used.
    pub fn other_pods(&self) -> &Account {
        &self.other_pods
    }

    /// What all workloads without an account of their own used.
    pub fn other_workloads(&self) -> &Account {
        &self.other_workloads
    }

    pub(crate) fn add_pod(&mut self, entry: &PodEntry<'_>, latest: &Latest, at: Timestamp) {
        let Latest { tally, measured, .. } = latest;
        let measured = *measured;
        let key = WorkloadKey::of(&entry.workload.namespace, entry.name, None);
        let room = self.pods.len() < self.limit || self.pods.contains_key(&key);
        if room {
            let pod = self.pods.entry(key).or_insert_with(|| PodAccount {
                name: entry.name.into(),
                workload: Arc::clone(entry.workload),
                account: Account::default(),
                latest: *latest,
                last: at,
            });
            pod.last = at;
            if !latest.length.is_zero() {
                pod.latest = *latest;
            }
            pod.account.add(tally, measured);
        } else {
            self.other_pods.add(tally, measured);
        }
        let room = self.workloads.len() < self.limit || self.workloads.contains_key(&entry.key);
        if room {
            let known = self.workloads.entry(entry.key).or_insert_with(|| WorkloadAccount {
                workload: Arc::clone(entry.workload),
                account: Account::default(),
                last: at,
            });
            known.last = at;
            known.account.add(tally, measured);
        } else {
            self.other_workloads.add(tally, measured);
        }
    }

    pub(crate) fn add_node(
        &mut self,
        name: &Arc<str>,
        node: &Tally,
        system: &Tally,
        unallocated: &Tally,
        measured: bool,
    ) {
        let account = self.nodes.entry(Arc::clone(name)).or_default();
        account.node.add(node, measured);
        account.system.add(system, measured);
        account.unallocated.add(unallocated, measured);
    }

    /// Closes accounts of pods and workloads that have been gone for a while.
    pub(crate) fn close_old(&mut self, now: Timestamp) {
        let alive = |last: Timestamp| now.as_second().saturating_sub(last.as_second()) <= KEEP_SECONDS;
        self.pods.retain(|_, pod| alive(pod.last));
        self.workloads.retain(|_, workload| alive(workload.last));
    }

    pub(crate) fn remove_node(&mut self, name: &str) {
        self.nodes.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(joules: f64) -> Tally {
        Tally { active: Joules::new(joules).unwrap(), ..Tally::default() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn add(accounts: &mut Accounts, name: &str, joules: f64, second: i64) {
        let workload = Arc::new(Workload::of("ns", name, None));
        let entry = PodEntry { name, key: workload.key(), workload: &workload };
        let latest = Latest { tally: tally(joules), length: Duration::from_mins(1), end: at(second), measured: true };
        accounts.add_pod(&entry, &latest, at(second));
    }

    #[test]
    fn pods_beyond_the_limit_share_one_account_and_nothing_is_lost() {
        let mut accounts = Accounts::new(2);
        for (name, joules) in [("a", 1.0), ("b", 2.0), ("c", 4.0), ("a", 8.0), ("d", 16.0)] {
            add(&mut accounts, name, joules, 0);
        }
        let own: f64 = accounts.pods().map(|pod| pod.account.measured.energy().get()).sum();
        assert!((own - 11.0).abs() < 1e-9);
        assert!((accounts.other_pods().measured.energy().get() - 20.0).abs() < 1e-9);
        assert!((accounts.other_workloads().measured.energy().get() - 20.0).abs() < 1e-9);
    }

    #[test]
    fn an_account_is_closed_some_time_after_its_pod_left() {
        let mut accounts = Accounts::new(10);
        add(&mut accounts, "old", 1.0, 0);
        add(&mut accounts, "young", 1.0, 600);
        accounts.close_old(at(901));
        assert_eq!(accounts.pods().map(|pod| &*pod.name).collect::<Vec<_>>(), ["young"]);
    }

    #[test]
    fn the_last_stretch_says_what_a_pod_draws_now() {
        let mut accounts = Accounts::new(10);
        add(&mut accounts, "a", 6_000.0, 0);
        add(&mut accounts, "a", 3_000.0, 60);
        let pod = accounts.pod("ns", "a").unwrap();
        assert!((pod.account.measured.energy().get() - 9_000.0).abs() < 1e-9);
        // 3 kJ in a minute.
        assert!((pod.latest.power().get() - 50.0).abs() < 1e-9);
        assert_eq!(pod.latest.end, at(60));
        assert!(accounts.pod("other", "a").is_none());

        let grams = GramsCo2e::new(0.5).unwrap();
        let priced = Tally { operational: grams, embodied: grams, core_seconds: 120.0, ..tally(3_000.0) };
        let latest = Latest { tally: priced, ..pod.latest };
        assert!((latest.carbon().unwrap().get() - 60.0).abs() < 1e-9);
        assert!((latest.cores() - 2.0).abs() < 1e-9);
        let unpriced = Tally { unpriced: Joules::new(1.0).unwrap(), ..priced };
        assert_eq!(Latest { tally: unpriced, ..latest }.carbon(), None);
    }

    #[test]
    fn measured_and_modelled_energy_stay_apart() {
        let mut accounts = Accounts::new(10);
        let name: Arc<str> = "n".into();
        accounts.add_node(&name, &tally(5.0), &tally(1.0), &tally(2.0), true);
        accounts.add_node(&name, &tally(7.0), &tally(0.0), &tally(0.0), false);
        let node = accounts.node("n").unwrap().node;
        assert!((node.measured.energy().get() - 5.0).abs() < 1e-9);
        assert!((node.modelled.energy().get() - 7.0).abs() < 1e-9);
    }
}
