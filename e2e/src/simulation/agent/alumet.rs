//! ALUMET: gauges that hold the last difference, or with its aggregation the sum of the last whole interval.

mod measure;
mod names;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use self::measure::Measurement;
pub use self::names::AlumetVersion;
use super::{Exporter, node_seed};
use crate::simulation::fault::Fault;
use crate::simulation::node::LiveNode;
use crate::simulation::page::{OPEN_METRICS, Page};
use crate::simulation::random::{bits, periods, uniform};

/// A version and its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Alumet {
    pub version: AlumetVersion,
    /// How often it measures.
    pub poll: Duration,
    /// Interval of the plugin `aggregation` with function Sum, on the energy metrics.
    pub aggregation: Option<Duration>,
    /// Key of the formula that attributes energy to pods: the name of the metric.
    pub attribution: String,
    /// How far measurements are off their time, as part of `poll`.
    pub jitter: f64,
    /// Families that are no energy of node and pods: per-core times, context switches, estimates, grams.
    pub other_families: bool,
}

/// One measurement as pushed by OTLP.
#[derive(Debug, Clone, PartialEq)]
pub struct AlumetPoint {
    pub name: String,
    pub unit: &'static str,
    /// When it was measured.
    pub at: Duration,
    /// What the agent's clock is ahead by.
    pub skew_seconds: f64,
    pub value: f64,
    pub attributes: Vec<(&'static str, String)>,
}

pub(super) struct State {
    alumet: Alumet,
    started: Duration,
    pages: u64,
    /// Last numbers of pods that are gone, by their place.
    frozen: BTreeMap<usize, Option<Measurement>>,
}

impl Default for Alumet {
    fn default() -> Self {
        Self {
            version: AlumetVersion::V0_9_3,
            poll: Duration::from_secs(1),
            aggregation: None,
            attribution: "attributed_energy".to_owned(),
            jitter: 0.05,
            other_families: false,
        }
    }
}

impl Alumet {
    /// This version with nothing aggregated.
    pub fn raw(version: AlumetVersion) -> Self {
        Self { version, ..Self::default() }
    }

    /// This version with sums over this interval.
    pub fn aggregated(version: AlumetVersion, interval: Duration) -> Self {
        Self { version, aggregation: Some(interval), ..Self::default() }
    }

    /// Instant of the poll of this number; number 0 only sets the start of the first difference.
    fn poll_at(&self, node: &LiveNode, started: Duration, number: u32) -> Duration {
        let off = (uniform(node_seed(node, "alumet"), u64::from(number)) - 0.5) * 2.0 * self.jitter.clamp(0.0, 0.4);
        // Late by half a period on average, so that none comes before its agent.
        (started + self.poll * number) + self.poll.mul_f64(0.5 + off)
    }

    /// Number of the newest poll at or before an instant; none before the first.
    fn newest_poll(&self, node: &LiveNode, started: Duration, at: Duration) -> Option<u32> {
        let guess = periods(at.checked_sub(started)?, self.poll);
        [Some(guess), guess.checked_sub(1)]
            .into_iter()
            .flatten()
            .find(|&number| self.poll_at(node, started, number) <= at)
    }

    /// Everything measured by the polls in `numbers`.
    fn measurements(&self, node: &LiveNode, started: Duration, first: u32, last: u32) -> Vec<Measurement> {
        let measure = |number: u32| {
            let (from, to) = (self.poll_at(node, started, number - 1), self.poll_at(node, started, number));
            Measurement::of(node, from, to)
        };
        (first.max(1)..=last).map(measure).collect()
    }

    /// Points for the polls after `from` and up to `to`.
    pub(super) fn points(&self, node: &LiveNode, started: Duration, from: Duration, to: Duration) -> Vec<AlumetPoint> {
        let first = self.newest_poll(node, started, from).map_or(1, |number| number + 1);
        let Some(last) = self.newest_poll(node, started, to) else { return Vec::new() };
        let measurements = self.measurements(node, started, first, last);
        measurements.iter().flat_map(|measurement| text::points(self, node, measurement)).collect()
    }

    /// Numbers of the polls that the newest whole interval of the aggregation holds.
    fn aggregated_polls(&self, interval: Duration, newest: u32) -> Option<(u32, u32)> {
        let polls = periods(interval, self.poll).max(1);
        let whole = (newest / polls).checked_sub(1)?;
        Some((whole * polls + 1, (whole + 1) * polls))
    }
}

impl State {
    pub(super) fn new(alumet: Alumet, started: Duration) -> Self {
        Self { alumet, started, pages: 0, frozen: BTreeMap::new() }
    }

    /// What the page shows of the node: one poll, or the sum of an interval's.
    fn shown(&self, node: &LiveNode, newest: u32) -> Option<Measurement> {
        let (first, last) = match self.alumet.aggregation {
            Some(interval) => self.alumet.aggregated_polls(interval, newest)?,
            None => (newest, newest),
        };
        Measurement::sum(self.alumet.measurements(node, self.started, first, last))
    }

    /// Series of pods that are gone stay as they were last.
    fn freeze_ended_pods(&mut self, node: &LiveNode, measurement: &mut Measurement, at: Duration) {
        for (index, pod) in node.pods().iter().enumerate() {
            let Some(stop) = pod.stop.filter(|stop| *stop <= at && *stop > self.started) else { continue };
            if !self.frozen.contains_key(&index) {
                let last = self.alumet.newest_poll(node, self.started, stop);
                self.frozen.insert(index, last.and_then(|newest| self.shown(node, newest)));
            }
            if let Some(Some(frozen)) = self.frozen.get(&index) {
                measurement.take_pod(index, frozen);
            }
        }
    }
}

impl Exporter for State {
    fn page(&mut self, node: &LiveNode, _faults: &[Fault], at: Duration) -> Page {
        self.pages += 1;
        let newest = self.alumet.newest_poll(node, self.started, at);
        let shown = newest.and_then(|newest| self.shown(node, newest));
        let mut body = String::new();
        if let Some(mut measurement) = shown {
            self.freeze_ended_pods(node, &mut measurement, at);
            let seed = bits(node_seed(node, "alumet"), self.pages);
            text::write(&mut body, &self.alumet, node, &measurement, seed);
        }
        body.push_str("# EOF\n");
        Page { content_type: Some(OPEN_METRICS), body }
    }
}
