//! Liveness of the parts of a program, folded into one readiness.
//!
//! A task that must keep working holds a [`Heartbeat`] and beats it; silence beyond its limit makes the program not
//! ready. A [`Gate`] holds readiness back until something happened once, such as the first sync of a watch.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// All checks of a program. Clones share the same state.
#[derive(Clone, Debug)]
pub struct Health {
    inner: Arc<Inner>,
}

/// Sign of life of one task. Clones beat the same check.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    pulse: Arc<Pulse>,
    started: Instant,
}

/// Something that must have happened once.
#[derive(Clone, Debug)]
pub struct Gate {
    open: Arc<AtomicBool>,
}

/// Answer to "may traffic come here?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Every check in the order of registration.
    pub checks: Vec<Check>,
}

/// One check at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Name given at registration.
    pub name: &'static str,
    /// State.
    pub state: CheckState,
    /// What else there is to know, for people.
    pub detail: Option<String>,
}

/// State of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// In order.
    Passing,
    /// A task was silent for longer than it may be.
    Silent {
        /// Time since the last beat.
        silence: Duration,
        /// Limit given at registration.
        limit: Duration,
    },
    /// A gate was not opened yet.
    Waiting,
    /// The program is about to stop.
    Draining,
}

/// Tells what else there is to know.
type Detail = Arc<dyn Fn() -> String + Send + Sync>;

struct Inner {
    started: Instant,
    draining: AtomicBool,
    probes: Mutex<Vec<(&'static str, Probe)>>,
}

enum Probe {
    Pulse(Arc<Pulse>),
    Gate(Arc<AtomicBool>),
    Note(Detail),
}

#[derive(Debug)]
struct Pulse {
    /// Milliseconds from the start of [`Health`] to the last beat.
    last_beat_millis: AtomicU64,
    limit: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                started: Instant::now(),
                draining: AtomicBool::new(false),
                probes: Mutex::default(),
            }),
        }
    }
}

impl Health {
    /// Adds a task that must beat at least every `max_silence`. Registration counts as its first beat.
    pub fn register(&self, name: &'static str, max_silence: Duration) -> Heartbeat {
        let pulse = Arc::new(Pulse { last_beat_millis: AtomicU64::new(0), limit: max_silence });
        let heartbeat = Heartbeat { pulse: Arc::clone(&pulse), started: self.inner.started };
        heartbeat.beat();
        self.add(name, Probe::Pulse(pulse));
        heartbeat
    }

    /// Adds a closed gate.
    pub fn gate(&self, name: &'static str) -> Gate {
        let open = Arc::new(AtomicBool::new(false));
        self.add(name, Probe::Gate(Arc::clone(&open)));
        Gate { open }
    }

    /// Adds a line that is shown with the checks and never fails.
    pub fn note(&self, name: &'static str, detail: impl Fn() -> String + Send + Sync + 'static) {
        self.add(name, Probe::Note(Arc::new(detail)));
    }

    /// Not ready from now on. There is no way back.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
    }

    /// The state at `now`, by the monotonic clock.
    pub fn report(&self, now: Instant) -> Readiness {
        let since_start = now.saturating_duration_since(self.inner.started);
        let probes = self.inner.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut checks: Vec<Check> = probes.iter().map(|(name, probe)| probe.check(name, since_start)).collect();
        if self.inner.draining.load(Ordering::Relaxed) {
            checks.push(Check { name: "shutdown", state: CheckState::Draining, detail: None });
        }
        Readiness { checks }
    }

    fn add(&self, name: &'static str, probe: Probe) {
        self.inner.probes.lock().unwrap_or_else(PoisonError::into_inner).push((name, probe));
    }
}

impl Heartbeat {
    /// The task is alive and has just done its work.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    /// [`Heartbeat::beat`] at a given moment.
    pub fn beat_at(&self, now: Instant) {
        let millis = u64::try_from(now.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX);
        self.pulse.last_beat_millis.fetch_max(millis, Ordering::Relaxed);
    }
}

impl Gate {
    /// It happened.
    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }
}

impl Probe {
    fn check(&self, name: &'static str, since_start: Duration) -> Check {
        let detail = if let Self::Note(detail) = self { Some(detail()) } else { None };
        Check { name, state: self.state(since_start), detail }
    }

    fn state(&self, since_start: Duration) -> CheckState {
        match self {
            Self::Pulse(pulse) => {
                let last_beat = Duration::from_millis(pulse.last_beat_millis.load(Ordering::Relaxed));
                let silence = since_start.saturating_sub(last_beat);
                if silence > pulse.limit {
                    CheckState::Silent { silence, limit: pulse.limit }
                } else {
                    CheckState::Passing
                }
            }
            Self::Gate(open) if open.load(Ordering::Relaxed) => CheckState::Passing,
            Self::Gate(_) => CheckState::Waiting,
            Self::Note(_) => CheckState::Passing,
        }
    }
}

impl Readiness {
    /// Whether every check passes.
    pub fn is_ready(&self) -> bool {
        self.failing().next().is_none()
    }

    /// The checks that do not pass.
    pub fn failing(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.state != CheckState::Passing)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("draining", &self.draining).finish_non_exhaustive()
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => f.write_str(detail),
            None => self.state.fmt(f),
        }
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing => f.write_str("ok"),
            Self::Silent { silence, limit } => {
                write!(f, "silent for {} s, limit {} s", silence.as_secs(), limit.as_secs())
            }
            Self::Waiting => f.write_str("not done yet"),
            Self::Draining => f.write_str("shutting down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(health: &Health, now: Instant) -> Vec<&'static str> {
        health.report(now).failing().map(|check| check.name).collect()
    }

    #[test]
    fn a_silent_task_is_named_and_recovers_with_its_next_beat() {
        let health = Health::default();
        let now = Instant::now();
        let watch = health.register("watch", Duration::from_secs(30));
        let _reload = health.register("reload", Duration::from_mins(5));
        assert!(health.report(now).is_ready());

        let later = now + Duration::from_mins(1);
        assert_eq!(failing(&health, later), ["watch"]);
        watch.beat_at(later);
        assert!(health.report(later).is_ready());
    }

    #[test]
    fn a_gate_holds_readiness_back_until_it_opens() {
        let health = Health::default();
        let gate = health.gate("first-sync");
        assert_eq!(failing(&health, Instant::now()), ["first-sync"]);
        gate.open();
        assert!(health.report(Instant::now()).is_ready());
    }

    #[test]
    fn a_note_is_shown_and_never_fails() {
        let health = Health::default();
        health.note("apis", || "all are ours".to_owned());
        let report = health.report(Instant::now());
        assert!(report.is_ready());
        assert_eq!(report.checks.first().unwrap().to_string(), "all are ours");
    }

    #[test]
    fn draining_is_final() {
        let health = Health::default();
        health.drain();
        health.register("watch", Duration::from_secs(30)).beat();
        assert_eq!(failing(&health, Instant::now()), ["shutdown"]);
    }

    #[test]
    fn an_old_beat_does_not_undo_a_newer_one() {
        let health = Health::default();
        let now = Instant::now();
        let beat = health.register("watch", Duration::from_secs(30));
        beat.beat_at(now + Duration::from_secs(50));
        beat.beat_at(now);
        assert!(health.report(now + Duration::from_mins(1)).is_ready());
    }
}
