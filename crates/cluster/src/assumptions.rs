//! Pods that were decided but not yet seen on a node.
//!
//! Between an answer to kube-scheduler and the watch event that shows the pod bound, the snapshot does not know of
//! the pod. Without a memory, a burst of pods would all find the same node empty. So the answer leaves an
//! assumption: the pod's demand, spread over the nodes that scored best. The watch removes it again, or time does.
//!
//! Readers load a pointer. Writers copy the few chunks they touch. The memory is per process and short: losing it
//! costs nothing but the burst in flight.

mod ledger;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use sci_core::node::PodDemand;

pub use self::ledger::Ledger;
use self::ledger::{AssumedPod, Candidates};
use crate::{objects::PodUid, snapshot::Slot};

/// Most nodes that one pod's demand is spread over.
pub const MAX_NODES_PER_POD: usize = 8;
/// Most pods remembered at a time.
pub const MAX_PODS: usize = 4_096;

/// What became of an assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Confirmation {
    /// The pod was not assumed anywhere: another scheduler's, or from before a restart.
    Unknown,
    /// The pod is on a node it was assumed on.
    AsAssumed,
    /// The pod is on another node.
    Elsewhere,
}

impl Confirmation {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Unknown, Self::AsAssumed, Self::Elsewhere];

    /// As in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::AsAssumed => "as_assumed",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// The memory itself; shared by the program's request handlers and the snapshot's writer.
#[derive(Debug)]
pub struct Assumptions {
    current: ArcSwap<Ledger>,
    lifetime: Duration,
    refused: AtomicU64,
    expired: AtomicU64,
}

impl Assumptions {
    /// Empty; an assumption that nobody confirms ends after `lifetime`.
    pub fn new(lifetime: Duration) -> Self {
        Self {
            current: ArcSwap::from_pointee(Ledger::default()),
            lifetime,
            refused: AtomicU64::new(0),
            expired: AtomicU64::new(0),
        }
    }

    /// What is assumed now. Load it **before** the snapshot: a pod that is confirmed in between then counts twice
    /// for one request rather than not at all.
    pub fn load(&self) -> Guard<std::sync::Arc<Ledger>> {
        self.current.load()
    }

    /// Spreads a pod's demand over nodes by weight, instead of what was assumed of it before.
    ///
    /// Weights are shares of the pod, at most 1 each. Pods with more than [`MAX_NODES_PER_POD`] candidates, and all
    /// while [`MAX_PODS`] are remembered, are left out and counted: they spread by themselves.
    pub fn assume(&self, uid: PodUid, demand: &PodDemand, nodes: &[(Slot, f64)], now: Timestamp) -> bool {
        let pod = Candidates::of(nodes).map(|candidates| AssumedPod::new(uid, demand, candidates, now));
        let mut kept = false;
        self.current.rcu(|ledger| {
            let mut next = Ledger::clone(ledger);
            next.remove(uid);
            kept = pod.as_ref().is_some_and(|pod| next.insert(pod));
            next
        });
        if !kept && !nodes.is_empty() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// The pod was seen bound to `slot`: the snapshot counts it from now on.
    pub fn confirm(&self, uid: PodUid, slot: Slot) -> Confirmation {
        match self.take(uid) {
            None => Confirmation::Unknown,
            Some(pod) if pod.names(slot) => Confirmation::AsAssumed,
            Some(_) => Confirmation::Elsewhere,
        }
    }

    /// The pod is gone.
    pub fn forget(&self, uid: PodUid) {
        self.take(uid);
    }

    /// Ends what was assumed too long ago; how many.
    pub fn expire(&self, now: Timestamp) -> usize {
        if self.current.load().is_empty() {
            return 0;
        }
        let mut ended = 0;
        self.current.rcu(|ledger| {
            let mut next = Ledger::clone(ledger);
            ended = next.remove_older_than(now, self.lifetime);
            next
        });
        self.expired.fetch_add(u64::try_from(ended).unwrap_or(u64::MAX), Ordering::Relaxed);
        ended
    }

    /// Assumptions that were not kept, so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Assumptions that ended by time, so far.
    pub fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    fn take(&self, uid: PodUid) -> Option<AssumedPod> {
        if !self.current.load().contains(uid) {
            return None;
        }
        let mut taken = None;
        self.current.rcu(|ledger| {
            let mut next = Ledger::clone(ledger);
            taken = next.remove(uid);
            next
        });
        taken
    }
}

#[cfg(test)]
mod tests;
