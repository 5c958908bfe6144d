use std::sync::Arc;

use jiff::Timestamp;
use kube_sci_cluster::{objects::PodUid, observer::PodBound};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    Decision, PodKey,
    ledger::{Binding, Entry, Ledger},
};
use crate::{
    events::{Notice, Notices},
    metrics::Metrics,
};

/// Decisions that may wait for the recorder: a few seconds of a busy scheduler, some megabytes at most.
const DECISIONS_IN_FLIGHT: usize = 256;
/// Explanations asked for at the same time.
const QUERIES_IN_FLIGHT: usize = 16;
/// How often an idle recorder says that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// Asks for the newest decision about a pod.
#[derive(Debug)]
pub struct DecisionQuery {
    pod: PodKey,
    reply: oneshot::Sender<Option<Entry>>,
}

/// The handlers' end: hands over and asks, never waits for room.
#[derive(Debug, Clone)]
pub struct RecorderHandle {
    decisions: mpsc::Sender<Decision>,
    queries: mpsc::Sender<DecisionQuery>,
}

/// The task's end.
#[derive(Debug)]
pub struct Recorder {
    decisions: mpsc::Receiver<Decision>,
    queries: mpsc::Receiver<DecisionQuery>,
    ledger: Ledger,
    metrics: Arc<Metrics>,
    notices: Option<Notices>,
}

/// A recorder for `capacity` candidates, and a handle to it. `notices` receives what was seen bound.
pub fn channels(capacity: usize, metrics: Arc<Metrics>, notices: Option<Notices>) -> (RecorderHandle, Recorder) {
    let (decisions_in, decisions) = mpsc::channel(DECISIONS_IN_FLIGHT);
    let (queries_in, queries) = mpsc::channel(QUERIES_IN_FLIGHT);
    let handle = RecorderHandle { decisions: decisions_in, queries: queries_in };
    (handle, Recorder { decisions, queries, ledger: Ledger::new(capacity), metrics, notices })
}

impl RecorderHandle {
    /// Hands a decision over; `false` where the recorder is behind and the decision was dropped.
    pub fn record(&self, decision: Decision) -> bool {
        self.decisions.try_send(decision).is_ok()
    }

    /// The newest decision about a pod, or `None` where none is held.
    pub async fn newest(&self, pod: PodKey) -> Option<Entry> {
        let (reply, answer) = oneshot::channel();
        self.queries.send(DecisionQuery { pod, reply }).await.ok()?;
        answer.await.ok().flatten()
    }
}

impl Recorder {
    /// Works until cancelled. `beat` is called at least every five seconds.
    pub async fn run(
        mut self,
        mut bound: mpsc::Receiver<PodBound>,
        beat: impl Fn() + Send,
        cancelled: CancellationToken,
    ) {
        let mut ticks = interval(BEAT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // In this order: a decision is always read before the binding that follows from it, and a busy
                // recorder still says that it lives.
                biased;
                () = cancelled.cancelled() => return,
                _ = ticks.tick() => beat(),
                Some(decision) = self.decisions.recv() => self.ledger.insert(decision),
                Some(seen) = bound.recv() => self.match_binding(&seen),
                Some(query) = self.queries.recv() => self.answer(query),
            }
            self.metrics.decisions.held.set(self.ledger.len().try_into().unwrap_or(i64::MAX));
        }
    }

    fn match_binding(&mut self, seen: &PodBound) {
        let pod = PodKey { namespace: seen.namespace.as_str().into(), name: seen.name.as_str().into() };
        let node = seen.node.as_str().into();
        let report = match self.ledger.bind(&pod, PodUid::new(&seen.uid), &node, Timestamp::now()) {
            Binding::Repeated => return,
            Binding::NoDecision => return self.metrics.decisions.bindings.inc("no_decision"),
            Binding::NotRanked => return self.metrics.decisions.bindings.inc("not_ranked"),
            Binding::Ranked(report) => report,
        };
        self.metrics.decisions.bindings.inc("ranked");
        self.metrics.decisions.observe_bound(&report);
        let Some(notices) = &self.notices else { return };
        if notices.try_send(Notice::Bound(report)).is_err() {
            self.metrics.decisions.events.inc("dropped");
        }
    }

    fn answer(&self, query: DecisionQuery) {
        // The asker may have hung up; nothing is lost then.
        let _ = query.reply.send(self.ledger.get(&query.pod).cloned());
    }
}
