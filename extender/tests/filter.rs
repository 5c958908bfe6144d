//! Limits.

use std::time::Duration;

use kube_sci_extender::{events::Notice, filter::filter};
use serde_json::{Value, json};

use crate::support::{Cluster, Harness, annotated, body, now, pod};

const DIRTY: &str = "carbon: grid intensity above the limit";

fn cluster(yaml: &str) -> Cluster {
    Cluster::configured(yaml).zone("FR", 50.0).zone("PL", 700.0).node("clean", "FR").node("dirty", "PL")
}

fn ask(harness: &Harness, pod: &Value, nodes: &[&str]) -> Value {
    let answer = filter(&harness.state, &body(pod, nodes), now()).unwrap();
    let value: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((&value["Nodes"], &value["Error"], &value["FailedNodes"]), (&Value::Null, &json!(""), &json!({})));
    value
}

fn capped() -> Value {
    annotated(pod("p", "1"), "max-intensity", "100")
}

#[test]
fn a_dirty_grid_is_refused_without_preemption() {
    let answer = ask(&cluster("").start(), &capped(), &["dirty", "clean"]);
    assert_eq!(answer["NodeNames"], json!(["clean"]));
    assert_eq!(answer["FailedAndUnresolvableNodes"], json!({ "dirty": DIRTY }));
}

#[test]
fn every_limit_has_its_constant_reason() {
    let harness = cluster("").start();
    let reason = |key, value| {
        let answer = ask(&harness, &annotated(pod("p", "1"), key, value), &["clean", "dirty"]);
        answer["FailedAndUnresolvableNodes"]["dirty"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason("max-intensity", "100"), DIRTY);
    // 30 W at 50 and 700 g/kWh are 1.5 and 21 g/h.
    assert_eq!(reason("max-grams-per-hour", "2"), "carbon: grams per hour above the limit");
    assert_eq!(reason("allowed-zones", "FR,ES"), "carbon: grid zone not allowed");
}

#[test]
fn without_limits_every_node_is_kept() {
    let answer = ask(&cluster("").start(), &pod("p", "1"), &["dirty", "clean", "unheard-of"]);
    assert_eq!(answer["NodeNames"], json!(["dirty", "clean", "unheard-of"]));
}

#[test]
fn missing_and_stale_data_never_empty_the_cluster() {
    let old = Duration::from_hours(24);
    let cluster = Cluster::new().zone_ended("OLD", 900.0, old).node("stale", "OLD").node("dark", "NOWHERE");
    let harness = cluster.start();
    let answer = ask(&harness, &capped(), &["stale", "dark", "unheard-of"]);
    assert_eq!(answer["NodeNames"], json!(["stale", "dark", "unheard-of"]));
    for reason in ["intensity_stale", "intensity_missing", "node_unknown"] {
        let sample = format!("kube_sci_extender_unchecked_candidates_total{{reason=\"{reason}\"}}");
        assert!((harness.sample(&sample) - 1.0).abs() < 1e-9, "{reason}");
    }
}

#[test]
fn before_the_first_list_every_node_is_kept() {
    // The nodes are there already; pods, namespaces or files of intensities may be not.
    let harness = cluster("").unlisted().start();
    let answer = ask(&harness, &capped(), &["clean", "dirty"]);
    assert_eq!(answer["NodeNames"], json!(["clean", "dirty"]));
    let unchecked = harness.sample("kube_sci_extender_unchecked_candidates_total{reason=\"node_unknown\"}");
    assert!((unchecked - 2.0).abs() < 1e-9);
}

#[test]
fn known_violations_may_refuse_every_node() {
    let harness = cluster("").start();
    let answer = ask(&harness, &capped(), &["dirty"]);
    assert_eq!(answer["NodeNames"], json!([]));
    assert!((harness.sample("kube_sci_extender_filter_requests_total{outcome=\"rejected_all\"}") - 1.0).abs() < 1e-9);
}

#[test]
fn a_malformed_limit_keeps_every_node_and_tells_the_owner() {
    let mut harness = cluster("").start();
    let pod = annotated(pod("p", "1"), "max-intensity", "300g");
    let answer = ask(&harness, &pod, &["dirty", "clean"]);
    assert_eq!(answer["NodeNames"], json!(["dirty", "clean"]));
    assert!((harness.sample("kube_sci_extender_malformed_limits_total") - 1.0).abs() < 1e-9);
    let Notice::MalformedLimit { error, .. } = harness.notices.try_recv().unwrap() else { panic!("another notice") };
    assert_eq!(error.value, "300g");
}

#[test]
fn shadow_mode_keeps_every_node_and_counts() {
    let harness = cluster("mode: shadow\n").start();
    let answer = ask(&harness, &capped(), &["dirty", "clean"]);
    assert_eq!(answer["NodeNames"], json!(["dirty", "clean"]));
    let sample = "kube_sci_extender_shadow_rejected_candidates_total{reason=\"intensity_above_limit\"}";
    assert!((harness.sample(sample) - 1.0).abs() < 1e-9);
}

#[test]
fn a_pod_that_opted_out_is_not_filtered() {
    let yaml = "filter: { maxIntensityGramsPerKwh: 100 }\n";
    let harness = cluster(yaml).start();
    assert_eq!(ask(&harness, &pod("p", "1"), &["dirty"])["NodeNames"], json!([]));
    let out = annotated(pod("p", "1"), "opt-out", "true");
    assert_eq!(ask(&harness, &out, &["dirty"])["NodeNames"], json!(["dirty"]));
}

#[test]
fn full_nodes_come_back_byte_by_byte() {
    let harness = cluster("").start();
    let clean = r#"{ "kind":"Node","metadata": {"name":"clean","labels":{"a":"\u0041"}},"spec":{"podCIDR":"10.0.0.0/24"},"n":1.0 }"#;
    let dirty = r#"{"metadata":{"name":"dirty"}}"#;
    let body =
        format!(r#"{{"Pod":{},"Nodes":{{"metadata":{{}},"items":[{dirty},{clean}]}},"NodeNames":null}}"#, capped());
    let answer = String::from_utf8(filter(&harness.state, body.as_bytes(), now()).unwrap()).unwrap();
    assert!(answer.contains(&format!(r#""items":[{clean}]"#)), "{answer}");
    assert!(answer.contains(r#""NodeNames":null"#));
    assert!(answer.contains(&format!(r#""FailedAndUnresolvableNodes":{{"dirty":"{DIRTY}"}}"#)));
}
