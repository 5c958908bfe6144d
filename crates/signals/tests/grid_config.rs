//! What a configuration of grid sources may say, and what becomes of it.

use std::{fs, path::PathBuf, time::Duration};

use jiff::Timestamp;
use kube_sci_signals::{
    config::GridConfig,
    grid::{self, Grid, ZoneDemand},
};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

fn read(value: Value) -> GridConfig {
    serde_json::from_value(value).unwrap()
}

fn names(config: &GridConfig) -> Vec<String> {
    let learned = Grid::new(config).learned().clone();
    let sources = grid::sources(config, &ZoneDemand::default(), &learned, None).unwrap();
    sources.iter().map(|source| source.name().to_owned()).collect()
}

#[test]
fn every_kind_of_source_can_be_configured() {
    let http = json!({ "url": "http://carbon.example:8080" });
    let signal = json!({ "kind": "average", "scope": "lifecycle" });
    let basic = json!({ "username": "user", "passwordFile": "/secrets/password" });
    let config = read(json!({
        "files": [{ "path": "/data/own.csv" }],
        "zones": ["PL"],
        "historyFile": "/data/history.json",
        "forecast": { "enabled": true, "horizonHours": 48 },
        "typicalFallback": false,
        "sources": [
            { "name": "em", "electricityMaps": {}, "tokenFile": "/secrets/em", "callsPerHour": 30, "period": "10m" },
            { "name": "wt", "wattTime": {}, "basicAuth": basic, "zoneIds": { "US-CAL-CISO": "CAISO_NORTH" } },
            { "name": "uk", "ukCarbonIntensity": {}, "onlyZones": ["GB"] },
            { "name": "entsoe", "entsoE": {}, "tokenFile": "/secrets/entsoe" },
            { "name": "eia", "eia": {}, "tokenFile": "/secrets/eia", "forecast": false },
            { "name": "sdk", "carbonAwareSdk": { "signal": signal }, "http": http },
            { "name": "exporter", "gridIntensityExporter": { "route": "page" }, "http": http },
            { "name": "query", "prometheus": { "query": "carbon_intensity" }, "http": http },
            { "name": "more", "file": { "path": "/data/more.json" } },
        ],
    }));
    config.validate().unwrap();
    let expected = ["own.csv", "em", "wt", "uk", "entsoe", "eia", "sdk", "exporter", "query", "more", "history"];
    assert_eq!(names(&config), expected);
    assert_eq!(config.source_count(), 10, "what was learned before is no source of the configuration");
    assert_eq!(read(serde_json::to_value(&config).unwrap()), config);
}

