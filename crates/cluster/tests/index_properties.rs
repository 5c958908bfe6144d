//! Whatever order events come in, the snapshot is that of the final objects.

use std::collections::BTreeMap;

use kube_sci_cluster::{
    config::ModelConfig,
    index::{Index, ObjectKind, PodChange},
    snapshot::Snapshot,
};
use proptest::prelude::*;

use crate::fixtures::{namespace, node, noon, pod, uid};

const ZONES: [&str; 3] = ["DE", "FR", "HQ"];

#[derive(Debug, Clone)]
enum Step {
    Node(u8, u8),
    DeleteNode(u8),
    /// Pod, node (0: none), tenths of a CPU.
    Pod(u8, u8, u8),
    DeletePod(u8),
    Namespace(u8, bool),
    /// Everything is listed again, as it is.
    Relist,
    Publish,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..6, 0u8..3).prop_map(|(name, zone)| Step::Node(name, zone)),
        2 => (0u8..6).prop_map(Step::DeleteNode),
        6 => (0u8..12, 0u8..7, 1u8..40).prop_map(|(name, node, cpu)| Step::Pod(name, node, cpu)),
        2 => (0u8..12).prop_map(Step::DeletePod),
        1 => (0u8..3, any::<bool>()).prop_map(|(name, out)| Step::Namespace(name, out)),
        1 => Just(Step::Relist),
        2 => Just(Step::Publish),
    ]
}

/// The objects that exist.
#[derive(Debug, Default)]
struct Cluster {
    nodes: BTreeMap<u8, u8>,
    pods: BTreeMap<u8, (u8, u8)>,
    namespaces: BTreeMap<u8, bool>,
}

impl Cluster {
    fn apply(&mut self, step: &Step, index: &mut Index) {
        match *step {
            Step::Node(name, zone) => {
                self.nodes.insert(name, zone);
                apply_node(index, name, zone);
            }
            Step::DeleteNode(name) => {
                self.nodes.remove(&name);
                index.delete_node(&node_name(name));
            }
            Step::Pod(name, node, cpu) => {
                self.pods.insert(name, (node, cpu));
                apply_pod(index, name, node, cpu);
            }
            Step::DeletePod(name) => {
                self.pods.remove(&name);
                index.delete_pod(uid(&format!("p{name}")));
            }
            Step::Namespace(name, out) => {
                self.namespaces.insert(name, out);
                index.apply_namespace(&namespace(&format!("ns{name}"), out));
            }
            Step::Relist => self.list(index),
            Step::Publish => {
                index.publish(noon());
            }
        }
    }

    fn list(&self, index: &mut Index) {
        for kind in ObjectKind::ALL {
            index.begin_list(kind);
        }
        for (&name, &(node, cpu)) in &self.pods {
            apply_pod(index, name, node, cpu);
        }
        for (&name, &zone) in &self.nodes {
            apply_node(index, name, zone);
        }
        for (&name, &out) in &self.namespaces {
            index.apply_namespace(&namespace(&format!("ns{name}"), out));
        }
        for kind in ObjectKind::ALL {
            index.end_list(kind);
        }
    }
}

fn index() -> Index {
    Index::new(&ModelConfig::default()).unwrap()
}

fn node_name(name: u8) -> String {
    format!("n{name}")
}

fn apply_node(index: &mut Index, name: u8, zone: u8) {
    index.apply_node(&node(&node_name(name), ZONES[usize::from(zone)]), noon());
}

fn apply_pod(index: &mut Index, name: u8, node: u8, cpu: u8) {
    // One node name that no node ever has.
    let bound_to = if node == 0 { String::new() } else { node_name(node) };
    index.apply_pod(&pod(&format!("p{name}"), &bound_to, &format!("{}m", u32::from(cpu) * 100)));
}

/// Everything a reader can see, without places and generations, which may differ.
fn visible(snapshot: &Snapshot) -> (BTreeMap<String, String>, [bool; 3], usize) {
    let describe = |node: &kube_sci_cluster::snapshot::NodeRecord| {
        let zone = snapshot.zone(node.identity.zone_index.unwrap()).unwrap();
        format!("{:?} {:?} {:?}", node.load, zone.zone, zone.value)
    };
    let nodes = snapshot.nodes().map(|(slot, node)| {
        assert_eq!(snapshot.slot(&node.name), Some(slot));
        (node.name.to_string(), describe(node))
    });
    (nodes.collect(), [0, 1, 2].map(|name| snapshot.namespace_opted_out(&format!("ns{name}"))), snapshot.pod_count())
}

