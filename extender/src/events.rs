//! Events on pods, for `kubectl describe pod`.
//!
//! Opt-in, after the fact and at leisure: notices come over a bounded channel from handlers and the recorder, which
//! drop them rather than wait; one task writes them at a limited rate.

mod object;

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::{Api, Client, api::PostParams};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::object::{Note, REPORTER};
use crate::{
    config::EventsConfig,
    decisions::{BoundReport, PodKey},
    limits::LimitError,
    metrics::Metrics,
};

/// Notices that may wait.
const NOTICES_IN_FLIGHT: usize = 256;
/// A write that takes longer is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an idle task says that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// Pods remembered as warned.
const WARNED_PODS: usize = 1_024;

/// Something a pod's owner may want to read.
#[derive(Debug, Clone)]
pub enum Notice {
    /// Where the pod went and what it costs there.
    Bound(BoundReport),
    /// A limit annotation of the pod cannot be read.
    MalformedLimit {
        /// The pod.
        pod: PodKey,
        /// Its UID.
        uid: Arc<str>,
        /// What is wrong.
        error: LimitError,
        /// When it was noticed.
        at: Timestamp,
    },
}

/// The way to the events task.
pub type Notices = mpsc::Sender<Notice>;

/// A channel of notices with room for a burst.
pub fn channel() -> (Notices, mpsc::Receiver<Notice>) {
    mpsc::channel(NOTICES_IN_FLIGHT)
}

/// Writes events until cancelled.
#[derive(Debug)]
pub struct EventWriter<S> {
    sink: S,
    instance: String,
    metrics: Arc<Metrics>,
    warned: Warned,
    failing: bool,
}

/// Where events go; the API server outside tests.
pub trait EventSink: Send {
    /// Writes one event.
    fn write(&self, event: &Event) -> impl Future<Output = Result<(), kube::Error>> + Send;
}

impl EventSink for Client {
    async fn write(&self, event: &Event) -> Result<(), kube::Error> {
        let namespace = event.metadata.namespace.as_deref().unwrap_or("default");
        Api::<Event>::namespaced(self.clone(), namespace).create(&PostParams::default(), event).await.map(drop)
    }
}

impl<S: EventSink> EventWriter<S> {
    /// A writer that calls itself `instance` in its events.
    pub fn new(sink: S, instance: String, metrics: Arc<Metrics>) -> Self {
        Self { sink, instance, metrics, warned: Warned::default(), failing: false }
    }

    /// Works until cancelled. `beat` is called at least every five seconds, writes aside.
    pub async fn run(
        mut self,
        config: EventsConfig,
        mut notices: mpsc::Receiver<Notice>,
        beat: impl Fn() + Send,
        cancelled: CancellationToken,
    ) {
        let mut beats = interval(BEAT_EVERY);
        let mut slots = interval(Duration::from_secs(1) / config.max_per_second.max(1));
        slots.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = cancelled.cancelled() => return,
                _ = beats.tick() => beat(),
                Some(notice) = notices.recv() => {
                    if self.is_repeated(&notice) {
                        continue;
                    }
                    slots.tick().await;
                    self.write(&notice).await;
                }
            }
        }
    }

    /// A warning that the pod got already; the scheduler asks again and again for a pod that waits.
    fn is_repeated(&mut self, notice: &Notice) -> bool {
        matches!(notice, Notice::MalformedLimit { uid, .. } if !self.warned.insert(uid))
    }

    async fn write(&mut self, notice: &Notice) {
        let event = object::event(&Note::of(notice), &self.instance);
        let failure = match timeout(WRITE_TIMEOUT, self.sink.write(&event)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} s", WRITE_TIMEOUT.as_secs())),
        };
        self.metrics.decisions.events.inc(if failure.is_none() { "sent" } else { "failed" });
        // One line per outage, not per pod; the counter has the rest.
        match &failure {
            Some(error) if !self.failing => tracing::warn!(error, "events on pods cannot be written"),
            None if self.failing => tracing::info!("events on pods are written again"),
            _ => {}
        }
        self.failing = failure.is_some();
    }
}

/// The last pods that were warned, so that a pod that is retried is warned once.
#[derive(Debug, Default)]
struct Warned {
    order: VecDeque<Arc<str>>,
    uids: HashSet<Arc<str>>,
}

impl Warned {
    /// `false` where the pod was warned already.
    fn insert(&mut self, uid: &Arc<str>) -> bool {
        if !self.uids.insert(uid.clone()) {
            return false;
        }
        self.order.push_back(uid.clone());
        if self.order.len() > WARNED_PODS
            && let Some(oldest) = self.order.pop_front()
        {
            self.uids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests;
