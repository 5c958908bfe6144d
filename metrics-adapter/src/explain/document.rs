//! An explanation as JSON. Numbers carry their unit in the name of the field.

use jiff::Timestamp;
use sci_core::scaling::{CurvePoint, Decision, Replicas, Stage, batch};
use serde::Serialize;

use super::sentence::summary;
use crate::{
    autoscaler::{AutoscalerReport, Finding, Severity},
    serve::values::mode,
    table::{BatchDecision, IntensityState, Outcome, PolicyState, ZoneShare},
};

/// Why a policy serves what it serves.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    namespace: String,
    name: String,
    uid: String,
    generation: i64,
    mode: &'static str,
    at: Timestamp,
    decided_at: Timestamp,
    summary: String,
    served: ServedDocument,
    load: LoadDocument,
    intensity: IntensityDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<FactorDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<BatchDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<ReplicasDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<SavedDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetDocument>,
    autoscaler: AutoscalerDocument,
}

/// What an autoscaler reads.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServedDocument {
    metric: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LoadDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampled_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_after_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
}

#[derive(Debug, Serialize)]
struct ProblemDocument {
    kind: &'static str,
    text: String,
    since: Timestamp,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct IntensityDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    grams_per_kwh: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<f64>,
    /// How it is known which zones count.
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    zones: Vec<ZoneDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast_min: Option<ForecastDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ZoneDocument {
    zone: String,
    share: f64,
    grams_per_kwh: f64,
    link: &'static str,
    quality: &'static str,
    source: String,
    age_seconds: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ForecastDocument {
    at: Timestamp,
    grams_per_kwh: f64,
}

/// From the curve to what is applied.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FactorDocument {
    /// Why carbon is not acted on, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    carbon_problem: Option<String>,
    /// The point on the curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    curve: Option<CurvePoint>,
    /// What changed it, in order, each with the factor after it.
    stages: Vec<Stage>,
    /// T/S: never less.
    floor: f64,
    computed: f64,
    effective: f64,
    /// What had the last word.
    clamp: &'static str,
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_per_replica: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guard_per_replica: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<batch::Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What follows for an autoscaler, before its own limits.
#[derive(Debug, Serialize)]
struct ReplicasDocument {
    #[serde(flatten)]
    by_rule: Replicas,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<u32>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedDocument {
    replicas: u32,
    grams_per_hour: f64,
    grams_per_hour_if_machines_leave: f64,
    /// What the numbers are worth.
    note: &'static str,
}

#[derive(Debug, Serialize)]
struct BudgetDocument {
    name: String,
    factor: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AutoscalerDocument {
    names: Vec<String>,
    reads_policy: bool,
    guarded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_replicas: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_replicas: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    desired_replicas: Option<u32>,
    findings: Vec<FindingDocument>,
}

#[derive(Debug, Serialize)]
struct FindingDocument {
    kind: &'static str,
    severity: &'static str,
    text: String,
}

impl Explanation {
    /// Of a policy at `now`.
    pub fn new(policy: &PolicyState, now: Timestamp) -> Self {
        let outcome = policy.outcome.as_deref();
        let replicas = policy.replicas_by_rule(now).ok();
        Self {
            namespace: policy.key.namespace.to_string(),
            name: policy.key.name.to_string(),
            uid: policy.uid.to_string(),
            generation: policy.generation,
            mode: mode(policy),
            at: now,
            decided_at: policy.decided_at,
            summary: summary(policy, now),
            served: ServedDocument::new(policy, now),
            load: LoadDocument::new(policy, now),
            intensity: IntensityDocument::new(policy),
            factor: policy.decision().map(|decision| FactorDocument::new(policy, decision)),
            batch: match outcome {
                Some(Outcome::Batch(batch)) => Some(BatchDocument::new(batch)),
                _ => None,
            },
            replicas: replicas.map(|by_rule| ReplicasDocument { by_rule, current: policy.replicas }),
            saved: policy.saving.map(|saving| SavedDocument {
                replicas: saving.replicas,
                grams_per_hour: saving.grams_per_hour.get(),
                grams_per_hour_if_machines_leave: saving.grams_per_hour_if_machines_leave.get(),
                note: saving.note.text(),
            }),
            budget: policy
                .budget
                .as_ref()
                .map(|budget| BudgetDocument { name: budget.name.to_string(), factor: budget.factor.get() }),
            autoscaler: AutoscalerDocument::new(&policy.autoscaler),
        }
    }
}

impl ServedDocument {
    fn new(policy: &PolicyState, now: Timestamp) -> Self {
        let served = policy.adjusted_load(now);
        Self {
            metric: crate::names::CARBON_ADJUSTED_LOAD,
            value: served.as_ref().ok().map(|served| served.value),
            unit: unit(policy),
            problem: served.err(),
        }
    }
}

impl LoadDocument {
    fn new(policy: &PolicyState, now: Timestamp) -> Self {
        let reading = policy.load.reading.as_ref();
        Self {
            value: reading.map(|reading| reading.sample.value).filter(|value| value.is_finite()),
            unit: unit(policy),
            sampled_at: reading.map(|reading| reading.sample.at),
            age_seconds: reading.map(|reading| reading.sample.age(now).as_secs_f64()),
            stale_after_seconds: policy.plan.as_ref().ok().map(|plan| plan.load.stale_after.as_secs_f64()),
            source: reading.map(|reading| reading.source.to_string()),
            warning: reading.and_then(|reading| reading.warning.as_deref()).map(str::to_owned),
            problem: policy.load.problem.as_ref().map(|problem| ProblemDocument {
                kind: problem.kind,
                text: problem.text.to_string(),
                since: problem.since,
            }),
        }
    }
}

impl IntensityDocument {
    fn new(policy: &PolicyState) -> Self {
        let IntensityState { carbon, zones, basis, forecast_min } = match &policy.intensity {
            Ok(intensity) => &**intensity,
            Err(problem) => return Self { problem: Some(problem.to_string()), ..Self::default() },
        };
        Self {
            grams_per_kwh: Some(carbon.intensity.get()),
            quality: Some(carbon.quality.as_str()),
            confidence: Some(carbon.confidence.get()),
            age_seconds: Some(carbon.age.as_secs_f64()),
            basis: Some(basis.as_str()),
            zones: zones.iter().map(ZoneDocument::new).collect(),
            forecast_min: forecast_min.map(|(at, least)| ForecastDocument { at, grams_per_kwh: least.get() }),
            problem: None,
        }
    }
}

impl ZoneDocument {
    fn new(zone: &ZoneShare) -> Self {
        Self {
            zone: zone.zone.to_string(),
            share: zone.share.get(),
            grams_per_kwh: zone.intensity.get(),
            link: zone.link,
            quality: zone.quality,
            source: zone.source.to_string(),
            age_seconds: zone.age.as_secs_f64(),
        }
    }
}

impl FactorDocument {
    fn new(policy: &PolicyState, decision: &Decision) -> Self {
        let thresholds = policy.plan.as_ref().ok().and_then(|plan| plan.thresholds().copied());
        Self {
            carbon_problem: decision.carbon.as_ref().err().map(ToString::to_string),
            curve: decision.raw,
            stages: decision.stages.clone(),
            floor: decision.floor.get(),
            computed: decision.computed.get(),
            effective: decision.effective.get(),
            clamp: decision.clamp.as_str(),
            phase: decision.phase.as_str(),
            target_per_replica: thresholds.map(|thresholds| thresholds.target().get()),
            guard_per_replica: thresholds.map(|thresholds| thresholds.guard().get()),
        }
    }
}

impl BatchDocument {
    fn new(batch: &BatchDecision) -> Self {
        Self {
            waiting_since: batch.waiting_since,
            deadline: batch.deadline,
            plan: batch.plan.as_ref().ok().cloned(),
            problem: batch.plan.as_ref().err().map(ToString::to_string),
        }
    }
}

impl AutoscalerDocument {
    fn new(report: &AutoscalerReport) -> Self {
        Self {
            names: report.names.iter().map(ToString::to_string).collect(),
            reads_policy: report.reads_policy,
            guarded: report.guarded,
            min_replicas: report.limits.map(|(least, _)| least),
            max_replicas: report.limits.map(|(_, most)| most),
            desired_replicas: report.desired_replicas,
            findings: report.findings.iter().map(FindingDocument::new).collect(),
        }
    }
}

impl FindingDocument {
    fn new(finding: &Finding) -> Self {
        let severity = match finding.kind.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        Self { kind: finding.kind.as_str(), severity, text: finding.text.to_string() }
    }
}

fn unit(policy: &PolicyState) -> Option<String> {
    policy.plan.as_ref().ok().map(|plan| plan.load.unit.to_string())
}
