//! Scaphandre 1.0: every scrape reads the hardware, and power is what happened since the scrape before, whoever asked.

mod text;

use std::time::Duration;

use self::text::Processes;
use super::{Exporter, node_seed};
use crate::simulation::fault::{self, Fault};
use crate::simulation::node::{Domain, LiveNode, Window};
use crate::simulation::page::Page;
use crate::simulation::workload::SimulatedPod;

/// Version 1.0 and how it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaphandre {
    /// Option `--containers`: processes of pods carry their pod's name.
    pub containers: bool,
}

pub(super) struct State {
    scaphandre: Scaphandre,
    started: Duration,
    /// Two newest readings.
    before: Option<Reading>,
    newest: Reading,
    last_request: Option<Duration>,
    /// When it last listed the pods.
    pods_listed: Option<Duration>,
    pages: u64,
}

/// All counters at an instant, in microjoules.
#[derive(Debug, Clone)]
struct Reading {
    at: Duration,
    packages: Vec<f64>,
    drams: Vec<f64>,
    host: f64,
}

/// Two scrapes closer than this share one reading.
const SAME_READING: Duration = Duration::from_secs(2);
/// Pods are listed again after this time.
const LISTS_PODS_EVERY: Duration = Duration::from_secs(20);

impl Default for Scaphandre {
    fn default() -> Self {
        Self { containers: true }
    }
}

impl State {
    pub(super) fn new(scaphandre: Scaphandre, node: &LiveNode, started: Duration) -> Self {
        let newest = Reading::of(node, started);
        Self { scaphandre, started, before: None, newest, last_request: None, pods_listed: None, pages: 0 }
    }

    fn refresh(&mut self, node: &LiveNode, faults: &[Fault], at: Duration) {
        let mut reading = Reading::of(node, at);
        if fault::reads_zero(faults, self.newest.at, at) {
            reading = Reading { at, ..self.newest.clone() };
        }
        self.before = Some(std::mem::replace(&mut self.newest, reading));
    }

    /// A process has its pod's name if the pod was there when pods were listed last.
    fn list_pods(&mut self, at: Duration) {
        let due = self.pods_listed.is_none_or(|listed| at.saturating_sub(listed) > LISTS_PODS_EVERY);
        if due {
            self.pods_listed = Some(at);
        }
    }

    fn knows(&self, pod: &SimulatedPod) -> bool {
        self.scaphandre.containers && self.pods_listed.is_some_and(|listed| pod.start <= listed)
    }
}

impl Exporter for State {
    fn page(&mut self, node: &LiveNode, faults: &[Fault], at: Duration) -> Page {
        if self.last_request.is_none_or(|last| at.saturating_sub(last) > SAME_READING) {
            self.refresh(node, faults, at);
        }
        self.last_request = Some(at);
        self.list_pods(at);
        self.pages += 1;
        let since = self.before.as_ref().map_or(self.started, |before| before.at);
        let window = node.window(since, self.newest.at);
        let seed = node_seed(node, "scaphandre") ^ self.pages;
        let mut text = String::new();
        let pods = node.pods();
        let known = |pod: &SimulatedPod| self.knows(pod);
        let processes = Processes { node, at: self.newest.at, pods: &pods, known: &known, seed };
        processes.write(&mut text, &window, self.host_microwatts());
        self.write_hardware(&mut text, seed);
        // It sends no Content-Type.
        Page { content_type: None, body: text }
    }
}

impl State {
    /// Missing where the host's sum has fallen: one of its counters wrapped.
    fn host_microwatts(&self) -> Option<f64> {
        let before = self.before.as_ref()?;
        (before.host <= self.newest.host).then(|| self.microwatts(before, before.host, self.newest.host))
    }

    fn microwatts(&self, before: &Reading, then: f64, now: f64) -> f64 {
        let seconds = self.newest.at.saturating_sub(before.at).as_secs_f64();
        if seconds > 0.0 { ((now - then) / seconds).floor() } else { 0.0 }
    }
}

impl Reading {
    fn of(node: &LiveNode, at: Duration) -> Self {
        let all =
            |domain| (0..node.class().sockets).map(|socket| node.counter_microjoules(domain, socket, at)).collect();
        let (packages, drams): (Vec<f64>, Vec<f64>) = (all(Domain::Package), all(Domain::Dram));
        let host = match node.class().platform {
            Some(_) => node.counter_microjoules(Domain::Platform, 0, at),
            None => packages.iter().chain(&drams).sum(),
        };
        Self { at, packages, drams, host }
    }
}

/// Busy share of all threads, in percent.
fn percent(window: &Window, cpu_seconds: f64, threads: u32) -> f64 {
    if window.seconds > 0.0 { 100.0 * cpu_seconds / window.seconds / f64::from(threads) } else { 0.0 }
}
