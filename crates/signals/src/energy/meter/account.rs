//! One exporter on one node: from observations to windows.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sci_core::quantity::{Joules, Utilization};

use super::{
    MeterCounts, MeterOptions, MeterOutput,
    grid::{Micros, seconds},
    interval::{DeltaClock, Form},
    node::{NodeEnergy, NodeSeries, NodeStep, StepContext, consistent, total},
    pods::{PodStep, Pods},
    trust::{Testimony, Trust},
    windows::{Bin, Closed, Hole, Windows},
};
use crate::energy::{
    reading::{Measure, Reading},
    window::{Exporter, Gap, GapReason, MeterId, NodeJoules, NodeWindow, RefusedMeter, Route},
};

/// So many observations in a row with times before the last one, and the clock was set back.
const CLOCK_SET_BACK: u32 = 3;
/// The last of many polls stands for so many intervals of observation, and for this long at least.
const MAX_MISSED_POLLED: u32 = 3;
const MIN_POLLED_STEP: Duration = Duration::from_mins(1);
/// Shares of CPU time may add up to a little more than all.
const MAX_BUSY: f64 = 1.05;

#[derive(Debug)]
pub(super) struct Account {
    pub exporter: Exporter,
    node: NodeSeries,
    pods: Pods,
    deltas: DeltaClock,
    trust: Trust,
    windows: Option<Windows>,
    /// The last observation.
    last_at: Option<Timestamp>,
    /// The last that said anything new.
    step_at: Option<Timestamp>,
    set_back: u32,
}

/// What all parts of a step need.
#[derive(Debug, Clone, Copy)]
struct Step<'a> {
    from: Option<Timestamp>,
    at: Timestamp,
    options: &'a MeterOptions,
}

impl Account {
    pub(super) fn new(exporter: Exporter) -> Self {
        Self {
            exporter,
            node: NodeSeries::default(),
            pods: Pods::new(exporter),
            deltas: DeltaClock::default(),
            trust: Trust::default(),
            windows: None,
            last_at: None,
            step_at: None,
            set_back: 0,
        }
    }

    /// Takes all readings of one instant.
    pub(super) fn observe(
        &mut self,
        at: Timestamp,
        readings: &[Reading],
        options: &MeterOptions,
        counts: &mut MeterCounts,
    ) {
        if !self.in_order(at, options, counts) {
            return;
        }
        if readings.iter().any(|reading| reading.measure == Measure::Fake) {
            self.trust.fake(at);
            self.break_off();
            return;
        }
        self.trust.honest();
        let node = || readings.iter().filter(|reading| reading.pod.is_none());
        let lacks_node = !node().any(|reading| reading.measure.domain().is_some());
        if lacks_node && !self.node.is_empty() {
            // As if it had not come: counters bridge it. One that stays away is gone after a while.
            if self.step_at >= Some(back(at, options.stale_after)) {
                counts.late += 1;
                return;
            }
            self.node.clear();
        }
        if !self.node.news(node()) {
            self.deltas.same_value();
            if let Some(moved_at) = self.step_at {
                let now = (at.as_microsecond(), at);
                self.trust.standing(moved_at.as_microsecond(), now, options.scrape_interval.as_secs_f64());
            }
            return;
        }
        self.trust.moved();
        let length = i64::try_from(options.window.as_micros()).unwrap_or(i64::MAX);
        self.windows.get_or_insert_with(|| Windows::new(at.as_microsecond(), length));
        let from = self.reach_back(at, longest_step(readings, options));
        self.step(readings, Step { from, at, options }, counts);
        self.step_at = Some(at);
        self.node.forget(back(at, options.stale_after));
    }

    /// The values are of several nodes.
    pub(super) fn mixed(&mut self, at: Timestamp) {
        self.trust.mixed(at);
        self.last_at = self.last_at.max(Some(at));
        self.break_off();
    }

    pub(super) fn missed(&mut self, at: Timestamp, reason: GapReason) {
        if let Some(windows) = &mut self.windows {
            windows.missed(at.as_microsecond(), reason);
        }
    }

    /// Nothing was heard for so long that the exporter is not there any more.
    pub(super) fn is_gone(&self, now: Timestamp, options: &MeterOptions) -> bool {
        self.last_at.is_none_or(|last| last < back(now, options.stale_after.saturating_mul(10)))
    }

