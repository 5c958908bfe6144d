//! Pods: what their counters and gauges add up to, one step after the other.

use std::{sync::Arc, time::Duration};

use rustc_hash::FxHashMap;
use sci_core::quantity::Joules;

use super::{
    MeterCounts,
    grid::{Grid, Micros, bin, seconds, take_bin},
    interval::Interval,
};
use crate::energy::{
    reading::{Domain, Measure, Pod, Reading},
    window::{Exporter, PodWindow},
};

/// Pods of one node that are followed.
const MAX_PODS: usize = 4_096;
/// Series of one pod that are followed: containers, modes, zones, accelerators.
const MAX_SERIES: usize = 512;
/// A pod may exceed the node by so much, because not all is read at the same instant.
const TOLERANCE: f64 = 1.1;

/// All pods of one exporter on one node.
#[derive(Debug)]
pub(super) struct Pods {
    exporter: Exporter,
    states: FxHashMap<u64, State>,
    touched: Vec<u64>,
}

/// A step of the node, for its pods.
#[derive(Debug, Clone, Copy)]
pub(super) struct PodStep {
    /// The last observation. `None`: this is the first.
    pub from: Option<Micros>,
    pub at: Micros,
    /// Where values are deltas.
    pub interval: Option<Interval>,
    /// What a pod cannot exceed.
    pub max_watts: f64,
    /// CPU and memory of the node in this step, for exporters that say shares of CPU time only.
    pub node_joules: Option<f64>,
    pub cores: f64,
    /// The node has a value, so that pods may have one.
    pub counts: bool,
}

#[derive(Debug)]
struct State {
    pod: Arc<Pod>,
    series: Vec<Series>,
    bins: Vec<(i64, Bin)>,
    seen_at: Micros,
    seen_power: bool,
    share: Option<f64>,
    now: Now,
}

/// One series of a pod.
#[derive(Debug, Clone, Copy)]
struct Series {
    domain: Domain,
    part: u64,
    value: f64,
    seen_at: Micros,
    watts: f64,
}

/// What the present step says, until it is finished.
#[derive(Debug, Clone, Copy, Default)]
struct Now {
    joules: Option<f64>,
    dram: Option<f64>,
    watts: Option<f64>,
    share: Option<f64>,
    start: Option<Micros>,
    /// Time that the joules are of.
    covered_seconds: f64,
    /// A value cannot be true, or has not moved while the node's did.
    broken: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    joules: f64,
    dram: Option<f64>,
    covered: f64,
    cpu: Option<f64>,
}

impl Pods {
    pub(super) fn new(exporter: Exporter) -> Self {
        Self { exporter, states: FxHashMap::default(), touched: Vec::new() }
    }

    /// Takes all readings of an observation.
    pub(super) fn step<'r>(
        &mut self,
        readings: impl Iterator<Item = &'r Reading>,
        step: PodStep,
        grid: Grid,
        counts: &mut MeterCounts,
    ) {
        self.touched.clear();
        for reading in readings {
            let Some(pod) = &reading.pod else { continue };
            if self.states.len() >= MAX_PODS && !self.states.contains_key(&pod.key) {
                counts.over_limit += 1;
                continue;
            }
            let state = self.states.entry(pod.key).or_insert_with(|| State::new(Arc::clone(pod)));
            if state.seen_at != step.at {
                state.seen_at = step.at;
                state.now = Now::default();
                self.touched.push(pod.key);
            }
            state.take(reading, &step, counts);
        }
        for key in &self.touched {
            if let Some(state) = self.states.get_mut(key) {
                state.finish(&step, grid, self.exporter);
            }
        }
    }

    /// Forgets the last values, not what is in open windows.
    pub(super) fn break_off(&mut self) {
        for state in self.states.values_mut() {
            state.series.clear();
            state.seen_power = false;
            state.share = None;
        }
    }

    /// Forgets what is in open windows.
    pub(super) fn clear_windows(&mut self) {
        for state in self.states.values_mut() {
            state.bins.clear();
        }
    }

    /// Takes the values of a window, by name of the pod.
    pub(super) fn take_window(&mut self, window: i64) -> Vec<PodWindow> {
        let taken = self.states.values_mut().filter_map(|state| {
            let bin = take_bin(&mut state.bins, window)?;
            bin.finish(&state.pod)
        });
        let mut windows: Vec<_> = taken.collect();
        windows.sort_by(|one, other| one.pod.cmp(&other.pod));
        windows
    }

    /// Forgets pods that are silent since before this instant, and windows before this one.
    pub(super) fn forget(&mut self, before: Micros, first_window: i64) {
        self.states.retain(|_, state| {
            state.bins.retain(|(window, _)| *window >= first_window);
            state.seen_at >= before || !state.bins.is_empty()
        });
    }
}

