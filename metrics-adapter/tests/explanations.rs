//! Explanations, and the value for KEDA.

use std::time::Duration;

use kube_sci_metrics_adapter::{keda, table::IntensityProblem};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Adapter, Cluster, Policy, TENANT, World, table_of};

async fn world(policies: Vec<Policy>) -> World {
    World::start(Adapter::new(&Cluster::shop(), policies)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_has_every_step_from_the_curve_to_the_replicas() {
    let world = world(vec![Policy::new("web")]).await;
    let body = world.get("/explain/namespaces/shop/greenscalingpolicies/web").await.body;
    assert_eq!(
        body["summary"],
        "1000 requests_per_second at 450 gCO2e/kWh (DE): factor 0.8 by the guard where the curve says 0.7, 8 replicas in \
         place of 10, at least 8."
    );
    assert_eq!(body["factor"]["curve"]["factor"], 0.7);
    assert_eq!(body["factor"]["curve"]["place"]["atOrAboveGramsPerKwh"], 400.0);
    assert_eq!((&body["factor"]["clamp"], &body["factor"]["effective"]), (&json!("guardFloor"), &json!(0.8)));
    assert_eq!(body["replicas"], json!({ "plain": 10, "green": 8, "floor": 8, "current": 10 }));
    assert_eq!((&body["load"]["ageSeconds"], &body["load"]["source"]), (&json!(5.0), &json!("prometheus default")));
    assert_eq!(
        (&body["intensity"]["zones"][0]["zone"], &body["intensity"]["ageSeconds"]),
        (&json!("DE"), &json!(30.0))
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_has_its_sentence() {
    let world = world(vec![
        Policy::new("shadow").with("mode", json!("shadow")),
        Policy::new("clean").intensity(Ok(100.0)),
        Policy::new("blind").intensity(Err(IntensityProblem::ZoneUnknown)),
        Policy::new("silent").no_load("connect to prometheus: refused"),
        Policy::new("old").load(1.0, Duration::from_mins(10)),
        Policy::new("wrong").with("sloGuardPerReplica", json!("90")),
    ])
    .await;
    let index = world.get("/explain").await.body;
    let policies = index["policies"].as_array().unwrap();
    for (name, part) in [
        ("shadow", "8 replicas in place of 10, at least 8; in shadow mode the plain load is served, for 10."),
        ("clean", "at 100 gCO2e/kWh (DE): factor 1, 10 replicas."),
        ("blind", "an unknown intensity (no node of this workload stands in a known grid zone): factor 1"),
        ("silent", "so the autoscaler keeps its replicas"),
        ("old", "the load is 600 s old"),
        ("wrong", "cannot work as it is written"),
    ] {
        let entry = policies.iter().find(|entry| entry["name"] == name).unwrap();
        assert!(entry["summary"].as_str().unwrap().contains(part), "{entry}");
        // Each is explained as a whole.
        let path = entry["path"].as_str().unwrap();
        assert_eq!(world.get(path).await.body["summary"], entry["summary"]);
    }
    world.get("/explain/namespaces/shop/greenscalingpolicies/gone").await.refusal(404);
    world.get("/explain/elsewhere").await.refusal(404);
    world.ask(reqwest::Method::GET, "/explain", None).await.refusal(403);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keda_reads_the_same_value_with_a_token_and_on_a_port_of_its_own() {
    let policies = || vec![Policy::new("web"), Policy::new("silent").no_load("refused")];
    let world = world(policies()).await;
    let expected = json!({
        "value": 800.0, "load": 1000.0, "unit": "requests_per_second", "at": "2026-03-01T11:59:55Z", "targetPerReplica": 100.0
    });
    assert_eq!(world.get("/keda/v1/namespaces/shop/policies/web").await.body, expected);
    world.get("/keda/v1/namespaces/shop/policies/silent").await.refusal(404);
    world.ask(reqwest::Method::GET, "/keda/v1/namespaces/shop/policies/web", None).await.refusal(403);

    let (addresses, server) = keda::bind("127.0.0.1:0".parse().unwrap(), world.adapter.policies.clone()).unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(keda::serve(server, stop.clone()));
    let ask = async |path: &str| {
        let reply = reqwest::get(format!("http://{}{path}", addresses[0])).await.unwrap();
        let code = reply.status().as_u16();
        (code, serde_json::from_str::<serde_json::Value>(&reply.text().await.unwrap()).unwrap())
    };
    // By the clock of the machine the load of the tests is old.
    let (code, body) = ask("/keda/v1/namespaces/shop/policies/web").await;
    assert_eq!((code, &body["reason"]), (404, &json!("NotFound")));
    assert!(body["message"].as_str().unwrap().contains("s old"), "{body}");
    world.adapter.policies.publish(table_of(Vec::new()));
    assert_eq!(ask("/keda/v1/namespaces/shop/policies/web").await.0, 404);
    assert_eq!(ask("/metrics").await.0, 404);
    stop.cancel();
    serving.await.unwrap().unwrap();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_one_namespace_reads_its_explanations_only() {
    let world = world(vec![Policy::new("web")]).await;
    let ask = async |path: &str| world.ask(reqwest::Method::GET, path, Some(TENANT)).await;
    let own = "/explain/namespaces/shop/greenscalingpolicies";
    assert_eq!(ask(&format!("{own}/web")).await.body["factor"]["effective"], 0.8);
    assert_eq!(ask(&format!("{own}/web/")).await.code, 200);
    assert_eq!(ask(own).await.body["policies"][0]["path"], format!("{own}/web"));
    assert_eq!(ask("/keda/v1/namespaces/shop/policies/web").await.body["value"], 800.0);
    ask(&format!("{own}/gone")).await.refusal(404);

    let denied = ask("/explain/namespaces/other/greenscalingpolicies/web").await;
    assert_eq!(
        denied.refusal(403),
        "greenscalingpolicies.kube-sci.dev \"web\" is forbidden: User \"tenant\" cannot get resource \
         \"greenscalingpolicies/explain\" in API group \"kube-sci.dev\" in the namespace \"other\""
    );
    for path in [
        "/explain",
        "/explain/",
        "/explain/namespaces/shop",
        "/explain/namespaces/other/greenscalingpolicies",
        "/explain/namespaces/shop/greenscalingpolicies/web/more",
        "/keda/v1/namespaces/other/policies/web",
    ] {
        ask(path).await.refusal(403);
    }
    for path in
        ["/explain/namespaces/shop%2f..%2fother/greenscalingpolicies/web", "/keda/v1/namespaces/shop%2Fx/policies/web"]
    {
        ask(path).await.refusal(400);
    }
    // All namespaces but one: the other user's right is the mirror image.
    world.get("/explain/namespaces/secret/greenscalingpolicies/web").await.refusal(403);
    world.get("/keda/v1/namespaces/secret/policies/web").await.refusal(403);
    assert_eq!(world.get("/explain/").await.code, 200);
    world.get("/explain/namespaces/shop").await.refusal(404);
    world.stop().await;
}
