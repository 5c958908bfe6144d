//! What holds for every request.

use std::collections::BTreeMap;

use kube_sci_extender::{filter::filter, prioritize::prioritize};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{Cluster, annotated, body, now, pod, scores};

/// One node of a generated cluster.
#[derive(Debug, Clone)]
struct Node {
    /// Intensity of its zone; `None` where nobody knows it.
    grams_per_kwh: Option<u32>,
    thirsty: bool,
    running_millis: u32,
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let node = (prop::option::weighted(0.85, 0u32..1_000), any::<bool>(), prop::sample::select(vec![0u32, 500, 9_000]))
        .prop_map(|(grams_per_kwh, thirsty, running_millis)| Node { grams_per_kwh, thirsty, running_millis });
    prop::collection::vec(node, 1..25)
}

fn build(nodes: &[Node]) -> Cluster {
    nodes.iter().enumerate().fold(Cluster::new(), |mut cluster, (i, node)| {
        if let Some(grams) = node.grams_per_kwh {
            cluster = cluster.zone(&format!("Z{i}"), grams.into());
        }
        let class = if node.thirsty { "thirsty" } else { "small" };
        cluster = cluster.node_of_class(&name(i), &format!("Z{i}"), class);
        match node.running_millis {
            0 => cluster,
            millis => cluster.running(&name(i), &format!("{millis}m")),
        }
    })
}

fn name(index: usize) -> String {
    format!("n{index}")
}

/// Whether `worse` can in no respect be better for a pod than `better`.
fn dominated(better: &Node, worse: &Node) -> bool {
    let (Some(low), Some(high)) = (better.grams_per_kwh, worse.grams_per_kwh) else { return false };
    low <= high && better.thirsty <= worse.thirsty && better.running_millis == worse.running_millis
}

/// A cluster, an order of its nodes with some foreign names, and what the pod asks for.
fn requests() -> impl Strategy<Value = (Vec<Node>, Vec<String>, u32)> {
    nodes().prop_flat_map(|nodes| {
        let mut names: Vec<String> = (0..nodes.len()).map(name).collect();
        names.extend(["unheard-of".to_owned(), "quoted \" \\ \u{1} ü".to_owned()]);
        (Just(nodes), Just(names).prop_shuffle(), 0u32..6_000)
    })
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let valid = String::from_utf8(body(&annotated(pod("p", "1"), "max-intensity", "50"), &["n0", "n1"])).unwrap();
    let mutated = (
        Just(valid.into_bytes()),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(mut bytes, changes, end)| {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(end.index(bytes.len() * 4).max(1));
            bytes
        });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), mutated]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_keeps_the_protocol((nodes, names, millis) in requests()) {
        let harness = build(&nodes).start();
        let pod = pod("p", &format!("{millis}m"));
        let ask = |names: &[&str]| prioritize(&harness.state, &body(&pod, names), now()).unwrap();
        let mut order: Vec<&str> = names.iter().map(String::as_str).collect();

        let answer = ask(&order);
        prop_assert_eq!(&answer, &ask(&order), "a repeated request");
        let given = scores(&answer);
        let hosts: Vec<&str> = given.iter().map(|(host, _)| host.as_str()).collect();
        prop_assert!(hosts.is_empty() || hosts == order, "exactly the hosts of the request");
        prop_assert!(given.iter().all(|(_, score)| *score <= 10));

        order.reverse();
        let by_host = |scores: Vec<(String, u64)>| scores.into_iter().collect::<BTreeMap<_, _>>();
        let given = by_host(given);
        prop_assert_eq!(&given, &by_host(scores(&ask(&order))), "another order of nodes");

        for (i, better) in nodes.iter().enumerate() {
            for (j, worse) in nodes.iter().enumerate().filter(|(_, worse)| dominated(better, worse)) {
                prop_assert!(given[&name(i)] >= given[&name(j)], "{:?} under {:?}", better, worse);
            }
        }
    }

    #[test]
    fn hostile_bytes_are_an_error_or_an_answer(bytes in hostile()) {
        let harness = Cluster::new().zone("Z0", 100.0).node("n0", "Z0").node("n1", "Z0").start();
        if let Ok(answer) = prioritize(&harness.state, &bytes, now()) {
            scores(&answer);
        }
        if let Ok(answer) = filter(&harness.state, &bytes, now()) {
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            prop_assert!(answer["NodeNames"].is_array() || answer["Nodes"]["items"].is_array());
        }
    }
}
