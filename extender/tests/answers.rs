//! Scores worked out by hand.
//!
//! A pod of one core on a node of ten with 100 W idle and 300 W full adds 20 W; on an empty node it also pays a
//! tenth of the idle power, 10 W.

use std::time::Duration;

use kube_sci_extender::{prioritize::prioritize, wire::NO_OPINION};
use serde_json::{Value, json};

use crate::support::{Cluster, annotated, body, now, pod, scores};

/// The answer as pairs without strings to own.
fn pairs(scores: &[(String, u64)]) -> Vec<(&str, u64)> {
    scores.iter().map(|(node, score)| (node.as_str(), *score)).collect()
}

#[test]
fn the_greener_zone_wins_in_proportion() {
    let harness = Cluster::new().zone("A", 100.0).zone("B", 200.0).node("a", "A").node("b", "B").start();
    assert_eq!(pairs(&harness.scores(&pod("p", "1"), &["a", "b"])), [("a", 10), ("b", 5)]);
}

#[test]
fn in_one_zone_the_busy_node_beats_the_empty_one() {
    // 20 W against 20 W + 10 W for waking the node: 10 * 20 / 30 = 6.7.
    let harness = Cluster::new().zone("A", 100.0).node("busy", "A").node("empty", "A").running("busy", "2").start();
    assert_eq!(pairs(&harness.scores(&pod("p", "1"), &["empty", "busy"])), [("empty", 7), ("busy", 10)]);
}

#[test]
fn in_one_zone_the_more_efficient_node_wins() {
    // 20 W + 10 W against 80 W + 20 W: 10 * 30 / 100.
    let cluster = Cluster::new().zone("A", 100.0).node("small", "A").node_of_class("thirsty", "A", "thirsty");
    assert_eq!(pairs(&cluster.start().scores(&pod("p", "1"), &["small", "thirsty"])), [("small", 10), ("thirsty", 3)]);
}

#[test]
fn a_decided_pod_counts_before_it_is_seen_on_its_node() {
    // 30 W at 100 and at 150 g/kWh; then 20 W at 100, since the greener node is awake.
    let harness = Cluster::new().zone("A", 100.0).zone("B", 150.0).node("a", "A").node("b", "B").start();
    assert_eq!(pairs(&harness.scores(&pod("first", "1"), &["a", "b"])), [("a", 10), ("b", 7)]);
    assert_eq!(pairs(&harness.scores(&pod("second", "1"), &["a", "b"])), [("a", 10), ("b", 4)]);
}

#[test]
fn a_burst_does_not_herd_onto_one_node() {
    // 4 W per core up to half load, 36 W above: 16 W on n1, 48 W on n2; with the first pod, n1 costs 144 W.
    let mut cluster = Cluster::new().zone("A", 100.0);
    for (node, cpu) in [("n1", "1"), ("n2", "2")] {
        cluster = cluster.node_of_class(node, "A", "convex").running(node, cpu);
    }
    let harness = cluster.start();
    assert_eq!(pairs(&harness.scores(&pod("first", "4"), &["n1", "n2"])), [("n1", 10), ("n2", 3)]);
    assert_eq!(pairs(&harness.scores(&pod("first", "4"), &["n1", "n2"])), [("n1", 10), ("n2", 3)], "the same pod");
    assert_eq!(pairs(&harness.scores(&pod("second", "4"), &["n1", "n2"])), [("n1", 3), ("n2", 10)]);
}

#[test]
fn shadow_mode_assumes_nothing() {
    let harness = two_nodes("mode: shadow\n").start();
    harness.scores(&pod("p", "1"), &["a", "b"]);
    assert!(harness.state.model.assumptions.load().is_empty());
}

#[test]
fn a_retried_pod_gets_the_same_bytes() {
    let harness = Cluster::new().zone("A", 100.0).zone("B", 90.0).node("a", "A").node("b", "B").start();
    let ask = || prioritize(&harness.state, &body(&pod("p", "1"), &["a", "b"]), now()).unwrap();
    assert_eq!(ask(), ask());
}

#[test]
fn two_replicas_on_one_snapshot_answer_the_same_bytes() {
    let cluster = Cluster::new().zone("A", 100.0).zone("B", 130.0).node("a", "A").node("b", "B").node("c", "B");
    let snapshot = cluster.snapshot();
    let (one, two) = (cluster.start_on(snapshot.clone()), cluster.start_on(snapshot));
    let body = body(&pod("p", "1500m"), &["c", "a", "b", "gone"]);
    assert_eq!(prioritize(&one.state, &body, now()).unwrap(), prioritize(&two.state, &body, now()).unwrap());
}

