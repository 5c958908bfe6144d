//! How the sources fare, for whoever wants to show it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use sci_core::intensity::Zone;

use super::{Answer, providers::Purpose};

/// How one source fares. No text in it holds a secret.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceStatus {
    /// Its name.
    pub name: Arc<str>,
    /// What it is, as in the configuration: `file`, `electricityMaps`.
    pub kind: &'static str,
    /// Since when it has answered without a failure in between.
    pub answering_since: Option<Timestamp>,
    /// Its last good answer.
    pub last_success: Option<Timestamp>,
    /// Its last failure.
    pub last_failure: Option<Failure>,
    /// Failures since start, by a fixed word for the reason.
    pub failures: BTreeMap<&'static str, u64>,
    /// Values since start that were left out because they cannot be meant.
    pub refused_values: u64,
    /// The last of them, by what is wrong.
    pub last_refused: Option<Arc<str>>,
    /// Calls, where it is an API.
    pub calls: Calls,
    /// Whether it is asked at all, where it is an API.
    pub breaker: BreakerState,
    /// When it is asked next, where that is known.
    pub next_attempt: Option<Timestamp>,
    /// Its questions by zone, where it is asked by zone.
    pub questions: Vec<QuestionStatus>,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// A fixed word for the reason.
    pub kind: &'static str,
    /// What happened, without secrets.
    pub text: Arc<str>,
}

/// Calls of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// Since start.
    pub made: u64,
    /// Of these, those that were answered with "not modified".
    pub unmodified: u64,
    /// How many more the quota allows now; `None` without a quota.
    pub left: Option<u32>,
}

/// Whether an API is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum BreakerState {
    /// Asked as planned.
    #[default]
    Closed,
    /// Failed too often: not asked for a while.
    Open,
    /// Asked once, to see whether it is back.
    HalfOpen,
}

/// One question about one or more zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionStatus {
    /// The zones it asks about.
    pub zones: Vec<Zone>,
    /// What for.
    pub purpose: Purpose,
    /// Its last good answer.
    pub last_success: Option<Timestamp>,
    /// Its last failure, if it was not answered since.
    pub last_failure: Option<Failure>,
    /// When it is asked next.
    pub next_attempt: Timestamp,
}

/// Where a source tells how it fares, and others read it without waiting. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct StatusHandle(Arc<ArcSwap<SourceStatus>>);

impl BreakerState {
    /// Every state, for metrics.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// As in metrics and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl SourceStatus {
    /// A source that was never asked.
    pub fn new(name: &str, kind: &'static str) -> Self {
        Self { name: name.into(), kind, ..Self::default() }
    }

    /// How long ago it answered, if ever.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        Some(now.duration_since(self.last_success?).try_into().unwrap_or(Duration::ZERO))
    }

    pub(super) fn succeeded(&mut self, now: Timestamp) {
        self.last_success = Some(now);
        self.answering_since.get_or_insert(now);
    }

    pub(super) fn failed(&mut self, failure: Failure) {
        *self.failures.entry(failure.kind).or_default() += 1;
        self.answering_since = None;
        self.last_failure = Some(failure);
    }

    pub(super) fn left_out(&mut self, answer: &Answer) {
        self.refused_values += u64::try_from(answer.refused_rows).unwrap_or(u64::MAX);
        if let Some(problem) = answer.refused.last() {
            self.last_refused = Some(problem.problem.as_str().into());
        }
    }
}

impl StatusHandle {
    /// A handle that shows `status`.
    pub fn new(status: SourceStatus) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(status)))
    }

    /// The status as of the last round.
    pub fn load(&self) -> Guard<Arc<SourceStatus>> {
        self.0.load()
    }

    pub(super) fn store(&self, status: SourceStatus) {
        self.0.store(Arc::new(status));
    }
}
