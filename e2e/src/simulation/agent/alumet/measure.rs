//! One poll of ALUMET, and sums of several.

use std::time::Duration;

use crate::simulation::node::LiveNode;

/// Differences since the poll before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measurement {
    pub(super) at: Duration,
    pub(super) seconds: f64,
    pub(super) packages: Vec<f64>,
    pub(super) drams: Vec<f64>,
    pub(super) platform: Option<f64>,
    pub(super) busy_seconds: f64,
    /// One for each pod of the node; none where it has not been measured.
    pub(super) pods: Vec<Option<PodMeasurement>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct PodMeasurement {
    pub(super) cpu_seconds: f64,
    /// Of all threads.
    pub(super) percent: f64,
    /// Package energy x percent / 100.
    pub(super) attributed: f64,
}

impl Measurement {
    pub(super) fn of(node: &LiveNode, from: Duration, to: Duration) -> Self {
        let window = node.window(from, to);
        let capacity = window.seconds * f64::from(node.class().threads);
        let package = window.package();
        let pods = node.pods();
        let pods = pods.iter().zip(&window.pods).map(|(pod, used)| {
            // Its cgroup must be there at both ends.
            if !(pod.runs_at(from) && pod.stop.is_none_or(|stop| to <= stop)) {
                return None;
            }
            let percent = 100.0 * used.cpu_seconds / capacity;
            Some(PodMeasurement { cpu_seconds: used.cpu_seconds, percent, attributed: package * percent / 100.0 })
        });
        Self {
            at: to,
            seconds: window.seconds,
            pods: pods.collect(),
            busy_seconds: window.busy_seconds,
            platform: window.platform_joules.map(microjoules),
            packages: window.package_joules.into_iter().map(microjoules).collect(),
            drams: window.dram_joules.into_iter().map(microjoules).collect(),
        }
    }

    /// All of them as one; none of none.
    pub(super) fn sum(all: Vec<Self>) -> Option<Self> {
        all.into_iter().reduce(|sum, next| Self {
            at: next.at,
            seconds: sum.seconds + next.seconds,
            packages: add(&sum.packages, &next.packages),
            drams: add(&sum.drams, &next.drams),
            platform: sum.platform.zip(next.platform).map(|(a, b)| a + b),
            busy_seconds: sum.busy_seconds + next.busy_seconds,
            pods: sum.pods.iter().zip(&next.pods).map(|(a, b)| PodMeasurement::join(*a, *b)).collect(),
        })
    }

    /// One pod's numbers from another measurement.
    pub(super) fn take_pod(&mut self, index: usize, other: &Self) {
        if let (Some(own), Some(other)) = (self.pods.get_mut(index), other.pods.get(index)) {
            *own = *other;
        }
    }

    pub(super) fn package(&self) -> f64 {
        self.packages.iter().sum()
    }

    pub(super) fn dram(&self) -> f64 {
        self.drams.iter().sum()
    }
}

impl PodMeasurement {
    /// Percent is no metric that is summed: the newest stays.
    fn join(sum: Option<Self>, next: Option<Self>) -> Option<Self> {
        match (sum, next) {
            (Some(sum), Some(next)) => Some(Self {
                cpu_seconds: next.cpu_seconds,
                percent: next.percent,
                attributed: sum.attributed + next.attributed,
            }),
            (one, other) => other.or(one),
        }
    }
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// The hardware counts in about these.
fn microjoules(joules: f64) -> f64 {
    (joules * 1e6).round() / 1e6
}
