//! The node's own series: one step from observation to observation, for all domains together.

use jiff::Timestamp;
use rustc_hash::FxHashMap;
use sci_core::quantity::Watts;

use super::{
    counter::{Bound, Step},
    grid::{Micros, seconds},
    interval::Interval,
};
use crate::energy::{
    reading::{Domain, Measure, Reading},
    window::GapReason,
};

/// Joules by [`Domain::index`].
pub(super) type DomainJoules = [Option<f64>; Domain::COUNT];

/// A platform below this share of its own packages and memory measures something else.
const PLATFORM_FLOOR: f64 = 0.9;

/// Last values of the node's series.
#[derive(Debug, Default)]
pub(super) struct NodeSeries {
    series: FxHashMap<(Domain, u64), Last>,
    idle: FxHashMap<u64, f64>,
}

/// What a step says of the node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum NodeStep {
    /// Nothing to compare with.
    Baseline,
    /// No joules, for this reason.
    Hole(GapReason),
    /// More joules than the node can draw.
    TooMuch(f64),
    /// Joules.
    Energy(NodeEnergy),
}

/// Joules of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NodeEnergy {
    pub start: Micros,
    pub joules: DomainJoules,
    pub sampled: bool,
    pub modelled: bool,
}

/// When a step is, and what bounds it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepContext {
    /// The last step.
    pub from: Option<Timestamp>,
    pub at: Timestamp,
    pub interval: Option<Interval>,
    pub max_power: Watts,
    /// The exporter's own gauge.
    pub hint_watts: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    value: f64,
    at: Timestamp,
    watts: Option<f64>,
}

impl NodeSeries {
    /// Whether any of these says something that was not known before. Power may well stay as it was.
    pub(super) fn news<'r>(&self, readings: impl Iterator<Item = &'r Reading>) -> bool {
        let (mut any, mut only_power) = (false, true);
        for reading in readings {
            let Some(domain) = reading.measure.domain() else { continue };
            any = true;
            if matches!(reading.measure, Measure::Power(_)) {
                continue;
            }
            only_power = false;
            // Bit for bit: what is measured anew differs in its last digits.
            let known = self.series.get(&(domain, reading.part));
            if known.is_none_or(|known| known.value.to_bits() != reading.value.to_bits()) {
                return true;
            }
        }
        !any || only_power
    }

    /// No series is known.
    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Forgets all values, such as after a break in time.
    pub(super) fn clear(&mut self) {
        self.series.clear();
        self.idle.clear();
    }

    /// Forgets series that are silent since before this instant.
    pub(super) fn forget(&mut self, before: Timestamp) {
        self.series.retain(|_, last| last.at >= before);
    }

    /// Takes all readings of an observation.
    pub(super) fn step<'r>(&mut self, readings: impl Iterator<Item = &'r Reading>, context: StepContext) -> NodeStep {
        let mut sums = Sums::default();
        for reading in readings {
            let Some(domain) = reading.measure.domain() else { continue };
            let last = self.series.get(&(domain, reading.part)).copied();
            if last.is_some_and(|last| last.at >= context.at) {
                continue;
            }
            let outcome = joules_of(reading, last, &context);
            if outcome == Err(GapReason::Implausible) {
                sums.too_much += last.map_or(0.0, |last| (reading.value - last.value).max(0.0));
            }
            let watts = outcome.ok().flatten().zip(last).map(|(joules, last)| joules / since(last.at, context.at));
            sums.add(domain, outcome, reading, last.is_some());
            self.series.insert((domain, reading.part), Last { value: reading.value, at: context.at, watts });
        }
        let Some(from) = context.from else { return NodeStep::Baseline };
        // A domain that is missing on one page would make the node look cheaper.
        if self.series.values().any(|last| last.at < context.at && last.at >= from) {
            sums.hole = sums.hole.or(Some(GapReason::Coverage));
        }
        sums.finish(from, &context)
    }

    /// Share of the packages' energy that is called idle, since the last step.
    pub(super) fn idle_share<'r>(
        &mut self,
        readings: impl Iterator<Item = &'r Reading>,
        package_joules: Option<f64>,
    ) -> Option<f64> {
        let (mut idle_joules, mut known) = (0.0, false);
        for reading in readings.filter(|reading| reading.measure == Measure::IdleCounter) {
            if let Some(before) = self.idle.insert(reading.part, reading.value) {
                known = true;
                idle_joules += reading.value - before;
            }
        }
        package_joules.filter(|joules| known && *joules > 0.0).map(|joules| idle_joules / joules)
    }
}

