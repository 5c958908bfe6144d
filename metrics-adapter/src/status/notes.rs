//! Events that follow from conditions that changed.

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::Condition};
use kube_sci_cluster::events::{Note, Severity};

use super::{
    budget,
    conditions::{Verdict, budget_verdicts, policy_verdicts},
    policy,
};
use crate::{
    budget::BudgetState,
    policy::{GROUP, VERSION, condition},
    table::{PolicyKey, PolicyState},
};

/// What is to be said of a policy whose conditions were `before`.
pub fn policy_notes(state: &PolicyState, before: &[Condition], now: Timestamp) -> Vec<Note> {
    let verdicts = policy_verdicts(state, now);
    let told = verdicts.into_iter().filter_map(|verdict| Some((verdict, severity(&verdict, before)?)));
    told.map(|(verdict, severity)| Note {
        regarding: reference("GreenScalingPolicy", &state.key, &state.uid),
        at: now,
        severity,
        reason: reason(&verdict).into(),
        action: "Scaling",
        text: policy::text(state, verdict.condition, now),
    })
    .collect()
}

/// What is to be said of a budget whose conditions were `before`.
pub fn budget_notes(state: &BudgetState, before: &[Condition], now: Timestamp) -> Vec<Note> {
    let verdicts = budget_verdicts(state);
    let told = verdicts.into_iter().filter_map(|verdict| Some((verdict, severity(&verdict, before)?)));
    told.map(|(verdict, severity)| Note {
        regarding: reference("CarbonBudget", &state.key, &state.uid),
        at: now,
        severity,
        reason: verdict.reason.into(),
        action: "Budgeting",
        text: budget::text(state, verdict.condition),
    })
    .collect()
}

/// Whether a change is worth an event, and which. Good news are told only after bad ones; whatever is not known yet is
/// no news.
fn severity(verdict: &Verdict, before: &[Condition]) -> Option<Severity> {
    let known = before.iter().find(|known| known.type_ == verdict.condition);
    let (status, reason) = known.map_or(("Unknown", ""), |known| (known.status.as_str(), known.reason.as_str()));
    if status == verdict.status() && (reason == verdict.reason || verdict.holds != Some(false)) {
        // One reason to the other while all is well is no news, but of a budget that begins to tighten.
        let tightens = verdict.condition == condition::WITHIN_BUDGET && reason != verdict.reason && status == "True";
        return tightens.then_some(Severity::Normal);
    }
    match (verdict.condition, verdict.holds) {
        // Ready follows from the others, and what it says they say too.
        (condition::READY, Some(false)) if verdict.reason != "InvalidSpec" => None,
        (condition::READY, Some(true)) if reason != "InvalidSpec" => None,
        // A rate takes two readings: that is how it begins.
        (condition::LOAD_AVAILABLE, Some(false)) if verdict.reason == "FirstReading" => None,
        (condition::THROTTLING, Some(true)) => Some(Severity::Normal),
        (condition::THROTTLING, Some(false)) => (status == "True").then_some(Severity::Normal),
        (_, Some(false)) => Some(Severity::Warning),
        (_, Some(true)) => (status == "False").then_some(Severity::Normal),
        (_, None) => None,
    }
}

/// Reasons of conditions are short; events stand alone.
fn reason(verdict: &Verdict) -> String {
    let prefix = match verdict.condition {
        condition::LOAD_AVAILABLE => "Load",
        condition::CARBON_FRESH => "Carbon",
        condition::THROTTLING if verdict.holds == Some(false) => "Released",
        _ => "",
    };
    format!("{prefix}{}", verdict.reason)
}

fn reference(kind: &str, key: &PolicyKey, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(format!("{GROUP}/{VERSION}")),
        kind: Some(kind.to_owned()),
        namespace: Some(key.namespace.to_string()),
        name: Some(key.name.to_string()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}
