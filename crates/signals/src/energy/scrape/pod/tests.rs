//! Where a pod's page is.

use serde_json::{Value, json};

use super::*;

const USUAL: [u16; 2] = [28_282, 8_080];

fn pod(ports: &Value, annotations: &Value) -> AgentPod {
    let spec = json!({ "nodeName": "node-a", "containers": [{ "ports": ports }, { "ports": null }] });
    let metadata = json!({ "name": "agent", "annotations": annotations });
    let status = json!({ "phase": "Running", "podIP": "fd00::7" });
    serde_json::from_value(json!({ "metadata": metadata, "spec": spec, "status": status })).unwrap()
}

fn guess(pod: &AgentPod) -> Option<u16> {
    PortChoice::new("", USUAL.to_vec()).of(pod, false)
}

#[test]
fn a_port_is_guessed_by_name_then_by_being_the_only_one_then_by_annotation_then_by_custom() {
    let port = |name: &str, number: u16| json!({ "name": name, "containerPort": number });
    let said = json!({ "prometheus.io/port": "7777" });
    let many = json!([port("http", 1), port("metrics", 2)]);
    assert_eq!(guess(&pod(&many, &said)), Some(2));
    assert_eq!(guess(&pod(&json!([port("web", 3)]), &said)), Some(3));
    let udp = json!({ "containerPort": 4, "protocol": "UDP" });
    assert_eq!(guess(&pod(&json!([udp, port("web", 5)]), &said)), Some(5));
    let two = json!([port("a", 6), port("b", 8_080)]);
    assert_eq!(guess(&pod(&two, &said)), Some(7_777));
    assert_eq!(guess(&pod(&two, &Value::Null)), Some(8_080));
    assert_eq!(guess(&pod(&Value::Null, &Value::Null)), None, "two exporters have two usual ports");
    assert_eq!(PortChoice::new("", vec![28_282]).of(&pod(&Value::Null, &Value::Null), false), Some(28_282));
}

#[test]
fn a_configured_port_must_be_the_pods_own_where_it_is_what_finds_agents() {
    let exposed = pod(&json!([{ "name": "page", "containerPort": 9_091 }]), &Value::Null);
    let bare = pod(&Value::Null, &Value::Null);
    let (number, name) = (PortChoice::new("9091", Vec::new()), PortChoice::new("page", Vec::new()));
    assert_eq!((number.of(&exposed, true), name.of(&exposed, true)), (Some(9_091), Some(9_091)));
    assert_eq!((number.of(&bare, true), name.of(&bare, true)), (None, None));
    assert_eq!((number.of(&bare, false), name.of(&bare, false)), (Some(9_091), None));
}

#[test]
fn addresses_of_the_sixth_version_stand_in_brackets() {
    let plain = pod(&Value::Null, &Value::Null);
    assert_eq!(plain.url(9_091, "http", "/metrics"), "http://[fd00::7]:9091/metrics");
}

#[test]
fn words_of_the_pod_count_only_where_the_configuration_has_none() {
    let said = pod(&Value::Null, &json!({ "prometheus.io/path": "power", "prometheus.io/scheme": "https" }));
    assert_eq!(said.url(1, "http", "/metrics"), "https://[fd00::7]:1/power");
    assert_eq!(said.url(1, "http", "/own"), "https://[fd00::7]:1/own");
    let empty = pod(&Value::Null, &json!({ "prometheus.io/path": "", "prometheus.io/scheme": "gopher" }));
    assert_eq!(empty.url(1, "http", "/metrics"), "http://[fd00::7]:1/metrics");
}
