//! One task per policy that asks for its load, and the channel to the engine.

use std::{collections::HashMap, hash::BuildHasher, sync::Arc, time::Duration};

use jiff::Timestamp;
use rustc_hash::FxBuildHasher;
use tokio::{
    sync::{Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use super::{LoadClients, LoadFault, Source};
use crate::{
    policy::{GreenScalingPolicySpec, LoadPlan},
    table::{LoadReading, PolicyKey},
};

/// Loads asked for at the same time.
const AT_ONCE: usize = 64;
/// An answer that takes longer is none. Services have shorter limits of their own.
const LONGEST: Duration = Duration::from_secs(20);
/// Tasks wake up at multiples of this, several at once: waking up costs more than asking.
const GRID: Duration = Duration::from_millis(50);
/// A period is never shorter.
const SHORTEST: Duration = Duration::from_millis(1);
/// Answers that may wait for the engine.
const WAITING: usize = 1_024;

/// What came of asking.
#[derive(Debug)]
pub struct LoadReport {
    /// Which policy.
    pub key: PolicyKey,
    /// Which version of it: reports of an earlier one are of no use.
    pub revision: u64,
    /// The load, or why there is none.
    pub result: Result<LoadReading, LoadFault>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// How long it took.
    pub took: Duration,
}

/// The present.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Every policy's task. Dropping it ends them.
pub struct Pollers {
    clients: LoadClients,
    clock: Clock,
    tasks: JoinSet<()>,
    by_policy: HashMap<PolicyKey, AbortHandle>,
    permits: Arc<Semaphore>,
    sender: mpsc::Sender<LoadReport>,
    born: Instant,
}

impl Pollers {
    /// No policy yet. The reports come over the channel.
    pub fn new(clients: LoadClients, clock: Clock) -> (Self, mpsc::Receiver<LoadReport>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (tasks, by_policy, permits) = (JoinSet::new(), HashMap::new(), Arc::new(Semaphore::new(AT_ONCE)));
        (Self { clients, clock, tasks, by_policy, permits, sender, born: Instant::now() }, receiver)
    }

    /// Asks for the load of a policy from now on, in place of an earlier version of it.
    pub fn start(&mut self, key: &PolicyKey, revision: u64, spec: &GreenScalingPolicySpec, plan: &LoadPlan) {
        self.stop(key);
        let poll = Poll {
            source: Source::new(&self.clients, &key.namespace, spec, plan),
            key: key.clone(),
            revision,
            turn: Turn::of(key, plan.period),
            clock: Arc::clone(&self.clock),
            permits: Arc::clone(&self.permits),
            sender: self.sender.clone(),
            born: self.born,
        };
        let handle = self.tasks.spawn(poll.run());
        self.by_policy.insert(key.clone(), handle);
    }

    /// Asks no more.
    pub fn stop(&mut self, key: &PolicyKey) {
        if let Some(handle) = self.by_policy.remove(key) {
            handle.abort();
        }
        while self.tasks.try_join_next().is_some() {}
    }

    /// How many policies are asked for.
    pub fn len(&self) -> usize {
        self.by_policy.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_policy.is_empty()
    }

    /// Resolves when a task panicked, with its message; never where all is well.
    pub async fn failed(&mut self) -> String {
        loop {
            match self.tasks.join_next().await {
                Some(Err(error)) if error.is_panic() => return error.to_string(),
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }
}

impl std::fmt::Debug for Pollers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pollers").field("policies", &self.by_policy.len()).finish_non_exhaustive()
    }
}

struct Poll {
    source: Source,
    key: PolicyKey,
    revision: u64,
    turn: Turn,
    clock: Clock,
    permits: Arc<Semaphore>,
    sender: mpsc::Sender<LoadReport>,
    born: Instant,
}

impl Poll {
    async fn run(mut self) {
        let turn = self.turn;
        let mut due = Instant::now() + turn.first;
        loop {
            sleep_until(due).await;
            let Ok(permit) = self.permits.acquire().await else { return };
            let (asked_at, started) = ((self.clock)(), Instant::now());
            let result = timeout(LONGEST, self.source.read(asked_at)).await;
            drop(permit);
            let report = LoadReport {
                key: self.key.clone(),
                revision: self.revision,
                result: result.unwrap_or(Err(LoadFault::Timeout(LONGEST))),
                asked_at,
                took: started.elapsed(),
            };
            if self.sender.send(report).await.is_err() {
                return;
            }
            // A rate over less time than half a period would be noise.
            let rested = started.saturating_duration_since(self.born) + turn.period / 2;
            due = self.born + turn.after(rested.max(self.born.elapsed()));
        }
    }
}

/// When a policy's load is asked for: soon for a new policy, then at a moment of its own within the period, so that a
/// thousand policies that came at once do not ask at once ever after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    /// From now: at most a tenth of a period, at most a second.
    first: Duration,
    /// Its place in every period: on the [`GRID`].
    place: Duration,
    period: Duration,
}

impl Turn {
    fn of(key: &PolicyKey, period: Duration) -> Self {
        let hash = FxBuildHasher.hash_one(key);
        let period = period.max(SHORTEST);
        let place = share(period, hash >> 50);
        Self {
            first: share((period / 10).min(Duration::from_secs(1)), hash >> 40),
            place: GRID * u32::try_from(place.as_millis() / GRID.as_millis()).unwrap_or(0),
            period,
        }
    }

    /// The next time after this one; both from the same beginning.
    fn after(&self, time: Duration) -> Duration {
        let Some(since) = time.checked_sub(self.place) else { return self.place };
        let periods = since.as_nanos() / self.period.as_nanos() + 1;
        self.place + self.period * u32::try_from(periods).unwrap_or(u32::MAX)
    }
}

/// That many 1,024ths, by the lowest ten bits.
fn share(of: Duration, bits: u64) -> Duration {
    of * u32::try_from(bits & 0x3ff).unwrap_or(0) / 1_024
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Policies in every tenth of the longest time.
    fn tenths(times: impl Iterator<Item = Duration>, longest: Duration) -> [usize; 10] {
        let mut tenths = [0; 10];
        for time in times {
            assert!(time < longest, "{time:?}");
            tenths[usize::try_from(time.as_millis() * 10 / longest.as_millis()).unwrap()] += 1;
        }
        tenths
    }

    #[test]
    fn a_thousand_policies_are_never_asked_for_all_at_once() {
        let period = Duration::from_secs(15);
        let turns: Vec<_> = (0..1_000).map(|n| Turn::of(&PolicyKey::new("shop", format!("web-{n}")), period)).collect();
        let [first, then] = [
            tenths(turns.iter().map(|turn| turn.first), Duration::from_secs(1)),
            tenths(turns.iter().map(|turn| turn.place), period),
        ];
        for count in first.into_iter().chain(then) {
            assert!(count.abs_diff(100) < 50, "{first:?} {then:?}");
        }
        let times: BTreeSet<_> = turns.iter().map(|turn| turn.after(period * 4)).collect();
        assert!(times.len() <= 300, "{} times at which to wake up", times.len());
    }

    #[test]
    fn a_load_is_asked_for_once_in_every_period() {
        for (place, period) in [(0, 15_000), (14_900, 15_000), (700, 1_000), (0, 50)] {
            let [place, period] = [place, period].map(Duration::from_millis);
            let turn = Turn { first: Duration::ZERO, place, period };
            assert_eq!(turn.after(Duration::ZERO), if place.is_zero() { period } else { place });
            assert_eq!(turn.after(place), place + period);
            assert_eq!(turn.after(place + period * 7 / 2), place + period * 4, "what was missed is left out");
        }
    }
}
