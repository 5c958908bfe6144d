//! How many calls a token is good for.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

use super::breaker::over;

/// In no stretch of `per` more than `calls`. The first half may be used at once, the rest is handed out evenly, so
/// that a round over many zones does not leave an hour without any call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quota {
    calls: usize,
    per: Duration,
    used: VecDeque<Timestamp>,
}

impl Quota {
    pub(super) fn new(calls: u32, per: Duration) -> Self {
        Self { calls: usize::try_from(calls).unwrap_or(usize::MAX), per, used: VecDeque::new() }
    }

    /// Calls that `per` still allows.
    pub(super) fn left(&mut self, now: Timestamp) -> usize {
        self.forget(now);
        self.calls.saturating_sub(self.used.len())
    }

    /// Calls that may be made now.
    pub(super) fn permits(&mut self, now: Timestamp) -> usize {
        let left = self.left(now);
        let half = self.calls.div_ceil(2);
        if left > self.calls - half {
            return left - (self.calls - half);
        }
        let pace = self.per / u32::try_from(self.calls.max(1)).unwrap_or(u32::MAX);
        let rested = self.used.back().is_none_or(|&last| over(last, pace, now));
        left.min(usize::from(rested))
    }

    pub(super) fn take(&mut self, now: Timestamp) {
        self.used.push_back(now);
    }

    fn forget(&mut self, now: Timestamp) {
        // After the clock was set back, calls of the future count as if made now: late rather than too many.
        if self.used.back().is_some_and(|&last| last > now) {
            self.used.iter_mut().filter(|call| **call > now).for_each(|call| *call = now);
        }
        while self.used.front().is_some_and(|&first| over(first, self.per, now) && first < now) {
            self.used.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn noon() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    /// Seconds from noon at which calls were made by somebody who always wants one more.
    fn greedy(quota: &mut Quota, seconds: u64) -> Vec<u64> {
        let mut made = Vec::new();
        for second in 0..seconds {
            let now = noon() + Duration::from_secs(second);
            while quota.permits(now) > 0 {
                quota.take(now);
                made.push(second);
            }
        }
        made
    }

    #[test]
    fn no_stretch_of_time_holds_more_calls_than_allowed() {
        for calls in [1, 2, 3, 10, 100] {
            let made = greedy(&mut Quota::new(calls, HOUR), 4 * 3_600);
            for (index, &from) in made.iter().enumerate() {
                let within = made.iter().skip(index).take_while(|&&at| at < from + 3_600).count();
                assert!(within <= usize::try_from(calls).unwrap(), "{within} calls from second {from}");
            }
            assert!(made.len() >= 3 * usize::try_from(calls).unwrap(), "most of it can be used: {made:?}");
        }
    }

    #[test]
    fn half_is_free_and_the_rest_is_handed_out_evenly() {
        let made = greedy(&mut Quota::new(10, HOUR), 3_600);
        assert_eq!(made.iter().filter(|&&at| at == 0).count(), 5);
        assert!(made.windows(2).skip(4).all(|pair| pair[1] - pair[0] >= 360), "{made:?}");
    }

    #[test]
    fn a_clock_that_is_set_back_gives_nothing_away() {
        let mut quota = Quota::new(2, HOUR);
        (0..2).for_each(|_| quota.take(noon()));
        let before = noon() - Duration::from_hours(48);
        assert_eq!(quota.left(before), 0);
        assert_eq!(quota.left(before + HOUR), 2);
    }
}
