//! The listener with our routes behind it.

use std::{net::SocketAddr, sync::Arc};

use actix_web::{App, test, web};
use kube_sci_extender::{routes, state::State};
use kube_sci_server::{
    config::{self, ListenConfig},
    health::Health,
    http::{self, Shared, Stopper},
    telemetry::Telemetry,
};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Cluster, Harness, body, pod};

struct Server {
    address: SocketAddr,
    client: Client,
    harness: Harness,
    stopper: Stopper,
}

impl Server {
    fn start(yaml: &str) -> Self {
        config::install_crypto_provider();
        let harness = Cluster::configured(yaml).zone("A", 100.0).zone("B", 200.0).node("a", "A").node("b", "B").start();
        let shared =
            Shared { health: Health::default(), registry: harness.registry.clone(), telemetry: Telemetry::disabled() };
        let state = web::Data::from(Arc::<State>::clone(&harness.state));
        let listen = ListenConfig {
            address: "127.0.0.1:0".parse().unwrap(),
            max_body_bytes: harness.state.max_body_bytes,
            workers: 1,
            ..ListenConfig::default()
        };
        let server = http::serve(&listen, &shared, move |app| {
            app.app_data(state.clone());
            routes::configure(app);
        })
        .unwrap();
        let (address, stopper) = (server.addresses()[0], server.stopper());
        tokio::spawn(server.into_tasks().0);
        Self { address, client: Client::new(), harness, stopper }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> Response {
        self.client.post(self.url(path)).header("content-type", content_type).body(body).send().await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }
}

async fn refused(response: Response, status: StatusCode, about: &str) {
    assert_eq!(response.status(), status);
    let body: Value = response.json().await.unwrap();
    let text = body["error"].as_str().unwrap();
    assert!(text.contains(about), "{text}");
}

#[tokio::test]
async fn both_verbs_answer_with_a_content_length() {
    let server = Server::start("");
    let request = body(&pod("p", "1"), &["a", "b"]);
    for (path, expected) in [
        ("/v1/prioritize", r#"[{"Host":"a","Score":10},{"Host":"b","Score":5}]"#),
        (
            "/v1/filter",
            r#"{"Nodes":null,"NodeNames":["a","b"],"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":""}"#,
        ),
    ] {
        let response = server.post(path, "application/json", request.clone()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["content-length"], expected.len().to_string().as_str());
        assert_eq!(response.text().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_malformed_request_is_never_answered_with_200() {
    let server = Server::start("");
    for path in ["/v1/filter", "/v1/prioritize"] {
        let post = async |body: &str| server.post(path, "application/json", body.into()).await;
        refused(post("").await, StatusCode::BAD_REQUEST, "ExtenderArgs").await;
        refused(post("{\"Pod\":").await, StatusCode::BAD_REQUEST, "line 1").await;
        refused(post(r#"{"Pod":{},"NodeNames":7}"#).await, StatusCode::BAD_REQUEST, "list of node names").await;
        refused(post(r#"{"Pod":{}}"#).await, StatusCode::BAD_REQUEST, "NodeNames").await;
        refused(post(r#"{"NodeNames":[]}"#).await, StatusCode::BAD_REQUEST, "Pod").await;
    }
    let sample = "kube_sci_extender_malformed_requests_total{kind=\"document\"}";
    assert!((server.harness.sample(sample) - 6.0).abs() < 1e-9);
}

#[tokio::test]
async fn another_method_content_type_or_encoding_is_refused() {
    let server = Server::start("");
    let request = body(&pod("p", "1"), &["a"]);
    let get = server.client.get(server.url("/v1/prioritize")).send().await.unwrap();
    refused(get, StatusCode::METHOD_NOT_ALLOWED, "POST").await;
    let form = server.post("/v1/prioritize", "application/x-www-form-urlencoded", request.clone()).await;
    refused(form, StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json").await;
    let charset = server.post("/v1/prioritize", "application/json; charset=utf-8", request.clone()).await;
    assert_eq!(charset.status(), StatusCode::OK);
    let zipped = server.client.post(server.url("/v1/filter")).header("content-encoding", "gzip").body(request);
    refused(zipped.send().await.unwrap(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "gzip").await;
    refused(server.client.get(server.url("/v1/bind")).send().await.unwrap(), StatusCode::NOT_FOUND, "/v1/bind").await;
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused() {
    let server = Server::start("server: { maxBodyBytes: 1000 }\n");
    let large = body(&pod("p", "1"), &["a-node-with-a-rather-long-name"; 100]);
    refused(server.post("/v1/prioritize", "application/json", large).await, StatusCode::PAYLOAD_TOO_LARGE, "1000")
        .await;
}

#[tokio::test]
async fn explanations_are_served_on_loopback() {
    let mut server = Server::start("");
    let (_bound, receiver) = tokio::sync::mpsc::channel(1);
    let recorder = server.harness.recorder.take().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(recorder.run(receiver, || {}, stop.clone()));

    server.post("/v1/prioritize", "application/json", body(&pod("p", "1"), &["a", "b"])).await;
    let (status, explanation) = server.get("/v1/explain/default/p").await;
    assert_eq!((status, &explanation["nodes"][0]["node"]), (StatusCode::OK, &json!("a")));
    let (status, error) = server.get("/v1/explain/default/q").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(error["error"].as_str().unwrap().contains("check the names"));
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn explanations_are_refused_to_strangers() {
    let harness = Cluster::new().start();
    let state = web::Data::from(Arc::<State>::clone(&harness.state));
    // Without a connection behind it, a request is nobody's.
    let app = test::init_service(App::new().app_data(state).configure(routes::configure)).await;
    for path in ["/v1/nodes", "/v1/explain/default/p"] {
        let response = test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
        assert_eq!(response.status().as_u16(), 403, "{path}");
    }
}

#[tokio::test]
async fn nodes_are_ranked_for_a_reference_pod() {
    let server = Server::start("");
    let (status, ranking) = server.get("/v1/nodes?cpu=2&memory=1Gi").await;
    assert_eq!((status, &ranking["pod"]["cpuCores"]), (StatusCode::OK, &json!(2.0)));
    assert_eq!(ranking["nodes"][0]["node"], "a");
    assert_eq!(server.get("/v1/nodes").await.1["pod"]["cpuCores"], 0.1);
    for query in ["cpu=lots", "cpus=1"] {
        let (status, error) = server.get(&format!("/v1/nodes?{query}")).await;
        assert_eq!((status, error["error"].is_string()), (StatusCode::BAD_REQUEST, true), "{query}");
    }
}

#[tokio::test]
async fn a_graceful_stop_closes_the_listener() {
    let server = Server::start("");
    assert_eq!(
        server.post("/v1/filter", "application/json", body(&pod("p", "1"), &["a"])).await.status(),
        StatusCode::OK
    );
    server.stopper.stop().await;
    assert!(server.client.get(server.url("/livez")).send().await.is_err());
}
