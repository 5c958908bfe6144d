//! Stops asking a service that fails again and again.

use std::time::Duration;

use jiff::Timestamp;

use super::Backoff;
use crate::grid::BreakerState;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;

/// Counts failures of the service as a whole: no answer, or one that says that the service is down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    failures: u32,
    /// Since when it is open, and for how long.
    open: Option<(Timestamp, Duration)>,
}

impl Breaker {
    /// As of `now`.
    pub(super) fn state(&self, now: Timestamp) -> BreakerState {
        match self.open {
            None => BreakerState::Closed,
            Some((since, wait)) if over(since, wait, now) => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        }
    }

    /// How many questions may be asked at once.
    pub(super) fn permits(&self, now: Timestamp, all: usize) -> usize {
        match self.state(now) {
            BreakerState::Closed => all,
            BreakerState::HalfOpen => all.min(1),
            BreakerState::Open => 0,
        }
    }

    /// When it will let a question through.
    pub(super) fn opens_at(&self) -> Option<Timestamp> {
        self.open.and_then(|(since, wait)| since.checked_add(wait).ok())
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failed(&mut self, now: Timestamp, backoff: &Backoff) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.open = Some((now, backoff.wait("breaker", 1 + self.failures - FAILURES)));
        }
    }
}

/// Whether a wait is over. A clock that was set back cannot make it longer than it is.
pub(super) fn over(since: Timestamp, wait: Duration, now: Timestamp) -> bool {
    let passed = now.duration_since(since);
    passed.is_negative() || passed.unsigned_abs() >= wait
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_mins(1), max: Duration::from_mins(10), seed: 1 };

    fn noon() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        (0..FAILURES).for_each(|_| breaker.failed(noon(), &BACKOFF));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_in_between_does_not() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            (1..FAILURES).for_each(|_| breaker.failed(noon(), &BACKOFF));
            assert_eq!(breaker.permits(noon(), 4), 4);
            breaker.succeeded();
        }
        assert_eq!(opened().permits(noon(), 4), 0);
    }

    #[test]
    fn one_question_probes_and_decides() {
        let later = noon() + Duration::from_mins(1);
        let mut breaker = opened();
        assert_eq!((breaker.state(later), breaker.permits(later, 4)), (BreakerState::HalfOpen, 1));
        breaker.failed(later, &BACKOFF);
        assert_eq!(breaker.state(later), BreakerState::Open);
        assert!(breaker.opens_at().unwrap() >= later + Duration::from_mins(1), "longer than before");
        breaker.succeeded();
        assert_eq!(breaker.state(later), BreakerState::Closed);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_open() {
        assert_eq!(opened().state(noon() - Duration::from_hours(24)), BreakerState::HalfOpen);
    }
}
