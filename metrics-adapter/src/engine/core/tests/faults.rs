//! Everything that can go wrong with load and intensity: nobody is scaled down for it.

use std::time::Duration;

use proptest::prelude::*;
use sci_core::scaling::{LoadError, Phase};
use serde_json::json;

use super::stage::{Stage, number};
use crate::load::LoadFault;

#[test]
fn a_load_that_is_none_keeps_the_last_one_until_it_is_stale() {
    for fault in [
        LoadFault::NoLoad(LoadError::NotFinite),
        LoadFault::NoLoad(LoadError::Negative { value: -1.0 }),
        LoadFault::NoLoad(LoadError::TooLarge { value: 1e18 }),
        LoadFault::Nothing("no series matches".into()),
        LoadFault::Unreachable("connection refused".into()),
    ] {
        let mut stage = Stage::ready(100.0);
        stage.policy(json!({}));
        stage.pass(Duration::from_mins(1));
        stage.load_of(stage.revision(), Err(fault.clone()));
        let state = stage.state();
        assert!((number(state.adjusted_load(stage.now)) - 1_000.0).abs() < 1e-9, "{fault:?}");
        assert_eq!(state.load.problem.as_ref().unwrap().kind, fault.kind());

        stage.pass(Duration::from_secs(61));
        let cause = stage.state().adjusted_load(stage.now).unwrap_err();
        assert!(cause.contains("121 s old") && cause.contains(&fault.to_string()), "{cause}");
    }
}

#[test]
fn a_handler_does_not_serve_what_became_stale_since_the_last_tick() {
    let mut stage = Stage::ready(100.0);
    let state = stage.policy(json!({}));
    let later = stage.now + Duration::from_secs(121);
    assert!(state.adjusted_load(stage.now).is_ok());
    assert!(state.adjusted_load(later).is_err() && state.plain_load(later).is_err());
}

#[test]
fn a_load_that_was_never_read_is_no_zero() {
    let mut stage = Stage::ready(100.0);
    stage.apply(json!({}));
    assert!(stage.state().adjusted_load(stage.now).unwrap_err().contains("not asked yet"));
    stage.load_of(stage.revision(), Err(LoadFault::Ambiguous(3)));
    assert!(stage.state().adjusted_load(stage.now).unwrap_err().contains("3 results"));
}

#[test]
fn a_load_of_more_replicas_than_autoscalers_count_is_served_by_neither_metric() {
    let mut stage = Stage::ready(100.0);
    stage.policy(json!({}));
    stage.load(3e11);
    let state = stage.state();
    for served in [state.adjusted_load(stage.now), state.plain_load(stage.now)] {
        let cause = served.unwrap_err();
        assert!(cause.contains("more than 2147483647 replicas"), "{cause}");
    }
    stage.load(1_000.0);
    let state = stage.state();
    assert!(state.adjusted_load(stage.now).is_ok() && state.plain_load(stage.now).is_ok());
}

#[test]
fn a_load_of_zero_is_a_zero() {
    let mut stage = Stage::ready(100.0);
    stage.policy(json!({}));
    stage.load(0.0);
    assert!(number(stage.state().adjusted_load(stage.now)).abs() < 1e-12);
}

#[test]
fn a_problem_says_since_when() {
    let mut stage = Stage::ready(100.0);
    stage.policy(json!({}));
    let began = stage.now;
    for _ in 0..3 {
        stage.load_of(stage.revision(), Err(LoadFault::FirstReading));
        stage.pass(Duration::from_secs(5));
    }
    assert_eq!(stage.state().load.problem.as_ref().unwrap().since, began);
    stage.load(1.0);
    assert_eq!(stage.state().load.problem, None);
}

#[test]
fn stale_carbon_is_an_ordinary_autoscaler() {
    let mut stage = Stage::ready(450.0);
    stage.policy(json!({}));
    // The slot ends after an hour; two more are borne.
    for (hours, throttled) in [(1u64, true), (2, true), (4, false)] {
        let mut stage = Stage::ready(450.0);
        stage.policy(json!({}));
        stage.pass(Duration::from_hours(hours));
        stage.load(1_000.0);
        let state = stage.state();
        let decision = state.decision().unwrap();
        assert_eq!(decision.phase == Phase::Throttled, throttled, "{hours}: {decision:?}");
        assert!((number(state.adjusted_load(stage.now)) - if throttled { 800.0 } else { 1_000.0 }).abs() < 1e-9);
    }
}

#[test]
fn an_intensity_that_vanishes_gives_the_load_free_at_once() {
    let mut stage = Stage::ready(450.0);
    stage.policy(json!({ "maxStep": { "factor": 0.05 } }));
    stage.pass(Duration::from_mins(20));
    stage.load(1_000.0);
    assert_eq!(stage.state().decision().unwrap().phase, Phase::Throttled);
    stage.intensities(&[]);
    let state = stage.state();
    assert_eq!(state.decision().unwrap().phase, Phase::CarbonUnknown);
    assert!((number(state.adjusted_load(stage.now)) - 1_000.0).abs() < 1e-9);
}

#[test]
fn an_intensity_that_flaps_moves_the_factor_as_seldom_as_the_dwell_says() {
    let mut stage = Stage::ready(100.0);
    stage.policy(json!({}));
    let (mut last, mut changes) = (1.0, 0);
    for minute in 0..120 {
        stage.intensities(&[("DE", if minute % 2 == 0 { 100.0 } else { 900.0 })]);
        stage.load(1_000.0);
        let factor = stage.state().decision().unwrap().effective.get();
        changes += usize::from((factor - last).abs() > 1e-12);
        last = factor;
        stage.pass(Duration::from_mins(1));
    }
    assert!(changes <= 12, "{changes} changes in two hours with a dwell of ten minutes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever carbon, budget and load do, what is served is between load * T/S and load.
    #[test]
    fn the_guard_is_never_undercut(
        rounds in proptest::collection::vec((0.0f64..5_000.0, 0.0f64..1e6, 0u64..900, any::<bool>()), 1..12),
        min_factor in 0.05f64..1.0,
        spent in 0.0f64..5_000.0,
    ) {
        let mut stage = Stage::ready(300.0);
        stage.budget(json!({ "month": "2026-01", "spentGrams": spent, "watchedSince": "2026-01-01T00:00:00Z" }));
        stage.policy(json!({
            "curve": { "linear": { "from": 100, "to": 600, "minFactor": min_factor } },
            "criticality": "BestEffort",
        }));
        for (intensity, load, seconds, known) in rounds {
            stage.pass(Duration::from_secs(seconds));
            let zones = [("DE", intensity)];
            stage.intensities(if known { &zones } else { &[] });
            stage.load(load);
            let state = stage.state();
            let served = number(state.adjusted_load(stage.now));
            prop_assert!(served >= load * 0.8 - 1e-6 && served <= load + 1e-6, "{} of {}", served, load);
            let replicas = state.replicas_by_rule(stage.now).unwrap();
            prop_assert!(replicas.floor <= replicas.green && replicas.green <= replicas.plain);
        }
    }
}
