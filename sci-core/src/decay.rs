//! Forgetting: what was seen one half-life ago counts half.

use std::time::Duration;

use jiff::Timestamp;

/// Weights of old and new observations, relative to the newest one. Observations may come in any order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decay {
    half_life: Duration,
    newest: Option<Timestamp>,
}

/// What an observation does to the sums it enters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weights {
    /// Everything seen before is multiplied by this.
    pub(crate) old: f64,
    /// The observation itself counts this much.
    pub(crate) new: f64,
}

impl Decay {
    pub(crate) fn new(half_life: Duration) -> Self {
        Self { half_life, newest: None }
    }

    /// Moves on to an observation made at `at`, unless it is older than the newest.
    pub(crate) fn observe(&mut self, at: Timestamp) -> Weights {
        match self.newest {
            Some(newest) if at <= newest => Weights { old: 1.0, new: self.left(at, newest) },
            Some(newest) => {
                self.newest = Some(at);
                Weights { old: self.left(newest, at), new: 1.0 }
            }
            None => {
                self.newest = Some(at);
                Weights { old: 1.0, new: 1.0 }
            }
        }
    }

    /// What is left at `now` of the weights kept.
    pub(crate) fn at(&self, now: Timestamp) -> f64 {
        self.newest.map_or(0.0, |newest| self.left(newest, now))
    }

    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// `2^(-elapsed / half-life)`.
    fn left(&self, from: Timestamp, to: Timestamp) -> f64 {
        let elapsed = elapsed(from, to);
        if elapsed.is_zero() {
            return 1.0;
        }
        (-elapsed.as_secs_f64() / self.half_life.as_secs_f64()).exp2()
    }
}

/// From `earlier` to `later`; zero where they come in the other order.
pub(crate) fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or(Duration::ZERO)
}

/// An observation over `time` counts in proportion up to `whole`, and once from there on.
pub(crate) fn part_of(time: Duration, whole: Duration) -> f64 {
    if time >= whole { 1.0 } else { time.as_secs_f64() / whole.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).unwrap()
    }

    #[track_caller]
    fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }

    #[test]
    fn half_is_left_after_a_half_life() {
        let mut decay = Decay::new(Duration::from_mins(1));
        close(decay.at(at(0)), 0.0);
        assert_eq!(decay.observe(at(0)), Weights { old: 1.0, new: 1.0 });
        assert_eq!(decay.observe(at(60)), Weights { old: 0.5, new: 1.0 });
        assert_eq!(decay.observe(at(0)), Weights { old: 1.0, new: 0.5 }, "a late one counts as if it had been on time");
        close(decay.at(at(180)), 0.25);
        // A clock behind the newest observation forgets nothing.
        close(decay.at(at(0)), 1.0);
    }

    #[test]
    fn no_half_life_remembers_the_newest_only() {
        let mut decay = Decay::new(Duration::ZERO);
        decay.observe(at(0));
        assert_eq!(decay.observe(at(1)), Weights { old: 0.0, new: 1.0 });
        assert_eq!(decay.observe(at(1)), Weights { old: 1.0, new: 1.0 });
    }

    #[test]
    fn long_observations_count_once() {
        let minute = Duration::from_mins(1);
        close(part_of(Duration::from_secs(15), minute), 0.25);
        close(part_of(Duration::from_hours(1), minute), 1.0);
        close(part_of(Duration::ZERO, Duration::ZERO), 1.0);
    }
}
