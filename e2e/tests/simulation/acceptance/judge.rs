//! Windows beside the truth.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::time::Duration;

use kube_sci_e2e::simulation::{LiveNode, PodUse, Window};
use kube_sci_signals::energy::{NodeWindow, SCALE_FROM};

use super::HOUR;
use super::run::{Outcome, elapsed};

/// What of a pod's energy an exporter tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribution {
    Package,
    PackageAndDram,
    Legacy,
}

/// Which truth an exporter claims to tell, and how far off it may be.
#[derive(Debug, Clone, Copy)]
pub struct Standard {
    /// The whole machine, not packages and memory alone.
    pub platform: bool,
    pub attribution: Attribution,
    pub tolerance: Tolerance,
}

/// Shares of the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    pub node: f64,
    pub window: f64,
    pub pod: f64,
    /// Nobody says when within this time a pod started or ended.
    pub edge: Duration,
    /// Every window must be marked as sampled.
    pub sampled: bool,
}

/// What came out.
#[derive(Debug)]
pub struct Verdict {
    standard: Standard,
    coverage: f64,
    node_error: f64,
    worst_window: f64,
    pods: BTreeMap<String, PodSums>,
    windows: usize,
    sampled: usize,
    gaps: usize,
}

/// What a meter says of a pod, and the truth in the same windows.
#[derive(Debug, Default, Clone, Copy)]
struct PodSums {
    joules: f64,
    covered: f64,
    true_joules: f64,
    true_seconds: f64,
    /// Also of windows that do not name it.
    all_seconds: f64,
    begins_or_ends: bool,
}

/// A window may be marked as sampled where it is not, while the interval of ALUMET's sums is being learned.
const MARKED_AT_MOST: usize = 2;
/// A pod that runs this long has to be covered for the most part.
const LONG: f64 = 600.0;
const LEAST_LONG_COVERAGE: f64 = 0.75;
const LEAST_SHORT_COVERAGE: f64 = 0.5;

impl Tolerance {
    /// Counters, and every difference of a meter.
    pub const LOSSLESS: Self =
        Self { node: 0.01, window: 0.1, pod: 0.03, edge: Duration::from_secs(15), sampled: false };
    /// ALUMET's sums, of which a page does not say when they were made.
    pub const SUMMED: Self = Self { window: 0.3, edge: Duration::from_secs(30), ..Self::LOSSLESS };
    /// One second of fifteen.
    pub const SAMPLED: Self = Self { node: 0.02, window: 0.2, pod: 0.05, sampled: true, ..Self::LOSSLESS };
}

impl Standard {
    /// Windows of the first hour beside the truth.
    pub fn judge(self, outcome: &Outcome) -> Verdict {
        let mut verdict = Verdict {
            standard: self,
            coverage: 0.0,
            node_error: 0.0,
            worst_window: 0.0,
            pods: BTreeMap::new(),
            windows: 0,
            sampled: 0,
            gaps: outcome.gaps.len(),
        };
        let (mut joules, mut true_joules) = (0.0, 0.0);
        for window in outcome.windows.iter().filter(|window| elapsed(window.end) <= HOUR) {
            assert!(window.coverage().get() >= SCALE_FROM - 1e-6, "{window:?}");
            let said = window.energy.total().expect("a window has energy").get();
            let truth = self.node_joules(outcome, window);
            joules += said;
            true_joules += truth;
            verdict.worst_window = verdict.worst_window.max(error(said, truth).abs());
            verdict.coverage += window.covered.as_secs_f64() / HOUR.as_secs_f64();
            verdict.windows += 1;
            verdict.sampled += usize::from(window.sampled);
            self.add_pods(&outcome.node, window, &mut verdict.pods);
        }
        verdict.node_error = error(joules, true_joules);
        verdict
    }

    /// Over exactly the covered time where the gaps say which it is, else over as much of the window.
    fn node_joules(self, outcome: &Outcome, window: &NodeWindow) -> f64 {
        let joules = |from, to| self.of_node(&outcome.node.window(from, to));
        let pieces = pieces(outcome, window);
        let length: f64 = pieces.iter().map(|(from, to)| to.saturating_sub(*from).as_secs_f64()).sum();
        let covered = window.covered.as_secs_f64();
        if (length - covered).abs() < 0.5 {
            return pieces.iter().map(|(from, to)| joules(*from, *to)).sum();
        }
        let (start, end) = (elapsed(window.start), elapsed(window.end));
        joules(start, end) * covered / end.saturating_sub(start).as_secs_f64()
    }