    /// Hands over what is finished: windows that observations have reached the end of, and those that are too old to
    /// wait for.
    pub(super) fn take(&mut self, now: Timestamp, options: &MeterOptions, output: &mut MeterOutput) {
        let meter = MeterId { source: options.source.clone(), route: options.route, exporter: self.exporter };
        let refusal = self.trust.refusal();
        if let Some((refusal, since)) = refusal {
            let node = options.node.clone();
            output.refused.push(RefusedMeter { node, meter: meter.clone(), refusal, since });
        }
        let Some(windows) = &mut self.windows else { return };
        let too_old = back(now, options.stale_after).as_microsecond();
        let reached = self.step_at.map_or(too_old, |at| at.as_microsecond().max(too_old));
        let until = windows.grid.at(reached);
        if refusal.is_some() {
            // What a refused meter says is neither a value nor a gap.
            windows.skip(until.max(windows.grid.at(now.as_microsecond())));
            self.pods.clear_windows();
            return;
        }
        for closed in windows.close(until) {
            match closed {
                Closed::Gap(hole) => output.gaps.extend(gap(hole, &meter, options)),
                Closed::Window(window, bin, hole) => {
                    let times = (windows.grid.start(window), windows.grid.start(window + 1));
                    let pods = self.pods.take_window(window);
                    output.gaps.extend(hole.and_then(|hole| gap(hole, &meter, options)));
                    output
                        .windows
                        .extend(node_window(times, &bin, &meter, options).map(|of| NodeWindow { pods, ..of }));
                }
            }
        }
        self.pods.forget(too_old, windows.grid.next);
    }

    /// Times that do not rise are of another replica, or of a clock that was set back.
    fn in_order(&mut self, at: Timestamp, options: &MeterOptions, counts: &mut MeterCounts) -> bool {
        let Some(last) = self.last_at else {
            self.last_at = Some(at);
            return true;
        };
        if at == last {
            counts.duplicates += 1;
            return false;
        }
        if at < last {
            counts.duplicates += 1;
            self.set_back += 1;
            if self.set_back < CLOCK_SET_BACK && at >= back(last, options.stale_after) {
                return false;
            }
            self.hole(at, last, GapReason::Clock);
            self.break_off();
        }
        self.set_back = 0;
        self.last_at = Some(at);
        true
    }

    /// The start of the step that ends now. `None`: there is none, or it was too long ago.
    fn reach_back(&mut self, at: Timestamp, longest: Duration) -> Option<Timestamp> {
        let from = self.step_at?;
        if from >= back(at, longest) {
            return Some(from);
        }
        self.hole(from, at, GapReason::NoAnswer);
        self.deltas.restart();
        None
    }

    fn step(&mut self, readings: &[Reading], step: Step<'_>, counts: &mut MeterCounts) {
        let Step { from, at, options } = step;
        let (from_micros, at_micros) = (from.map(Timestamp::as_microsecond), at.as_microsecond());
        let node = || readings.iter().filter(|reading| reading.pod.is_none());
        let interval = form(readings, options).and_then(|form| self.deltas.interval(from_micros, at_micros, form));
        let hints = node().filter(|reading| reading.measure == Measure::Hint).map(|reading| reading.value);
        let hint_watts = hints.reduce(|sum, watts| sum + watts);
        let context = StepContext { from, at, interval, max_power: options.max_power, hint_watts };
        let outcome = self.node.step(node(), context);
        let utilization = utilization(readings, self.exporter);
        let energy = self.judge(outcome, readings, utilization, step);
        let Some(windows) = &mut self.windows else { return };
        let tells_pods = readings.iter().any(|reading| reading.pod.is_some() && reading.measure.domain().is_some());
        let unwatched = outcome == NodeStep::Baseline && self.node.is_empty() && tells_pods;
        if let Some(from) = from_micros {
            match &energy {
                Some(energy) => windows.add(energy, at_micros),
                None if unwatched => windows.add_time(from, at_micros),
                None => {}
            }
            if let Some(busy) = utilization {
                windows.add_utilization(from, at_micros, busy);
            }
        }
        let total = energy.and_then(|energy| Some((energy.total()?, seconds(energy.start, at_micros))));
        let pod_step = PodStep {
            from: from_micros,
            at: at_micros,
            interval,
            max_watts: total.map_or(options.max_power.get(), |(joules, seconds)| joules / seconds),
            node_joules: energy.as_ref().and_then(cpu_joules),
            cores: options.cores.get(),
            counts: unwatched || total.is_some(),
        };
        let pods = readings.iter().filter(|reading| reading.pod.is_some());
        self.pods.step(pods, pod_step, windows.grid, counts);
    }

    /// The joules of a step, if they can be true.
    fn judge(
        &mut self,
        outcome: NodeStep,
        readings: &[Reading],
        utilization: Option<f64>,
        step: Step<'_>,
    ) -> Option<NodeEnergy> {
        let Step { from, at, options } = step;
        let node = readings.iter().filter(|reading| reading.pod.is_none());
        let package = match &outcome {
            NodeStep::Energy(energy) => energy.joules.first().copied().flatten(),
            NodeStep::Baseline | NodeStep::Hole(_) | NodeStep::TooMuch(_) => None,
        };
        let idle = self.node.idle_share(node, package);
        let from = from?;
        let since = |start: Micros| seconds(start, at.as_microsecond());
        let (energy, watts) = match outcome {
            NodeStep::Baseline => return None,
            NodeStep::Hole(reason) => {
                self.hole(from, at, reason);
                return None;
            }
            NodeStep::TooMuch(joules) => (None, joules / since(from.as_microsecond())),
            NodeStep::Energy(energy) => (Some(energy), total(&energy.joules)? / since(energy.start)),
        };
        let said = Testimony { watts, max_watts: options.max_power.get(), idle, utilization };
        if self.trust.judge(said, at) {
            return energy;
        }
        self.hole(from, at, GapReason::Implausible);
        None
    }

