//! How many grams a namespace may spend in a month.

mod spec;
mod state;

pub use self::{
    spec::{BudgetFactor, CarbonBudget, CarbonBudgetSpec, CarbonBudgetStatus},
    state::BudgetState,
};
