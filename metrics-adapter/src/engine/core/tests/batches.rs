//! Queues with a deadline.

use std::{sync::Arc, time::Duration};

use sci_core::scaling::batch::PlanReason;
use serde_json::{Value, json};

use super::stage::{Stage, number};
use crate::table::{BatchDecision, Outcome, PolicyState};

fn batch(mode: &str) -> Value {
    json!({
        "targetPerReplica": null, "sloGuardPerReplica": null, "curve": null, "mode": mode,
        "load": { "unit": "messages", "queue": { "prometheus": { "query": "queue_length" } } },
        "batch": { "maxAge": "1h", "ratePerReplica": 10, "maxReplicas": 5, "margin": "0s" },
    })
}

fn decision(state: &Arc<PolicyState>) -> BatchDecision {
    match state.outcome.as_deref() {
        Some(Outcome::Batch(batch)) => batch.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_queue_needs_nobody() {
    let mut stage = Stage::ready(450.0);
    stage.policy(batch("enforce"));
    stage.load(0.0);
    let state = stage.state();
    assert!(number(state.adjusted_load(stage.now)).abs() < 1e-12);
    assert_eq!(decision(&state).waiting_since, None);
}

#[test]
fn without_a_forecast_a_queue_is_worked_off_evenly_until_its_deadline() {
    let mut stage = Stage::ready(450.0);
    stage.apply(batch("enforce"));
    stage.load(36_000.0);
    let state = stage.state();
    let batch = decision(&state);
    assert_eq!(batch.deadline.unwrap(), stage.now + Duration::from_hours(1));
    assert_eq!(batch.plan.as_ref().unwrap().reason, PlanReason::NoForecast);
    // 36,000 in an hour.
    assert!((number(state.adjusted_load(stage.now)) - 10.0).abs() < 1e-6);
    assert_eq!(batch.replicas.unwrap().green, 1);
    assert_eq!(batch.replicas.unwrap().plain, 5);
}

#[test]
fn the_deadline_stays_while_the_queue_is_not_empty_and_then_everything_runs() {
    let mut stage = Stage::ready(450.0);
    stage.apply(batch("enforce"));
    stage.load(36_000.0);
    let first = decision(&stage.state()).deadline;
    stage.pass(Duration::from_mins(50));
    stage.load(36_000.0);
    let state = stage.state();
    assert_eq!(decision(&state).deadline, first);
    assert_eq!(decision(&state).plan.as_ref().unwrap().reason, PlanReason::TooLate);
    assert!((number(state.adjusted_load(stage.now)) - 50.0).abs() < 1e-9, "five replicas at 10 each");
    assert_eq!(decision(&state).replicas.unwrap().floor, 5);
}

#[test]
fn a_queue_of_unknown_length_is_not_empty() {
    let mut stage = Stage::ready(450.0);
    stage.apply(batch("enforce"));
    stage.load(36_000.0);
    let first = decision(&stage.state()).waiting_since;
    stage.pass(Duration::from_mins(5));
    let state = stage.state();
    assert!(state.adjusted_load(stage.now).is_err());
    assert_eq!(decision(&state).waiting_since, first);
}

#[test]
fn in_shadow_a_queue_is_worked_off_at_once() {
    let mut stage = Stage::ready(450.0);
    stage.apply(batch("shadow"));
    stage.load(1_200.0);
    assert!((number(stage.state().adjusted_load(stage.now)) - 20.0).abs() < 1e-9, "in a minute");
    stage.load(36_000.0);
    assert!((number(stage.state().adjusted_load(stage.now)) - 50.0).abs() < 1e-9, "as fast as five replicas can");
}

#[test]
fn a_restart_remembers_since_when_the_queue_waits() {
    let mut stage = Stage::ready(450.0);
    stage.status = json!({ "governor": { "waitingSince": "2026-01-31T11:30:00Z" } });
    stage.apply(batch("enforce"));
    stage.load(10.0);
    assert_eq!(decision(&stage.state()).deadline.unwrap().to_string(), "2026-01-31T12:30:00Z");
}
