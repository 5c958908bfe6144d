//! What the watches of nodes, pods and namespaces tell the writer.

use std::fmt::Debug;

use kube::{Client, Resource, core::ObjectMeta};
use serde::de::DeserializeOwned;

use super::{Change, Context, EventKind, Message, ObjectKind};
use crate::{
    objects::{NamespaceView, NodeView, PodView},
    watch::{self, Listener, Step, WatchError},
};

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

/// Ends only when the writer is gone.
pub(super) async fn run<K: Watched>(client: Client, task: &'static str, context: Context) {
    watch::follow::<K>(client, Teller { task, context }).await;
}

struct Teller {
    task: &'static str,
    context: Context,
}

impl<K: Watched> Listener<K> for Teller {
    async fn hear(&mut self, step: Step<K>) -> bool {
        match self.change(step) {
            Some(change) => self.context.sender.send(K::message(change)).await.is_ok(),
            None => true,
        }
    }

    fn failed(&mut self, _error: &WatchError) -> Option<String> {
        self.context.metrics.watch_failed(K::KIND);
        None
    }

    fn alive(&mut self) {
        (self.context.heartbeat)(self.task);
    }
}

impl Teller {
    fn change<K: Watched>(&self, step: Step<K>) -> Option<Change<K>> {
        let metrics = &self.context.metrics;
        let key = |metadata: &ObjectMeta| K::key(metadata).map(str::to_owned);
        match step {
            Step::Begin => {
                metrics.relisted(K::KIND);
                Some(Change::Begin)
            }
            Step::End => Some(Change::End),
            Step::Listed(object) => {
                metrics.event(K::KIND, EventKind::Listed);
                Some(Change::Apply(object))
            }
            Step::Applied(object) => {
                metrics.event(K::KIND, EventKind::Applied);
                Some(Change::Apply(object))
            }
            Step::Malformed(unreadable) => {
                metrics.malformed(K::KIND);
                key(&unreadable.metadata).map(Change::Keep)
            }
            Step::Deleted(metadata) => {
                metrics.event(K::KIND, EventKind::Deleted);
                key(&metadata).map(Change::Delete)
            }
        }
    }
}
