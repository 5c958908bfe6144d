//! How policies and budgets stand, in conditions.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use sci_core::scaling::{ClampReason, LoadError, Mode, NoCarbon, Phase, batch::PlanReason};

use super::reference::is_described;
use crate::{
    autoscaler::Severity,
    budget::BudgetState,
    policy::condition,
    table::{BatchDecision, IntensityProblem, Outcome, PolicyState},
};

/// A condition without its text and time: what is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Type of the condition.
    pub condition: &'static str,
    /// `None` while it is not known.
    pub holds: Option<bool>,
    /// A word for programs.
    pub reason: &'static str,
}

impl Verdict {
    fn new(condition: &'static str, holds: bool, reason: &'static str) -> Self {
        Self { condition, holds: Some(holds), reason }.described()
    }

    fn unknown(condition: &'static str, reason: &'static str) -> Self {
        Self { condition, holds: None, reason }.described()
    }

    /// Nobody reads of a reason that the reference does not have.
    fn described(self) -> Self {
        debug_assert!(is_described(self.condition, self.status(), self.reason), "{self:?} is not in the reference");
        self
    }

    /// As in an object.
    pub const fn status(&self) -> &'static str {
        match self.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        }
    }

    /// The condition with its text; its time is that of the last change of its status.
    pub(super) fn condition(&self, text: String, generation: i64, before: &[Condition], now: Timestamp) -> Condition {
        let known = before.iter().find(|known| known.type_ == self.condition && known.status == self.status());
        Condition {
            type_: self.condition.to_owned(),
            status: self.status().to_owned(),
            reason: self.reason.to_owned(),
            message: text,
            observed_generation: Some(generation),
            last_transition_time: known.map_or(Time(now), |known| known.last_transition_time.clone()),
        }
    }
}

/// Every condition of a policy, in the order of its status.
pub fn policy_verdicts(state: &PolicyState, now: Timestamp) -> [Verdict; 6] {
    let serves = state.adjusted_load(now).is_ok();
    [ready(state, serves), load(state, now), carbon(state), autoscaler(state), guard(state), throttling(state, serves)]
}

/// Every condition of a budget.
pub fn budget_verdicts(state: &BudgetState) -> [Verdict; 2] {
    let ready = match (&state.spec, &state.overruled_by) {
        (Err(_), _) => Verdict::new(condition::READY, false, "InvalidSpec"),
        (Ok(_), Some(_)) => Verdict::new(condition::READY, false, "AnotherBudget"),
        (Ok(_), None) => Verdict::new(condition::READY, true, "Counting"),
    };
    let within = match &state.outlook {
        None => Verdict::unknown(condition::WITHIN_BUDGET, "Pending"),
        Some(outlook) if outlook.spent_ratio > 1.0 => Verdict::new(condition::WITHIN_BUDGET, false, "Overspent"),
        Some(outlook) if outlook.projected_ratio > 1.0 => {
            Verdict::new(condition::WITHIN_BUDGET, false, "WillBeOverspent")
        }
        Some(outlook) if outlook.tightening.best_effort.throttles() => {
            Verdict::new(condition::WITHIN_BUDGET, true, "Tightening")
        }
        Some(_) => Verdict::new(condition::WITHIN_BUDGET, true, "OnCourse"),
    };
    [ready, within]
}

fn ready(state: &PolicyState, serves: bool) -> Verdict {
    let of = |holds, reason| Verdict::new(condition::READY, holds, reason);
    match (&state.plan, &state.outcome) {
        (Err(_), _) => of(false, "InvalidSpec"),
        (Ok(_), None) => Verdict::unknown(condition::READY, "Pending"),
        (Ok(_), Some(_)) if !serves => of(false, "NoLoad"),
        (Ok(plan), Some(_)) if plan.mode() == Mode::Shadow => of(true, "ServingPlainLoad"),
        (Ok(_), Some(_)) => of(true, "Serving"),
    }
}

fn load(state: &PolicyState, now: Timestamp) -> Verdict {
    let of = |holds, reason| Verdict::new(condition::LOAD_AVAILABLE, holds, reason);
    let Ok(plan) = &state.plan else { return Verdict::unknown(condition::LOAD_AVAILABLE, "InvalidSpec") };
    let Some(reading) = &state.load.reading else {
        return match &state.load.problem {
            Some(problem) => of(false, problem_reason(problem.kind)),
            None => Verdict::unknown(condition::LOAD_AVAILABLE, "Pending"),
        };
    };
    match (plan.checked(&reading.sample, now), &state.load.problem) {
        (Ok(_), None) => of(true, "Fresh"),
        (Ok(_), Some(_)) => of(true, "LastValueHeld"),
        (Err(LoadError::Stale { .. }), Some(problem)) => of(false, problem_reason(problem.kind)),
        (Err(LoadError::Stale { .. }), None) => of(false, "Stale"),
        (Err(_), _) => of(false, "NotALoad"),
    }
}

