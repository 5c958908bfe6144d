//! One kind of object: list, then watch, for ever.
//!
//! What cannot be read is told as such and stops nothing. A connection that died without a word, and a watch that has
//! been silent for long, are replaced by a new list.

use std::{fmt::Debug, hash::BuildHasher, pin::pin, time::Duration};

use futures::StreamExt;
use kube::{
    Api, Client, Resource,
    core::{DeserializeGuard, ObjectMeta, error_boundary::InvalidObject},
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{debug, warn};

use crate::objects::display_name;

/// Objects per page of a list: bounds what is in memory while starting.
const PAGE: u32 = 500;
/// A watch is renewed this often, so that a connection that died without a word is noticed.
const WATCH_SECONDS: u32 = 120;
/// A list that makes no progress for this long is begun again.
const LIST_SILENCE: Duration = Duration::from_mins(1);
/// A watch without any event for this long is replaced by a new list, in case the two sides disagree.
const WATCH_SILENCE: Duration = Duration::from_mins(15);
const BEAT: Duration = Duration::from_secs(2);
const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(4);

/// One step of a list or watch.
#[derive(Debug)]
pub enum Step<K> {
    /// A full list begins.
    Begin,
    /// Named by a full list.
    Listed(K),
    /// Added or changed.
    Applied(K),
    /// The object exists but cannot be read.
    Malformed(Unreadable),
    /// Deleted; only its metadata are certain.
    Deleted(Box<ObjectMeta>),
    /// A full list is complete: what it did not name is gone.
    End,
}

/// An object that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Which one.
    pub metadata: Box<ObjectMeta>,
    /// What is wrong with it.
    pub problem: String,
}

/// Why a list or watch failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct WatchError(#[from] watcher::Error);

/// Hears of every step.
pub trait Listener<K>: Send {
    /// One step. False where nobody listens any more.
    fn hear(&mut self, step: Step<K>) -> impl Future<Output = bool> + Send;
    /// A list or watch failed and will be tried again. What the first warning of an outage is to say beside the error,
    /// such as what to do.
    fn failed(&mut self, error: &WatchError) -> Option<String>;
    /// Called every two seconds.
    fn alive(&mut self);
}

/// Why one watcher ends.
enum End {
    /// Nobody listens any more: the process is going down.
    Closed,
    /// It has been silent for too long.
    Silent,
}

/// Watches every object of a kind, in all namespaces. Ends only when nobody listens any more.
pub async fn follow<K>(client: Client, mut listener: impl Listener<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    while let End::Silent = follow_once::<K>(client.clone(), &mut listener).await {
        debug!(kind = %K::kind(&()), "watch was silent for long, listing again");
    }
}

async fn follow_once<K>(client: Client, listener: &mut impl Listener<K>) -> End
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let config = watcher::Config::default().page_size(PAGE).timeout(WATCH_SECONDS);
    let mut events = pin!(watcher::watcher(Api::<DeserializeGuard<K>>::all(client), config));
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut failures, mut listing, mut last_event) = (0u32, true, Instant::now());
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = beat.tick() => {
                listener.alive();
                let patience = if listing { LIST_SILENCE } else { WATCH_SILENCE };
                if last_event.elapsed() > patience {
                    return End::Silent;
                }
                continue;
            }
        };
        last_event = Instant::now();
        match event {
            Some(Ok(event)) => {
                match event {
                    // Said before the API server was asked: no sign that it answers.
                    Event::Init => listing = true,
                    Event::InitDone => (listing, failures) = (false, 0),
                    _ => failures = 0,
                }
                if !listener.hear(step(event)).await {
                    return End::Closed;
                }
            }
            Some(Err(error)) => {
                let error = WatchError(error);
                let advice = listener.failed(&error).unwrap_or_default();
                let (kind, delay) = (K::kind(&()), delay(failures));
                // An outage is told of once; that it goes on is in metrics and in readiness.
                if failures == 0 {
                    warn!(%kind, %error, advice, "watch failed, trying again until it works");
                } else {
                    debug!(%kind, %error, retry_seconds = delay.as_secs_f64(), "watch failed again");
                }
                failures = failures.saturating_add(1);
                sleep(delay).await;
            }
            None => return End::Silent,
        }
    }
}

impl WatchError {
    /// Whether the API server does not have the kind at all.
    pub fn is_missing_kind(&self) -> bool {
        let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = &self.0 else {
            return false;
        };
        matches!(error, kube::Error::Api(status) if status.code == 404)
    }
}

fn step<K: Resource<DynamicType = ()>>(event: Event<DeserializeGuard<K>>) -> Step<K> {
    match event {
        Event::Init => Step::Begin,
        Event::InitDone => Step::End,
        Event::InitApply(object) => object.0.map_or_else(malformed::<K>, Step::Listed),
        Event::Apply(object) => object.0.map_or_else(malformed::<K>, Step::Applied),
        Event::Delete(object) => Step::Deleted(Box::new(match object.0 {
            Ok(object) => object.meta().clone(),
            Err(invalid) => invalid.metadata,
        })),
    }
}

fn malformed<K: Resource<DynamicType = ()>>(invalid: InvalidObject) -> Step<K> {
    let name = display_name(&invalid.metadata);
    warn!(kind = %K::kind(&()), %name, error = %invalid.error, "object cannot be read, keeping what was known");
    Step::Malformed(Unreadable { problem: invalid.error, metadata: Box::new(invalid.metadata) })
}

/// Doubling, with up to a quarter more so that replicas do not come back in step.
fn delay(failures: u32) -> Duration {
    let base = FIRST_DELAY.saturating_mul(1 << failures.min(10)).min(LONGEST_DELAY);
    let random = std::hash::RandomState::new().hash_one(failures) % 256;
    let extra = u32::try_from(random).unwrap_or(0);
    base + base / 4 * extra / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_limit() {
        for failures in 0..40 {
            let delay = delay(failures);
            assert!(delay >= FIRST_DELAY && delay <= LONGEST_DELAY * 5 / 4, "{failures}: {delay:?}");
        }
        assert!(delay(30) >= LONGEST_DELAY);
    }
}
