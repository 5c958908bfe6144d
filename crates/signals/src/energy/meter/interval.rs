//! Which time a delta is of. ALUMET's pages do not say it.
//!
//! | value | time |
//! | --- | --- |
//! | of one poll, from a page | the poll interval; the power then stands for all the time since the page before |
//! | of one poll, pushed | since the point before |
//! | sum of the aggregation plugin | since the sum before, where the interval of the plugin is not shorter than that of the pages |

use super::grid::{Micros, seconds};

/// Spacings of values that are remembered.
const REMEMBERED: usize = 8;
/// Sums that come this much slower than they are made are samples.
const SLOWER: f64 = 1.1;

/// How deltas come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// The last of several, of so many seconds each.
    Polled { seconds: f64 },
    /// One after the other.
    Consecutive {
        /// Length of each, where it is known.
        seconds: Option<f64>,
        /// Their time is their own, not that of the page.
        timed: bool,
    },
}

/// The time of a delta, and what it becomes over that time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub start: Micros,
    pub scale: f64,
    pub sampled: bool,
}

/// Learns how values follow each other.
#[derive(Debug, Default)]
pub(super) struct DeltaClock {
    spacings: Vec<f64>,
    /// The value before was new at its time.
    changed: bool,
    /// A value was seen twice: values are read faster than they are made, none is missed.
    read_twice: bool,
}

impl DeltaClock {
    /// The value of the page before is still there.
    pub(super) const fn same_value(&mut self) {
        self.read_twice = true;
    }

    /// Starts again after a break.
    pub(super) const fn restart(&mut self) {
        self.changed = false;
    }

    /// The time of a value that is new at `at`, after one that was first seen at `previous`. `None`: it is not known.
    pub(super) fn interval(&mut self, previous: Option<Micros>, at: Micros, form: Form) -> Option<Interval> {
        let since = seconds(previous?, at);
        match form {
            Form::Polled { seconds } => {
                let sampled = since > SLOWER * seconds;
                Some(Interval { start: previous?, scale: since / seconds, sampled })
            }
            Form::Consecutive { seconds, timed } => {
                if !(timed || std::mem::replace(&mut self.changed, true)) {
                    // First seen somewhere within its interval: how long it was there before, nobody knows.
                    let length = seconds?;
                    return Some(Interval { start: back(at, length), scale: 1.0, sampled: false });
                }
                self.remember(since);
                Some(self.consecutive(previous?, at, seconds, timed))
            }
        }
    }

    fn consecutive(&self, previous: Micros, at: Micros, length: Option<f64>, timed: bool) -> Interval {
        let since = seconds(previous, at);
        let fastest = self.spacings.iter().copied().fold(f64::INFINITY, f64::min);
        let slower = |length: &f64| !timed && !self.read_twice && fastest > SLOWER * length;
        if let Some(length) = length.filter(slower) {
            return Interval { start: previous, scale: since / length, sampled: true };
        }
        #[expect(clippy::cast_precision_loss, reason = "eight at most")]
        let mean = self.spacings.iter().sum::<f64>() / self.spacings.len().max(1) as f64;
        let expected = length.filter(|_| !timed).unwrap_or(mean);
        // Without a known length and a value seen twice, values may be missed that nobody misses.
        let sampled = !timed && length.is_none() && !self.read_twice;
        if since > 1.5 * expected {
            return Interval { start: back(at, expected), scale: 1.0, sampled };
        }
        Interval { start: previous, scale: 1.0, sampled }
    }

    fn remember(&mut self, spacing: f64) {
        if self.spacings.len() >= REMEMBERED {
            self.spacings.remove(0);
        }
        self.spacings.push(spacing);
    }
}

fn back(at: Micros, seconds: f64) -> Micros {
    let back = jiff::SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
    at.saturating_sub(i64::try_from(back.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;

    /// Seconds and joules of values of 10 s each, 100 W, first seen at these seconds.
    fn energy(clock: &mut DeltaClock, form: Form, seen: &[i64]) -> (f64, f64, bool) {
        let mut sum = (0.0, 0.0, false);
        for pair in seen.windows(2) {
            if let Some(interval) = clock.interval(Some(pair[0] * SECOND), pair[1] * SECOND, form) {
                sum.0 += seconds(interval.start, pair[1] * SECOND);
                sum.1 += 1_000.0 * interval.scale;
                sum.2 |= interval.sampled;
            }
        }
        sum
    }

    #[test]
    fn a_poll_stands_for_the_time_since_the_page_before() {
        let interval = DeltaClock::default().interval(Some(0), 15 * SECOND, Form::Polled { seconds: 1.0 });
        assert_eq!(interval, Some(Interval { start: 0, scale: 15.0, sampled: true }));
    }

    #[test]
    fn sums_read_faster_than_they_are_made_lose_nothing() {
        let mut clock = DeltaClock::default();
        clock.same_value();
        // Pages every 3 s: changes are seen after 9 or 12 s.
        let (covered, joules, sampled) =
            energy(&mut clock, Form::Consecutive { seconds: None, timed: false }, &[0, 9, 21, 30, 39, 51, 60]);
        assert!(!sampled);
        assert_eq!((covered, joules), (51.0, 5_000.0));
    }

    #[test]
    fn sums_read_slower_than_they_are_made_are_samples() {
        let form = Form::Consecutive { seconds: Some(10.0), timed: false };
        let (covered, joules, sampled) = energy(&mut DeltaClock::default(), form, &[0, 15, 30, 45, 60]);
        assert!(sampled);
        // The first covers its own 10 s.
        assert_eq!((covered, joules), (55.0, 5_500.0));
    }

    #[test]
    fn a_missed_sum_is_not_spread_over_two_intervals() {
        let form = Form::Consecutive { seconds: Some(10.0), timed: false };
        let (covered, joules, sampled) = energy(&mut DeltaClock::default(), form, &[0, 10, 20, 40, 50]);
        assert_eq!((covered, joules, sampled), (40.0, 4_000.0, false));
    }

    #[test]
    fn sums_of_unknown_length_that_are_never_seen_twice_are_samples() {
        let form = Form::Consecutive { seconds: None, timed: false };
        assert!(energy(&mut DeltaClock::default(), form, &[0, 15, 30, 45]).2);
    }

    #[test]
    fn pushed_points_are_of_the_time_since_the_point_before() {
        let form = Form::Consecutive { seconds: None, timed: true };
        let (covered, joules, sampled) = energy(&mut DeltaClock::default(), form, &[0, 10, 20, 30, 50, 60]);
        assert!(!sampled);
        assert!((covered - 52.5).abs() < 3.0, "{covered}");
        assert!((joules - 5_000.0).abs() < 1e-9, "{joules}");
    }
}
