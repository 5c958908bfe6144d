//! Every metric of the extender: names, labels and what they count.
//!
//! kube-scheduler reports nothing about its extenders, so what an operator can know is here. Handlers only touch
//! metrics that were created at start; what is a state and not an event is read at scrape time by [`state`].

pub mod state;

use std::sync::atomic::AtomicU64;

use kube_sci_report::set::{CounterSet, HistogramSet, Register};
use kube_sci_server::metrics::{MetricsRegistry, Unit};
use prometheus_client::metrics::{
    counter::Counter,
    gauge::Gauge,
    histogram::{Histogram, exponential_buckets},
};
use sci_core::node::{NeutralReason, RejectReason};

use crate::{config::Mode, decisions::BoundReport, wire::WireError};

/// The two verbs of the protocol that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `POST /v1/filter`.
    Filter,
    /// `POST /v1/prioritize`.
    Prioritize,
}

impl Verb {
    /// Both, as label values.
    pub const LABELS: [&'static str; 2] = ["filter", "prioritize"];

    /// A label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Prioritize => "prioritize",
        }
    }
}

/// Why a whole answer holds no opinion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoOpinion {
    /// The first list of nodes and pods is not complete yet.
    NotSynced,
    /// The pod opted out.
    PodOptedOut,
    /// Its namespace opted out.
    NamespaceOptedOut,
    /// `mode: shadow`.
    Shadow,
    /// Nothing is known about any candidate.
    NothingKnown,
    /// The request names no candidate.
    NoCandidates,
}

impl NoOpinion {
    /// Every reason, as label values.
    pub const LABELS: [&'static str; 6] =
        ["not_synced", "pod_opted_out", "namespace_opted_out", "shadow", "nothing_known", "no_candidates"];

    /// A label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSynced => "not_synced",
            Self::PodOptedOut => "pod_opted_out",
            Self::NamespaceOptedOut => "namespace_opted_out",
            Self::Shadow => "shadow",
            Self::NothingKnown => "nothing_known",
            Self::NoCandidates => "no_candidates",
        }
    }
}

/// What handlers and tasks count.
#[derive(Debug)]
pub struct Metrics {
    /// Calls of filter by outcome.
    pub filter_requests: CounterSet,
    /// Calls of prioritize by outcome.
    pub prioritize_requests: CounterSet,
    /// Requests whose body is none of the scheduler's, by what is wrong with it.
    pub malformed_requests: CounterSet,
    /// Time from the whole body to the whole answer.
    pub handling_seconds: HistogramSet,
    /// Nodes per call.
    pub candidates: HistogramSet,
    /// What prioritize said.
    pub scores: ScoreMetrics,
    /// What filter said.
    pub limits: LimitMetrics,
    /// What became of it.
    pub decisions: DecisionMetrics,
}

/// What prioritize said.
#[derive(Debug)]
pub struct ScoreMetrics {
    /// Whole answers without opinion, by reason.
    pub neutral_answers: CounterSet,
    /// Candidates without a footprint, by reason.
    pub neutral_candidates: CounterSet,
    /// Best minus worst score of a call.
    pub spread: Histogram,
}

/// What filter said.
#[derive(Debug)]
pub struct LimitMetrics {
    /// Candidates refused, by reason.
    pub rejected: CounterSet,
    /// Candidates that shadow mode would have refused, by reason.
    pub shadow_rejected: CounterSet,
    /// Candidates kept although a limit was set, because it could not be checked.
    pub unchecked: CounterSet,
    /// Calls for a pod whose limit annotation is malformed.
    pub malformed: Counter,
}

/// What became of decisions.
#[derive(Debug)]
pub struct DecisionMetrics {
    /// Decisions that the recorder had no room for.
    pub dropped: Counter,
    /// Decisions in the ledger.
    pub held: Gauge,
    /// Bindings seen, by what is known about them.
    pub bindings: CounterSet,
    /// Avoidable part of the bound nodes' cost.
    pub regret: Histogram,
    /// Estimated footprints of bound pods, and what other candidates would have meant.
    pub bound_estimate: CounterSet<Counter<f64, AtomicU64>>,
    /// Events on pods by outcome.
    pub events: CounterSet,
}

