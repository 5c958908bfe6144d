//! `custom.metrics.k8s.io`.

use std::time::Duration;

use kube_sci_metrics_adapter::{
    catalogue::Groups,
    table::{IntensityProblem, PolicyTable},
};
use serde_json::{Value, json};

use crate::support::{Adapter, Cluster, Policy, World, table_of};

const V1BETA1: &str = "/apis/custom.metrics.k8s.io/v1beta1";
const V1BETA2: &str = "/apis/custom.metrics.k8s.io/v1beta2";
const WEB: &str = "/namespaces/shop/greenscalingpolicies.kube-sci.dev/web";

async fn world(policies: Vec<Policy>) -> World {
    World::start(Adapter::new(&Cluster::shop(), policies)).await
}

async fn value(world: &World, path: &str) -> Value {
    let reply = world.get(&format!("{V1BETA2}{path}")).await;
    let items = reply.items();
    assert_eq!(items.len(), 1, "{path}: {}", reply.body);
    items[0]["value"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_reads_the_load_times_the_factor() {
    let world = world(vec![Policy::new("web")]).await;
    let reply = world.get(&format!("{V1BETA2}{WEB}/carbon_adjusted_load")).await;
    // The curve asks for 0.7, the guard allows 100/125 of 1000.
    assert_eq!(
        reply.body,
        json!({
            "kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta2", "metadata": {},
            "items": [{
                "describedObject": {
                    "kind": "GreenScalingPolicy", "namespace": "shop", "name": "web", "apiVersion": "kube-sci.dev/v1alpha1"
                },
                "metric": { "name": "carbon_adjusted_load", "selector": null },
                // The sample's own time.
                "timestamp": "2026-03-01T11:59:55Z",
                "value": "800"
            }]
        })
    );
    let older = world.get(&format!("{V1BETA1}{WEB}/carbon_adjusted_load")).await;
    assert_eq!(older.body["apiVersion"], "custom.metrics.k8s.io/v1beta1");
    assert_eq!(
        (&older.items()[0]["metricName"], &older.items()[0]["value"]),
        (&json!("carbon_adjusted_load"), &json!("800"))
    );
    for (metric, expected) in [
        ("load", "1k"),
        ("green_factor", "800m"),
        ("carbon_intensity", "450"),
        ("forecast_min_intensity", "120"),
        ("plain_replicas", "10"),
        ("green_replicas", "8"),
    ] {
        assert_eq!(value(&world, &format!("{WEB}/{metric}")).await, expected, "{metric}");
    }
    // 46.08 g/h, see `power_and_carbon_add_up`, by 1000 units of load; rounded up.
    assert_eq!(value(&world, &format!("{WEB}/sci_grams_per_unit")).await, "47m");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_stale_loads_are_errors_with_cause_and_age() {
    let world = world(vec![
        Policy::new("stale").load(500.0, Duration::from_secs(301)),
        Policy::new("missing").no_load("connect to prometheus: refused"),
        Policy::new("wrong").with("sloGuardPerReplica", json!("90")),
        Policy::new("web").intensity(Err(IntensityProblem::Stale)),
    ])
    .await;
    let path = |name: &str, metric: &str| {
        format!("{V1BETA2}/namespaces/shop/greenscalingpolicies.kube-sci.dev/{name}/{metric}")
    };
    for metric in ["carbon_adjusted_load", "load", "plain_replicas"] {
        let text = world.get(&path("stale", metric)).await;
        assert!(text.refusal(404).contains("the load is 301 s old, more than 120 s are too old"), "{}", text.body);
        let text = world.get(&path("missing", metric)).await;
        assert!(text.refusal(404).contains("connect to prometheus: refused"), "{}", text.body);
    }
    let text = world.get(&path("wrong", "carbon_adjusted_load")).await;
    assert!(text.refusal(404).contains("the guard must be above the target"), "{}", text.body);
    // Without carbon it is an ordinary autoscaler.
    assert_eq!(value(&world, &format!("{WEB}/carbon_adjusted_load")).await, "1k");
    assert!(world.get(&path("web", "carbon_intensity")).await.refusal(404).contains("too old"));
    // One policy that fails does not hide the others, and is not answered with zero.
    let all = world.get(&path("*", "carbon_adjusted_load")).await;
    let names: Vec<&Value> = all.items().iter().map(|item| &item["describedObject"]["name"]).collect();
    assert_eq!(names, ["web"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn power_and_carbon_add_up() {
    let world = world(Vec::new()).await;
    // Four of ten cores are requested of a node: 100 W at rest and 0.4 * 200 W of work.
    assert_eq!(value(&world, "/nodes/n1/power_watts").await, "180");
    assert_eq!(value(&world, "/nodes/n1/carbon_grams_per_hour").await, "18");
    assert_eq!(value(&world, "/nodes/n3/carbon_grams_per_hour").await, "54");
    // 0.4 of it is work, a quarter of that a pod's; of the rest it keeps a tenth.
    assert_eq!(value(&world, "/namespaces/shop/pods/web-0/power_watts").await, "28800m");
    assert_eq!(value(&world, "/namespaces/shop/pods/web-0/carbon_grams_per_hour").await, "2880m");
    assert_eq!(value(&world, "/namespaces/shop/pods/web-2/sci_grams_per_unit").await, "8640m");
    // Eight pods, four in each zone.
    assert_eq!(value(&world, "/namespaces/shop/deployments.apps/web/power_watts").await, "230400m");
    assert_eq!(value(&world, "/namespaces/shop/deployments.apps/web/carbon_grams_per_hour").await, "46080m");
    assert_eq!(value(&world, "/namespaces/shop/deployments.apps/web/carbon_intensity").await, "200");
    assert_eq!(value(&world, "/namespaces/shop/metrics/power_watts").await, "460800m");
    let reply = world.get(&format!("{V1BETA2}/namespaces/shop/deploy/*/sci_grams_per_unit")).await;
    let found: Vec<(&Value, &Value)> =
        reply.items().iter().map(|item| (&item["describedObject"]["name"], &item["value"])).collect();
    assert_eq!(found, [(&json!("api"), &json!("5760m")), (&json!("web"), &json!("5760m"))]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_says_why() {
    let world = world(vec![Policy::new("web")]).await;
    for (path, code, part) in [
        ("/namespaces/shop/nodes/n1/power_watts", 404, "an autoscaler cannot ask"),
        ("/pods/web-0/power_watts", 404, "are in namespaces"),
        ("/nodes/n9/power_watts", 404, "no such object"),
        ("/namespaces/shop/pods/web-99/power_watts", 404, "no such object"),
        ("/namespaces/shop/deployments.apps/gone/power_watts", 404, "none that has running pods"),
        ("/namespaces/shop/greenscalingpolicies.kube-sci.dev/gone/load", 404, "no such object"),
        ("/namespaces/shop/pods/web-0/load", 404, "could not find the metric load for pods web-0"),
        ("/namespaces/shop/unheard.of/x/power_watts", 404, "could not find the resource"),
        ("/namespaces/shop/pods/*/power_watts?labelSelector=a%20in%20%28", 400, "labelSelector"),
        ("/nodes/n1/power_watts?metricLabelSelector=%3D%3D", 400, "metricLabelSelector"),
        ("/namespaces/shop/deployments.apps/*/power_watts?labelSelector=app%3Dweb", 400, "ask by name"),
        ("/nodes/n1/power_watts?metricLabelSelector=quality%3Dmeasured", 404, "does not pick"),
        ("/namespaces/shop/pods/web-0/power_watts/more", 404, "nothing at this path"),
    ] {
        let reply = world.get(&format!("{V1BETA2}{path}")).await;
        assert!(reply.refusal(code).contains(part), "{path}: {}", reply.body);
    }
    let write = world.ask(reqwest::Method::POST, &format!("{V1BETA2}{WEB}/load"), Some("known")).await;
    write.refusal(405);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn series_are_picked_by_their_labels_and_selectors_told_back() {
    let world = world(vec![Policy::new("web")]).await;
    let path = "/nodes/*/carbon_intensity?metricLabelSelector=zone%20in%20%28A%2CC%29%2Clink%3Dlive&pretty=true";
    let reply = world.get(&format!("{V1BETA2}{path}")).await;
    let names: Vec<&Value> = reply.items().iter().map(|item| &item["describedObject"]["name"]).collect();
    assert_eq!(names, ["n1", "n2"]);
    assert_eq!(
        reply.items()[0]["metric"]["selector"],
        json!({
            "matchLabels": { "link": "live" },
            "matchExpressions": [{ "key": "zone", "operator": "In", "values": ["A", "C"] }]
        })
    );
    // `*` may come escaped.
    assert_eq!(world.get(&format!("{V1BETA2}/namespaces/shop/pods/%2A/power_watts")).await.items().len(), 16);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_known_before_the_first_list() {
    let cluster = Cluster::shop().unlisted();
    let world = World::start(Adapter::new(&cluster, Vec::new())).await;
    world.adapter.policies.publish(PolicyTable::default());
    for path in ["/nodes/n1/power_watts", "/namespaces/shop/pods/web-0/power_watts", &format!("{WEB}/load")] {
        let reply = world.get(&format!("{V1BETA2}{path}")).await;
        assert!(reply.refusal(404).contains("not known yet"), "{path}: {}", reply.body);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn energy_is_not_known_before_the_first_window() {
    let world = World::start(Adapter::new(&Cluster::shop().unaccounted(), Vec::new())).await;
    let reply = world.get(&format!("{V1BETA2}/namespaces/shop/pods/web-0/power_watts")).await;
    assert!(reply.refusal(404).contains("first window"), "{}", reply.body);
    let reply = world.get(&format!("{V1BETA2}/namespaces/shop/deployments.apps/web/power_watts")).await;
    assert!(reply.refusal(404).contains("0 of its 8 pods"), "{}", reply.body);
    assert_eq!(world.get(&format!("{V1BETA2}/namespaces/shop/pods/*/power_watts")).await.items().len(), 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_somebody_elses_is_not_served() {
    let world = world(vec![Policy::new("web")]).await;
    world.adapter.groups.store(std::sync::Arc::new(Groups { external: true, ..Groups::default() }));
    for version in [V1BETA1, V1BETA2] {
        world.get(&format!("{version}{WEB}/load")).await.refusal(404);
        world.get(version).await.refusal(404);
    }
    let external = world.get("/apis/external.metrics.k8s.io/v1beta1").await;
    assert_eq!(external.body["resources"].as_array().unwrap().len(), 3);
    world.adapter.groups.store(std::sync::Arc::new(Groups::ALL));
    assert!(world.get(V1BETA2).await.body["resources"].as_array().unwrap().len() > 20);
    assert_eq!(value(&world, &format!("{WEB}/load")).await, "1k");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_without_permission() {
    let world = world(vec![Policy::new("web")]).await;
    let path = format!("{V1BETA2}{WEB}/load");
    world.ask(reqwest::Method::GET, &path, Some("unknown")).await.refusal(401);
    world.ask(reqwest::Method::GET, &path, None).await.refusal(403);
    world.get(&format!("{V1BETA2}/namespaces/secret/pods/*/power_watts")).await.refusal(403);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_decision_is_served_at_once() {
    let world = world(vec![Policy::new("web")]).await;
    assert_eq!(value(&world, &format!("{WEB}/carbon_adjusted_load")).await, "800");
    world.adapter.policies.publish(table_of(vec![Policy::new("web").intensity(Ok(100.0))]));
    assert_eq!(value(&world, &format!("{WEB}/carbon_adjusted_load")).await, "1k");
    world.adapter.policies.publish(table_of(Vec::new()));
    world.get(&format!("{V1BETA2}{WEB}/carbon_adjusted_load")).await.refusal(404);
    world.stop().await;
}