    fn hole(&mut self, start: Timestamp, end: Timestamp, reason: GapReason) {
        if let Some(windows) = &mut self.windows {
            windows.add_hole(Hole { start: start.as_microsecond(), end: end.as_microsecond(), reason });
        }
    }

    fn break_off(&mut self) {
        self.node.clear();
        self.pods.break_off();
        self.deltas.restart();
        self.step_at = None;
    }
}

/// The longest step that these readings can tell of. A counter knows what happened while nobody looked; the last of many
/// polls stands for the time around it alone.
fn longest_step(readings: &[Reading], options: &MeterOptions) -> Duration {
    match form(readings, options) {
        Some(Form::Polled { .. }) => {
            let around = options.scrape_interval.saturating_mul(MAX_MISSED_POLLED).max(MIN_POLLED_STEP);
            around.min(options.stale_after)
        }
        Some(Form::Consecutive { .. }) | None => options.stale_after,
    }
}

/// How the deltas among these readings come, if there are any.
fn form(readings: &[Reading], options: &MeterOptions) -> Option<Form> {
    let summed = readings.iter().find_map(|reading| match reading.measure {
        Measure::Delta { summed, .. } => Some(summed),
        _ => None,
    })?;
    let timed = options.route == Route::Otlp;
    Some(match (summed, timed) {
        (false, false) => Form::Polled { seconds: options.alumet_poll_interval.as_secs_f64().max(1e-3) },
        (true, false) => {
            let seconds = options.alumet_aggregation_interval.map(|interval| interval.as_secs_f64().max(1e-3));
            Form::Consecutive { seconds, timed }
        }
        (_, true) => Form::Consecutive { seconds: None, timed },
    })
}

/// Busy share of the node, as far as the exporter says it.
fn utilization(readings: &[Reading], exporter: Exporter) -> Option<f64> {
    let (mut busy_time, mut all_time, mut shares) = (0.0, 0.0, None);
    for reading in readings {
        match reading.measure {
            Measure::Utilization => return Some(reading.value).filter(|busy| *busy <= MAX_BUSY),
            Measure::CpuTime { busy } => {
                all_time += reading.value;
                busy_time += if busy { reading.value } else { 0.0 };
            }
            Measure::CpuShare if exporter == Exporter::Scaphandre => {
                shares = Some(shares.unwrap_or(0.0) + reading.value);
            }
            _ => {}
        }
    }
    // Some kernels do not count idle time: then nothing is known.
    let by_time = (all_time > busy_time).then(|| busy_time / all_time);
    by_time.or(shares).filter(|busy| *busy <= MAX_BUSY)
}

/// Packages and memory, which shares of CPU time are shares of.
fn cpu_joules(energy: &NodeEnergy) -> Option<f64> {
    let [package, dram, ..] = energy.joules;
    package.map(|package| package + dram.unwrap_or(0.0))
}

fn node_window(
    (start, end): (Micros, Micros),
    bin: &Bin,
    meter: &MeterId,
    options: &MeterOptions,
) -> Option<NodeWindow> {
    let quantity = |joules: Option<f64>| joules.and_then(|joules| Joules::new(joules).ok());
    let [package, dram, platform, accelerators, _] = consistent(bin.joules).map(quantity);
    let covered = Duration::try_from_secs_f64(bin.covered_seconds).ok()?;
    let length = Duration::from_micros(end.abs_diff(start));
    Some(NodeWindow {
        node: options.node.clone(),
        meter: meter.clone(),
        start: Timestamp::from_microsecond(start).ok()?,
        end: Timestamp::from_microsecond(end).ok()?,
        covered: covered.min(length),
        energy: NodeJoules { package, dram, platform, accelerators },
        utilization: bin.utilization().and_then(|busy| Utilization::new(busy.min(1.0)).ok()),
        sampled: bin.sampled,
        modelled: bin.modelled,
        pods: Vec::new(),
    })
}

fn gap(hole: Hole, meter: &MeterId, options: &MeterOptions) -> Option<Gap> {
    Some(Gap {
        node: options.node.clone(),
        meter: meter.clone(),
        start: Timestamp::from_microsecond(hole.start).ok()?,
        end: Timestamp::from_microsecond(hole.end).ok()?,
        reason: hole.reason,
    })
}

fn back(at: Timestamp, duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    at.checked_sub(duration).unwrap_or(Timestamp::MIN)
}
