//! How long to wait after failures.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// Doubling waits with jitter: `base * 2^(n-1)`, at most `max`, of which the upper half is left to chance.
///
/// Chance is a hash of seed, subject and count, so that the same seed waits the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Backoff {
    pub(super) base: Duration,
    pub(super) max: Duration,
    pub(super) seed: u64,
}

impl Backoff {
    /// The wait after `failures` in a row of `subject`; between half of the full wait and all of it.
    pub(super) fn wait(&self, subject: &str, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let full = self.base.saturating_mul(1 << doublings).min(self.max);
        full.mul_f64(0.5 + 0.5 * self.chance(subject, failures))
    }

    /// A wait that is up to a twentieth longer, so that many that started together drift apart.
    pub(super) fn spread(&self, subject: &str, wait: Duration, round: u32) -> Duration {
        wait.mul_f64(1.0 + 0.05 * self.chance(subject, round))
    }

    /// Evenly from 0 to 1.
    fn chance(&self, subject: &str, count: u32) -> f64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, subject, count).hash(&mut hasher);
        let bits = u32::try_from(hasher.finish() >> 32).unwrap_or(0);
        f64::from(bits) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(30), max: Duration::from_hours(1), seed: 7 };

    #[test]
    fn waits_double_and_have_a_bound() {
        for (failures, full) in [(1, 30), (2, 60), (3, 120), (7, 1_920), (8, 3_600), (u32::MAX, 3_600)] {
            let (wait, full) = (BACKOFF.wait("DE", failures), Duration::from_secs(full));
            assert!(wait >= full / 2 && wait <= full, "{failures}: {wait:?}");
        }
    }

    #[test]
    fn waits_depend_on_seed_and_subject_only() {
        assert_eq!(BACKOFF.wait("DE", 3), BACKOFF.wait("DE", 3));
        assert_ne!(BACKOFF.wait("DE", 3), BACKOFF.wait("FR", 3));
        assert_ne!(BACKOFF.wait("DE", 3), Backoff { seed: 8, ..BACKOFF }.wait("DE", 3));
    }

    #[test]
    fn questions_that_began_together_drift_apart() {
        let (wait, most) = (Duration::from_mins(5), Duration::from_secs(315));
        let spread = ["DE", "FR"].map(|zone| BACKOFF.spread(zone, wait, 1));
        assert!(spread.iter().all(|&spread| spread >= wait && spread <= most));
        assert_ne!(spread[0], spread[1]);
    }
}
