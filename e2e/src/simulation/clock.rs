//! Simulated time that follows real time.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Simulated time that runs with real time, or faster.
///
/// Faster means that a reader with a real clock sees more joules in a second: watts grow by the same factor. To see a day
/// pass with true watts, make the period of [`CpuUse::Diurnal`](super::CpuUse::Diurnal) short instead.
#[derive(Debug, Clone, Copy)]
pub struct SimulationClock {
    started: Instant,
    /// What the simulation's start is in real time.
    epoch: Timestamp,
    /// Simulated time that had passed when the clock started.
    passed: Duration,
    speed: f64,
}

impl SimulationClock {
    /// Runs with real time from now on, with `passed` of simulated time behind it.
    pub fn real_time(passed: Duration) -> Self {
        Self::with_speed(passed, 1.0)
    }

    /// Runs `speed` times as fast as real time.
    pub fn with_speed(passed: Duration, speed: f64) -> Self {
        let now = Timestamp::now();
        let epoch = SignedDuration::try_from(passed).ok().and_then(|passed| now.checked_sub(passed).ok());
        Self { started: Instant::now(), epoch: epoch.unwrap_or(now), passed, speed: speed.max(0.0) }
    }

    /// Simulated time since the start of the simulation.
    pub fn elapsed(&self) -> Duration {
        self.passed + self.started.elapsed().mul_f64(self.speed)
    }

    /// What a clock on a simulated node shows at this instant.
    pub fn timestamp(&self, at: Duration) -> Timestamp {
        let at = SignedDuration::try_from(at).unwrap_or(SignedDuration::MAX);
        self.epoch.checked_add(at).unwrap_or(Timestamp::MAX)
    }
}
