//! Pods and the CPU they use over time.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::time::Duration;

use super::random::{bits, periods, seed_of, uniform};

/// Busy threads over time. Time counts from the start of the simulation; every value holds for a step of time, so that
/// energy is a plain sum.
#[derive(Debug, Clone, PartialEq)]
pub enum CpuUse {
    /// Always the same.
    Constant(f64),
    /// From each instant on that many; before the first, none.
    Steps(Vec<(Duration, f64)>),
    /// A sine around `mean`, in 120 steps a period.
    Diurnal { mean: f64, swing: f64, period: Duration },
    /// A new value between `mean - spread` and `mean + spread` every so often.
    Noisy { mean: f64, spread: f64, every: Duration, seed: u64 },
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedContainer {
    /// Its name in the pod.
    pub name: String,
    /// Its identifier in the runtime, 64 hexadecimal digits.
    pub id: String,
    /// Its command line; the first word names the program.
    pub command: String,
}

/// A pod with known use of CPU. Its containers use equal parts.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedPod {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub containers: Vec<SimulatedContainer>,
    pub cpu: CpuUse,
    /// Activity of memory for each busy thread, 1 being what fills the machine's memory power at full load.
    pub memory_activity: f64,
    /// How much harder than others a busy thread of this workload works a hardware class, by name; 1 where not named.
    pub power_factors: BTreeMap<String, f64>,
    /// Runs from here.
    pub start: Duration,
    /// Runs until here.
    pub stop: Option<Duration>,
}

const STEPS_A_PERIOD: u32 = 120;

impl CpuUse {
    /// Busy threads at this instant.
    pub fn at(&self, at: Duration) -> f64 {
        match self {
            Self::Constant(threads) => *threads,
            Self::Steps(steps) => steps.iter().rev().find(|(from, _)| *from <= at).map_or(0.0, |&(_, threads)| threads),
            Self::Diurnal { mean, swing, period } => {
                let step = periods(at, *period / STEPS_A_PERIOD) % STEPS_A_PERIOD;
                let angle = TAU * (f64::from(step) + 0.5) / f64::from(STEPS_A_PERIOD);
                (mean + swing * angle.sin()).max(0.0)
            }
            Self::Noisy { mean, spread, every, seed } => {
                let place = u64::from(periods(at, *every));
                (mean + spread * (2.0 * uniform(*seed, place) - 1.0)).max(0.0)
            }
        }
    }

    /// When the value may change next, after this instant.
    pub(super) fn next_change(&self, after: Duration) -> Option<Duration> {
        let next_step = |length: Duration| length.checked_mul(periods(after, length).saturating_add(1));
        match self {
            Self::Constant(_) => None,
            Self::Steps(steps) => steps.iter().map(|&(from, _)| from).find(|from| *from > after),
            Self::Diurnal { period, .. } => next_step(*period / STEPS_A_PERIOD),
            Self::Noisy { every, .. } => next_step(*every),
        }
    }
}

impl SimulatedPod {
    /// A pod with one container that runs all the time. UID and container come from the names.
    pub fn new(namespace: &str, name: &str, cpu: CpuUse) -> Self {
        let seed = seed_of(&format!("{namespace}/{name}"));
        let pod = Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: uid(seed),
            containers: Vec::new(),
            cpu,
            memory_activity: 1.0,
            power_factors: BTreeMap::new(),
            start: Duration::ZERO,
            stop: None,
        };
        pod.container("main", "/bin/work --serve")
    }

    /// The UID that the API server gave it.
    #[must_use]
    pub fn uid(mut self, uid: &str) -> Self {
        uid.clone_into(&mut self.uid);
        self
    }

    /// One more container.
    #[must_use]
    pub fn container(mut self, name: &str, command: &str) -> Self {
        let seed = seed_of(&format!("{}/{}/{name}", self.namespace, self.name));
        let [a, b, c, d] = [0, 1, 2, 3].map(|part| bits(seed, part));
        let id = format!("{a:016x}{b:016x}{c:016x}{d:016x}");
        self.containers.push(SimulatedContainer { name: name.to_owned(), id, command: command.to_owned() });
        self
    }

    /// Runs from here on.
    #[must_use]
    pub fn from(mut self, start: Duration) -> Self {
        self.start = start;
        self
    }

    /// Runs until here.
    #[must_use]
    pub fn until(mut self, stop: Duration) -> Self {
        self.stop = Some(stop);
        self
    }

    /// How hard its busy threads work memory.
    #[must_use]
    pub fn memory_activity(mut self, activity: f64) -> Self {
        self.memory_activity = activity;
        self
    }

    /// How much harder than others its busy threads work this hardware class.
    #[must_use]
    pub fn power_factor(mut self, class: &str, factor: f64) -> Self {
        self.power_factors.insert(class.to_owned(), factor);
        self
    }

    /// True between start and stop.
    pub fn runs_at(&self, at: Duration) -> bool {
        self.start <= at && self.stop.is_none_or(|stop| at < stop)
    }

    pub(super) fn factor_on(&self, class: &str) -> f64 {
        self.power_factors.get(class).copied().unwrap_or(1.0)
    }

    /// When its use may change next, after this instant.
    pub(super) fn next_change(&self, after: Duration) -> Option<Duration> {
        let ends = [Some(self.start), self.stop].into_iter().flatten();
        ends.chain(self.cpu.next_change(after)).filter(|at| *at > after).min()
    }
}

/// A UUID of version 4 in form.
fn uid(seed: u64) -> String {
    let (high, low) = (bits(seed, 0), bits(seed, 1));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn use_changes_only_where_it_says_so() {
        let uses = [
            CpuUse::Constant(1.0),
            CpuUse::Steps(vec![(Duration::from_secs(90), 2.0), (Duration::from_secs(1_000), 0.5)]),
            CpuUse::Diurnal { mean: 2.0, swing: 1.0, period: HOUR },
            CpuUse::Noisy { mean: 1.0, spread: 0.5, every: Duration::from_secs(7), seed: 3 },
        ];
        for cpu in uses {
            let mut at = Duration::ZERO;
            while at < HOUR {
                let next = cpu.next_change(at).unwrap_or(HOUR);
                assert!(next > at, "{cpu:?}");
                let last = next.saturating_sub(Duration::from_nanos(1));
                assert!((cpu.at(at) - cpu.at(last)).abs() < 1e-12, "{cpu:?} changed between {at:?} and {next:?}");
                at = next;
            }
        }
    }

    #[test]
    fn names_make_uid_and_container() {
        let (pod, same) =
            (SimulatedPod::new("a", "b", CpuUse::Constant(1.0)), SimulatedPod::new("a", "b", CpuUse::Constant(2.0)));
        assert_eq!(pod.uid, same.uid);
        assert_eq!(pod.uid.len(), 36);
        assert_eq!(pod.containers[0].id.len(), 64);
        assert_ne!(pod.uid, SimulatedPod::new("a", "c", CpuUse::Constant(1.0)).uid);
    }
}
