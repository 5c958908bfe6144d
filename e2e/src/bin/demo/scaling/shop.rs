//! What is in the cluster: a shop, twice.

use kube_sci_e2e::world::{self, DeploymentBuilder, NodeBuilder, node, pod};
use serde_json::{Value, json};

use super::twins::Twins;

const NODE: &str = "fresno";
pub const NAMESPACE: &str = "shop";
pub const POLICY: &str = "web";
pub const DEPLOYMENTS: Twins<&str> = Twins { plain: "web-plain", green: "web-green" };
/// Grid zone of the machines.
pub const ZONE: &str = "US-CAL-CISO";
/// T: requests per second that a replica is to have.
pub const TARGET: f64 = 100.0;
/// S: requests per second at which the guard holds, whatever the grid does.
pub const GUARD: f64 = 150.0;
/// H: requests per second that a replica must never have.
pub const LIMIT: f64 = 165.0;
/// The curve: from this many gCO2e/kWh on, this share of the load counts.
pub const STEPS: [(f64, f64); 2] = [(240.0, 0.85), (330.0, 0.75)];
/// Share of its target by which an autoscaler is off before it acts. It is a tenth by default; here a few rounds are an
/// hour, so that requests change far more from round to round than on a real day.
pub const TOLERANCE: f64 = 0.02;
pub const MIN_REPLICAS: u32 = 2;
pub const MAX_REPLICAS: u32 = 30;

/// The room of all machines as one node. What they draw is in [`super::machines`].
pub fn machine() -> NodeBuilder {
    node(NODE).label("site", NODE).capacity("64", "256Gi").max_pods(100)
}

/// What the adapter is told beside its addresses: who counts requests, where the machines stand and what they are by
/// their data sheet; `grid` is the key of that name.
pub fn configuration(requests_url: &str, grid: &str) -> String {
    format!(
        "{grid}leaderElection: {{enabled: false}}
loads:
  prometheus:
    default: {{url: \"{requests_url}\"}}
nodes:
  zoneRules:
  - selector: {{matchLabels: {{site: {NODE}}}}}
    zone: {ZONE}
    pue: 1.2
  hardwareClasses:
    shop: {{idleWatts: 320, fullWatts: 800, embodiedKilograms: 4000}}
  hardwareRules:
  - selector: {{matchLabels: {{site: {NODE}}}}}
    class: shop
"
    )
}

/// Replicas that have the target each, at this load or less.
pub fn replicas_for(requests: f64) -> u32 {
    let replicas = (MIN_REPLICAS..MAX_REPLICAS).find(|replicas| f64::from(*replicas) * TARGET >= requests);
    replicas.unwrap_or(MAX_REPLICAS)
}

/// A deployment with this many replicas.
pub fn deployment(name: &str, replicas: u32) -> DeploymentBuilder {
    let template = pod(name).cpu("1").memory("1Gi").on_node(NODE);
    world::deployment(i32::try_from(replicas).unwrap_or(1), template)
}

/// The policy, and an autoscaler for each of both.
pub fn objects() -> Value {
    let autoscalers = [(DEPLOYMENTS.plain, "load"), (DEPLOYMENTS.green, "carbon_adjusted_load")];
    let autoscalers = autoscalers.map(|(name, metric)| autoscaler(name, metric));
    let items: Vec<Value> = [policy()].into_iter().chain(autoscalers).collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

fn policy() -> Value {
    let steps = STEPS.map(|(at_or_above, factor)| json!({ "atOrAbove": at_or_above, "factor": factor }));
    json!({
        "apiVersion": "kube-sci.dev/v1alpha1",
        "kind": "GreenScalingPolicy",
        "metadata": { "name": POLICY, "namespace": NAMESPACE },
        "spec": {
            "targetRef": { "name": DEPLOYMENTS.green },
            "load": { "period": "1s", "prometheus": { "query": "sum(rate(http_requests_total{app=\"web\"}[1m]))" } },
            "targetPerReplica": quantity(TARGET),
            "hardLimitPerReplica": quantity(LIMIT),
            "curve": { "steps": steps },
            // Ten minutes of the day would be less than half a second.
            "hysteresis": { "minDwell": "1s" },
        },
    })
}

/// Scales by one metric at the target and by the load at the guard, by rules that suit a day of a minute.
fn autoscaler(name: &str, metric: &str) -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name },
            "minReplicas": MIN_REPLICAS,
            "maxReplicas": MAX_REPLICAS,
            "metrics": [metric_of_policy(metric, TARGET), metric_of_policy("load", GUARD)],
            "behavior": { "scaleUp": rules(0), "scaleDown": rules(1) },
        },
    })
}

fn metric_of_policy(name: &str, each: f64) -> Value {
    let policy = json!({ "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": POLICY });
    let target = json!({ "type": "AverageValue", "averageValue": quantity(each) });
    json!({ "type": "Object", "object": { "describedObject": policy, "metric": { "name": name }, "target": target } })
}

fn rules(stabilization_seconds: u32) -> Value {
    let any = json!([{ "type": "Percent", "value": 100, "periodSeconds": 1 }]);
    json!({
        "stabilizationWindowSeconds": stabilization_seconds,
        "policies": any,
        "tolerance": quantity(TOLERANCE),
    })
}

fn quantity(value: f64) -> String {
    value.to_string()
}
