//! One kind of object: list, then watch, for ever.

use std::{fmt::Debug, hash::BuildHasher, pin::pin, time::Duration};

use futures::StreamExt;
use kube::{
    Api, Client, Resource,
    core::{DeserializeGuard, ObjectMeta},
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{debug, warn};

use super::{Change, Context, EventKind, Message, ObjectKind};
use crate::objects::{NamespaceView, NodeView, PodView, display_name};

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

/// A kind that is watched.
pub(super) trait Watched:
    Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static
{
    const KIND: ObjectKind;
    fn message(change: Change<Self>) -> Message;

    /// What the index knows an object by.
    fn key(meta: &ObjectMeta) -> Option<&str> {
        meta.name.as_deref()
    }
}

impl Watched for NodeView {
    const KIND: ObjectKind = ObjectKind::Node;
    fn message(change: Change<Self>) -> Message {
        Message::Node(change)
    }
}

impl Watched for PodView {
    const KIND: ObjectKind = ObjectKind::Pod;
    fn message(change: Change<Self>) -> Message {
        Message::Pod(change)
    }
    fn key(meta: &ObjectMeta) -> Option<&str> {
        meta.uid.as_deref()
    }
}

impl Watched for NamespaceView {
    const KIND: ObjectKind = ObjectKind::Namespace;
    fn message(change: Change<Self>) -> Message {
        Message::Namespace(change)
    }
}

/// Why one watcher ends.
enum End {
    /// Nobody listens any more: the process is going down.
    Closed,
    /// It has been silent for too long.
    Silent,
}

/// Ends only when the writer is gone.
pub(super) async fn run<K: Watched>(client: Client, task: &'static str, context: Context) {
    while let End::Silent = watch_once::<K>(client.clone(), task, &context).await {
        debug!(kind = K::KIND.as_str(), "watch was silent for long, listing again");
    }
}

async fn watch_once<K: Watched>(client: Client, task: &'static str, context: &Context) -> End {
    let config = watcher::Config::default().page_size(PAGE).timeout(WATCH_SECONDS);
    let mut events = pin!(watcher::watcher(Api::<DeserializeGuard<K>>::all(client), config));
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut failures, mut listing, mut last_event) = (0u32, true, Instant::now());
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = beat.tick() => {
                (context.heartbeat)(task);
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
                failures = 0;
                match event {
                    Event::Init => listing = true,
                    Event::InitDone => listing = false,
                    _ => {}
                }
                if !forward(event, context).await {
                    return End::Closed;
                }
            }
            Some(Err(error)) => {
                context.metrics.watch_failed(K::KIND);
                let delay = delay(failures);
                warn!(kind = K::KIND.as_str(), %error, retry_seconds = delay.as_secs_f64(), "watch failed, trying again");
                failures = failures.saturating_add(1);
                sleep(delay).await;
            }
            None => return End::Silent,
        }
    }
}

/// False where nobody listens any more.
async fn forward<K: Watched>(event: Event<DeserializeGuard<K>>, context: &Context) -> bool {
    let metrics = &context.metrics;
    let change = match event {
        Event::Init => {
            metrics.relisted(K::KIND);
            Some(Change::Begin)
        }
        Event::InitDone => Some(Change::End),
        Event::InitApply(object) => {
            metrics.event(K::KIND, EventKind::Listed);
            readable(object, context)
        }
        Event::Apply(object) => {
            metrics.event(K::KIND, EventKind::Applied);
            readable(object, context)
        }
        Event::Delete(object) => {
            metrics.event(K::KIND, EventKind::Deleted);
            K::key(object.meta()).map(|key| Change::Delete(key.to_owned()))
        }
    };
    match change {
        Some(change) => context.sender.send(K::message(change)).await.is_ok(),
        None => true,
    }
}

fn readable<K: Watched>(object: DeserializeGuard<K>, context: &Context) -> Option<Change<K>> {
    match object.0 {
        Ok(object) => Some(Change::Apply(object)),
        Err(invalid) => {
            context.metrics.malformed(K::KIND);
            let name = display_name(&invalid.metadata);
            warn!(kind = K::KIND.as_str(), %name, error = %invalid.error, "object cannot be read, keeping what was known");
            K::key(&invalid.metadata).map(|key| Change::Keep(key.to_owned()))
        }
    }
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