#[test]
fn nothing_configured_asks_nobody() {
    let config = read(json!({}));
    config.validate().unwrap();
    assert!(names(&config).is_empty() && config.typical_fallback && config.annual_fallback);
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let em = json!({ "name": "em", "electricityMaps": {}, "tokenFile": "/secrets/em" });
    let with = |change: Value| {
        let mut source = em.clone();
        source.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({ "sources": [source] })
    };
    for (config, problem) in [
        (json!({ "sources": [{ "name": "a" }] }), "grid.sources[0]: set exactly one of electricityMaps, wattTime"),
        (with(json!({ "eia": {} })), "grid.sources[0]: set exactly one of electricityMaps, wattTime"),
        (with(json!({ "name": "" })), "grid.sources[0].name: give it a name"),
        (with(json!({ "tokenFile": null })), "grid.sources[0].tokenFile: name the file with the token"),
        (with(json!({ "callsPerHour": 0 })), "grid.sources[0].callsPerHour: make it 1 or more"),
        (with(json!({ "onlyZones": ["D E"] })), "grid.sources[0].onlyZones[0]: a zone name is made of"),
        (with(json!({ "zoneIds": { "DE": "" } })), "grid.sources[0].zoneIds.DE: write the API's name"),
        (with(json!({ "http": { "url": "api.example" } })), "grid.sources[0].http.url: begin it with http://"),
        (with(json!({ "http": { "url": "http://a?token=b" } })), "grid.sources[0].http.url: leave out the query"),
        (with(json!({ "http": { "url": "http://a", "timeout": "26s" } })), "grid.sources[0].http.timeout: make it 25s"),
        (
            with(json!({ "http": { "url": "http://a", "headers": { "Authorization": "b" } } })),
            "grid.sources[0].http.headers.Authorization: leave it out",
        ),
        (
            with(json!({ "http": { "url": "http://a", "headers": { "X-Tenant": "a\nb" } } })),
            "grid.sources[0].http.headers.X-Tenant: write name and value as HTTP has them",
        ),
        (with(json!({ "http": { "url": "http://a", "proxy": "b" } })), "grid.sources[0].http.proxy: write it as"),
        (json!({ "sources": [em, em] }), "grid.sources[1].name: give every source a name of its own"),
        (json!({ "sources": [{ "name": "wt", "wattTime": {} }] }), "grid.sources[0].basicAuth: give user name and"),
        (json!({ "sources": [{ "name": "q", "prometheus": { "query": "x" } }] }), "grid.sources[0].http: say where"),
        (
            json!({ "sources": [{ "name": "f", "file": { "path": "x" }, "tokenFile": "y" }] }),
            "grid.sources[0]: leave out",
        ),
        (json!({ "zones": ["no zone"] }), "grid.zones[0]: a zone name is made of"),
        (json!({ "forecast": { "horizonHours": 0 } }), "grid.forecast.horizonHours: make it 1 to 168"),
    ] {
        let error = read(config.clone()).validate().unwrap_err().to_string();
        assert!(error.starts_with(problem), "{config}: {error}");
    }
}

#[test]
fn secrets_have_no_place_in_the_configuration() {
    for source in [
        json!({ "name": "em", "electricityMaps": {}, "token": "secret" }),
        json!({ "name": "em", "electricityMaps": { "token": "secret" } }),
        json!({ "name": "wt", "wattTime": {}, "basicAuth": { "username": "a", "password": "secret" } }),
    ] {
        assert!(serde_json::from_value::<GridConfig>(json!({ "sources": [source] })).is_err());
    }
}

#[tokio::test]
async fn a_file_among_the_sources_goes_by_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.csv");
    fs::write(&path, "zone,start,value\nDE,2026-01-31T12:00:00Z,100\n").unwrap();
    let config = read(json!({ "sources": [{ "name": "ours", "file": { "path": path } }] }));
    let learned = Grid::new(&config).learned().clone();
    let mut sources = grid::sources(&config, &ZoneDemand::default(), &learned, None).unwrap();
    let answer = sources[0].poll("2026-01-31T12:00:00Z".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(&**answer.series[0].source(), "ours");
    let status = sources[0].status().unwrap();
    assert_eq!((&*status.load().name, status.load().kind), ("ours", "file"));
    assert!(status.load().last_success.is_some());
}

#[tokio::test]
async fn sources_that_name_one_token_file_share_its_quota() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let token = |name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, "top-secret-token").unwrap();
        path
    };
    let source = |name: &str, token: PathBuf| json!({ "name": name, "electricityMaps": {}, "tokenFile": token, "callsPerHour": 2, "http": { "url": server.uri() } });
    let asked = async |second: PathBuf| {
        let config =
            read(json!({ "sources": [source("a", token("one")), source("b", second)], "zones": ["DE", "FR"] }));
        let learned = Grid::new(&config).learned().clone();
        let mut sources = grid::sources(&config, &ZoneDemand::default(), &learned, None).unwrap();
        let before = server.received_requests().await.unwrap().len();
        for minute in 0..60 {
            let now = "2026-01-31T12:00:00Z".parse::<Timestamp>().unwrap() + Duration::from_mins(minute);
            for source in &mut sources {
                let _ = source.poll(now).await;
            }
        }
        server.received_requests().await.unwrap().len() - before
    };
    assert_eq!(asked(token("one")).await, 2);
    assert_eq!(asked(token("two")).await, 4);
}