impl Metrics {
    /// Creates every metric and adds it to `registry`.
    pub fn register(registry: &MetricsRegistry, mode: Mode) -> Self {
        let on = Register::on(registry);
        on.info("kube_sci_extender_mode", &["mode"], mode.as_str(), "Whether answers steer the scheduler");
        Self {
            filter_requests: on.counters(
                "kube_sci_extender_filter_requests",
                &["outcome"],
                &["kept_all", "rejected_some", "rejected_all", "error"],
                "Calls of filter",
            ),
            prioritize_requests: on.counters(
                "kube_sci_extender_prioritize_requests",
                &["outcome"],
                &["scored", "neutral", "error"],
                "Calls of prioritize",
            ),
            malformed_requests: on.counters(
                "kube_sci_extender_malformed_requests",
                &["kind"],
                &WireError::KINDS,
                "Requests with a body that is no request of the scheduler's, by what is wrong with it",
            ),
            handling_seconds: on.histograms(
                "kube_sci_extender_handling",
                Some(Unit::Seconds),
                &["verb"],
                &Verb::LABELS,
                || exponential_buckets(0.000_05, 2.0, 14),
                "Time from the last byte of the request to the answer",
            ),
            candidates: on.histograms(
                "kube_sci_extender_candidates",
                None,
                &["verb"],
                &Verb::LABELS,
                node_buckets,
                "Nodes offered per call",
            ),
            scores: ScoreMetrics::register(&on),
            limits: LimitMetrics::register(&on),
            decisions: DecisionMetrics::register(&on),
        }
    }

    /// Counts a call whose body never arrived whole, or was announced as something else.
    pub fn count_unread(&self, verb: Verb) {
        self.count_request(verb, "error");
    }

    /// Counts a call by what came of it.
    pub fn count_request(&self, verb: Verb, outcome: &'static str) {
        match verb {
            Verb::Filter => self.filter_requests.inc(outcome),
            Verb::Prioritize => self.prioritize_requests.inc(outcome),
        }
    }

    /// Records how many nodes a call offered.
    pub fn observe_candidates(&self, verb: Verb, candidates: usize) {
        self.candidates.observe(verb.as_str(), u32::try_from(candidates).map_or(f64::INFINITY, f64::from));
    }
}

impl ScoreMetrics {
    fn register(on: &Register<'_>) -> Self {
        Self {
            neutral_answers: on.counters(
                "kube_sci_extender_neutral_answers",
                &["reason"],
                &NoOpinion::LABELS,
                "Answers to prioritize without opinion",
            ),
            neutral_candidates: on.counters(
                "kube_sci_extender_neutral_candidates",
                &["reason"],
                &NeutralReason::ALL.map(NeutralReason::label),
                "Candidates of prioritize that nothing could be said about",
            ),
            spread: on.histogram(
                "kube_sci_extender_score_spread",
                [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0],
                "Best minus worst score of a call",
            ),
        }
    }
}

impl LimitMetrics {
    fn register(on: &Register<'_>) -> Self {
        let rejections = RejectReason::ALL.map(RejectReason::label);
        Self {
            rejected: on.counters(
                "kube_sci_extender_rejected_candidates",
                &["reason"],
                &rejections,
                "Candidates refused by filter",
            ),
            shadow_rejected: on.counters(
                "kube_sci_extender_shadow_rejected_candidates",
                &["reason"],
                &rejections,
                "Candidates that filter would have refused outside shadow mode",
            ),
            unchecked: on.counters(
                "kube_sci_extender_unchecked_candidates",
                &["reason"],
                &NeutralReason::ALL.map(NeutralReason::label),
                "Candidates kept because a limit could not be checked",
            ),
            malformed: on
                .counter("kube_sci_extender_malformed_limits", "Calls of filter for a pod with a malformed limit"),
        }
    }
}

impl DecisionMetrics {
    fn register(on: &Register<'_>) -> Self {
        Self {
            dropped: on.counter("kube_sci_extender_decisions_dropped", "Decisions that the recorder had no room for"),
            held: on.gauge("kube_sci_extender_decisions_held", "Decisions that can be explained"),
            bindings: on.counters(
                "kube_sci_extender_bindings",
                &["outcome"],
                &["ranked", "not_ranked", "no_decision"],
                "Pods seen bound, by what is known about the choice",
            ),
            regret: on.histogram(
                "kube_sci_extender_binding_regret_share",
                [0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0],
                "Part of the bound node's cost per core-hour that the best candidate would have avoided",
            ),
            bound_estimate: on.counters(
                "kube_sci_extender_bound_estimate_grams_per_hour",
                &["candidate"],
                &["bound", "median", "best"],
                "Estimated gCO2e per hour of pods at binding, and on the median and the best candidate instead",
            ),
            events: on.counters(
                "kube_sci_extender_events",
                &["outcome"],
                &["sent", "failed", "dropped"],
                "Events on pods",
            ),
        }
    }

    /// Takes a finished comparison into account.
    pub fn observe_bound(&self, report: &BoundReport) {
        self.regret.observe(report.regret_share);
        self.bound_estimate.inc_by("bound", report.grams_per_hour);
        self.bound_estimate.inc_by("median", report.median_grams_per_hour);
        self.bound_estimate.inc_by("best", report.best_grams_per_hour);
    }
}

fn node_buckets() -> impl Iterator<Item = f64> {
    [1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0].into_iter()
}
