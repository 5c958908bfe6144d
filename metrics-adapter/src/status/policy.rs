//! The status of a policy.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{conditions::policy_verdicts, rounded};
use crate::{
    explain,
    policy::{GovernorStatus, IntensityStatus, LoadStatus, PolicyStatus, ReplicaStatus, SavedStatus, condition},
    table::{Outcome, PolicyState},
};

/// Everything that a policy says of itself at `now`.
pub fn policy_status(state: &PolicyState, now: Timestamp) -> PolicyStatus {
    let verdicts = policy_verdicts(state, now);
    let conditions = verdicts.iter().map(|verdict| {
        verdict.condition(text(state, verdict.condition, now), state.generation, &state.stored.conditions, now)
    });
    let decision = state.decision();
    let replicas = state.replicas_by_rule(now).ok();
    PolicyStatus {
        observed_generation: Some(state.generation),
        conditions: conditions.collect(),
        explanation: Some(explain::summary(state, now)),
        load: load(state),
        intensity: intensity(state),
        green_factor: decision.map(|decision| rounded(decision.computed.get())),
        effective_factor: decision.map(|decision| rounded(decision.effective.get())),
        adjusted_load: state.adjusted_load(now).ok().map(|served| rounded(served.value)),
        clamp: decision.map(|decision| decision.clamp.as_str().to_owned()),
        replicas: replicas.map(|replicas| ReplicaStatus {
            plain: replicas.plain,
            green: replicas.green,
            floor: replicas.floor,
            current: state.replicas,
        }),
        saved: state.saving.map(|saving| SavedStatus {
            grams_per_hour: rounded(saving.grams_per_hour.get()),
            grams_per_hour_if_machines_leave: rounded(saving.grams_per_hour_if_machines_leave.get()),
            note: saving.note.text().to_owned(),
        }),
        autoscaler: state.autoscaler.names.first().map(ToString::to_string),
        governor: governor(state),
    }
}

/// What a process that comes after this one goes on from. Where nothing was decided yet, what came before stays.
fn governor(state: &PolicyState) -> Option<GovernorStatus> {
    match state.outcome.as_deref() {
        Some(Outcome::Service(decision)) => Some(GovernorStatus::of(&decision.state)),
        Some(Outcome::Batch(batch)) => {
            Some(GovernorStatus { waiting_since: batch.waiting_since.map(Time), ..GovernorStatus::default() })
        }
        None => state.stored.governor.clone(),
    }
}

fn load(state: &PolicyState) -> Option<LoadStatus> {
    let (reading, plan) = (state.load.reading.as_ref()?, state.plan.as_ref().ok()?);
    let value = rounded(reading.sample.value);
    Some(LoadStatus {
        value,
        unit: plan.load.unit.to_string(),
        text: format!("{value} {}", plan.load.unit),
        at: Time(reading.sample.at),
        source: reading.source.to_string(),
    })
}

fn intensity(state: &PolicyState) -> Option<IntensityStatus> {
    let intensity = state.intensity.as_ref().ok()?;
    let first = intensity.zones.first()?;
    Some(IntensityStatus {
        grams_per_kwh: rounded(intensity.carbon.intensity.get()),
        zone: intensity.zone_names(),
        link: first.link.to_owned(),
        quality: intensity.carbon.quality.as_str().to_owned(),
        age_seconds: i64::try_from(intensity.carbon.age.as_secs()).unwrap_or(i64::MAX),
    })
}

/// Why a condition is as it is, in words.
pub(super) fn text(state: &PolicyState, condition: &str, now: Timestamp) -> String {
    if let Err(problem) = &state.plan {
        return problem.to_string();
    }
    match condition {
        condition::READY => match state.adjusted_load(now) {
            Ok(_) => "carbon_adjusted_load is served".to_owned(),
            Err(cause) => cause,
        },
        condition::LOAD_AVAILABLE => load_text(state, now),
        condition::CARBON_FRESH => carbon_text(state),
        condition::AUTOSCALER_SOUND => findings(state, false),
        condition::GUARD_PRESENT => findings(state, true),
        _ => explain::summary(state, now),
    }
}

fn load_text(state: &PolicyState, now: Timestamp) -> String {
    match (state.fresh_load(now), &state.load.problem) {
        (Err(cause), _) => cause,
        (Ok(reading), Some(problem)) => format!("the value of {:.0} is used: {}", reading.sample.at, problem.text),
        (Ok(reading), None) => match &reading.warning {
            Some(warning) => format!("{}: {warning}", reading.source),
            None => format!("{} answers", reading.source),
        },
    }
}

fn carbon_text(state: &PolicyState) -> String {
    match (&state.intensity, state.decision().map(|decision| &decision.carbon)) {
        (Err(problem), _) => problem.to_string(),
        (Ok(_), Some(Err(problem))) => problem.to_string(),
        (Ok(intensity), _) => {
            let links = intensity.zones.iter().map(|zone| format!("{} ({}, {})", zone.zone, zone.link, zone.source));
            links.collect::<Vec<_>>().join(", ")
        }
    }
}

fn findings(state: &PolicyState, about_guard: bool) -> String {
    let found = state.autoscaler.findings.iter().filter(|finding| finding.kind.is_about_guard() == about_guard);
    let texts: Vec<&str> = found.map(|finding| &*finding.text).collect();
    if !texts.is_empty() {
        return texts.join("; ");
    }
    let plan = state.plan.as_ref().ok();
    match (about_guard, state.autoscaler.names.first(), plan.map(|plan| plan.thresholds())) {
        (true, _, Some(None)) => "the deadline is the guard of a batch".to_owned(),
        (_, None, _) if state.autoscaler.findings.is_empty() => "no autoscaler was looked at yet".to_owned(),
        (_, None, _) => "there is no autoscaler that could have one".to_owned(),
        (true, Some(name), _) => format!("{name} has a guard"),
        (false, Some(name), _) => format!("{name} reads the policy as it is meant"),
    }
}
