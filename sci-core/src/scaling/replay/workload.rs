//! A workload without a cluster: pods that start after a while and share the load.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::scaling::{
    Load, Thresholds,
    hpa::{Autoscaler, ConditionStatus, MetricReading, MetricSpec, Pod, PodPhase, PodReading, Ready, Scale},
    number,
};

/// Pods of one target, the oldest first, under one autoscaler.
pub(super) struct Workload {
    autoscaler: Autoscaler,
    /// When each pod was made.
    pods: Vec<Timestamp>,
    pod_start: Duration,
}

impl Workload {
    /// With pods that have been ready for long.
    pub(super) fn new(autoscaler: Autoscaler, replicas: u32, start: Timestamp, pod_start: Duration) -> Self {
        let long_ago = start.checked_sub(pod_start.saturating_mul(2)).unwrap_or(Timestamp::MIN);
        Self { autoscaler, pods: vec![long_ago; usize::try_from(replicas).unwrap_or(0)], pod_start }
    }

    pub(super) fn replicas(&self) -> u32 {
        u32::try_from(self.pods.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn ready(&self, now: Timestamp) -> u32 {
        u32::try_from(self.pods.iter().filter(|made| self.is_ready(**made, now)).count()).unwrap_or(u32::MAX)
    }

    /// Load that each ready pod carries; infinite where there is load and no pod.
    pub(super) fn per_replica(&self, load: Load, now: Timestamp) -> f64 {
        if load == Load::ZERO { 0.0 } else { load.get() / f64::from(self.ready(now)) }
    }

    /// One round: its object metrics read what is served, those of pods the load that they carry. Returns whether the
    /// number of replicas changed.
    pub(super) fn round(&mut self, now: Timestamp, served: Option<Load>, load: Option<Load>) -> bool {
        let replicas = i32::try_from(self.replicas()).unwrap_or(i32::MAX);
        let readings: Vec<_> = self
            .autoscaler
            .spec
            .metrics
            .iter()
            .map(|metric| match metric {
                MetricSpec::Object { .. } => served.map(|load| MetricReading::Value(signed(load.milli()))),
                _ => load.map(|load| self.guard_reading(load, now)),
            })
            .map(|reading| reading.unwrap_or_else(|| MetricReading::Failed("no load".to_owned())))
            .collect();
        let scale = Scale { spec_replicas: replicas, status_replicas: replicas };
        let outcome = self.autoscaler.step(now, scale, &self.as_pods(now), &readings);
        self.resize(usize::try_from(outcome.replicas).unwrap_or(0), now);
        outcome.rescaled
    }

    /// The youngest pods leave first.
    fn resize(&mut self, replicas: usize, now: Timestamp) {
        self.pods.truncate(replicas);
        self.pods.resize(replicas, now);
    }

    fn guard_reading(&self, load: Load, now: Timestamp) -> MetricReading {
        let each = signed(Load::clamped(self.per_replica(load, now)).milli());
        let reading = PodReading { milli: each, at: Some(now), window_seconds: 1 };
        let ready = self.pods.iter().enumerate().filter(|(_, made)| self.is_ready(**made, now));
        MetricReading::Pods(ready.map(|(index, _)| (name(index), reading)).collect::<BTreeMap<_, _>>())
    }

    fn as_pods(&self, now: Timestamp) -> Vec<Pod> {
        let pods = self.pods.iter().enumerate().map(|(index, made)| {
            let ready = self.is_ready(*made, now);
            Pod {
                name: name(index),
                phase: if ready { PodPhase::Running } else { PodPhase::Pending },
                deleting: false,
                started_at: Some(*made),
                ready: ready.then_some(Ready { status: ConditionStatus::True, since: *made }),
                request_milli: None,
            }
        });
        pods.collect()
    }

    fn is_ready(&self, made: Timestamp, now: Timestamp) -> bool {
        made.checked_add(self.pod_start).is_ok_and(|ready| ready <= now)
    }
}

/// Replicas to begin with: as many as the load needs.
pub(super) fn initial(load: Option<Load>, thresholds: &Thresholds, min: i32, max: i32) -> u32 {
    let wanted = load.map_or(0, |load| number::replicas(load.get() / thresholds.target().get()));
    let bound = |replicas: i32| u32::try_from(replicas).unwrap_or(0);
    wanted.clamp(bound(min), bound(max).max(bound(min)))
}

fn name(index: usize) -> Arc<str> {
    Arc::from(format!("pod-{index}"))
}

fn signed(milli: u64) -> i64 {
    i64::try_from(milli).unwrap_or(i64::MAX)
}
