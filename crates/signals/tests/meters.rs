//! Observations of one node to windows: recorded pages, and what goes wrong in between.

mod gaps;
mod pods;
mod properties;
mod recorded;
mod refusals;
mod sums;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube_sci_signals::{
    energy::{
        Exporter, GapReason, Meter, MeterCounts, MeterOptions, MeterOutput, NodeWindow, PageReader, PodWindow,
        ReaderOptions, Route, readers::wanted,
    },
    exposition,
};
use sci_core::quantity::{Cores, Watts};

/// A meter that collects everything it said.
pub struct Watched {
    meter: Meter,
    route: Route,
    pub output: MeterOutput,
}

/// Windows of 60 s, pages every 15 s, 8 cores, 800 W at most.
pub fn options(route: Route) -> MeterOptions {
    MeterOptions {
        node: "worker-1".into(),
        source: "test".into(),
        route,
        window: Duration::from_mins(1),
        max_power: Watts::new(800.0).unwrap(),
        cores: Cores::new(8.0).unwrap(),
        alumet_poll_interval: Duration::from_secs(1),
        alumet_aggregation_interval: None,
        stale_after: Duration::from_mins(3),
        scrape_interval: Duration::from_secs(15),
    }
}

pub fn at(second: f64) -> Timestamp {
    let beginning: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    beginning + SignedDuration::try_from_secs_f64(second).unwrap()
}

impl Watched {
    pub fn new() -> Self {
        Self::with(options(Route::Scrape))
    }

    pub fn with(options: MeterOptions) -> Self {
        Self { route: options.route, meter: Meter::new(options), output: MeterOutput::default() }
    }

    /// A page that was read at this second.
    pub fn page(&mut self, second: f64, text: &str) -> &mut Self {
        let mut reader = PageReader::new(&Exporter::ALL, ReaderOptions { route: self.route, node_label: None });
        let wanted = |name: &str| wanted(&Exporter::ALL, name);
        let text = if text.is_empty() { "# nothing\n" } else { text };
        exposition::parse(text.as_bytes(), wanted, |sample| reader.sample(&sample, at(second))).unwrap();
        self.meter.observe(reader.finish());
        self.take(second)
    }

    pub fn missed(&mut self, second: f64) -> &mut Self {
        self.meter.missed(at(second), GapReason::NoAnswer);
        self.take(second)
    }

    /// Time passes.
    pub fn take(&mut self, second: f64) -> &mut Self {
        let MeterOutput { windows, gaps, refused, counts } = self.meter.take(at(second));
        self.output.windows.extend(windows);
        self.output.gaps.extend(gaps);
        self.output.refused = refused;
        let MeterCounts { duplicates, lone_terminated, implausible_pods, over_limit, .. } = counts;
        self.output.counts.duplicates += duplicates;
        self.output.counts.lone_terminated += lone_terminated;
        self.output.counts.implausible_pods += implausible_pods;
        self.output.counts.over_limit += over_limit;
        self
    }

    pub fn only_window(&self) -> &NodeWindow {
        assert_eq!(self.output.windows.len(), 1, "{:#?}", self.output);
        &self.output.windows[0]
    }

    pub fn joules(&self) -> f64 {
        self.output.windows.iter().filter_map(|window| window.energy.total()).map(f64::from).sum()
    }

    pub fn pod_joules(&self, name: &str) -> f64 {
        let pods = self.output.windows.iter().flat_map(|window| &window.pods);
        pods.filter(|pod| &*pod.pod.name == name).map(|pod| pod.energy.get()).sum()
    }
}

pub fn pod<'w>(window: &'w NodeWindow, name: &str) -> Option<&'w PodWindow> {
    window.pods.iter().find(|pod| &*pod.pod.name == name)
}

pub fn near(left: f64, right: f64, tolerance: f64) {
    assert!((left - right).abs() <= tolerance, "{left} is not {right}");
}

/// Kepler's page of a node with one zone.
pub fn kepler(package_joules: f64) -> String {
    format!(
        "kepler_node_cpu_joules_total{{node_name=\"worker-1\",path=\"aggregated-package\",zone=\"package\"}} {package_joules}\n"
    )
}

/// Kepler's line of a pod.
pub fn kepler_pod(name: &str, state: &str, joules: f64) -> String {
    format!(
        "kepler_pod_cpu_joules_total{{pod_id=\"uid-{name}\",pod_name=\"{name}\",pod_namespace=\"shop\",state=\"{state}\",zone=\"package\"}} {joules}\n"
    )
}

/// ALUMET's page of a node.
pub fn alumet(sum: &str, package_joules: f64) -> String {
    format!(
        "rapl_consumed_energy{sum}_alumet{{domain=\"package_total\",resource_kind=\"local_machine\"}} {package_joules}\n"
    )
}

/// ALUMET's line of a pod.
pub fn alumet_pod(sum: &str, name: &str, joules: f64) -> String {
    format!(
        "attributed_energy{sum}_alumet{{domain=\"package_total\",kind=\"total\",uid=\"uid-{name}\",name=\"{name}\",namespace=\"shop\"}} {joules}\n"
    )
}
