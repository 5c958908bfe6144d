//! One observation of one node, in base units, without the exporters' names.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use jiff::Timestamp;

use super::window::{Exporter, PodRef};

/// Everything that one observation says about one node: one point of each series, or several at their own times.
#[derive(Debug, Clone, Default)]
pub struct NodePage {
    pub(super) readings: Vec<Reading>,
    pub(super) counts: ReadCounts,
    /// Exporters whose values of the node are of several nodes in truth. Left out already.
    pub(super) mixed: Vec<(Exporter, Timestamp)>,
}

impl NodePage {
    /// Values that a meter will look at.
    pub fn reading_count(&self) -> usize {
        self.readings.len()
    }
}

/// Samples that were read but cannot be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Not a number, infinite, or negative.
    pub impossible: u64,
    /// Their time is more than five minutes off, so that the time of receipt stood in for it; pushed points are left
    /// out.
    pub clock: u64,
}

/// One value.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub exporter: Exporter,
    pub at: Timestamp,
    /// Finite and not negative.
    pub value: f64,
    pub measure: Measure,
    /// `None`: the node.
    pub pod: Option<Arc<Pod>>,
    /// Tells series of the same measure and subject apart: socket, container, process.
    pub part: u64,
    /// The exporter's model made it.
    pub modelled: bool,
    /// The last word about a pod.
    pub terminated: bool,
}

/// A pod as exporters name it.
#[derive(Debug, PartialEq)]
pub(super) struct Pod {
    pub key: u64,
    pub name: PodRef,
}

/// What a value is of, and how it is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Joules since a start that nobody knows.
    Counter(Domain, Wraps),
    /// Joules of the exporter's last interval.
    Delta { domain: Domain, summed: bool, scope: Scope },
    /// Watts.
    Power(Domain),
    /// Joules that the exporter calls idle, of the packages, since a start that nobody knows.
    IdleCounter,
    /// Watts of the packages, as a second opinion on a counter that wrapped.
    Hint,
    /// Busy share of the node, 0 to 1.
    Utilization,
    /// Share of the node's CPU time that the subject used, 0 to 1; the node's is the sum over its processes.
    CpuShare,
    /// CPU time of the node since the last interval, in any unit.
    CpuTime { busy: bool },
    /// The mark of Kepler's invented meter.
    Fake,
}

/// What energy is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Domain {
    Package,
    Dram,
    Platform,
    Accelerators,
    /// Legacy Kepler's rest: platform less packages less memory.
    Other,
}

/// Where a counter starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wraps {
    /// At zero, with its exporter.
    Restarts,
    /// At the range of one RAPL zone.
    Rapl,
    /// At the sum of the ranges of several.
    RaplSum,
}

/// Totals are chosen before what they are the sum of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Scope {
    Total,
    Part,
}

impl NodePage {
    /// No reader found anything.
    pub const fn is_empty(&self) -> bool {
        self.readings.is_empty() && self.mixed.is_empty()
    }

    /// Samples that were read but cannot be used.
    pub const fn counts(&self) -> ReadCounts {
        self.counts
    }
}

impl Domain {
    pub(super) const COUNT: usize = 5;

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Package => 0,
            Self::Dram => 1,
            Self::Platform => 2,
            Self::Accelerators => 3,
            Self::Other => 4,
        }
    }
}

impl Measure {
    /// The domain, where the value is energy or the power that stands for it.
    pub(super) const fn domain(self) -> Option<Domain> {
        match self {
            Self::Counter(domain, _) | Self::Delta { domain, .. } | Self::Power(domain) => Some(domain),
            Self::IdleCounter | Self::Hint | Self::Utilization | Self::CpuShare | Self::CpuTime { .. } | Self::Fake => {
                None
            }
        }
    }
}

impl std::ops::AddAssign for ReadCounts {
    fn add_assign(&mut self, other: Self) {
        self.impossible += other.impossible;
        self.clock += other.clock;
    }
}

/// A key out of label values. Sixty-four bits of `SipHash`: series of one node do not collide.
pub(super) fn key_of(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}
