//! The one writer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kube_sci_signals::energy::NodeDirectory;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};

use super::{Change, Context, Message, ObjectKind, ObserverMetrics, PodBound, Published, hooks, task};
use crate::{
    assess::Model,
    assumptions::{Assumptions, Confirmation},
    index::{Index, PodChange},
    objects::{NamespaceView, NodeView, PodUid, PodView},
    snapshot::{Slot, SnapshotHandle},
};

/// Messages applied before a snapshot is published.
const BATCH: usize = 1_024;
/// How often time itself is looked at: current slots, assumptions.
const TICK: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    index: Index,
    snapshot: SnapshotHandle,
    directory: NodeDirectory,
    assumptions: Arc<Assumptions>,
    receiver: mpsc::Receiver<Message>,
    bound: Option<mpsc::Sender<PodBound>>,
    metrics: Arc<dyn ObserverMetrics>,
    heartbeat: hooks::HeartbeatFn,
    clock: hooks::ClockFn,
    /// Pods that got a node in the batch at hand.
    newly_bound: Vec<NewlyBound>,
    gone: Vec<PodUid>,
    synced: bool,
}

/// A pod that got a node.
struct NewlyBound {
    uid: PodUid,
    slot: Slot,
    /// False for pods that were bound before the first list.
    is_news: bool,
    notice: Option<PodBound>,
}

impl Writer {
    pub(super) fn new(
        index: Index,
        model: &Model,
        directory: NodeDirectory,
        receiver: mpsc::Receiver<Message>,
        bound: Option<mpsc::Sender<PodBound>>,
        context: &Context,
    ) -> Self {
        Self {
            index,
            snapshot: model.snapshot.clone(),
            directory,
            assumptions: Arc::clone(&model.assumptions),
            receiver,
            bound,
            metrics: Arc::clone(&context.metrics),
            heartbeat: Arc::clone(&context.heartbeat),
            clock: Arc::clone(&context.clock),
            newly_bound: Vec::new(),
            gone: Vec::new(),
            synced: false,
        }
    }

