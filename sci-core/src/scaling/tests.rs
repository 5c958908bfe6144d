//! Unit tests, with numbers worked out by hand.

mod batch;
mod budget;
mod curve;
mod governor;
mod history;
mod hpa_behavior;
mod hpa_metrics;
mod savings;
mod unit;
mod windows;

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Carbon, CarbonTrust, Criticality, Curve, Damping, GreenFactor, Inputs, LoadPerReplica, LoadSample, Mode, Policy,
    Step, Thresholds, Tightening, Tolerance, Windows,
};
use crate::{
    intensity::Quality,
    quantity::{GramsPerKwh, Share},
};

fn noon() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
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

fn per_replica(value: f64) -> LoadPerReplica {
    LoadPerReplica::new(value).unwrap()
}

/// T = 100, S = 160: a floor of 0.625.
fn thresholds() -> Thresholds {
    Thresholds::with_guard(per_replica(100.0), per_replica(160.0), Tolerance::CLUSTER_DEFAULT).unwrap()
}

fn step(at_or_above: f64, to: f64) -> Step {
    Step { at_or_above: grams(at_or_above), factor: factor(to) }
}

/// 1, from 300 on 0.8, from 500 on 0.65.
fn steps() -> Curve {
    Curve::steps(vec![step(300.0, 0.8), step(500.0, 0.65)]).unwrap()
}

fn policy(curve: Curve, damping: Damping) -> Policy {
    Policy {
        thresholds: thresholds(),
        curve,
        damping,
        never_throttle: Windows::default(),
        mode: Mode::Enforce,
        criticality: Criticality::Standard,
        load_stale_after: minutes(2),
        trust: CarbonTrust::default(),
    }
}

fn measured(intensity: f64) -> Carbon {
    Carbon { intensity: grams(intensity), quality: Quality::Measured, confidence: Share::ALL, age: Duration::ZERO }
}

/// A load of 1,000 at this intensity.
fn inputs(now: Timestamp, intensity: f64) -> Inputs<'static> {
    Inputs {
        now,
        load: Ok(LoadSample { value: 1_000.0, at: now }),
        carbon: Ok(measured(intensity)),
        history: None,
        tightening: Tightening::NONE,
    }
}
