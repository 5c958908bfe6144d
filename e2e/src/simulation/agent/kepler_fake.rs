//! Kepler 0.11 with its fake CPU meter: about 1e-4 W, counters that wrap at 1 J.

use std::time::Duration;

use super::{Exporter, node_seed};
use crate::simulation::fault::Fault;
use crate::simulation::node::LiveNode;
use crate::simulation::page::{Page, TEXT, family, go_number, labels, sample};
use crate::simulation::random::{periods, uniform};

/// The fake meter's only choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeplerFake {
    /// How often it makes up new numbers.
    pub interval: Duration,
}

pub(super) struct State {
    fake: KeplerFake,
    started: Duration,
}

/// Zones, with the microjoules that a cycle adds at least.
const ZONES: [(&str, f64); 4] = [("core-0", 108.0), ("dram", 105.0), ("package-0", 112.0), ("uncore", 102.0)];
const WRAPS_AT_JOULES: f64 = 1.0;
/// What a cycle adds at random, as part of the least.
const RANDOM_SHARE: f64 = 0.5;

impl Default for KeplerFake {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5) }
    }
}

impl State {
    pub(super) fn new(fake: KeplerFake, started: Duration) -> Self {
        Self { fake, started }
    }
}

impl Exporter for State {
    fn page(&mut self, node: &LiveNode, _faults: &[Fault], at: Duration) -> Page {
        let cycles = periods(at.saturating_sub(self.started), self.fake.interval);
        let window = node.window(at.saturating_sub(self.fake.interval), at);
        let busy = window.utilization(node.class().threads);
        let seed = node_seed(node, "kepler-fake");
        let watts = |zone: usize, least: f64| {
            let drawn =
                1.0 + RANDOM_SHARE * uniform(seed, u64::from(cycles) * 8 + u64::try_from(zone).unwrap_or_default());
            least * drawn * 1e-6 / self.fake.interval.as_secs_f64()
        };
        let joules =
            |least: f64| (f64::from(cycles) * least * (1.0 + RANDOM_SHARE / 2.0) * 1e-6).rem_euclid(WRAPS_AT_JOULES);
        let mut text = String::new();
        let rows = |text: &mut String, name: &str, value: &dyn Fn(usize, f64) -> f64| {
            for (index, (zone, least)) in ZONES.iter().enumerate() {
                let path = format!("/sys/class/powercap/intel-rapl/energy_{zone}");
                let labels = labels(&[("node_name", node.name()), ("path", &path), ("zone", zone)]);
                sample(text, name, &labels, &go_number(value(index, *least)));
            }
        };
        let name = "kepler_node_cpu_joules_total";
        family(&mut text, name, "Energy consumption of cpu at node level in joules", "counter");
        rows(&mut text, name, &|_, least| joules(least));
        let name = "kepler_node_cpu_usage_ratio";
        family(&mut text, name, "CPU usage ratio of a node (value between 0.0 and 1.0)", "gauge");
        sample(&mut text, name, &labels(&[("node_name", node.name())]), &go_number(busy));
        let name = "kepler_node_cpu_watts";
        family(&mut text, name, "Power consumption of cpu at node level in watts", "gauge");
        rows(&mut text, name, &watts);
        Page { content_type: Some(TEXT), body: text }
    }
}
