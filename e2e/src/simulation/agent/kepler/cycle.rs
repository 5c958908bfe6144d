//! One measurement of Kepler after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{LEAST_TERMINATED_JOULES, Meter, Pod, State, Zone};
use crate::simulation::fault::{self, Fault};
use crate::simulation::node::{Domain, LiveNode, Window};
use crate::simulation::random::periods;

impl State {
    /// Runs the cycles that are due up to this instant.
    pub(super) fn catch_up(&mut self, node: &LiveNode, faults: &[Fault], at: Duration) {
        let due = periods(at.saturating_sub(self.started), self.kepler.interval);
        let done = self.measured.map(|measured| periods(measured.saturating_sub(self.started), self.kepler.interval));
        let first = done.map_or(0, |done| done + 1);
        for cycle in first..=due {
            let instant = self.started + self.kepler.interval * cycle;
            if !self.is_fresh(instant) {
                self.measure(node, faults, instant);
            }
        }
    }

    pub(super) fn measure(&mut self, node: &LiveNode, faults: &[Fault], at: Duration) {
        let Some(before) = self.measured else {
            self.measure_first(node, at);
            return;
        };
        let window = node.window(before, at);
        let still = fault::reads_zero(faults, before, at);
        for zone in &mut self.zones {
            // The split uses the ratio of the cycle before.
            zone.advance(node, at, window.seconds, self.usage_ratio, still);
        }
        self.measured = Some(at);
        self.measure_pods(node, at, &window);
        self.usage_ratio = window.utilization(node.class().threads);
        self.exported = false;
    }

    /// The first measurement takes everything that the hardware ever counted for idle.
    fn measure_first(&mut self, node: &LiveNode, at: Duration) {
        let zones = self.kepler.zones.iter().filter(|&&domain| exists(node, domain));
        self.zones = zones.map(|&domain| Zone::first(node, domain, at)).collect();
        self.measured = Some(at);
        let zones = self.zones.len();
        let fresh = |of| Pod { of, cpu_seconds: 0.0, meters: vec![Meter::default(); zones] };
        let pods = node.pods();
        let running = pods.iter().filter(|pod| pod.runs_at(at));
        self.pods = running.map(|pod| (pod.uid.clone(), fresh(Arc::clone(pod)))).collect();
    }

    fn measure_pods(&mut self, node: &LiveNode, at: Duration, window: &Window) {
        if self.exported {
            self.terminated.clear();
        }
        let mut before = std::mem::take(&mut self.pods);
        let mut now = BTreeMap::new();
        for (pod, used) in node.pods().iter().zip(&window.pods) {
            if !pod.runs_at(at) {
                continue;
            }
            let earlier = before.remove(&pod.uid);
            let share = if window.busy_seconds > 0.0 { used.cpu_seconds / window.busy_seconds } else { 0.0 };
            let meters = self.zones.iter().enumerate().map(|(index, zone)| {
                // A zone without power begins anew at zero.
                if zone.total.watts == 0.0 || zone.active_joules == 0.0 {
                    return Meter::default();
                }
                let sum = earlier.as_ref().and_then(|pod| pod.meters.get(index)).map_or(0.0, |meter| meter.joules);
                Meter { joules: sum + microjoules(zone.active_joules * share), watts: zone.active.watts * share }
            });
            let cpu_seconds = earlier.as_ref().map_or(0.0, |pod| pod.cpu_seconds) + used.cpu_seconds;
            now.insert(pod.uid.clone(), Pod { cpu_seconds, meters: meters.collect(), of: Arc::clone(pod) });
        }
        // What they used since the last cycle is lost.
        let ended = before.into_values().filter(|pod| pod.meters.iter().any(|m| m.joules >= LEAST_TERMINATED_JOULES));
        self.terminated.extend(ended.map(|mut pod| {
            pod.meters.iter_mut().for_each(|meter| meter.watts = 0.0);
            pod
        }));
        self.pods = now;
    }
}

impl Zone {
    fn first(node: &LiveNode, domain: Domain, at: Duration) -> Self {
        let readings = readings(node, domain, at);
        let joules = readings.iter().sum::<f64>() * 1e-6;
        let standing = Meter { joules, watts: 0.0 };
        Self { domain, readings, total: standing, active: Meter::default(), idle: standing, active_joules: 0.0 }
    }

    fn advance(&mut self, node: &LiveNode, at: Duration, seconds: f64, ratio: f64, still: bool) {
        let readings = if still { self.readings.clone() } else { readings(node, self.domain, at) };
        let range = (node.range_joules(self.domain) * 1e6).round();
        let delta: f64 =
            readings.iter().zip(&self.readings).map(|(now, before)| (now - before).rem_euclid(range)).sum();
        let sockets = f64::from(u32::try_from(readings.len()).unwrap_or(u32::MAX));
        self.readings = readings;
        // Of one socket, the hardware's own wrap; of several, a wrap at the sum of their ranges.
        self.total.joules = (self.total.joules * 1e6 + delta).round().rem_euclid(range * sockets) * 1e-6;
        self.active_joules = microjoules(delta * 1e-6 * ratio);
        let idle = delta * 1e-6 - self.active_joules;
        self.active.joules += self.active_joules;
        self.idle.joules += idle;
        let watts = |joules: f64| if seconds > 0.0 { joules / seconds } else { 0.0 };
        self.total.watts = watts(delta * 1e-6);
        self.active.watts = watts(self.active_joules);
        self.idle.watts = watts(idle);
    }
}

fn readings(node: &LiveNode, domain: Domain, at: Duration) -> Vec<f64> {
    let sockets = if domain == Domain::Platform { 1 } else { node.class().sockets };
    (0..sockets).map(|socket| node.counter_microjoules(domain, socket, at)).collect()
}

fn exists(node: &LiveNode, domain: Domain) -> bool {
    domain != Domain::Platform || node.class().platform.is_some()
}

/// It counts whole microjoules.
fn microjoules(joules: f64) -> f64 {
    (joules * 1e6).floor() * 1e-6
}
