//! What the engine counts.

use std::{sync::Arc, time::Duration};

use kube_sci_report::set::{CounterSet, Register};
use kube_sci_server::{
    health::Gate,
    metrics::{MetricsRegistry, Spec, Unit},
};
use prometheus_client::metrics::{
    counter::Counter,
    family::Family,
    histogram::{Histogram, exponential_buckets},
};

use crate::{
    engine::{EngineMetrics, task},
    load::LoadFault,
    table::PolicyTableHandle,
};

type PollLabels = [(&'static str, &'static str); 2];

/// Counts what the engine reports.
#[derive(Debug)]
pub struct EngineCounters {
    polls: Family<PollLabels, Counter>,
    poll_seconds: Histogram,
    watch_failures: CounterSet,
    malformed: CounterSet,
    decide_seconds: Histogram,
    policies: PolicyTableHandle,
    decided: Gate,
}

const POLLS: Spec = Spec {
    name: "kube_sci_load_polls",
    unit: None,
    labels: &["source", "outcome"],
    help: "Questions for loads, by kind of source and outcome: ok, or what was wrong",
};
const POLL_SECONDS: Spec = Spec {
    name: "kube_sci_load_poll",
    unit: Some(Unit::Seconds),
    labels: &[],
    help: "Time that a load took to ask for",
};
const DECIDE_SECONDS: Spec = Spec {
    name: "kube_sci_policy_decide",
    unit: Some(Unit::Seconds),
    labels: &[],
    help: "Time to decide all policies anew",
};
const KINDS: [&str; 3] = [task::POLICIES, task::BUDGETS, task::AUTOSCALERS];

impl EngineCounters {
    /// Creates every metric and adds it to `registry`; `decided` is opened once a table is published that knows all policies.
    pub fn register(registry: &MetricsRegistry, policies: PolicyTableHandle, decided: Gate) -> Arc<Self> {
        let on = Register::on(registry);
        let poll_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        let decide_seconds = Histogram::new(exponential_buckets(0.000_05, 4.0, 9));
        registry.register(POLL_SECONDS, poll_seconds.clone());
        registry.register(DECIDE_SECONDS, decide_seconds.clone());
        Arc::new(Self {
            polls: on.family(POLLS),
            poll_seconds,
            watch_failures: on.counters(
                "kube_sci_adapter_watch_failures",
                &["watch"],
                &KINDS,
                "Lists and watches of policies, budgets and autoscalers that failed and were tried again",
            ),
            malformed: on.counters(
                "kube_sci_adapter_malformed_objects",
                &["watch"],
                &KINDS,
                "Policies, budgets and autoscalers that could not be read",
            ),
            decide_seconds,
            policies,
            decided,
        })
    }
}

impl EngineMetrics for EngineCounters {
    fn load_asked(&self, source: &'static str, problem: Option<&'static str>, took: Duration) {
        debug_assert!(
            problem.is_none_or(|problem| LoadFault::KINDS.contains(&problem)),
            "{problem:?} is no known problem"
        );
        self.polls.get_or_create_owned(&[("source", source), ("outcome", problem.unwrap_or("ok"))]).inc();
        self.poll_seconds.observe(took.as_secs_f64());
    }

    fn watch_failed(&self, kind: &'static str) {
        self.watch_failures.inc(kind);
    }

    fn malformed(&self, kind: &'static str) {
        self.malformed.inc(kind);
    }

    fn decided(&self, _policies: usize, took: Duration) {
        self.decide_seconds.observe(took.as_secs_f64());
        // The table before this one, which readers see already.
        if self.policies.load().synced {
            self.decided.open();
        }
    }
}
