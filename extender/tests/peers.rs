//! Defects read in other carbon and telemetry extenders, each held against ours.

use std::time::Duration;

use kube_sci_extender::{filter::filter, prioritize::prioritize};
use serde_json::{Value, json};

use crate::support::{Cluster, annotated, body, now, pod, scores};

fn score_of(scores: &[(String, u64)], node: &str) -> u64 {
    scores.iter().find(|(name, _)| name == node).unwrap().1
}

/// One returns `{"HostPriorityList": [...]}`, which the scheduler drops without a word.
#[test]
fn the_answer_is_a_bare_array_of_whole_numbers() {
    let harness = Cluster::new().zone("A", 100.0).node("a", "A").start();
    let answer = prioritize(&harness.state, &body(&pod("p", "1"), &["a"]), now()).unwrap();
    assert_eq!(answer, br#"[{"Host":"a","Score":10}]"#);
}

/// One scores 0 to 100 with weight 100; another `10 - rank`, negative from the twelfth node on.
#[test]
fn scores_stay_within_the_protocol_for_any_number_of_nodes() {
    let names: Vec<String> = (0..40).map(|i| format!("n{i}")).collect();
    let mut cluster = Cluster::new();
    for (i, name) in (1u32..).zip(&names) {
        cluster = cluster.zone(&format!("Z{i}"), f64::from(i * i)).node(name, &format!("Z{i}"));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let scores = cluster.start().scores(&pod("p", "1"), &names);
    assert_eq!(scores.len(), 40);
    assert!(scores.iter().all(|(_, score)| *score <= 10));
    assert_eq!((score_of(&scores, "n0"), score_of(&scores, "n39")), (10, 0));
}

/// One gives a node without metrics or without a power model the best score.
#[test]
fn an_unknown_node_is_never_best() {
    let harness = Cluster::new().zone("A", 100.0).node("a", "A").node("dark", "NOWHERE").start();
    let scores = harness.scores(&pod("p", "1"), &["dark", "unheard-of", "a"]);
    assert_eq!(score_of(&scores, "a"), 10);
    assert!(score_of(&scores, "dark") < 10 && score_of(&scores, "unheard-of") < 10);
}

/// The same gives the best score where more than full load is predicted.
#[test]
fn an_overcommitted_node_never_beats_one_with_room() {
    let cluster = Cluster::new().zone("A", 100.0).node("roomy", "A").node("full", "A");
    for overcommitted in ["9", "10", "14"] {
        let cluster = cluster.clone().running("roomy", "1").running("full", overcommitted);
        let scores = cluster.start().scores(&pod("p", "4"), &["full", "roomy"]);
        assert!(score_of(&scores, "full") <= score_of(&scores, "roomy"), "{scores:?}");
        assert!(score_of(&scores, "roomy") == 10);
    }
}

/// One answers a body that it cannot decode with 200 and nothing; see also `http`.
#[test]
fn a_body_that_cannot_be_read_is_an_error_in_both_verbs() {
    let harness = Cluster::new().zone("A", 100.0).node("a", "A").start();
    for body in [&b""[..], b"{", b"[]", br#"{"Pod":{},"NodeNames":null}"#, br#"{"Pod":7,"NodeNames":["a"]}"#] {
        assert!(prioritize(&harness.state, body, now()).is_err());
        assert!(filter(&harness.state, body, now()).is_err());
    }
}

/// The same answers 404 to filter where it has no policy.
#[test]
fn no_limit_keeps_every_node() {
    let harness = Cluster::new().start();
    let answer = filter(&harness.state, &body(&pod("p", "1"), &["a", "b"]), now()).unwrap();
    let value: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(value["NodeNames"], json!(["a", "b"]));
}

/// The same keeps the last value for ever.
#[test]
fn values_expire() {
    let ended = |hours: u64| Cluster::new().zone_ended("A", 50.0, Duration::from_hours(hours)).zone("B", 500.0);
    let ask = |hours| {
        let cluster = ended(hours).node("a", "A").node("b", "B");
        score_of(&cluster.start().scores(&pod("p", "1"), &["a", "b"]), "a")
    };
    assert_eq!(ask(0), 10);
    assert!(ask(4) < 10, "older than staleAfter");
}

/// One writes to the API server in Filter, for every node that passes.
#[test]
fn a_call_of_filter_leaves_no_trace_in_the_state() {
    let harness = Cluster::new().zone("A", 100.0).node("a", "A").node("b", "A").start();
    let (generation, before) =
        (harness.state.model.snapshot.load().generation(), harness.scores(&pod("q", "1"), &["a", "b"]));
    for _ in 0..50 {
        filter(&harness.state, &body(&annotated(pod("p", "8"), "max-intensity", "900"), &["a", "b"]), now()).unwrap();
    }
    assert_eq!(harness.state.model.snapshot.load().generation(), generation);
    assert_eq!(harness.scores(&pod("q", "1"), &["a", "b"]), before);
    assert_eq!(harness.state.model.assumptions.load().len(), 1, "only the pod that was ranked is assumed");
}

/// One multiplies every node by the same intensity and normalises it away.
#[test]
fn grid_intensity_does_not_cancel_out() {
    let ask = |dirty: f64| {
        let cluster = Cluster::new().zone("A", 100.0).zone("B", dirty).node("a", "A").node("b", "B");
        score_of(&cluster.start().scores(&pod("p", "1"), &["a", "b"]), "b")
    };
    assert_eq!((ask(100.0), ask(200.0), ask(1_000.0)), (10, 5, 1));
}

/// One silently takes an unknown cloud for a region of its choice.
#[test]
fn an_unknown_region_is_no_region() {
    let cluster = Cluster::new().zone("A", 100.0).node("a", "A").raw_node(
        &json!({ "name": "lost", "labels": { "topology.kubernetes.io/region": "mars-north-1" } }),
        "10",
        "40G",
    );
    let harness = cluster.start();
    let scores = harness.scores(&pod("p", "1"), &["a", "lost"]);
    assert!(score_of(&scores, "lost") < 10);
    let sample = "kube_sci_extender_neutral_candidates_total{reason=\"zone_unknown\"}";
    assert!((harness.sample(sample) - 1.0).abs() < 1e-9);
}

/// One counts its own favourite as the node that was selected.
#[test]
fn only_what_was_seen_bound_is_counted_as_bound() {
    let harness = Cluster::new().zone("A", 100.0).node("a", "A").start();
    harness.scores(&pod("p", "1"), &["a"]);
    assert!(harness.sample("kube_sci_extender_bindings_total{outcome=\"ranked\"}").abs() < 1e-9);
}

#[test]
fn one_answer_names_each_host_once_in_the_order_of_the_request() {
    let harness = Cluster::new().zone("A", 100.0).node("a", "A").node("b", "A").start();
    let answer = prioritize(&harness.state, &body(&pod("p", "1"), &["b", "a"]), now()).unwrap();
    let names: Vec<String> = scores(&answer).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b", "a"]);
}
