//! Scrapes of an hour, one after the other, without waiting.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube_sci_e2e::simulation::{Agent, AlumetPoint, Fault, LiveNode, Reply};
use kube_sci_signals::energy::{
    Exporter, Gap, GapReason, Meter, MeterOptions, NodeWindow, PageReader, ReaderOptions, RefusedMeter, Route, readers,
};
use kube_sci_signals::exposition::{self, Labels, Sample, SampleKind};
use sci_core::quantity::{Cores, Watts};

use super::{HOUR, Setup};

const SCRAPE_INTERVAL: Duration = Duration::from_secs(15);
const WINDOW: Duration = Duration::from_mins(1);
const STALE_AFTER: Duration = Duration::from_mins(3);
/// What says more than this many times the full power of the hardware is wrong.
const MAX_POWER_FACTOR: f64 = 2.0;

/// One node with one agent, and the reader and the meter of the project on it.
pub struct Run {
    agent: Agent,
    meter: Meter,
    route: Route,
    otlp: bool,
}

/// What the meter said in an hour.
pub struct Outcome {
    pub node: Arc<LiveNode>,
    pub windows: Vec<NodeWindow>,
    pub gaps: Vec<Gap>,
    /// At each scrape, what was refused.
    pub refused: Vec<(Duration, RefusedMeter)>,
}

impl Run {
    pub fn new(node: LiveNode, setup: &Setup) -> Self {
        let node = Arc::new(node);
        let route = if setup.otlp { Route::Otlp } else { Route::Scrape };
        let meter = Meter::new(MeterOptions {
            node: node.name().into(),
            source: "agents".into(),
            route,
            window: WINDOW,
            max_power: Watts::new(node.class().full_watts() * MAX_POWER_FACTOR).unwrap(),
            cores: Cores::new(f64::from(node.class().threads)).unwrap(),
            alumet_poll_interval: Duration::from_secs(1),
            alumet_aggregation_interval: setup.aggregation,
            stale_after: STALE_AFTER,
            scrape_interval: SCRAPE_INTERVAL,
        });
        Self { agent: Agent::new(node, setup.program.clone()), meter, route, otlp: setup.otlp }
    }

    pub fn faults(mut self, faults: &[Fault]) -> Self {
        for fault in faults {
            self.agent.add_fault(*fault);
        }
        self
    }

    /// Scrapes for an hour, and takes what the meter says each time.
    pub fn hour(mut self) -> Outcome {
        let mut outcome =
            Outcome { node: Arc::clone(self.agent.node()), windows: Vec::new(), gaps: Vec::new(), refused: Vec::new() };
        let mut pushed = Duration::ZERO;
        for number in 1.. {
            // Scrapers are some milliseconds off, now later and now earlier.
            let at = SCRAPE_INTERVAL * number + Duration::from_millis(u64::from(number * 7 % 40));
            if at > HOUR + STALE_AFTER {
                break;
            }
            if self.otlp {
                self.take_points(pushed, at);
                pushed = at;
            } else {
                self.scrape(at);
            }
            let output = self.meter.take(timestamp(at));
            outcome.windows.extend(output.windows);
            outcome.gaps.extend(output.gaps);
            outcome.refused.extend(output.refused.into_iter().map(|refused| (at, refused)));
        }
        outcome
    }

    fn reader(&self) -> PageReader {
        PageReader::new(&Exporter::ALL, ReaderOptions { route: self.route, node_label: None })
    }

    fn scrape(&mut self, at: Duration) {
        let Reply::Page(page) = self.agent.scrape(at) else {
            self.meter.missed(timestamp(at), GapReason::NoAnswer);
            return;
        };
        let mut reader = self.reader();
        let wanted = |name: &str| readers::wanted(&Exporter::ALL, name);
        let counts =
            exposition::parse(page.body.as_bytes(), wanted, |sample| reader.sample(&sample, timestamp(at))).unwrap();
        assert_eq!(counts.malformed, 0, "{}", page.body);
        self.meter.observe(reader.finish());
    }

    fn take_points(&mut self, from: Duration, to: Duration) {
        let points = self.agent.points(from, to);
        if points.is_empty() {
            self.meter.missed(timestamp(to), GapReason::NoAnswer);
            return;
        }
        let mut reader = self.reader();
        for point in &points {
            let pair = |(key, value): &(&'static str, String)| (Cow::from(*key), Cow::from(value.clone()));
            let labels: Vec<(Cow<'_, str>, Cow<'_, str>)> = point.attributes.iter().map(pair).collect();
            let (name, at) = (point.name.as_str(), Some(shown(point)));
            let labels = Labels::from_pairs(&labels);
            reader.sample(&Sample { name, labels, value: point.value, at, kind: SampleKind::Gauge }, timestamp(to));
        }
        self.meter.observe(reader.finish());
    }
}

/// Simulated time as a reader's clock shows it.
pub fn timestamp(at: Duration) -> Timestamp {
    let epoch: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    epoch + SignedDuration::try_from(at).unwrap()
}

/// A reader's time as simulated time.
pub fn elapsed(at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(timestamp(Duration::ZERO))).unwrap_or_default()
}

fn shown(point: &AlumetPoint) -> Timestamp {
    timestamp(point.at) + SignedDuration::try_from_secs_f64(point.skew_seconds).unwrap()
}
