//! The status of a budget.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sci_core::scaling::Criticality;

use super::{conditions::budget_verdicts, rounded};
use crate::{
    budget::{BudgetFactor, BudgetState, CarbonBudgetStatus},
    policy::{CriticalitySpec, condition},
};

/// Everything that a budget says of itself at `now`.
pub fn budget_status(state: &BudgetState, now: Timestamp) -> CarbonBudgetStatus {
    let verdicts = budget_verdicts(state);
    let conditions = verdicts.iter().map(|verdict| {
        verdict.condition(text(state, verdict.condition), state.generation, &state.stored.conditions, now)
    });
    let factors = state.outlook.iter().flat_map(|outlook| {
        CriticalitySpec::ALL.map(|criticality| BudgetFactor {
            criticality,
            factor: outlook.tightening.of(Criticality::from(criticality)).get(),
        })
    });
    CarbonBudgetStatus {
        observed_generation: Some(state.generation),
        conditions: conditions.collect(),
        month: Some(state.month.to_string()),
        // In full: a restarted adapter goes on from it.
        spent_grams: Some(state.spent.get()),
        watched_since: state.watched_since.map(Time),
        counted_until: state.counted_until.map(Time),
        projected_grams: state.outlook.map(|outlook| rounded(outlook.projected.get())),
        share: state.outlook.map(|outlook| rounded(outlook.spent_ratio.min(1e6))),
        factors: factors.collect(),
    }
}

pub(super) fn text(state: &BudgetState, condition: &str) -> String {
    let spec = match &state.spec {
        Ok(spec) => spec,
        Err(problem) => return problem.to_string(),
    };
    if condition == condition::READY {
        return match &state.overruled_by {
            Some(other) => format!("{other} is the budget of the namespace: the first by name counts"),
            None => format!("grams of {} are counted", state.month),
        };
    }
    let Some(outlook) = state.outlook else { return "nothing was counted yet".to_owned() };
    let tightening = outlook.tightening;
    format!(
        "{} g of {} g are spent in {}, {} g at its end if it goes on like this; factors: Critical {}, Standard {}, BestEffort {}",
        rounded(state.spent.get()),
        spec.grams_per_month,
        state.month,
        rounded(outlook.projected.get()),
        tightening.critical,
        tightening.standard,
        tightening.best_effort
    )
}
