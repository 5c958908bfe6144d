//! The directory of pods and nodes, as far as a program wants one.

use std::{mem, sync::Arc};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    objects::{Labels, NodeView, PodUid, PodView, Workload, WorkloadKey},
    snapshot::{Directory, PodRecord},
};

/// What is written before it is published.
#[derive(Debug, Default)]
pub(super) struct DirectoryBook {
    pods: FxHashMap<PodUid, Entry>,
    nodes: FxHashMap<Arc<str>, Seen<Labels>>,
    /// One copy of every set of labels, and of every name that many pods share.
    labels: FxHashSet<Labels>,
    names: FxHashSet<Arc<str>>,
    workloads: FxHashMap<WorkloadKey, Arc<Workload>>,
    touched: FxHashSet<Arc<str>>,
    nodes_touched: bool,
    published: Arc<Directory>,
}

#[derive(Debug)]
struct Entry {
    namespace: Arc<str>,
    pod: Arc<PodRecord>,
    seen: bool,
}

#[derive(Debug)]
struct Seen<T> {
    value: T,
    seen: bool,
}

impl DirectoryBook {
    /// A pod was added or changed; one on no node is not in the directory.
    pub(super) fn apply_pod(&mut self, uid: PodUid, pod: &PodView) {
        let Some(node) = pod.node_name().filter(|_| !pod.is_terminated()) else { return self.delete_pod(uid) };
        let record = PodRecord {
            name: pod.metadata.name.as_deref().unwrap_or_default().into(),
            uid,
            labels: self.labels(pod.metadata.labels.as_ref().map(Labels::from).unwrap_or_default()),
            node: self.name(node),
            workload: self.workload(&pod.workload),
        };
        if let Some(known) = self.pods.get_mut(&uid) {
            known.seen = true;
            if *known.pod == record {
                return;
            }
        }
        let namespace = self.name(pod.metadata.namespace.as_deref().unwrap_or_default());
        self.touched.insert(Arc::clone(&namespace));
        self.pods.insert(uid, Entry { namespace, pod: Arc::new(record), seen: true });
    }

    /// A pod was deleted.
    pub(super) fn delete_pod(&mut self, uid: PodUid) {
        if let Some(gone) = self.pods.remove(&uid) {
            self.touched.insert(gone.namespace);
        }
    }

    /// A pod exists but cannot be read.
    pub(super) fn keep_pod(&mut self, uid: PodUid) {
        self.pods.entry(uid).and_modify(|entry| entry.seen = true);
    }

    /// A full list of pods begins.
    pub(super) fn begin_pods(&mut self) {
        self.pods.values_mut().for_each(|entry| entry.seen = false);
    }

    /// A full list of pods is complete: what it did not name is gone.
    pub(super) fn end_pods(&mut self) {
        let gone: Vec<PodUid> = self.pods.iter().filter(|(_, entry)| !entry.seen).map(|(&uid, _)| uid).collect();
        for uid in gone {
            self.delete_pod(uid);
        }
        self.labels.retain(|labels| !labels.is_last());
        self.names.retain(|name| Arc::strong_count(name) > 1);
        self.workloads.retain(|_, workload| Arc::strong_count(workload) > 1);
    }

    /// A node was added or changed.
    pub(super) fn apply_node(&mut self, name: &str, node: &NodeView) {
        let value = node.metadata.labels.as_ref().map(Labels::from).unwrap_or_default();
        let name = self.name(name);
        let before = self.nodes.insert(name, Seen { value: value.clone(), seen: true });
        self.nodes_touched |= before.is_none_or(|before| before.value != value);
    }

    /// A node was deleted.
    pub(super) fn delete_node(&mut self, name: &str) {
        self.nodes_touched |= self.nodes.remove(name).is_some();
    }

    /// A node exists but cannot be read.
    pub(super) fn keep_node(&mut self, name: &str) {
        if let Some(node) = self.nodes.get_mut(name) {
            node.seen = true;
        }
    }

    /// A full list of nodes begins.
    pub(super) fn begin_nodes(&mut self) {
        self.nodes.values_mut().for_each(|node| node.seen = false);
    }

    /// A full list of nodes is complete: what it did not name is gone.
    pub(super) fn end_nodes(&mut self) {
        let before = self.nodes.len();
        self.nodes.retain(|_, node| node.seen);
        self.nodes_touched |= before != self.nodes.len();
    }

    /// Whether there is something to publish.
    pub(super) fn changed(&self) -> bool {
        self.nodes_touched || !self.touched.is_empty()
    }

