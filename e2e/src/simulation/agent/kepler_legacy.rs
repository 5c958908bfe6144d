//! Kepler 0.7: containers and nodes, dynamic and idle, counters that start at zero with the process.

use std::sync::Arc;
use std::time::Duration;

use super::Exporter;
use crate::simulation::fault::Fault;
use crate::simulation::node::{LiveNode, Window};
use crate::simulation::page::{Page, TEXT, family, go_number, labels, sample};
use crate::simulation::random::periods;
use crate::simulation::workload::{SimulatedContainer, SimulatedPod};

/// Version 0.7 and its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeplerLegacy {
    pub source: LegacySource,
    /// How often it measures.
    pub interval: Duration,
    /// From here on the first container's counter shows what an overflow of 64 bits leaves, about 9.2e14 J.
    pub overflow_from: Option<Duration>,
}

/// Where its numbers come from, label `source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacySource {
    Rapl,
    /// Estimated, on machines without a meter.
    TrainedPowerModel,
}

pub(super) struct State {
    legacy: KeplerLegacy,
    started: Duration,
}

/// Joules of one thing, by mode.
#[derive(Clone, Copy, Default)]
struct Modes {
    dynamic: f64,
    idle: f64,
}

const OVERFLOWN_JOULES: f64 = 9.223_372_037_599_701e14;

impl Default for KeplerLegacy {
    fn default() -> Self {
        Self { source: LegacySource::Rapl, interval: Duration::from_secs(3), overflow_from: None }
    }
}

impl LegacySource {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Rapl => "rapl-sysfs",
            Self::TrainedPowerModel => "trained_power_model",
        }
    }
}

impl State {
    pub(super) fn new(legacy: KeplerLegacy, started: Duration) -> Self {
        Self { legacy, started }
    }

    fn containers(&self, text: &mut String, pods: &[Arc<SimulatedPod>], window: &Window, at: Duration) {
        let name = "kepler_container_joules_total";
        let help = "Aggregated RAPL Package + Uncore + DRAM + GPU + other host components (platform - package - dram) in joules";
        family(text, name, help, "counter");
        let mut first = true;
        for (pod, joules) in pods.iter().zip(&window.pods) {
            // Containers leave the page as soon as they are gone.
            if !pod.runs_at(at) || joules.seconds == 0.0 {
                continue;
            }
            let containers = f64::from(u32::try_from(pod.containers.len()).unwrap_or(u32::MAX));
            let idle = joules.legacy_idle_joules / containers;
            let loaded = joules.legacy_joules / containers - idle;
            for container in &pod.containers {
                let overflown = first && self.legacy.overflow_from.is_some_and(|from| at >= from);
                let dynamic = if overflown { OVERFLOWN_JOULES } else { loaded };
                first = false;
                let modes = Modes { dynamic, idle };
                container_rows(text, name, pod, container, modes);
            }
        }
    }

    fn node(&self, text: &mut String, node: &LiveNode, window: &Window) {
        let dram = window.dram();
        let parts = [("dram", 0, dram, window.idle_joules.dram), ("other", 0, other(window), 0.0)];
        for (domain, package, joules, idle) in parts {
            let modes = Modes { dynamic: (joules - idle).max(0.0), idle };
            self.node_family(text, node, domain, &[(package, modes)]);
        }
        let whole = window.package().max(f64::MIN_POSITIVE);
        let packages: Vec<(u32, Modes)> = (0..)
            .zip(&window.package_joules)
            .map(|(package, joules)| {
                let idle = window.idle_joules.package * joules / whole;
                (package, Modes { dynamic: joules - idle, idle })
            })
            .collect();
        self.node_family(text, node, "package", &packages);
        if let Some(joules) = window.platform_joules {
            self.node_family(text, node, "platform", &[(0, Modes { dynamic: joules, idle: 0.0 })]);
        }
    }

    fn node_family(&self, text: &mut String, node: &LiveNode, domain: &str, rows: &[(u32, Modes)]) {
        let name = format!("kepler_node_{domain}_joules_total");
        let source = self.legacy.source.as_str();
        family(text, &name, &format!("Aggregated RAPL value in {domain} in joules"), "counter");
        for (package, modes) in rows {
            for (mode, joules) in [("dynamic", modes.dynamic), ("idle", modes.idle)] {
                let package = package.to_string();
                let pairs = [("instance", node.name()), ("mode", mode), ("package", &package), ("source", source)];
                sample(text, &name, &labels(&pairs), &go_number(millijoules(joules)));
            }
        }
    }
}

impl Exporter for State {
    fn page(&mut self, node: &LiveNode, _faults: &[Fault], at: Duration) -> Page {
        let cycles = periods(at.saturating_sub(self.started), self.legacy.interval);
        let measured = self.started + self.legacy.interval * cycles;
        let window = node.window(self.started, measured);
        let mut text = String::new();
        self.containers(&mut text, &node.pods(), &window, at);
        self.node(&mut text, node, &window);
        Page { content_type: Some(TEXT), body: text }
    }
}

fn container_rows(text: &mut String, name: &str, pod: &SimulatedPod, container: &SimulatedContainer, modes: Modes) {
    for (mode, joules) in [("dynamic", modes.dynamic), ("idle", modes.idle)] {
        let pairs = [
            ("container_id", container.id.as_str()),
            ("container_name", &container.name),
            ("container_namespace", &pod.namespace),
            ("mode", mode),
            ("pod_name", &pod.name),
        ];
        sample(text, name, &labels(&pairs), &go_number(millijoules(joules)));
    }
}

/// What the platform draws beside packages and memory.
fn other(window: &Window) -> f64 {
    window.platform_joules.map_or(0.0, |platform| (platform - window.package() - window.dram()).max(0.0))
}

/// It counts whole millijoules.
fn millijoules(joules: f64) -> f64 {
    (joules * 1e3).floor() / 1e3
}
