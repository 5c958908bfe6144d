//! One task per policy that asks for its load, and the channel to the engine.

use std::{collections::HashMap, hash::BuildHasher, sync::Arc, time::Duration};

use jiff::Timestamp;
use rustc_hash::FxBuildHasher;
use tokio::{
    sync::{Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval_at, timeout},
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
}

impl Pollers {
    /// No policy yet. The reports come over the channel.
    pub fn new(clients: LoadClients, clock: Clock) -> (Self, mpsc::Receiver<LoadReport>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (tasks, by_policy, permits) = (JoinSet::new(), HashMap::new(), Arc::new(Semaphore::new(AT_ONCE)));
        (Self { clients, clock, tasks, by_policy, permits, sender }, receiver)
    }

    /// Asks for the load of a policy from now on, in place of an earlier version of it.
    pub fn start(&mut self, key: &PolicyKey, revision: u64, spec: &GreenScalingPolicySpec, plan: &LoadPlan) {
        self.stop(key);
        let poll = Poll {
            source: Source::new(&self.clients, &key.namespace, spec, plan),
            key: key.clone(),
            revision,
            period: plan.period,
            clock: Arc::clone(&self.clock),
            permits: Arc::clone(&self.permits),
            sender: self.sender.clone(),
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
    period: Duration,
    clock: Clock,
    permits: Arc<Semaphore>,
    sender: mpsc::Sender<LoadReport>,
}

impl Poll {
    async fn run(mut self) {
        let mut ticks = interval_at(Instant::now() + delay(&self.key, self.period), self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
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
        }
    }
}

/// Within the first tenth of a period, at most a second: a new policy has its load soon, a thousand not all at once.
fn delay(key: &PolicyKey, period: Duration) -> Duration {
    let part = u32::try_from(FxBuildHasher.hash_one(key) >> 40 & 0x3ff).unwrap_or(0);
    (period / 10).min(Duration::from_secs(1)) * part / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_policies_are_not_asked_for_all_at_once() {
        let delays: Vec<_> =
            (0..1_000).map(|n| delay(&PolicyKey::new("shop", format!("web-{n}")), Duration::from_secs(15))).collect();
        assert!(delays.iter().all(|delay| *delay < Duration::from_secs(1)));
        assert!(delays.iter().filter(|delay| **delay < Duration::from_millis(500)).count().abs_diff(500) < 100);
    }
}
