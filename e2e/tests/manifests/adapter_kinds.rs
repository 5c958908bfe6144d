//! What the API server takes for a policy, and what it refuses with which words.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails is to fail the test that called it; clippy.toml only covers the tests themselves"
)]

use anyhow::Result;
use kube_sci_e2e::control_plane::Kubectl;
use kube_sci_e2e::testing;
use serde_json::{Value, json};

use super::{list_of, read_yaml};

fn policy() -> Value {
    json!({
        "targetRef": { "name": "web" }, "load": { "prometheus": { "query": "q" } },
        "targetPerReplica": 100, "sloGuardPerReplica": "125",
        "curve": { "steps": [{ "atOrAbove": 300, "factor": 0.9 }, { "atOrAbove": 500, "factor": 0.7 }] },
    })
}

fn batch() -> Value {
    json!({
        "targetRef": { "name": "worker" },
        "load": { "unit": "messages", "queue": { "metric": { "type": "External", "name": "length" } } },
        "batch": { "maxAge": "6h", "ratePerReplica": 5, "maxReplicas": 20 },
    })
}

/// With another value at a pointer; `null` takes it away.
fn with(mut spec: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = spec.pointer_mut(parent).expect("a parent");
        match (parent, value) {
            (Value::Object(fields), Value::Null) => drop(fields.remove(key)),
            (Value::Object(fields), value) => drop(fields.insert(key.to_owned(), value.clone())),
            (other, _) => panic!("{pointer} in {other}"),
        }
    }
    spec
}

