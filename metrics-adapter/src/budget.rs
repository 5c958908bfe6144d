//! How many grams a namespace may spend in a month.

mod ledger;
mod spec;
mod state;

pub use self::{
    ledger::Budgets,
    spec::{BudgetFactor, CarbonBudget, CarbonBudgetSpec, CarbonBudgetStatus},
    state::BudgetState,
};
