//! Kepler 0.11: counters of nodes, pods, containers and processes.
//!
//! Node totals show the hardware. Active and idle parts, and all of pods, are sums that the process keeps: they start
//! again with it, and their split of a cycle uses the busy share of the cycle before.

mod cycle;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Exporter;
use crate::simulation::fault::Fault;
use crate::simulation::node::{Domain, LiveNode};
use crate::simulation::page::{Page, TEXT};
use crate::simulation::workload::SimulatedPod;

/// Version 0.11 and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kepler {
    /// Zones of the CPU that it found. They overlap.
    pub zones: Vec<Domain>,
    /// Families of containers.
    pub containers: bool,
    /// Families of processes.
    pub processes: bool,
    /// Label `node_name`; empty where its support for Kubernetes is off.
    pub node_name: Option<String>,
    /// How often it measures.
    pub interval: Duration,
    /// A scrape finds numbers no older than this.
    pub staleness: Duration,
}

pub(super) struct State {
    kepler: Kepler,
    started: Duration,
    /// Instant of the newest measurement; none before the first.
    measured: Option<Duration>,
    /// Busy share of the newest cycle.
    usage_ratio: f64,
    zones: Vec<Zone>,
    pods: BTreeMap<String, Pod>,
    terminated: Vec<Pod>,
    /// Somebody has seen the newest measurement.
    exported: bool,
}

/// Joules, and watts of the newest cycle.
#[derive(Debug, Clone, Copy, Default)]
struct Meter {
    joules: f64,
    watts: f64,
}

#[derive(Debug)]
struct Zone {
    domain: Domain,
    /// Counters of all sockets at the newest measurement, in microjoules.
    readings: Vec<f64>,
    total: Meter,
    active: Meter,
    idle: Meter,
    /// Active joules of the newest cycle.
    active_joules: f64,
}

#[derive(Debug, Clone)]
struct Pod {
    of: Arc<SimulatedPod>,
    cpu_seconds: f64,
    /// In the order of the zones.
    meters: Vec<Meter>,
}

/// A pod that used less never shows up as terminated.
const LEAST_TERMINATED_JOULES: f64 = 10.0;

impl Default for Kepler {
    fn default() -> Self {
        Self {
            zones: vec![Domain::Dram, Domain::Package],
            containers: false,
            processes: false,
            node_name: None,
            interval: Duration::from_secs(5),
            staleness: Duration::from_millis(500),
        }
    }
}

impl Kepler {
    /// Every zone, and every family.
    pub fn full() -> Self {
        let zones = vec![Domain::Core, Domain::Dram, Domain::Package, Domain::Uncore];
        Self { zones, containers: true, processes: true, ..Self::default() }
    }

    /// With the zone of the whole machine as well.
    #[must_use]
    pub fn with_psys(mut self) -> Self {
        self.zones.push(Domain::Platform);
        self
    }
}

impl State {
    pub(super) fn new(kepler: Kepler, started: Duration) -> Self {
        Self {
            kepler,
            started,
            measured: None,
            usage_ratio: 0.0,
            zones: Vec::new(),
            pods: BTreeMap::new(),
            terminated: Vec::new(),
            exported: false,
        }
    }

    fn is_fresh(&self, at: Duration) -> bool {
        self.measured.is_some_and(|measured| at.saturating_sub(measured) <= self.kepler.staleness)
    }
}

impl Exporter for State {
    fn page(&mut self, node: &LiveNode, faults: &[Fault], at: Duration) -> Page {
        self.catch_up(node, faults, at);
        if !self.is_fresh(at) {
            self.measure(node, faults, at);
        }
        self.exported = true;
        Page { content_type: Some(TEXT), body: self.text(node) }
    }
}

impl Zone {
    /// Several sockets appear as one zone.
    fn path(&self) -> String {
        let sockets = self.readings.len();
        match self.domain {
            _ if sockets > 1 => format!("aggregated-{}", self.name()),
            Domain::Package => "/sys/class/powercap/intel-rapl:0".to_owned(),
            Domain::Platform => "/sys/class/powercap/intel-rapl:1".to_owned(),
            Domain::Core => "/sys/class/powercap/intel-rapl:0:0".to_owned(),
            Domain::Uncore => "/sys/class/powercap/intel-rapl:0:1".to_owned(),
            Domain::Dram => "/sys/class/powercap/intel-rapl:0:2".to_owned(),
        }
    }

    fn name(&self) -> &'static str {
        match self.domain {
            Domain::Package => "package",
            Domain::Core => "core",
            Domain::Uncore => "uncore",
            Domain::Dram => "dram",
            Domain::Platform => "psys",
        }
    }
}