impl NodeEnergy {
    /// Joules of the whole node: the platform where it is measured, else packages, memory and the rest.
    pub(super) fn total(&self) -> Option<f64> {
        total(&self.joules)
    }
}

/// Leaves one of the domains that contain each other: a platform that draws less than its packages is none, and legacy
/// Kepler's rest makes a platform out of the others.
pub(super) fn consistent(mut joules: DomainJoules) -> DomainJoules {
    let [package, dram, platform, accelerators, other] = &mut joules;
    let parts = package.unwrap_or(0.0) + dram.unwrap_or(0.0);
    if platform.is_some_and(|platform| platform < PLATFORM_FLOOR * parts || platform <= 0.0) {
        *platform = None;
    }
    if platform.is_none()
        && let Some(rest) = other.filter(|rest| *rest > 0.0)
    {
        *platform = Some(parts + rest);
    }
    if platform.is_some() {
        *accelerators = None;
    }
    *other = None;
    joules
}

/// Joules of the whole node.
pub(super) fn total(joules: &DomainJoules) -> Option<f64> {
    let [package, dram, platform, accelerators, _] = consistent(*joules);
    let cpus = package.map(|package| package + dram.unwrap_or(0.0));
    let machine = platform.or(cpus);
    match (machine, accelerators) {
        (None, None) => None,
        (machine, accelerators) => Some(machine.unwrap_or(0.0) + accelerators.unwrap_or(0.0)),
    }
}

/// Joules of all series of a step.
#[derive(Debug, Default)]
struct Sums {
    joules: DomainJoules,
    hole: Option<GapReason>,
    too_much: f64,
    modelled: bool,
    deltas: bool,
    power: bool,
}

impl Sums {
    fn add(&mut self, domain: Domain, outcome: Result<Option<f64>, GapReason>, reading: &Reading, known: bool) {
        self.modelled |= reading.modelled;
        self.power |= matches!(reading.measure, Measure::Power(_));
        self.deltas |= matches!(reading.measure, Measure::Delta { .. });
        match outcome {
            Ok(Some(joules)) => {
                if let Some(sum) = self.joules.get_mut(domain.index()) {
                    *sum = Some(sum.unwrap_or(0.0) + joules);
                }
            }
            // A series that is new has no joules yet, and the sum would lack it.
            Ok(None) if known => {}
            Ok(None) => self.hole = self.hole.or(Some(GapReason::Coverage)),
            Err(reason) => self.hole = Some(if self.too_much > 0.0 { GapReason::Implausible } else { reason }),
        }
    }

    fn finish(self, from: Timestamp, context: &StepContext) -> NodeStep {
        if self.hole == Some(GapReason::Implausible) {
            return NodeStep::TooMuch(self.too_much);
        }
        if let Some(reason) = self.hole {
            return NodeStep::Hole(reason);
        }
        if self.joules.iter().all(Option::is_none) {
            return NodeStep::Baseline;
        }
        let interval = context.interval.filter(|_| self.deltas);
        NodeStep::Energy(NodeEnergy {
            start: interval.map_or(from.as_microsecond(), |interval| interval.start),
            joules: self.joules,
            sampled: interval.is_some_and(|interval| interval.sampled) || self.power,
            modelled: self.modelled,
        })
    }
}

/// `None`: nothing to compare with.
fn joules_of(reading: &Reading, last: Option<Last>, context: &StepContext) -> Result<Option<f64>, GapReason> {
    match reading.measure {
        Measure::Delta { .. } => Ok(context.interval.map(|interval| reading.value * interval.scale)),
        Measure::Power(_) => Ok(last.map(|last| 0.5 * (last.value + reading.value) * since(last.at, context.at))),
        Measure::Counter(_, wraps) => {
            let Some(last) = last else { return Ok(None) };
            let step = Step { from: (last.at, last.value), to: (context.at, reading.value), wraps };
            let seen = [last.watts, context.hint_watts].into_iter().flatten().reduce(f64::max);
            step.joules(Bound { max_power: context.max_power, seen_watts: seen }).map(Some)
        }
        Measure::IdleCounter
        | Measure::Hint
        | Measure::Utilization
        | Measure::CpuShare
        | Measure::CpuTime { .. }
        | Measure::Fake => Ok(None),
    }
}

fn since(from: Timestamp, to: Timestamp) -> f64 {
    seconds(from.as_microsecond(), to.as_microsecond())
}
