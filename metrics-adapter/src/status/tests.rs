use std::{sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::json;

use super::*;
use crate::{
    engine::stage::{Stage, autoscaler},
    load::LoadFault,
    policy::{PolicyStatus, condition},
    table::PolicyState,
};

fn sound(intensity: f64) -> Stage {
    let mut stage = Stage::ready(intensity);
    stage.autoscalers(&[autoscaler(&["carbon_adjusted_load", "cpu"])]);
    stage
}

/// Type, status and reason of every condition.
fn verdicts(state: &PolicyState, stage: &Stage) -> Vec<(String, String, String)> {
    let conditions = policy_status(state, stage.now).conditions;
    conditions.into_iter().map(|condition| (condition.type_, condition.status, condition.reason)).collect()
}

fn verdict(state: &PolicyState, stage: &Stage, condition: &str) -> String {
    let all = verdicts(state, stage);
    let (_, status, reason) = all.into_iter().find(|(known, ..)| known == condition).unwrap();
    format!("{status} {reason}")
}

fn reasons(state: &PolicyState, before: &[Condition], stage: &Stage) -> Vec<String> {
    policy_notes(state, before, stage.now)
        .into_iter()
        .map(|note| format!("{} {}", note.severity.as_str(), note.reason))
        .collect()
}

#[test]
fn a_sound_policy_says_what_it_does() {
    let mut stage = sound(450.0);
    let state = stage.policy(json!({}));
    let status = policy_status(&state, stage.now);
    assert_eq!(status.observed_generation, Some(1));
    let load = status.load.unwrap();
    assert_eq!((load.text.as_str(), load.source.as_str()), ("1000 requests_per_second", "test"));
    let intensity = status.intensity.unwrap();
    assert_eq!(
        (intensity.zone.as_str(), intensity.link.as_str(), intensity.quality.as_str()),
        ("DE", "live", "measured")
    );
    assert_eq!(
        (status.green_factor, status.effective_factor, status.adjusted_load),
        (Some(0.8), Some(0.8), Some(800.0))
    );
    let replicas = status.replicas.unwrap();
    assert_eq!((replicas.plain, replicas.green, replicas.floor, replicas.current), (10, 8, 8, Some(6)));
    assert_eq!(status.autoscaler.as_deref(), Some("web"));
    assert!(status.explanation.unwrap().contains("8 replicas in place of 10"));
    assert!(status.governor.unwrap().level_since.is_some());
    let expected = [
        ("Ready", "True", "Serving"),
        ("LoadAvailable", "True", "Fresh"),
        ("CarbonFresh", "True", "Fresh"),
        ("AutoscalerSound", "True", "CurveShape"),
        ("GuardPresent", "True", "Present"),
        ("Throttling", "True", "Throttled"),
    ];
    let expected = expected.map(|(condition, status, reason)| (condition.into(), status.into(), reason.into()));
    assert_eq!(verdicts(&state, &stage), expected);
}

#[test]
fn every_fault_has_a_condition() {
    let mut stage = sound(450.0);
    stage.policy(json!({}));
    let mut check = |condition: &str, expected: &str, change: &dyn Fn(&mut Stage)| {
        change(&mut stage);
        let state = stage.state();
        assert_eq!(verdict(&state, &stage, condition), expected);
    };
    check(condition::LOAD_AVAILABLE, "True LastValueHeld", &|stage| {
        stage.load_of(stage.revision(), Err(LoadFault::Ambiguous(2)));
    });
    check(condition::LOAD_AVAILABLE, "False SeveralResults", &|stage| stage.pass(Duration::from_mins(5)));
    check(condition::READY, "False NoLoad", &|_| ());
    check(condition::THROTTLING, "Unknown NoLoad", &|_| ());
    check(condition::LOAD_AVAILABLE, "False NotALoad", &|stage| stage.load(3e11));
    check(condition::LOAD_AVAILABLE, "True Fresh", &|stage| stage.load(1.0));
    check(condition::CARBON_FRESH, "False Missing", &|stage| stage.intensities(&[]));
    check(condition::THROTTLING, "False CarbonUnknown", &|_| ());
    check(condition::GUARD_PRESENT, "False GuardMissing", &|stage| {
        stage.autoscalers(&[autoscaler(&["carbon_adjusted_load"])]);
    });
    check(condition::GUARD_PRESENT, "True GuardFromHere", &|stage| {
        stage.autoscalers(&[autoscaler(&["carbon_adjusted_load", "green_factor"])]);
    });
    check(condition::AUTOSCALER_SOUND, "False NoAutoscaler", &|stage| stage.autoscalers(&[]));
    check(condition::READY, "False InvalidSpec", &|stage| {
        stage.apply(json!({ "sloGuardPerReplica": 1 }));
    });
}

#[test]
fn a_policy_without_a_load_is_not_said_to_throttle() {
    let mut stage = sound(450.0);
    let state = stage.policy(json!({}));
    assert_eq!(verdict(&state, &stage, condition::THROTTLING), "True Throttled");
    // The decision is as it was, but the load that it was made with has become too old to be served.
    stage.now += Duration::from_mins(5);
    assert_eq!(verdict(&state, &stage, condition::THROTTLING), "Unknown NoLoad");
    let status = policy_status(&state, stage.now);
    let throttling = status.conditions.iter().find(|known| known.type_ == condition::THROTTLING).unwrap();
    assert!(throttling.message.contains("so the autoscaler keeps its replicas"), "{}", throttling.message);
    // The load is the news: nothing was released.
    let written = policy_status(&state, stage.now - Duration::from_mins(5)).conditions;
    assert_eq!(reasons(&state, &written, &stage), ["Warning LoadStale"]);
}

#[test]
fn a_condition_keeps_the_time_at_which_its_status_changed() {
    let mut stage = sound(450.0);
    let first = stage.policy(json!({}));
    let written = policy_status(&first, stage.now);
    stage.pass(Duration::from_mins(20));
    stage.intensities(&[("DE", 100.0)]);
    stage.load(1_000.0);
    let state = PolicyState { stored: Arc::new(written.clone()), ..(*stage.state()).clone() };
    let status = policy_status(&state, stage.now);
    let at = |status: &PolicyStatus, condition: &str| {
        status.conditions.iter().find(|known| known.type_ == condition).unwrap().last_transition_time.clone()
    };
    assert_eq!(at(&status, condition::READY), at(&written, condition::READY));
    assert_eq!(at(&status, condition::THROTTLING).0, stage.now);
}

#[test]
fn events_tell_what_changed_and_nothing_twice() {
    let mut stage = sound(450.0);
    let state = stage.policy(json!({}));
    // Of a new policy only what is wrong or does something.
    assert_eq!(reasons(&state, &[], &stage), ["Normal Throttled"]);
    let written = policy_status(&state, stage.now).conditions;
    assert_eq!(reasons(&state, &written, &stage), [""; 0]);

    stage.intensities(&[]);
    let state = stage.state();
    assert_eq!(reasons(&state, &written, &stage), ["Warning CarbonMissing", "Normal ReleasedCarbonUnknown"]);
    let written = policy_status(&state, stage.now).conditions;

    stage.intensities(&[("DE", 100.0)]);
    stage.pass(Duration::from_mins(5));
    stage.autoscalers(&[autoscaler(&["carbon_adjusted_load"])]);
    let state = stage.state();
    assert_eq!(reasons(&state, &written, &stage), ["Warning LoadStale", "Normal CarbonFresh", "Warning GuardMissing"]);
}

#[test]
fn a_policy_that_cannot_work_is_told_once() {
    let mut stage = sound(450.0);
    stage.policy(json!({}));
    let before = policy_status(&stage.state(), stage.now).conditions;
    let state = stage.edit(json!({ "sloGuardPerReplica": 1 }));
    let told = policy_notes(&state, &before, stage.now);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].text.contains("guard must be above the target"));
    let written = policy_status(&state, stage.now).conditions;
    assert_eq!(reasons(&state, &written, &stage), [""; 0]);
    stage.edit(json!({}));
    stage.load(1_000.0);
    let told = reasons(&stage.state(), &written, &stage);
    assert!(told.contains(&"Normal Serving".to_owned()), "{told:?}");
}

