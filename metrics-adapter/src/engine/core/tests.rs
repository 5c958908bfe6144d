mod batches;
mod faults;
mod places;
pub(crate) mod stage;

use std::time::Duration;

use sci_core::scaling::{ClampReason, Phase};
use serde_json::json;

use self::stage::{Stage, number};
use crate::{
    autoscaler::FindingKind,
    table::{IntensityProblem, PlacementBasis},
};

#[test]
fn replicas_follow_load_times_factor() {
    let mut stage = Stage::ready(450.0);
    let state = stage.policy(json!({}));
    // Steps: 0.9 from 300, 0.8 from 400 on.
    let decision = state.decision().unwrap();
    assert!((decision.effective.get() - 0.8).abs() < 1e-12);
    assert!((number(state.adjusted_load(stage.now)) - 800.0).abs() < 1e-9);
    assert!((number(state.plain_load(stage.now)) - 1_000.0).abs() < 1e-9);
    let replicas = state.replicas_by_rule(stage.now).unwrap();
    assert_eq!((replicas.plain, replicas.green, replicas.floor), (10, 8, 8));
    assert_eq!(state.replicas, Some(4), "by counting pods, without an autoscaler");
    let intensity = state.intensity.as_ref().unwrap();
    assert_eq!((intensity.zone_names().as_str(), intensity.basis), ("DE", PlacementBasis::Pods));
}

#[test]
fn shadow_serves_the_plain_load() {
    let mut stage = Stage::ready(450.0);
    let state = stage.policy(json!({ "mode": "shadow" }));
    assert!((number(state.adjusted_load(stage.now)) - 1_000.0).abs() < 1e-9);
    assert_eq!(state.replicas_by_rule(stage.now).unwrap().green, 8, "what it would be is shown");
    let mut all = Stage::ready(450.0).in_shadow();
    let state = all.policy(json!({}));
    assert!((number(state.adjusted_load(all.now)) - 1_000.0).abs() < 1e-9);
}

#[test]
fn nothing_is_decided_before_the_cluster_is_known() {
    let mut stage = Stage::unlisted(450.0);
    let state = stage.policy(json!({}));
    assert_eq!(state.intensity.as_ref().unwrap_err(), &IntensityProblem::NotSynced);
    assert_eq!(state.adjusted_load(stage.now).unwrap_err(), "nothing was decided yet");
    // But not for ever: an autoscaler without carbon is better than none.
    stage.pass(Duration::from_secs(61));
    stage.load(1_000.0);
    let state = stage.state();
    assert!((number(state.adjusted_load(stage.now)) - 1_000.0).abs() < 1e-9 || state.intensity.is_ok());
}

#[test]
fn a_restart_goes_on_where_the_last_process_was() {
    let throttled = json!({ "governor": {
        "factor": 0.9, "level": 0.9, "phase": "throttled",
        "levelSince": "2026-01-31T11:58:00Z", "steppedAt": "2026-01-31T11:58:00Z",
    } });
    // Dwell: the level of two minutes ago is kept, although the curve now says 0.8.
    let mut stage = Stage::ready(450.0);
    stage.status = throttled.clone();
    let state = stage.policy(json!({}));
    assert!((state.decision().unwrap().effective.get() - 0.9).abs() < 1e-12);
    assert_eq!(state.decision().unwrap().clamp, ClampReason::Dwell);

    // Sources that were not asked yet are no reason to give the factor up at once.
    let mut stage = Stage::ready(450.0).without_intensity();
    stage.status = throttled;
    assert!(stage.policy(json!({})).adjusted_load(stage.now).is_err());
    stage.pass(Duration::from_mins(1));
    stage.load(1_000.0);
    let state = stage.state();
    assert_eq!(state.decision().unwrap().phase, Phase::CarbonUnknown);
    assert!((number(state.adjusted_load(stage.now)) - 1_000.0).abs() < 1e-9);
}