impl PodStep {
    fn length(&self) -> f64 {
        self.from.map_or(0.0, |from| seconds(from, self.at))
    }
}

impl State {
    fn new(pod: Arc<Pod>) -> Self {
        Self {
            pod,
            series: Vec::new(),
            bins: Vec::new(),
            seen_at: Micros::MIN,
            seen_power: false,
            share: None,
            now: Now::default(),
        }
    }

    fn take(&mut self, reading: &Reading, step: &PodStep, counts: &mut MeterCounts) {
        match reading.measure {
            Measure::Counter(domain, _) => self.counter(domain, reading, step, counts),
            Measure::Delta { domain, .. } => self.delta(domain, reading, step, counts),
            Measure::Power(_) => self.now.watts = Some(self.now.watts.unwrap_or(0.0) + reading.value),
            Measure::CpuShare => self.now.share = Some(self.now.share.unwrap_or(0.0) + reading.value),
            Measure::IdleCounter | Measure::Hint | Measure::Utilization | Measure::CpuTime { .. } | Measure::Fake => {}
        }
    }

    /// A counter that fell has started again from zero: what it shows is of the time since then, and that time is
    /// known by the power before only. A series that is new on a node that was watched has started since.
    fn counter(&mut self, domain: Domain, reading: &Reading, step: &PodStep, counts: &mut MeterCounts) {
        let Some(series) = self.series(domain, reading.part, counts) else { return };
        let (before, value) = (*series, reading.value);
        let known = before.seen_at != Micros::MIN;
        let from = if known { Some(before.seen_at) } else { step.from };
        *series = Series { value, seen_at: step.at, ..before };
        let Some(from) = from else { return };
        if reading.terminated && !known {
            counts.lone_terminated += 1;
            return;
        }
        let length = seconds(from, step.at);
        let (joules, covered) = if known && before.seen_at == step.at {
            // The last word about a pod, beside its running series.
            series.value = value.max(before.value);
            (series.value - before.value, 0.0)
        } else if known && value < before.value {
            (value, restarted(value, before.watts, length))
        } else {
            (value - if known { before.value } else { 0.0 }, length)
        };
        // The last word comes without time of its own.
        let possible = joules <= step.max_watts * length.max(step.length()) * TOLERANCE;
        if possible {
            series.watts = if covered > 0.0 { joules / covered } else { before.watts };
            self.now.add(domain, joules, from, covered);
        } else if known {
            // One that is new and begins with more than the node has is older than it looks.
            counts.implausible_pods += 1;
            self.now.broken = true;
        }
    }

    /// A value that stays the same while the node's moves is of a pod that is gone: ALUMET never drops one.
    fn delta(&mut self, domain: Domain, reading: &Reading, step: &PodStep, counts: &mut MeterCounts) {
        let Some(series) = self.series(domain, reading.part, counts) else { return };
        let before = *series;
        let known = before.seen_at != Micros::MIN;
        if before.seen_at == step.at {
            return;
        }
        *series = Series { value: reading.value, seen_at: step.at, ..before };
        let Some(interval) = step.interval else { return };
        if known && reading.value > 0.0 && reading.value.to_bits() == before.value.to_bits() {
            self.now.broken = true;
            return;
        }
        // A sample of a pod that was just seen for the first time may be of any part of the step.
        if !known && interval.sampled {
            return;
        }
        let joules = reading.value * interval.scale;
        if joules <= step.max_watts * seconds(interval.start, step.at) * TOLERANCE {
            self.now.add(domain, joules, interval.start, seconds(interval.start, step.at));
        } else {
            counts.implausible_pods += 1;
            self.now.broken = true;
        }
    }