#[test]
fn a_budget_says_where_its_month_is_heading() {
    let mut stage = sound(450.0);
    stage.budget(json!({ "month": "2026-01", "spentGrams": 900, "watchedSince": "2026-01-01T00:00:00Z" }));
    let state = Arc::clone(&stage.tick().budgets()[0]);
    let status = budget_status(&state, stage.now);
    assert_eq!((status.month.as_deref(), status.spent_grams, status.share), (Some("2026-01"), Some(900.0), Some(0.9)));
    assert!((status.projected_grams.unwrap() - 914.7).abs() < 0.2, "30.5 of 31 days are over: {status:?}");
    let factors: Vec<f64> = status.factors.iter().map(|factor| factor.factor).collect();
    assert!(factors[0] >= factors[1] && factors[1] >= factors[2] && factors[2] < 1.0, "{factors:?}");
    let within = &status.conditions[1];
    assert_eq!((within.status.as_str(), within.reason.as_str()), ("True", "Tightening"));
    assert!(within.message.contains("900 g of 1000 g are spent"), "{}", within.message);
    let told = budget_notes(&state, &[], stage.now);
    assert_eq!(told.len(), 0, "{told:?}");

    stage.follow();
    stage.budget(json!({ "month": "2026-01", "spentGrams": 1900, "watchedSince": "2026-01-01T00:00:00Z" }));
    let state = Arc::clone(&stage.tick().budgets()[0]);
    let told = budget_notes(&state, &status.conditions, stage.now);
    assert_eq!(told.iter().map(|note| &*note.reason).collect::<Vec<_>>(), ["Overspent"]);
}

#[test]
fn numbers_are_rounded_for_people() {
    for (value, expected) in
        [(0.0, 0.0), (123_456.7, 123_500.0), (0.123_456, 0.1235), (1e300, 1e300), (f64::NAN, 0.0), (999.96, 1_000.0)]
    {
        assert!((rounded(value) - expected).abs() <= expected.abs() * 1e-9, "{value}: {}", rounded(value));
    }
}