    fn add_pods(self, node: &LiveNode, window: &NodeWindow, sums: &mut BTreeMap<String, PodSums>) {
        let truth = node.window(elapsed(window.start), elapsed(window.end));
        let pods = node.pods();
        for (pod, used) in pods.iter().zip(&truth.pods) {
            let sum = sums.entry(pod.name.clone()).or_default();
            sum.all_seconds += used.seconds;
            sum.begins_or_ends = !pod.start.is_zero() || pod.stop.is_some_and(|stop| stop < HOUR);
            let mut said =
                window.pods.iter().filter(|said| *said.pod.name == *pod.name && *said.pod.namespace == *pod.namespace);
            let Some(said) = said.next() else { continue };
            assert!(said.pod.uid.as_ref().is_none_or(|uid| **uid == *pod.uid), "{:?} is not {}", said.pod, pod.uid);
            sum.joules += said.energy.get();
            sum.covered += said.covered.as_secs_f64();
            sum.true_joules += self.of_pod(used);
            sum.true_seconds += used.seconds;
        }
        let known = |name: &str| pods.iter().any(|pod| pod.name == name);
        assert!(window.pods.iter().all(|said| known(&said.pod.name)), "{:?}", window.pods);
    }

    fn of_node(self, window: &Window) -> f64 {
        if self.platform { window.joules() } else { window.package() + window.dram() }
    }

    fn of_pod(self, used: &PodUse) -> f64 {
        match self.attribution {
            Attribution::Package => used.package_joules,
            Attribution::PackageAndDram => used.joules(),
            Attribution::Legacy => used.legacy_joules,
        }
    }
}

impl Verdict {
    /// What is not as it must be, in words.
    pub fn faults(&self, least_coverage: f64) -> Vec<String> {
        let mut faults = self.node_faults();
        if self.coverage < least_coverage {
            faults.push(format!("only {:.1} % covered", self.coverage * 100.0));
        }
        for (name, pod) in &self.pods {
            faults.extend(pod.fault(self.standard.tolerance).map(|fault| format!("pod {name}: {fault}")));
            let least = if pod.all_seconds >= LONG { LEAST_LONG_COVERAGE } else { LEAST_SHORT_COVERAGE };
            if pod.covered < least * pod.all_seconds {
                faults.push(format!("pod {name} covered for {:.0} of {:.0} s", pod.covered, pod.all_seconds));
            }
        }
        let all = self.windows;
        let marked_well =
            if self.standard.tolerance.sampled { self.sampled == all } else { self.sampled <= MARKED_AT_MOST };
        if !marked_well {
            faults.push(format!("{} of {all} windows marked as sampled", self.sampled));
        }
        faults
    }

    /// What is wrong with the energy of the node.
    pub fn node_faults(&self) -> Vec<String> {
        let tolerance = self.standard.tolerance;
        let mut faults = Vec::new();
        if self.node_error.abs() > tolerance.node {
            faults.push(format!("node {:+.2} %", self.node_error * 100.0));
        }
        if self.worst_window > tolerance.window {
            faults.push(format!("a window {:.1} % off", self.worst_window * 100.0));
        }
        faults
    }
}

impl Display for Verdict {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:5.1} % covered, node {:+6.2} %, worst window {:4.1} %, {} gaps, {} of {} sampled, pods",
            self.coverage * 100.0,
            self.node_error * 100.0,
            self.worst_window * 100.0,
            self.gaps,
            self.sampled,
            self.windows
        )?;
        self.pods
            .iter()
            .try_for_each(|(name, pod)| write!(formatter, " {name} {:+.1}", error(pod.joules, pod.expected()) * 100.0))
    }
}

impl PodSums {
    /// Truth of as much time as the meter covers.
    fn expected(&self) -> f64 {
        if self.true_seconds > 0.0 { self.true_joules * (self.covered / self.true_seconds).min(1.0) } else { 0.0 }
    }

    fn fault(&self, tolerance: Tolerance) -> Option<String> {
        let expected = self.expected();
        let mean_watts = if self.true_seconds > 0.0 { self.true_joules / self.true_seconds } else { 0.0 };
        let edge_seconds = if self.begins_or_ends { tolerance.edge.as_secs_f64() / 2.0 } else { 0.0 };
        let allowed = expected * tolerance.pod + mean_watts * edge_seconds;
        let off = self.joules - expected;
        (off.abs() > allowed).then(|| format!("{off:+.0} of {expected:.0} J, allowed {allowed:.0} J"))
    }
}

fn error(said: f64, truth: f64) -> f64 {
    if truth > 0.0 { said / truth - 1.0 } else { f64::from(u8::from(said > 0.0)) }
}

/// A window without the gaps in it.
fn pieces(outcome: &Outcome, window: &NodeWindow) -> Vec<(Duration, Duration)> {
    let mut pieces = vec![(elapsed(window.start), elapsed(window.end))];
    for gap in &outcome.gaps {
        let (start, end) = (elapsed(gap.start), elapsed(gap.end));
        let without = |(from, to): (Duration, Duration)| [(from, to.min(start)), (from.max(end), to)];
        pieces = pieces.into_iter().flat_map(without).filter(|(from, to)| from < to).collect();
    }
    pieces
}