    /// Ends only when every sender is gone.
    pub(super) async fn run(mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = self.receiver.recv() => match message {
                    Some(message) => self.batch(message),
                    None => return,
                },
                _ = ticks.tick() => self.tick(),
            }
            (self.heartbeat)(task::SNAPSHOT);
        }
    }

    fn batch(&mut self, first: Message) {
        let started = Instant::now();
        let (mut next, mut messages) = (Some(first), 0);
        while let Some(message) = next.take() {
            self.apply(message);
            messages += 1;
            if messages < BATCH {
                next = self.receiver.try_recv().ok();
            }
        }
        self.publish(started, messages);
    }

    fn tick(&mut self) {
        let started = Instant::now();
        let now = (self.clock)();
        self.index.tick(now);
        self.forget_late_assumptions();
        let expired = self.assumptions.expire(now);
        if expired > 0 {
            self.metrics.assumptions_expired(expired);
            debug!(pods = expired, "assumed pods were not seen on any node in time");
        }
        self.publish(started, 0);
    }

    /// An answer that the scheduler did not wait for may come after the pod was seen: its assumption would count the
    /// pod twice.
    fn forget_late_assumptions(&self) {
        let late: Vec<PodUid> = self.assumptions.load().uids().filter(|&uid| self.index.is_bound(uid)).collect();
        for uid in late {
            self.assumptions.forget(uid);
        }
    }

    fn apply(&mut self, message: Message) {
        match message {
            Message::Node(change) => self.node(change),
            Message::Pod(change) => self.pod(change),
            Message::Namespace(change) => self.namespace(change),
            Message::Source(number, Some(answer)) => {
                self.index.replace_series(number, answer.series, (self.clock)());
            }
            Message::Source(number, None) => self.index.source_asked(number),
            Message::Energy(number, answered) => self.index.apply_energy(number, answered, (self.clock)()),
        }
    }

    fn node(&mut self, change: Change<NodeView>) {
        match change {
            Change::Apply(node) => {
                for refused in self.index.apply_node(&node, (self.clock)()) {
                    self.metrics.annotation_refused(refused.key);
                    let name = node.metadata.name.as_deref().unwrap_or_default();
                    warn!(
                        node = name,
                        annotation = refused.key,
                        value = refused.value,
                        problem = refused.problem,
                        "annotation not used"
                    );
                }
            }
            Change::Delete(name) => self.index.delete_node(&name),
            Change::Begin => self.index.begin_list(ObjectKind::Node),
            Change::End => self.index.end_list(ObjectKind::Node),
            Change::Keep(name) => self.index.keep(ObjectKind::Node, &name),
        }
    }

    fn pod(&mut self, change: Change<PodView>) {
        match change {
            Change::Apply(pod) => {
                let uid = PodUid::new(pod.metadata.uid.as_deref().unwrap_or_default());
                match self.index.apply_pod(&pod) {
                    PodChange::Bound(slot) => {
                        let is_news = self.index.listed(ObjectKind::Pod);
                        let notice = (is_news && self.bound.is_some()).then(|| notice(pod));
                        self.newly_bound.push(NewlyBound { uid, slot, is_news, notice });
                    }
                    PodChange::Gone => self.gone.push(uid),
                    PodChange::Changed | PodChange::None => {}
                }
            }
            Change::Delete(uid) => {
                let uid = PodUid::new(&uid);
                self.index.delete_pod(uid);
                self.gone.push(uid);
            }
            Change::Begin => self.index.begin_list(ObjectKind::Pod),
            Change::End => self.index.end_list(ObjectKind::Pod),
            Change::Keep(uid) => self.index.keep(ObjectKind::Pod, &uid),
        }
    }

    fn namespace(&mut self, change: Change<NamespaceView>) {
        match change {
            Change::Apply(namespace) => self.index.apply_namespace(&namespace),
            Change::Delete(name) => self.index.delete_namespace(&name),
            Change::Begin => self.index.begin_list(ObjectKind::Namespace),
            Change::End => self.index.end_list(ObjectKind::Namespace),
            Change::Keep(name) => self.index.keep(ObjectKind::Namespace, &name),
        }
    }

    /// Publishes if anything changed, then settles assumptions: in this order, so that no pod is missing from both.
    fn publish(&mut self, started: Instant, messages: usize) {
        let now = (self.clock)();
        if let Some(names) = self.index.changed_node_names() {
            self.directory.publish(names);
        }
        if let Some(snapshot) = self.index.publish(now) {
            let published = Published {
                generation: snapshot.generation(),
                at: now,
                took: started.elapsed(),
                messages,
                nodes: snapshot.node_count(),
                pods: snapshot.pod_count(),
                synced: snapshot.synced(),
            };
            self.snapshot.publish(snapshot);
            self.metrics.published(&published);
            if published.synced && !self.synced {
                info!(nodes = published.nodes, pods = published.pods, "cluster is known");
            }
            self.synced = published.synced;
        }
        self.settle();
    }

    fn settle(&mut self) {
        for uid in self.gone.drain(..) {
            self.assumptions.forget(uid);
        }
        for NewlyBound { uid, slot, is_news, notice } in std::mem::take(&mut self.newly_bound) {
            let confirmation = self.assumptions.confirm(uid, slot);
            if is_news {
                self.metrics.confirmed(confirmation);
            }
            if let Some(notice) = notice {
                self.notify(PodBound { confirmation, ..notice });
            }
        }
    }

    fn notify(&mut self, notice: PodBound) {
        match self.bound.as_ref().map(|bound| bound.try_send(notice)) {
            Some(Err(TrySendError::Full(_))) => self.metrics.bound_dropped(),
            Some(Err(TrySendError::Closed(_))) => self.bound = None,
            Some(Ok(())) | None => {}
        }
    }
}

fn notice(pod: PodView) -> PodBound {
    PodBound {
        namespace: pod.metadata.namespace.unwrap_or_default(),
        name: pod.metadata.name.unwrap_or_default(),
        uid: pod.metadata.uid.unwrap_or_default(),
        node: pod.spec.node_name,
        confirmation: Confirmation::Unknown,
    }
}