/// Words of [`LoadFault::KINDS`](crate::load::LoadFault::KINDS) as reasons.
fn problem_reason(kind: &str) -> &'static str {
    match kind {
        "no_such_source" => "NoSuchSource",
        "unreachable" => "Unreachable",
        "timeout" => "Timeout",
        "refused" => "Refused",
        "malformed" => "Malformed",
        "nothing" => "NoResult",
        "ambiguous" => "SeveralResults",
        "partial" => "TooFewPods",
        "first_reading" => "FirstReading",
        "target" => "TargetNotFound",
        _ => "NotALoad",
    }
}

fn carbon(state: &PolicyState) -> Verdict {
    let of = |holds, reason| Verdict::new(condition::CARBON_FRESH, holds, reason);
    let by_problem = |problem: &IntensityProblem| match problem {
        IntensityProblem::NotSynced => Verdict::unknown(condition::CARBON_FRESH, "Pending"),
        IntensityProblem::ZoneUnknown => of(false, "ZoneUnknown"),
        IntensityProblem::TooFewKnown => of(false, "TooFewKnown"),
        IntensityProblem::Missing => of(false, "Missing"),
        IntensityProblem::Stale => of(false, "Stale"),
    };
    if state.outcome.is_none() {
        return Verdict::unknown(condition::CARBON_FRESH, "Pending");
    }
    match (&state.intensity, state.decision().map(|decision| &decision.carbon)) {
        (Err(problem), _) => by_problem(problem),
        (Ok(_), Some(Err(NoCarbon::Stale { .. }))) => of(false, "Stale"),
        (Ok(_), Some(Err(NoCarbon::PoorQuality { .. }))) => of(false, "PoorQuality"),
        (Ok(_), Some(Err(NoCarbon::LowConfidence { .. }))) => of(false, "LowConfidence"),
        (Ok(_), Some(Err(NoCarbon::TooLittleHistory(_)))) => of(false, "TooLittleHistory"),
        (Ok(_), Some(Err(_))) => of(false, "Missing"),
        (Ok(_), _) => of(true, "Fresh"),
    }
}

fn autoscaler(state: &PolicyState) -> Verdict {
    let of = |holds, reason| Verdict::new(condition::AUTOSCALER_SOUND, holds, reason);
    let report = &state.autoscaler;
    if let Some(finding) = report.error() {
        return of(false, finding.kind.as_str());
    }
    let warning = report.findings.iter().find(|finding| !finding.kind.is_about_guard());
    match (report.names.is_empty(), warning) {
        (true, _) => Verdict::unknown(condition::AUTOSCALER_SOUND, "Pending"),
        (false, Some(warning)) => of(true, warning.kind.as_str()),
        (false, None) => of(true, "Sound"),
    }
}

fn guard(state: &PolicyState) -> Verdict {
    let of = |holds, reason| Verdict::new(condition::GUARD_PRESENT, holds, reason);
    let report = &state.autoscaler;
    if state.plan.as_ref().is_ok_and(|plan| plan.thresholds().is_none()) {
        return of(true, "Deadline");
    }
    let finding = report.findings.iter().find(|finding| finding.kind.is_about_guard());
    match finding {
        _ if report.names.is_empty() && report.findings.is_empty() => {
            Verdict::unknown(condition::GUARD_PRESENT, "Pending")
        }
        _ if report.names.is_empty() => Verdict::unknown(condition::GUARD_PRESENT, "NoAutoscaler"),
        Some(finding) => of(finding.kind.severity() == Severity::Warning && report.guarded, finding.kind.as_str()),
        None if report.guarded => of(true, "Present"),
        None => of(false, "GuardMissing"),
    }
}

/// Without a load nothing is served, whatever was decided with the last one: the autoscaler keeps its replicas, and
/// whether these are fewer than they would be nobody knows.
fn throttling(state: &PolicyState, serves: bool) -> Verdict {
    let of = |holds, reason| Verdict::new(condition::THROTTLING, holds, reason);
    match state.outcome.as_deref() {
        None => Verdict::unknown(condition::THROTTLING, "Pending"),
        Some(_) if !serves => Verdict::unknown(condition::THROTTLING, "NoLoad"),
        Some(Outcome::Service(decision)) => match decision.phase {
            Phase::Throttled if decision.clamp == ClampReason::Shadow => of(false, "Shadow"),
            Phase::Throttled => of(true, "Throttled"),
            Phase::Full => of(false, "Full"),
            Phase::CarbonUnknown => of(false, "CarbonUnknown"),
            Phase::NeverThrottle => of(false, "NeverThrottle"),
        },
        Some(Outcome::Batch(batch)) => waiting(batch),
    }
}

fn waiting(batch: &BatchDecision) -> Verdict {
    let of = |holds, reason| Verdict::new(condition::THROTTLING, holds, reason);
    match batch.plan.as_ref().map(|plan| plan.reason) {
        Ok(PlanReason::Waits) => of(true, "Waits"),
        Ok(PlanReason::CleanNow) => of(false, "CleanNow"),
        Ok(PlanReason::DeadlineNear) => of(false, "DeadlineNear"),
        Ok(PlanReason::TooLate) => of(false, "TooLate"),
        Ok(PlanReason::NoForecast) => of(false, "NoForecast"),
        Ok(_) => of(false, "Done"),
        Err(_) => Verdict::unknown(condition::THROTTLING, "NoLoad"),
    }
}
