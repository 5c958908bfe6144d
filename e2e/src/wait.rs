//! Waiting for a condition instead of sleeping.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// The pause between two looks at a condition.
pub const PERIOD: Duration = Duration::from_millis(50);

/// The condition did not come true in time.
#[derive(Debug, thiserror::Error)]
#[error("{what}: not within {deadline:?}, last seen: {last_seen}")]
#[non_exhaustive]
pub struct Late {
    pub what: String,
    pub deadline: Duration,
    /// What the last look at the condition said.
    pub last_seen: String,
}

/// Looks at a condition until it holds, and returns what it yields.
///
/// `attempt` answers `Ok` when the condition holds and otherwise `Err` with what is still missing; the last such text is
/// part of the error. A look that hangs is cut off at the deadline. A slow look, such as a list of thousands of pods, is
/// followed by a pause of twice its duration: waiting must not slow down what is waited for.
pub async fn eventually<T, E, F>(deadline: Duration, what: impl Into<String>, mut attempt: F) -> Result<T, Late>
where
    F: AsyncFnMut() -> Result<T, E>,
    E: Display,
{
    let end = Instant::now() + deadline;
    let mut last_seen = "nothing: the first look did not return".to_owned();
    loop {
        let started = Instant::now();
        let left = end.saturating_duration_since(started);
        match tokio::time::timeout(left, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(missing)) => last_seen = missing.to_string(),
            Err(_elapsed) => {}
        }
        let pause = PERIOD.max(started.elapsed() * 2);
        if Instant::now() + PERIOD >= end {
            return Err(Late { what: what.into(), deadline, last_seen });
        }
        tokio::time::sleep(pause.min(end.saturating_duration_since(Instant::now()))).await;
    }
}
