//! Green HPA: laws that hold for any numbers, days replayed, and rounds of the real autoscaler.

mod autoscaler;
mod backlog;
mod governor;
mod recorded;
mod replay;

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use sci_core::{
    forecast::Hour,
    intensity::Quality,
    quantity::{GramsPerKwh, Share},
    scaling::{
        Carbon, CarbonTrust, Criticality, Curve, Damping, GreenFactor, IntensityHistory, LoadPerReplica, MaxStep, Mode,
        Policy, Step, Thresholds, Tolerance, Windows,
    },
};

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn grams(value: f64) -> GramsPerKwh {
    GramsPerKwh::new(value).unwrap()
}

fn share(value: f64) -> Share {
    Share::new(value).unwrap()
}

fn factor(value: f64) -> GreenFactor {
    GreenFactor::new(value).unwrap()
}

fn measured(intensity: f64) -> Carbon {
    Carbon { intensity: grams(intensity), quality: Quality::Measured, confidence: Share::ALL, age: Duration::ZERO }
}

fn policy(thresholds: Thresholds, curve: Curve, damping: Damping) -> Policy {
    Policy {
        thresholds,
        curve,
        damping,
        never_throttle: Windows::default(),
        mode: Mode::Enforce,
        criticality: Criticality::Standard,
        load_stale_after: Duration::from_mins(2),
        trust: CarbonTrust::default(),
    }
}

/// T and S, this many times T.
fn thresholds(target: f64, ratio: f64) -> Thresholds {
    let per_replica = |value| LoadPerReplica::new(value).unwrap();
    Thresholds::with_guard(per_replica(target), per_replica(target * ratio), Tolerance::CLUSTER_DEFAULT).unwrap()
}

fn any_thresholds() -> impl Strategy<Value = Thresholds> {
    (0.01..1e6, 1.11..8.0).prop_map(|(target, ratio)| thresholds(target, ratio))
}

fn any_steps() -> impl Strategy<Value = Curve> {
    prop::collection::vec((1.0..200.0, 0.3..1.0), 1..6).prop_map(|increments| {
        let (mut edge, mut to) = (0.0, 1.0);
        let steps = increments.into_iter().map(|(rise, fall)| {
            edge += rise;
            to *= fall;
            Step { at_or_above: grams(edge), factor: factor(to) }
        });
        Curve::steps(steps.collect()).unwrap()
    })
}

fn any_curve() -> impl Strategy<Value = Curve> {
    let line = (0.0..500.0, 1.0..500.0, 0.05..1.0)
        .prop_map(|(from, length, min)| Curve::linear(grams(from), grams(from + length), factor(min)).unwrap());
    let quantile = (0.0..0.9, 0.01..0.1, 0.05..1.0).prop_map(|(from, length, min)| {
        Curve::quantile(share(from), share(from + length), factor(min), Duration::from_hours(240)).unwrap()
    });
    prop_oneof![any_steps(), line, quantile]
}

fn any_damping() -> impl Strategy<Value = Damping> {
    let max_step = prop::option::of((0.01..0.5, 1..600_u64));
    (0.0..80.0, 0..1_800_u64, 0.0..0.3, max_step).prop_map(|(band, dwell, quantum, max_step)| Damping {
        band: grams(band),
        min_dwell: Duration::from_secs(dwell),
        quantum: share(quantum),
        max_step: max_step.map(|(step, every)| MaxStep { step: share(step), every: Duration::from_secs(every) }),
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let mode = prop::sample::select(vec![Mode::Enforce, Mode::Enforce, Mode::Shadow]);
    let criticality = prop::sample::select(Criticality::ALL.to_vec());
    (any_thresholds(), any_curve(), any_damping(), mode, criticality).prop_map(
        |(thresholds, curve, damping, mode, criticality)| Policy {
            mode,
            criticality,
            ..policy(thresholds, curve, damping)
        },
    )
}

/// Ten days before the start, from 100 to 500 g/kWh.
fn history() -> IntensityHistory {
    let mut history = IntensityHistory::new();
    for hours in 1..=240_i32 {
        let value = 300.0 + 200.0 * (f64::from(hours) * 0.37).sin();
        history.set(Hour::containing(start()).plus(-i64::from(hours)), grams(value));
    }
    history
}