    fn series(&mut self, domain: Domain, part: u64, counts: &mut MeterCounts) -> Option<&mut Series> {
        let index = self.series.iter().position(|series| series.domain == domain && series.part == part);
        let index = match index {
            Some(index) => index,
            None if self.series.len() < MAX_SERIES => {
                self.series.push(Series { domain, part, value: 0.0, seen_at: Micros::MIN, watts: 0.0 });
                self.series.len() - 1
            }
            None => {
                counts.over_limit += 1;
                return None;
            }
        };
        self.series.get_mut(index)
    }

    fn finish(&mut self, step: &PodStep, grid: Grid, exporter: Exporter) {
        let now = self.now;
        let length = step.length();
        let seen_power = self.seen_power;
        self.seen_power |= now.watts.is_some();
        let last_share = std::mem::replace(&mut self.share, now.share);
        let (Some(from), true) = (step.from, step.counts) else { return };
        // ALUMET keeps the shares of pods that are gone; Scaphandre rounds, so that equal values are normal there.
        let share_stands = exporter == Exporter::Alumet && now.share > Some(0.0) && now.share == last_share;
        let share = now.share.filter(|_| last_share.is_some() && !share_stands && !now.broken);
        if let Some(share) = share {
            let cpu = share.min(1.0) * step.cores * length;
            self.each_part(from, step.at, grid, |bin, part| *bin.cpu.get_or_insert(0.0) += cpu * part);
        }
        let by_power = now.watts.filter(|_| seen_power).map(|watts| watts * length);
        let by_share = share.filter(|_| now.watts.is_none()).zip(step.node_joules).map(|(share, node)| share * node);
        let told = now.total(exporter);
        let Some(joules) = told.or(by_power).or(by_share) else { return };
        if now.broken || joules > step.max_watts * length.max(now.length(step.at)) * TOLERANCE {
            return;
        }
        let (start, covered) = match (told, now.start) {
            (Some(_), Some(start)) => (start, now.covered_seconds / seconds(start, step.at).max(1e-9)),
            _ => (from, 1.0),
        };
        self.add(start, step.at, grid, (joules, now.dram, covered.min(1.0)));
    }

    fn add(&mut self, start: Micros, end: Micros, grid: Grid, (joules, dram, covered): (f64, Option<f64>, f64)) {
        for part in grid.parts(start, end) {
            if let Some(bin) = bin(&mut self.bins, part.window) {
                bin.joules += joules * part.share;
                bin.covered += part.seconds * covered;
                if let Some(dram) = dram {
                    *bin.dram.get_or_insert(0.0) += dram * part.share;
                }
            }
        }
    }

    fn each_part(&mut self, start: Micros, end: Micros, grid: Grid, mut each: impl FnMut(&mut Bin, f64)) {
        for part in grid.parts(start, end) {
            if let Some(bin) = bin(&mut self.bins, part.window) {
                each(bin, part.share);
            }
        }
    }
}

impl Now {
    fn add(&mut self, domain: Domain, joules: f64, start: Micros, covered_seconds: f64) {
        let sum = if domain == Domain::Dram { &mut self.dram } else { &mut self.joules };
        *sum = Some(sum.unwrap_or(0.0) + joules);
        self.start = Some(self.start.map_or(start, |known| known.min(start)));
        self.covered_seconds = self.covered_seconds.max(covered_seconds);
    }

    /// Legacy Kepler's sum of a container contains its memory.
    fn total(&self, exporter: Exporter) -> Option<f64> {
        match (self.joules, self.dram) {
            (None, dram) => dram,
            (Some(joules), _) if exporter == Exporter::KeplerLegacy => Some(joules),
            (Some(joules), dram) => Some(joules + dram.unwrap_or(0.0)),
        }
    }

    fn length(&self, at: Micros) -> f64 {
        self.start.map_or(0.0, |start| seconds(start, at))
    }
}

impl Bin {
    fn finish(self, pod: &Pod) -> Option<PodWindow> {
        if self.covered <= 0.0 && self.joules <= 0.0 && self.cpu.is_none() {
            return None;
        }
        let duration = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
        Some(PodWindow {
            pod: pod.name.clone(),
            energy: Joules::new(self.joules).ok()?,
            dram: self.dram.and_then(|dram| Joules::new(dram).ok()),
            cpu: self.cpu.map(duration),
            covered: duration(self.covered),
        })
    }
}

/// Seconds since a counter started again, if its pod draws what it drew before.
fn restarted(value: f64, watts_before: f64, length: f64) -> f64 {
    if watts_before > 0.0 { (value / watts_before).min(length) } else { 0.0 }
}
