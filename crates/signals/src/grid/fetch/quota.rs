//! How many calls a token is good for.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::breaker::over;
use crate::grid::providers::Purpose;

/// What a token is still good for. Cloning shares it: sources that show the same token have one allowance, and the
/// strictest of their limits holds for all their calls together.
#[derive(Debug, Clone, Default)]
pub struct Allowance(Arc<Mutex<Quotas>>);

#[derive(Debug, Default)]
struct Quotas {
    /// Of every call.
    calls: Vec<Quota>,
    /// Of logins beside.
    logins: Vec<Quota>,
}

impl Allowance {
    /// Adds a limit: no more than `calls` in any stretch of `per`.
    pub(super) fn limit(&self, calls: u32, per: Duration) {
        add(&mut self.lock().calls, calls, per);
    }

    /// Adds a limit of logins alone.
    pub(super) fn limit_logins(&self, calls: u32, per: Duration) {
        add(&mut self.lock().logins, calls, per);
    }

    /// Calls that may be made now; `None` where nothing limits them.
    pub(super) fn permits(&self, now: Timestamp) -> Option<usize> {
        self.lock().calls.iter_mut().map(|quota| quota.permits(now)).min()
    }

    /// Makes a call, if it may be made.
    pub(super) fn take(&self, purpose: Purpose, now: Timestamp) -> bool {
        let Quotas { calls, logins } = &mut *self.lock();
        let beside: &mut [Quota] = if purpose == Purpose::Login { logins } else { &mut [] };
        let permitted = calls.iter_mut().chain(&mut *beside).all(|quota| quota.permits(now) > 0);
        if permitted {
            calls.iter_mut().chain(beside).for_each(|quota| quota.take(now));
        }
        permitted
    }

    /// Calls that are left; `None` where nothing limits them.
    pub(super) fn left(&self, now: Timestamp) -> Option<u32> {
        self.lock().calls.iter_mut().map(|quota| u32::try_from(quota.left(now)).unwrap_or(u32::MAX)).min()
    }

    fn lock(&self) -> MutexGuard<'_, Quotas> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(quotas: &mut Vec<Quota>, calls: u32, per: Duration) {
    if !quotas.iter().any(|known| known.is(calls, per)) {
        quotas.push(Quota::new(calls, per));
    }
}

/// In no stretch of `per` more than `calls`. The first half may be used at once, the rest is handed out evenly, so
/// that a round over many zones does not leave an hour without any call.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Quota {
    calls: usize,
    per: Duration,
    used: VecDeque<Timestamp>,
}

impl Quota {
    fn new(calls: u32, per: Duration) -> Self {
        Self { calls: usize::try_from(calls).unwrap_or(usize::MAX), per, used: VecDeque::new() }
    }

    fn is(&self, calls: u32, per: Duration) -> bool {
        usize::try_from(calls).is_ok_and(|calls| calls == self.calls) && per == self.per
    }

    /// Calls that `per` still allows.
    fn left(&mut self, now: Timestamp) -> usize {
        self.forget(now);
        self.calls.saturating_sub(self.used.len())
    }

    /// Calls that may be made now.
    fn permits(&mut self, now: Timestamp) -> usize {
        let left = self.left(now);
        let half = self.calls.div_ceil(2);
        if left > self.calls - half {
            return left - (self.calls - half);
        }
        let pace = self.per / u32::try_from(self.calls.max(1)).unwrap_or(u32::MAX);
        let rested = self.used.back().is_none_or(|&last| over(last, pace, now));
        left.min(usize::from(rested))
    }

    fn take(&mut self, now: Timestamp) {
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
