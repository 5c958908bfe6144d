//! `external.metrics.k8s.io`.

use std::time::Duration;

use sci_core::intensity::Zone;
use serde_json::{Value, json};

use crate::support::{Adapter, Cluster, World, now};

const ROOT: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default";

/// Zone `DE` is forecast to be clean two hours from now; of `X` nothing is known for four hours.
fn cluster() -> Cluster {
    Cluster::new()
        .zone("DE", 300.0)
        .forecast("DE", &[300.0, 250.0, 100.0, 500.0])
        .zone("FR", 50.0)
        .zone_ended("X", 400.0, Duration::from_hours(4))
        .node("n1", "DE", "a")
        .node("n2", "FR", "a")
}

async fn world(cluster: &Cluster) -> World {
    World::start(Adapter::new(cluster, Vec::new())).await
}

async fn values(world: &World, question: &str) -> Vec<(String, String)> {
    let reply = world.get(&format!("{ROOT}/{question}")).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    reply.items().iter().map(|item| (text(&item["metricLabels"]["zone"]), text(&item["value"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(zone, value)| ((*zone).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn zones_are_picked_by_selector() {
    let world = world(&cluster()).await;
    for (question, expected) in [
        ("grid_carbon_intensity?labelSelector=zone%3DDE", &[("DE", "300")][..]),
        // Clients lower the names, and some do not.
        ("GRID_Carbon_Intensity?labelSelector=zone%3D%3DDE", &[("DE", "300")]),
        ("grid_carbon_intensity?labelSelector=zone%20in%20%28DE%2CFR%29", &[("DE", "300"), ("FR", "50")]),
        ("grid_carbon_intensity", &[("DE", "300"), ("FR", "50")]),
        ("grid_carbon_intensity?labelSelector=zone%21%3DDE", &[("FR", "50")]),
        ("grid_carbon_intensity?labelSelector=link%3Dannual", &[]),
        ("grid_carbon_intensity?labelSelector=provider%3Daws%2Cregion%3Deu-central-1", &[("DE", "300")]),
        ("grid_carbon_intensity?labelSelector=provider%3Daws%2Cregion%3Dnowhere", &[]),
        ("grid_carbon_forecast_min?labelSelector=zone%3DDE", &[("DE", "100")]),
        // 300 between 100 and 500.
        ("grid_carbon_relative?labelSelector=zone%3DDE", &[("DE", "500m")]),
    ] {
        assert_eq!(values(&world, question).await, pairs(expected), "{question}");
    }
    let reply =
        world.get(&format!("{ROOT}/grid_carbon_intensity?labelSelector=region%3Deu-central-1%2Cprovider%3Daws")).await;
    let labels = &reply.items()[0]["metricLabels"];
    assert_eq!(
        (&labels["provider"], &labels["region"], &labels["link"]),
        (&json!("aws"), &json!("eu-central-1"), &json!("live"))
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_has_its_own_time_and_window() {
    let world = world(&cluster()).await;
    let reply = world.get(&format!("{ROOT}/grid_carbon_intensity?labelSelector=zone%3DDE")).await;
    assert_eq!(
        reply.body,
        json!({
            "kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1", "metadata": {},
            "items": [{
                "metricName": "grid_carbon_intensity",
                "metricLabels": { "zone": "DE", "link": "live", "quality": "measured" },
                "timestamp": "2026-03-01T11:30:00Z", "window": 3600, "value": "300"
            }]
        })
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stale_missing_or_malformed_says_so() {
    let cluster = cluster().node("n3", "X", "a");
    let world = world(&cluster).await;
    let ask = async |question: &str| world.get(&format!("{ROOT}/{question}")).await;
    let stale = ask("grid_carbon_intensity?labelSelector=zone%3DX").await;
    assert!(stale.refusal(404).contains("zone X"), "{}", stale.body);
    let missing = ask("grid_carbon_relative?labelSelector=zone%3DFR").await;
    assert!(missing.refusal(404).contains("no forecast for zone FR, and "), "{}", missing.body);
    assert!(missing.refusal(404).contains("hours"), "{}", missing.body);
    let least = ask("grid_carbon_forecast_min?labelSelector=zone%3DFR").await;
    assert!(least.refusal(404).ends_with("no forecast for zone FR"), "{}", least.body);
    let relative = ask("grid_carbon_relative?labelSelector=zone%3DDE%2Cbasis%3Dforecast").await;
    assert_eq!(relative.items()[0]["metricLabels"]["basis"], "forecast");
    let malformed = ask("grid_carbon_intensity?labelSelector=zone%20in%20DE").await;
    assert!(malformed.refusal(400).contains("labelSelector"), "{}", malformed.body);
    let unknown = ask("carbon").await;
    assert!(unknown.refusal(404).contains("grid_carbon_intensity"), "{}", unknown.body);
    // Of several zones those that are known answer.
    assert_eq!(values(&world, "grid_carbon_intensity").await.len(), 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_somebody_names_is_looked_up_from_then_on() {
    let world = world(&cluster()).await;
    let reply = world.get(&format!("{ROOT}/grid_carbon_intensity?labelSelector=zone%3DPL")).await;
    assert!(reply.refusal(404).contains("looked up from now on"), "{}", reply.body);
    assert_eq!(world.adapter.wanted.zones(now()), [Zone::new("PL").unwrap()]);
    world.stop().await;
}
