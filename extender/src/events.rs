//! Events on pods, for `kubectl describe pod`.
//!
//! Opt-in, after the fact and at leisure: notices come over a bounded channel from handlers and the recorder, which
//! drop them rather than wait; one task writes them at a limited rate.

mod object;

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use kube_sci_cluster::events::{EventSink, Events, Reporter};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    config::EventsConfig,
    decisions::{BoundReport, PodKey},
    limits::LimitError,
    metrics::Metrics,
};

/// Notices that may wait.
const NOTICES_IN_FLIGHT: usize = 256;
/// Who the events say they are from.
pub const REPORTER: &str = "kube-sci.dev/extender";
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
    events: Events<S>,
    metrics: Arc<Metrics>,
    warned: Warned,
}

impl<S: EventSink> EventWriter<S> {
    /// A writer that calls itself `instance` in its events.
    pub fn new(sink: S, instance: String, metrics: Arc<Metrics>) -> Self {
        let events = Events::new(sink, Reporter { controller: REPORTER, instance });
        Self { events, metrics, warned: Warned::default() }
    }

    /// Works until cancelled. `beat` is called at least every five seconds, writes aside.
    pub async fn run(
        self,
        config: EventsConfig,
        notices: mpsc::Receiver<Notice>,
        beat: impl Fn() + Send,
        cancelled: CancellationToken,
    ) {
        let Self { events, metrics, mut warned } = self;
        let note = |notice: Notice| (!warned.is_repeated(&notice)).then(|| object::note(&notice));
        let outcome = |written| metrics.decisions.events.inc(if written { "sent" } else { "failed" });
        tokio::select! {
            biased;
            () = cancelled.cancelled() => {}
            () = events.run(config.max_per_second, notices, note, outcome, beat) => {}
        }
    }
}

/// The last pods that were warned, so that a pod that is retried is warned once.
#[derive(Debug, Default)]
struct Warned {
    order: VecDeque<Arc<str>>,
    uids: HashSet<Arc<str>>,
}

impl Warned {
    /// A warning that the pod got already; the scheduler asks again and again for a pod that waits.
    fn is_repeated(&mut self, notice: &Notice) -> bool {
        matches!(notice, Notice::MalformedLimit { uid, .. } if !self.insert(uid))
    }

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
