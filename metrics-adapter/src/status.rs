//! What policies and budgets say of themselves: status, conditions, events.
//!
//! Only the holder of the Lease writes, only where something changed that matters, and at a limited rate. Events follow
//! from conditions that changed since the status was written last, by whichever replica.

mod budget;
mod conditions;
mod notes;
mod policy;
mod reference;
mod writer;

pub use self::{
    budget::budget_status,
    conditions::{Verdict, budget_verdicts, policy_verdicts},
    notes::{budget_notes, policy_notes},
    policy::policy_status,
    reference::reference,
    writer::{StatusMetrics, StatusOptions, StatusWriter, WriteOutcome},
};

/// Who writes, for server-side apply and for events.
pub const REPORTER: &str = "kube-sci.dev/metrics-adapter";

/// Rounded to four digits: a status is for people.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let digits = 10f64.powf(3.0 - value.abs().log10().floor());
    let rounded = (value * digits).round() / digits;
    if rounded.is_finite() { rounded } else { value }
}

#[cfg(test)]
mod tests;
