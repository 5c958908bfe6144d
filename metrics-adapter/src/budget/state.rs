//! What a budget does at present.

use std::sync::Arc;

use jiff::Timestamp;
use sci_core::{quantity::GramsCo2e, scaling::budget::Outlook};

use super::{CarbonBudgetSpec, CarbonBudgetStatus};
use crate::table::PolicyKey;

/// One budget at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetState {
    /// Namespace and name.
    pub key: PolicyKey,
    /// UID of the object.
    pub uid: Arc<str>,
    /// Its generation.
    pub generation: i64,
    /// As written, or why it cannot work so.
    pub spec: Result<Arc<CarbonBudgetSpec>, Arc<str>>,
    /// The month that it speaks of, as `2026-01`.
    pub month: Arc<str>,
    /// Grams spent in it, as far as anybody watched.
    pub spent: GramsCo2e,
    /// Since when in it somebody has counted.
    pub watched_since: Option<Timestamp>,
    /// Up to when they are counted.
    pub counted_until: Option<Timestamp>,
    /// Where the month is heading.
    pub outlook: Option<Outlook>,
    /// Another budget of the namespace is in force in place of this one.
    pub overruled_by: Option<Arc<str>>,
    /// The status as the API server has it.
    pub stored: Arc<CarbonBudgetStatus>,
}