/// The index always has something to publish after this.
fn final_snapshot(index: &mut Index) -> std::sync::Arc<Snapshot> {
    index.apply_namespace(&namespace("last", true));
    index.publish(noon()).unwrap()
}

proptest! {
    #[test]
    fn any_history_ends_in_the_snapshot_of_its_final_objects(steps in proptest::collection::vec(step(), 0..80)) {
        let (mut cluster, mut lived) = (Cluster::default(), index());
        for step in &steps {
            cluster.apply(step, &mut lived);
        }
        let mut rebuilt = index();
        cluster.list(&mut rebuilt);
        prop_assert_eq!(visible(&final_snapshot(&mut lived)), visible(&final_snapshot(&mut rebuilt)));
    }

    #[test]
    fn a_list_corrects_whatever_was_missed(
        before in proptest::collection::vec(step(), 0..40),
        missed in proptest::collection::vec(step(), 0..40),
    ) {
        let (mut cluster, mut lived) = (Cluster::default(), index());
        for step in &before {
            cluster.apply(step, &mut lived);
        }
        let mut elsewhere = index();
        for step in &missed {
            cluster.apply(step, &mut elsewhere);
        }
        cluster.list(&mut lived);
        let mut rebuilt = index();
        cluster.list(&mut rebuilt);
        prop_assert_eq!(visible(&final_snapshot(&mut lived)), visible(&final_snapshot(&mut rebuilt)));
    }

    #[test]
    fn repeating_an_event_publishes_nothing(steps in proptest::collection::vec(step(), 1..40)) {
        let (mut cluster, mut lived) = (Cluster::default(), index());
        for step in &steps {
            cluster.apply(step, &mut lived);
        }
        cluster.list(&mut lived);
        lived.publish(noon());
        cluster.list(&mut lived);
        prop_assert!(lived.publish(noon()).is_none());
    }
}

#[test]
fn pods_on_a_node_that_is_not_known_yet_count_when_it_appears() {
    let mut index = index();
    assert!(matches!(index.apply_pod(&pod("p", "late", "2")), PodChange::Bound(_)));
    assert_eq!(index.publish(noon()).unwrap().node_count(), 0);
    index.apply_node(&node("late", "DE"), noon());
    let snapshot = index.publish(noon()).unwrap();
    assert_eq!(snapshot.node_named("late").unwrap().load.requested.cpu.get(), 2.0);
}

#[test]
fn finished_pods_hold_nothing() {
    let mut index = index();
    index.apply_node(&node("a", "DE"), noon());
    index.apply_pod(&pod("p", "a", "2"));
    let mut finished = pod("p", "a", "2");
    finished.status.phase = "Succeeded".to_owned();
    assert_eq!(index.apply_pod(&finished), PodChange::Gone);
    let snapshot = index.publish(noon()).unwrap();
    assert_eq!(snapshot.node_named("a").unwrap().load.requested.cpu.get(), 0.0);
    assert_eq!(snapshot.pod_count(), 0);
}

#[test]
fn pods_that_come_with_the_node_do_not_keep_it_busy() {
    let mut index = index();
    index.apply_node(&node("a", "DE"), noon());
    let mut agent = pod("agent", "a", "1");
    agent.owner = kube_sci_cluster::objects::PodOwner::DaemonSet;
    index.apply_pod(&agent);
    let load = index.publish(noon()).unwrap().node_named("a").unwrap().load;
    assert_eq!((load.requested.cpu.get(), load.workload_pods), (1.0, 0.0));
}

#[test]
fn a_place_that_another_node_took_over_is_not_found_by_its_old_slot() {
    let mut index = index();
    index.apply_node(&node("old", "DE"), noon());
    let old = index.publish(noon()).unwrap().slot("old").unwrap();
    index.delete_node("old");
    index.apply_node(&node("new", "DE"), noon());
    let snapshot = index.publish(noon()).unwrap();
    assert!(snapshot.node(old).is_none());
    assert!(snapshot.node_named("new").is_some());
}

#[test]
fn a_published_snapshot_never_changes() {
    let mut index = index();
    index.apply_node(&node("a", "DE"), noon());
    let before = index.publish(noon()).unwrap();
    index.apply_pod(&pod("p", "a", "2"));
    index.apply_node(&node("b", "FR"), noon());
    let after = index.publish(noon()).unwrap();
    assert_eq!((before.node_count(), after.node_count()), (1, 2));
    assert_eq!(before.node_named("a").unwrap().load.workload_pods, 0.0);
    assert_eq!(after.node_named("a").unwrap().load.workload_pods, 1.0);
    assert!(after.generation() > before.generation());
}
