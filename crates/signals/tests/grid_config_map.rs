//! A `ConfigMap` as a source: replaced, missing for a moment, gone, broken.

use std::time::Duration;

use http::{Request, Response};
use jiff::Timestamp;
use kube::{Client, client::Body};
use kube_sci_signals::{
    config::GridConfig,
    grid::{self, Grid, IntensitySource, ZoneDemand},
};
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

type Api = Handle<Request<Body>, Response<Body>>;

fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn source() -> (Box<dyn IntensitySource>, Api) {
    let (service, api) = mock::pair::<Request<Body>, Response<Body>>();
    let signal = json!({ "kind": "average", "scope": "lifecycle" });
    let config: GridConfig = serde_json::from_value(json!({ "sources": [{
        "name": "azure", "azureConfigMap": { "signal": signal }, "zoneIds": { "DE": "germanywestcentral" },
    }] }))
    .unwrap();
    config.validate().unwrap();
    let learned = Grid::new(&config).learned().clone();
    let client = Client::new(service, "default");
    let mut sources = grid::sources(&config, &ZoneDemand::default(), &learned, Some(&client)).unwrap();
    (sources.remove(0), api)
}

fn map(version: &str, data: &Value) -> Value {
    let records = data.to_string();
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "carbonintensity", "namespace": "kube-system", "resourceVersion": version },
        "data": {}, "binaryData": { "data": base64(records.as_bytes()) },
    })
}

fn record(value: f64) -> Value {
    json!([{ "location": "germanywestcentral", "timestamp": "2026-01-31T12:00:00Z", "duration": 5, "value": value }])
}

fn base64(bytes: &[u8]) -> String {
    serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())).unwrap().as_str().unwrap().to_owned()
}

/// Answers the next question with the map, or that there is none.
async fn answer(api: &mut Api, map: Option<Value>) {
    let (request, respond) = api.next_request().await.unwrap();
    assert_eq!(request.uri().path(), "/api/v1/namespaces/kube-system/configmaps/carbonintensity");
    let missing = || json!({ "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404 });
    let status = if map.is_some() { 200 } else { 404 };
    let body = map.unwrap_or_else(missing).to_string().into_bytes();
    respond.send_response(Response::builder().status(status).body(Body::from(body)).unwrap());
}

#[tokio::test]
async fn a_map_speaks_when_it_was_replaced_and_a_gap_in_between_is_no_loss() {
    let (mut source, mut api) = source();
    let after = |minutes| noon() + Duration::from_mins(minutes);
    let steps = [
        (after(0), Some(map("1", &record(100.0))), Some(100.0)),
        (after(1), Some(map("1", &record(100.0))), None),
        (after(2), None, None),
        (after(3), Some(map("2", &record(200.0))), Some(200.0)),
    ];
    for (now, map, expected) in steps {
        let (answered, ()) = tokio::join!(source.poll(now), answer(&mut api, map));
        let value = answered.unwrap().map(|answer| answer.series[0].slots()[0].value.get());
        assert_eq!(value, expected, "at {now}");
    }
}

#[tokio::test]
async fn a_map_that_stays_away_or_is_broken_is_named() {
    let (mut source, mut api) = source();
    let (answered, ()) = tokio::join!(source.poll(noon()), answer(&mut api, None));
    let error = answered.unwrap_err().to_string();
    assert_eq!(error, "there is no ConfigMap kube-system/carbonintensity");
    let broken = map("1", &json!("no records"));
    let (answered, ()) = tokio::join!(source.poll(noon()), answer(&mut api, Some(broken)));
    assert!(answered.unwrap_err().to_string().starts_with("ConfigMap kube-system/carbonintensity: "));
    let status = source.status().unwrap();
    assert_eq!(status.load().failures.values().sum::<u64>(), 2);
    assert!(status.load().answering_since.is_none());
}
