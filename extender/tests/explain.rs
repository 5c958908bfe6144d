//! Explanations and rankings.

use kube_sci_cluster::{assumptions::Confirmation, observer::PodBound};
use kube_sci_extender::{
    events::Notice,
    explain::{ReferencePod, explain, rank},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::{Cluster, Harness, now, pod};

fn cluster() -> Cluster {
    Cluster::new().zone("A", 100.0).zone("B", 200.0).zone("C", 300.0).node("a", "A").node("b", "B").node("c", "C")
}

fn bound(node: &str) -> PodBound {
    PodBound {
        namespace: "default".to_owned(),
        name: "p".to_owned(),
        uid: "uid-p".to_owned(),
        node: node.to_owned(),
        confirmation: Confirmation::AsAssumed,
    }
}

/// Runs the recorder over the bindings, then explains pod `p`.
async fn explained(harness: &mut Harness, bindings: &[PodBound]) -> Value {
    let (sender, receiver) = mpsc::channel(16);
    let stop = CancellationToken::new();
    let task = tokio::spawn(harness.recorder.take().unwrap().run(receiver, || {}, stop.clone()));
    for binding in bindings {
        sender.send(binding.clone()).await.unwrap();
    }
    // Decisions and bindings are read before questions.
    let explanation = explain(&harness.state, "default", "p", now()).await;
    stop.cancel();
    task.await.unwrap();
    explanation.map_or_else(|error| json!({ "error": error.to_string() }), |explanation| json!(explanation))
}

#[tokio::test]
async fn a_decision_is_explained_with_what_was_really_bound() {
    let mut harness = cluster().start();
    harness.scores(&pod("p", "1"), &["c", "a", "b"]);
    let explanation = explained(&mut harness, &[bound("b"), bound("b")]).await;
    // 30 W at 100, 200 and 300 g/kWh.
    let text = "bound to b: 6.0 g/h, rank 2 of 3, best 3.0 g/h; median candidate 6.0 g/h";
    assert_eq!(explanation["text"], text);
    assert_eq!(explanation["candidates"], 3);
    assert_eq!(explanation["bound"]["node"], "b");
    let nodes: Vec<&Value> = explanation["nodes"].as_array().unwrap().iter().map(|node| &node["node"]).collect();
    assert_eq!(nodes, ["a", "b", "c"]);
    let (then, now) = (&explanation["nodes"][0]["then"], &explanation["nodes"][0]["now"]);
    assert_eq!((&then["score"], &then["marginalWatts"]), (&json!(10), &json!(20.0)));
    assert_eq!(now["intensity"]["value"]["quality"], "measured");
    assert_eq!(explanation["nodes"][1]["bound"], true);
    let page = harness.registry.encode().unwrap();
    for sample in [
        "kube_sci_extender_bindings_total{outcome=\"ranked\"} 1",
        "kube_sci_extender_binding_regret_share_count 1",
        "kube_sci_extender_bound_estimate_grams_per_hour_total{candidate=\"best\"} 3.0",
    ] {
        assert!(page.contains(sample), "{sample} not in {page}");
    }
    let Notice::Bound(report) = harness.notices.try_recv().unwrap() else { panic!("another notice") };
    assert_eq!(report.to_string(), text);
    assert!(harness.notices.try_recv().is_err(), "a repeated binding is no news");
}

#[tokio::test]
async fn a_decision_waits_for_its_binding() {
    let mut harness = cluster().start();
    harness.scores(&pod("p", "1"), &["a", "b"]);
    let explanation = explained(&mut harness, &[]).await;
    assert_eq!((&explanation["text"], &explanation["bound"]), (&json!("not seen bound yet"), &Value::Null));
}

#[tokio::test]
async fn shadow_decisions_are_explained_too() {
    let mut harness = Cluster::configured("mode: shadow\n").zone("A", 100.0).node("a", "A").start();
    assert!(harness.scores(&pod("p", "1"), &["a"]).is_empty());
    let explanation = explained(&mut harness, &[bound("a")]).await;
    assert_eq!((&explanation["mode"], &explanation["nodes"][0]["then"]["score"]), (&json!("shadow"), &json!(10)));
}

#[tokio::test]
async fn a_cluster_without_data_is_explained_by_its_reasons() {
    let mut harness = Cluster::new().node("a", "A").start();
    assert!(harness.scores(&pod("p", "1"), &["a", "unheard-of"]).is_empty());
    let explanation = explained(&mut harness, &[bound("a")]).await;
    assert_eq!(explanation["text"], "bound to a, which had no footprint when the others were ranked");
    let reason = |index: usize| explanation["nodes"][index]["then"]["reason"].clone();
    assert_eq!([reason(0), reason(1)], ["carbon: no intensity for the grid zone", "carbon: node not known yet"]);
}

#[tokio::test]
async fn an_unknown_pod_is_told_what_to_do() {
    let explanation = explained(&mut cluster().start(), &[bound("a")]).await;
    let text = explanation["error"].as_str().unwrap();
    assert!(text.contains("default/p") && text.contains("check the names"), "{text}");
}

#[test]
fn the_ranking_names_every_term_with_its_source() {
    let ranking = json!(rank(&cluster().node("dark", "D").start().state, &reference(), now()).unwrap());
    let nodes = ranking["nodes"].as_array().unwrap();
    let order: Vec<&Value> = nodes.iter().map(|node| &node["node"]).collect();
    assert_eq!(order, ["a", "b", "c", "dark"]);
    assert_eq!((&ranking["known"], &ranking["pod"]["cpuCores"]), (&json!(3), &json!(1.0)));
    let node = &nodes[1];
    assert_eq!(node["gramsPerHour"], 6.0);
    assert_eq!(node["energy"]["activationWatts"], 10.0);
    assert_eq!(node["energy"]["hardwareOrigin"], "annotation kube-sci.dev/hardware-class");
    assert_eq!(node["intensity"]["zoneOrigin"], "annotation kube-sci.dev/grid-zone");
    assert_eq!(node["intensity"]["value"]["ageSeconds"], 0);
    assert_eq!(node["embodied"]["nodeGrams"], 1e6);
    assert_eq!(nodes[3]["reason"], "carbon: no intensity for the grid zone");
}

#[test]
fn before_the_first_list_there_is_no_ranking() {
    let error = rank(&Cluster::new().unlisted().start().state, &reference(), now()).unwrap_err();
    assert!(error.to_string().contains("not listed yet"), "{error}");
}

fn reference() -> ReferencePod {
    serde_json::from_value(json!({ "cpu": "1", "memory": "1G" })).unwrap()
}