    /// The directory as of now. Only namespaces that changed are made anew.
    pub(super) fn publish(&mut self) -> Arc<Directory> {
        if self.changed() {
            let touched = mem::take(&mut self.touched);
            let directory = Arc::make_mut(&mut self.published);
            if mem::take(&mut self.nodes_touched) {
                directory.nodes =
                    self.nodes.iter().map(|(name, node)| (Arc::clone(name), node.value.clone())).collect();
            }
            let mut namespaces: FxHashMap<Arc<str>, Vec<Arc<PodRecord>>> =
                touched.into_iter().map(|namespace| (namespace, Vec::new())).collect();
            for entry in self.pods.values() {
                if let Some(pods) = namespaces.get_mut(&entry.namespace) {
                    pods.push(Arc::clone(&entry.pod));
                }
            }
            for (namespace, mut pods) in namespaces {
                pods.sort_unstable_by(|a, b| a.name.cmp(&b.name));
                if pods.is_empty() {
                    directory.namespaces.remove(&namespace);
                } else {
                    directory.namespaces.insert(namespace, pods.into());
                }
            }
        }
        Arc::clone(&self.published)
    }

    fn labels(&mut self, labels: Labels) -> Labels {
        if let Some(known) = self.labels.get(&labels) {
            return known.clone();
        }
        self.labels.insert(labels.clone());
        labels
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn workload(&mut self, workload: &Workload) -> Arc<Workload> {
        Arc::clone(self.workloads.entry(workload.key()).or_insert_with(|| Arc::new(workload.clone())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, namespace: &str, node: &str, label: &str) -> PodView {
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": namespace, "uid": name, "labels": { "app": label } },
            "spec": { "nodeName": node }
        }))
        .unwrap()
    }

    fn apply(book: &mut DirectoryBook, pod: &PodView) {
        book.apply_pod(PodUid::new(pod.metadata.uid.as_deref().unwrap()), pod);
    }

    #[test]
    fn pods_are_found_by_namespace_and_name_with_their_labels() {
        let mut book = DirectoryBook::default();
        for (name, namespace) in [("b", "shop"), ("a", "shop"), ("a2", "other")] {
            apply(&mut book, &pod(name, namespace, "n1", "web"));
        }
        let directory = book.publish();
        let names: Vec<&str> = directory.pods("shop").iter().map(|pod| &*pod.name).collect();
        assert_eq!(names, ["a", "b"]);
        let found = directory.pod("shop", "b").unwrap();
        assert_eq!((found.labels.get("app"), &*found.node), (Some("web"), "n1"));
        assert!(directory.pod("shop", "a2").is_none());
        assert!(!book.changed());
    }

    #[test]
    fn changes_of_labels_are_seen_and_finished_pods_leave() {
        let mut book = DirectoryBook::default();
        apply(&mut book, &pod("a", "shop", "n1", "web"));
        let before = book.publish();
        apply(&mut book, &pod("a", "shop", "n1", "api"));
        assert_eq!(book.publish().pod("shop", "a").unwrap().labels.get("app"), Some("api"));
        assert_eq!(before.pod("shop", "a").unwrap().labels.get("app"), Some("web"));
        let finished = json!({
            "metadata": { "name": "a", "namespace": "shop", "uid": "a" },
            "spec": { "nodeName": "n1" }, "status": { "phase": "Succeeded" }
        });
        apply(&mut book, &serde_json::from_value(finished).unwrap());
        assert!(book.publish().pods("shop").is_empty());
    }

    #[test]
    fn a_full_list_removes_what_it_does_not_name() {
        let mut book = DirectoryBook::default();
        for name in ["a", "b", "unreadable"] {
            apply(&mut book, &pod(name, "shop", "n1", "web"));
        }
        book.publish();
        book.begin_pods();
        apply(&mut book, &pod("b", "shop", "n1", "web"));
        book.keep_pod(PodUid::new("unreadable"));
        book.end_pods();
        let directory = book.publish();
        let names: Vec<&str> = directory.pods("shop").iter().map(|pod| &*pod.name).collect();
        assert_eq!(names, ["b", "unreadable"]);
    }

    #[test]
    fn nodes_keep_their_labels() {
        let mut book = DirectoryBook::default();
        let node: NodeView =
            serde_json::from_value(json!({ "metadata": { "name": "n1", "labels": { "pool": "green" } } })).unwrap();
        book.apply_node("n1", &node);
        assert_eq!(book.publish().node_labels("n1").unwrap().get("pool"), Some("green"));
        book.begin_nodes();
        book.end_nodes();
        assert!(book.publish().node_labels("n1").is_none());
    }
}