#[test]
fn an_edit_of_anything_but_the_load_keeps_load_and_factor() {
    let mut stage = Stage::ready(450.0);
    stage.policy(json!({}));
    stage.core.started();
    let state = stage.edit(json!({ "sloGuardPerReplica": 200 }));
    assert!(state.adjusted_load(stage.now).is_ok());
    assert!(stage.core.started().is_empty(), "the load is asked for as before");
    let state = stage.edit(json!({ "load": { "prometheus": { "query": "other" } } }));
    assert!(state.adjusted_load(stage.now).unwrap_err().contains("not asked yet"));
    assert_eq!(stage.core.started().len(), 1);
}

#[test]
fn reports_of_an_earlier_version_are_of_no_use() {
    let mut stage = Stage::ready(450.0);
    stage.policy(json!({}));
    let old = stage.revision();
    stage.edit(json!({ "load": { "prometheus": { "query": "other" } } }));
    stage.load_of(old, Ok(7.0));
    assert!(stage.state().adjusted_load(stage.now).is_err());
}

#[test]
fn a_policy_that_cannot_work_says_why_and_serves_nothing() {
    let mut stage = Stage::ready(450.0);
    stage.policy(json!({}));
    let state = stage.edit(json!({ "sloGuardPerReplica": 100 }));
    assert!(state.adjusted_load(stage.now).unwrap_err().contains("guard must be above the target"));
    assert_eq!(stage.core.stopped().len(), 1, "its load is not asked for");
    let state = stage.edit(json!({}));
    assert!(state.plan.is_ok());
}

#[test]
fn a_policy_that_is_gone_is_gone_and_one_in_its_place_has_no_past() {
    let mut stage = Stage::ready(450.0);
    stage.policy(json!({}));
    stage.delete();
    assert!(stage.tick().is_empty());
    assert_eq!(stage.core.stopped().len(), 1);
    stage.uid = "another".into();
    let state = stage.policy(json!({}));
    assert_eq!(&*state.uid, "another");

    // The same without a word of the deletion.
    stage.uid = "a third".into();
    stage.apply(json!({}));
    assert!(stage.state().adjusted_load(stage.now).is_err());
}

#[test]
fn a_list_that_does_not_name_a_policy_ends_it() {
    let mut stage = Stage::ready(450.0);
    stage.policy(json!({}));
    stage.relist(&[]);
    assert!(stage.tick().is_empty());
}

#[test]
fn autoscalers_are_reported_once_all_are_known() {
    let mut stage = Stage::ready(450.0);
    let state = stage.policy(json!({}));
    assert_eq!(state.autoscaler.findings, [], "none is missing yet");
    stage.autoscalers(&[]);
    assert_eq!(stage.state().autoscaler.findings[0].kind, FindingKind::NoAutoscaler);
    stage.autoscalers(&[stage::autoscaler(&["carbon_adjusted_load", "cpu"])]);
    let state = stage.state();
    assert!(state.autoscaler.error().is_none() && state.autoscaler.guarded);
    assert_eq!(state.replicas, Some(6), "by the autoscaler");
    stage.autoscalers(&[stage::autoscaler(&["carbon_adjusted_load"])]);
    assert_eq!(stage.state().autoscaler.findings[0].kind, FindingKind::GuardMissing);
    stage.autoscalers(&[]);
    assert_eq!(stage.state().autoscaler.findings[0].kind, FindingKind::NoAutoscaler);
}

#[test]
fn a_budget_tightens_no_further_than_the_guard() {
    let mut stage = Stage::ready(100.0);
    let clean = stage.policy(json!({ "criticality": "BestEffort" }));
    assert!((clean.decision().unwrap().effective.get() - 1.0).abs() < 1e-12);
    stage.budget(json!({ "month": "2026-01", "spentGrams": 5000, "watchedSince": "2026-01-01T00:00:00Z" }));
    stage.pass(Duration::from_mins(11));
    stage.load(1_000.0);
    let state = stage.state();
    let decision = state.decision().unwrap();
    let budget = state.budget.as_ref().unwrap();
    assert!((budget.factor.get() - 0.5).abs() < 1e-9, "{budget:?}");
    assert!((decision.effective.get() - 0.8).abs() < 1e-12, "not below T/S: {decision:?}");
    assert_eq!(stage.tick().budgets().len(), 1);
}
