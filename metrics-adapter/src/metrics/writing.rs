//! What is counted of statuses and events.

use std::sync::Arc;

use kube_sci_report::set::{CounterSet, Register};
use kube_sci_server::metrics::MetricsRegistry;

use crate::status::{StatusMetrics, WriteOutcome};

/// Statuses and events by what came of them.
#[derive(Debug)]
pub struct WritingCounters {
    policies: CounterSet,
    budgets: CounterSet,
    events: CounterSet,
}

const OUTCOMES: [&str; 3] = ["written", "gone", "failed"];

impl WritingCounters {
    /// Creates every metric and adds it to `registry`.
    pub fn register(registry: &MetricsRegistry) -> Arc<Self> {
        let on = Register::on(registry);
        Arc::new(Self {
            policies: on.counters(
                "kube_sci_adapter_policy_statuses",
                &["outcome"],
                &OUTCOMES,
                "Statuses of policies, by what came of writing them",
            ),
            budgets: on.counters(
                "kube_sci_adapter_budget_statuses",
                &["outcome"],
                &OUTCOMES,
                "Statuses of carbon budgets, by what came of writing them",
            ),
            events: on.counters(
                "kube_sci_adapter_events",
                &["outcome"],
                &["sent", "failed", "dropped"],
                "Events on policies, budgets and APIs",
            ),
        })
    }

    /// An event was `sent`, `failed` or `dropped`.
    pub fn event(&self, outcome: &'static str) {
        self.events.inc(outcome);
    }
}

impl StatusMetrics for WritingCounters {
    fn written(&self, kind: &'static str, outcome: WriteOutcome) {
        let outcome = match outcome {
            WriteOutcome::Written => "written",
            WriteOutcome::Gone => "gone",
            WriteOutcome::Failed => "failed",
        };
        if kind == "CarbonBudget" { self.budgets.inc(outcome) } else { self.policies.inc(outcome) }
    }

    fn event_dropped(&self) {
        self.event("dropped");
    }
}