/// A spec, and a part of what the API server says to it; `None` where it takes it.
type Case = (Value, Option<&'static str>);

fn limits() -> Vec<Case> {
    let hard =
        |limit: &str| with(policy(), &[("/sloGuardPerReplica", Value::Null), ("/hardLimitPerReplica", json!(limit))]);
    vec![
        (policy(), None),
        (hard("140"), None),
        (hard("120"), Some("1.21 times targetPerReplica")),
        (with(policy(), &[("/sloGuardPerReplica", json!(100))]), Some("1.1 times targetPerReplica")),
        (with(policy(), &[("/sloGuardPerReplica", json!("110"))]), Some("1.1 times targetPerReplica")),
        (with(policy(), &[("/hardLimitPerReplica", json!(200))]), Some("exactly one of sloGuardPerReplica")),
        (with(policy(), &[("/sloGuardPerReplica", Value::Null)]), Some("exactly one of sloGuardPerReplica")),
        (with(policy(), &[("/targetPerReplica", json!("1500m"))]), None),
        (with(policy(), &[("/targetPerReplica", json!(0))]), Some("an amount above zero")),
        (with(policy(), &[("/targetPerReplica", json!("many"))]), Some("targetPerReplica")),
    ]
}

fn curves() -> Vec<Case> {
    let curve = |curve: Value| with(policy(), &[("/curve", curve)]);
    let steps = |steps: [(u32, f64); 2]| {
        curve(json!({ "steps": steps.map(|(from, factor)| json!({ "atOrAbove": from, "factor": factor })) }))
    };
    vec![
        (curve(Value::Null), Some("give a curve")),
        (
            with(policy(), &[("/curve/linear", json!({ "from": 1, "to": 2, "minFactor": 0.5 }))]),
            Some("exactly one of steps"),
        ),
        (steps([(300, 0.9), (200, 0.8)]), Some("sort steps")),
        (steps([(300, 0.9), (300, 0.8)]), Some("sort steps")),
        (steps([(300, 0.9), (500, 0.95)]), Some("let factors fall")),
        (steps([(300, 0.9), (500, 0.0)]), Some("greater than 0")),
        (steps([(300, 2.0), (500, 0.5)]), Some("less than or equal to 1")),
        (curve(json!({ "linear": { "from": 500, "to": 200, "minFactor": 0.5 } })), Some("make from less than to")),
        (curve(json!({ "quantile": { "from": 0.2, "to": 0.9, "minFactor": 0.5 } })), None),
        (
            curve(json!({ "quantile": { "from": 0.2, "to": 0.9, "minFactor": 0.5, "window": "1000h" } })),
            Some("24h to 840h"),
        ),
    ]
}

fn loads() -> Vec<Case> {
    let load = |load: Value| with(policy(), &[("/load", load)]);
    let own = json!({ "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": "x" });
    vec![
        (load(json!({})), Some("exactly one of prometheus")),
        (with(policy(), &[("/load/pods", json!({ "port": 1, "metric": "m" }))]), Some("exactly one of prometheus")),
        (with(policy(), &[("/load/staleAfter", json!("10s"))]), Some("at least as long as period")),
        (with(policy(), &[("/load/staleAfter", json!("soon"))]), Some("staleAfter")),
        (load(json!({ "metric": { "type": "Object", "name": "m" } })), Some("describedObject")),
        (
            load(json!({ "metric": { "type": "Object", "name": "load", "describedObject": own } })),
            Some("its own metrics"),
        ),
        (load(json!({ "metric": { "type": "Resource", "name": "gpu" } })), Some("cpu or memory")),
    ]
}

fn others() -> Vec<Case> {
    let window = |from: &str| json!([{ "days": ["Mon"], "from": from, "to": "18:30", "timeZone": "Europe/Berlin" }]);
    vec![
        (with(policy(), &[("/neverThrottle", window("08:00"))]), None),
        (with(policy(), &[("/neverThrottle", window("24:00"))]), Some("neverThrottle")),
        (with(policy(), &[("/mode", json!("off"))]), Some("Unsupported value")),
        (with(policy(), &[("/criticality", json!("High"))]), Some("Unsupported value")),
        (with(policy(), &[("/zone", json!({ "name": "no zone" }))]), Some("zone")),
        (with(policy(), &[("/maxStep", json!({ "factor": 0.1 }))]), None),
        (with(policy(), &[("/hysteresis", json!({ "minDwell": "48h" }))]), Some("0s to 24h")),
    ]
}

fn batches() -> Vec<Case> {
    let due = |key: &str, value: &str| with(batch(), &[("/batch/maxAge", Value::Null), (key, json!(value))]);
    vec![
        (batch(), None),
        (due("/batch/dailyBy", "06:00"), None),
        (due("/batch/deadline", "2026-01-31T06:00:00Z"), None),
        (with(batch(), &[("/batch/maxAge", Value::Null)]), Some("exactly one of deadline")),
        (with(batch(), &[("/batch/dailyBy", json!("06:00"))]), Some("exactly one of deadline")),
        (with(batch(), &[("/targetPerReplica", json!(1))]), Some("batch with a ratePerReplica")),
        (with(batch(), &[("/sloGuardPerReplica", json!(1))]), Some("a deadline in place of a guard")),
        (
            with(batch(), &[("/curve", json!({ "linear": { "from": 1, "to": 2, "minFactor": 0.5 } }))]),
            Some("give a curve, or batch"),
        ),
        (with(batch(), &[("/load", json!({ "prometheus": { "query": "q" } }))]), Some("load of a batch is a queue")),
    ]
}

async fn check(kubectl: &Kubectl, (spec, expected): Case) {
    let object = json!({
        "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy",
        "metadata": { "name": "x", "namespace": "default" }, "spec": spec,
    });
    let arguments = ["create", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "--filename=-"];
    let answer = kubectl.run_with_input(&arguments, object.to_string()).await;
    match (answer, expected) {
        (Ok(_), None) => {}
        (Ok(_), Some(expected)) => panic!("taken, but {expected:?} was expected: {spec}"),
        (Err(error), None) => panic!("refused: {error}: {spec}"),
        (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{expected:?}: {error}: {spec}"),
    }
}

#[tokio::test]
async fn wrong_policies_are_refused_with_what_to_do() -> Result<()> {
    let plane = testing::control_plane().await?;
    let kubectl = plane.kubectl();
    for file in ["greenscalingpolicies", "carbonbudgets"] {
        let list = list_of(&[read_yaml(&format!("manifests/crds/{file}.yaml"))?]);
        kubectl.run_with_input(&["apply", "--server-side", "--warnings-as-errors", "--filename=-"], list).await?;
    }
    kubectl
        .run(&["wait", "--for=condition=Established", "crd/greenscalingpolicies.kube-sci.dev", "--timeout=60s"])
        .await?;
    for case in [limits(), curves(), loads(), others(), batches()].into_iter().flatten() {
        check(&kubectl, case).await;
    }
    Ok(())
}