#[test]
fn embodied_carbon_is_a_knob() {
    // The grid of A is so clean that making the machine matters more than running it; equal machines then tie.
    let cluster = |yaml: &str| {
        let mut cluster = Cluster::configured("").zone("A", 1.0).zone("B", 2.0).node("a", "A").node("b", "B");
        cluster.config.score.embodied_weight = yaml.parse().unwrap();
        cluster.start().scores(&pod("p", "1"), &["a", "b"])
    };
    assert_eq!(pairs(&cluster("0")), [("a", 10), ("b", 5)]);
    assert_eq!(pairs(&cluster("1")), [("a", 10), ("b", 10)]);
}

fn neutral(cluster: &Cluster, pod: &Value, reason: &str) {
    let harness = cluster.start();
    let answer = prioritize(&harness.state, &body(pod, &["a", "b"]), now()).unwrap();
    assert_eq!(answer, NO_OPINION, "{reason}");
    let sample = format!("kube_sci_extender_neutral_answers_total{{reason=\"{reason}\"}}");
    assert!((harness.sample(&sample) - 1.0).abs() < 1e-9, "{reason} is not counted");
}

fn two_nodes(yaml: &str) -> Cluster {
    Cluster::configured(yaml).zone("A", 100.0).zone("B", 200.0).node("a", "A").node("b", "B")
}

#[test]
fn no_opinion_has_a_counted_reason() {
    let plain = pod("p", "1");
    neutral(&two_nodes("").unlisted(), &plain, "not_synced");
    neutral(&two_nodes(""), &annotated(plain.clone(), "opt-out", "true"), "pod_opted_out");
    neutral(&two_nodes("mode: shadow\n"), &plain, "shadow");
    neutral(&two_nodes("optOut: { namespaces: [default] }\n"), &plain, "namespace_opted_out");
    let labels = json!({ "name": "default", "labels": { "kube-sci.dev/opt-out": "true" } });
    neutral(&two_nodes("").namespace(&labels), &plain, "namespace_opted_out");
    neutral(&Cluster::new().node("a", "A").node("b", "B"), &plain, "nothing_known");
}

#[test]
fn an_empty_list_of_candidates_is_answered_with_an_empty_list() {
    let harness = two_nodes("").start();
    assert_eq!(prioritize(&harness.state, &body(&pod("p", "1"), &[]), now()).unwrap(), NO_OPINION);
}

#[test]
fn a_node_without_data_is_neutral_among_known_ones() {
    let cluster = two_nodes("").node("dark", "NOWHERE");
    let harness = cluster.start();
    let answer = harness.scores(&pod("p", "1"), &["a", "b", "dark", "unheard-of"]);
    // The median of 10 and 5 is the upper of the two in cost.
    assert_eq!(pairs(&answer), [("a", 10), ("b", 5), ("dark", 5), ("unheard-of", 5)]);
    let missing = "kube_sci_extender_neutral_candidates_total{reason=\"intensity_missing\"}";
    let unknown = "kube_sci_extender_neutral_candidates_total{reason=\"node_unknown\"}";
    assert!((harness.sample(missing) - 1.0).abs() < 1e-9 && (harness.sample(unknown) - 1.0).abs() < 1e-9);
}

#[test]
fn an_ageing_value_moves_towards_neutral() {
    // Two hours old of one to three: half of the way from 10 to the neutral 5 is lost.
    let hours = |hours: u64| Duration::from_hours(hours);
    let cluster = Cluster::new().zone_ended("A", 100.0, hours(2)).zone("B", 200.0).zone("C", 200.0);
    let cluster = cluster.node("a", "A").node("b", "B").node("c", "C");
    assert_eq!(pairs(&cluster.start().scores(&pod("p", "1"), &["a", "b", "c"])), [("a", 8), ("b", 5), ("c", 5)]);
}

#[test]
fn full_nodes_are_scored_by_name() {
    let harness = two_nodes("").start();
    let nodes = json!({ "metadata": {}, "items": [{ "metadata": { "name": "b" } }, { "metadata": { "name": "a" } }] });
    let body = json!({ "Pod": pod("p", "1"), "Nodes": nodes, "NodeNames": null }).to_string();
    let answer = prioritize(&harness.state, body.as_bytes(), now()).unwrap();
    assert_eq!(pairs(&scores(&answer)), [("b", 5), ("a", 10)]);
}
