//! One question to an API, and what became of it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::intensity::Series;

use super::{Backoff, breaker::over};
use crate::grid::{
    Answer, Failure, QuestionStatus,
    providers::{PlannedRequest, ProviderError, Purpose, Retry},
};

/// A question that only an operator can mend is asked again after this, in case one did.
const RARELY: Duration = Duration::from_hours(6);

/// A planned question with its last answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) planned: PlannedRequest,
    /// When it was asked last, and how long to wait from then on.
    asked: Option<(Timestamp, Duration)>,
    rounds: u32,
    failures: u32,
    last_success: Option<Timestamp>,
    last_failure: Option<Failure>,
    /// What was wrong with parts of its last answer.
    remarks: Vec<String>,
    /// The secret that was refused for it.
    denied: Option<u64>,
    /// What it was answered with.
    pub(super) series: Vec<Series>,
}

impl Question {
    pub(super) fn new(planned: PlannedRequest) -> Self {
        Self {
            planned,
            asked: None,
            rounds: 0,
            failures: 0,
            last_success: None,
            last_failure: None,
            remarks: Vec::new(),
            denied: None,
            series: Vec::new(),
        }
    }

    /// The same question, as the provider words it now.
    pub(super) fn planned_as(self, planned: PlannedRequest) -> Self {
        Self { planned, ..self }
    }

    /// Whether it may be asked, with the secret that there is now.
    pub(super) fn is_due(&self, now: Timestamp, secret: Option<u64>) -> bool {
        if self.denied.is_some() && self.denied != secret {
            return true;
        }
        self.asked.is_none_or(|(at, wait)| over(at, wait, now))
    }

    /// How urgent it is: time since its last good answer, in units of its interval; never answered is most urgent.
    pub(super) fn lateness(&self, now: Timestamp) -> f64 {
        let Some(last) = self.last_success else { return f64::INFINITY };
        now.duration_since(last).as_secs_f64() / self.planned.min_interval.as_secs_f64().max(1.0)
    }

    /// Whether the answer differs from the one before.
    pub(super) fn answered(
        &mut self,
        series: Vec<Series>,
        now: Timestamp,
        period: Duration,
        backoff: &Backoff,
    ) -> bool {
        self.rounds = self.rounds.wrapping_add(1);
        let wait = backoff.spread(&self.planned.key, self.planned.min_interval.max(period), self.rounds);
        self.asked = Some((now, wait));
        (self.failures, self.last_failure, self.denied) = (0, None, None);
        self.last_success = Some(now);
        let changed = self.series != series;
        self.series = series;
        changed
    }

    /// Takes out of an answer the remarks that were there the last time too: the count stays.
    pub(super) fn only_news(&mut self, mut answer: Answer) -> Answer {
        let problems = answer.refused.iter().chain(&answer.flagged);
        let remarks: Vec<String> = problems.map(|remark| remark.problem.clone()).collect();
        if self.remarks == remarks {
            answer.refused.clear();
            answer.flagged.clear();
        }
        self.remarks = remarks;
        answer
    }

    /// It failed; whether that is news.
    pub(super) fn failed(&mut self, failure: Failure, retry: Retry, secret: Option<u64>, backoff: &Backoff) -> bool {
        self.failures = self.failures.saturating_add(1);
        let wait = match retry {
            Retry::AsPlanned => self.planned.min_interval,
            Retry::NewToken | Retry::Rarely => RARELY,
            Retry::After(least) => least.max(backoff.wait(&self.planned.key, self.failures)),
            _ => backoff.wait(&self.planned.key, self.failures),
        };
        self.denied = secret.filter(|_| matches!(retry, Retry::NewToken | Retry::Rarely));
        self.asked = Some((failure.at, wait));
        let news = self.last_failure.as_ref().is_none_or(|last| last.text != failure.text);
        self.last_failure = Some(failure);
        news
    }

    /// It was not answered for a reason that is over: it is due at once.
    pub(super) fn again(&mut self) {
        self.asked = None;
    }

    /// What it was answered with, for the next report. Answers that only teach are reported once.
    pub(super) fn report(&mut self) -> Vec<Series> {
        if self.planned.purpose == Purpose::Backfill { std::mem::take(&mut self.series) } else { self.series.clone() }
    }

    pub(super) fn next_attempt(&self, now: Timestamp) -> Timestamp {
        self.asked.and_then(|(at, wait)| at.checked_add(wait).ok()).unwrap_or(now)
    }

    pub(super) fn status(&self, now: Timestamp) -> QuestionStatus {
        QuestionStatus {
            zones: self.planned.zones.iter().map(|zone| zone.zone.clone()).collect(),
            purpose: self.planned.purpose,
            last_success: self.last_success,
            last_failure: self.last_failure.clone(),
            next_attempt: self.next_attempt(now),
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) kind: &'static str,
    pub(super) text: Arc<str>,
    pub(super) retry: Retry,
    /// Whether the service as a whole is the reason.
    pub(super) service: bool,
}

impl Problem {
    pub(super) fn provider(error: &ProviderError, status: u16) -> Self {
        Self {
            kind: error.kind(),
            text: error.to_string().into(),
            retry: error.retry(),
            service: status >= 500 || matches!(error, ProviderError::Malformed { .. }),
        }
    }

    /// No answer at all.
    pub(super) fn transport(text: String) -> Self {
        Self { kind: "transport", text: text.into(), retry: Retry::Backoff, service: true }
    }

    /// The secret cannot be read.
    pub(super) fn secret(text: String) -> Self {
        Self { kind: "secret", text: text.into(), retry: Retry::Backoff, service: false }
    }
}
