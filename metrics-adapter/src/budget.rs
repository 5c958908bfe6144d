//! How many grams a namespace may spend in a month.

mod spec;

pub use self::spec::{BudgetFactor, CarbonBudget, CarbonBudgetSpec, CarbonBudgetStatus};
