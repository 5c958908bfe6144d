//! The whole program, without a cluster to talk to.

use std::future::ready;

use kube_sci_metrics_adapter::config::AdapterConfig;
use kube_sci_server::{config::parse_yaml, telemetry::Telemetry};

use crate::support::server::client_of;

fn config(yaml: &str) -> AdapterConfig {
    parse_yaml("test", yaml).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_when_asked_even_without_a_cluster() {
    let config = config(
        "server: { address: '127.0.0.1:0' }\napi: { address: '127.0.0.1:0' }\nkeda: { address: '127.0.0.1:0' }\n",
    );
    let client = client_of("127.0.0.1:1".parse().unwrap());
    kube_sci_metrics_adapter::run(config, client, Telemetry::disabled(), ready(())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_plain_http_for_everybody() {
    let config = config("server: { address: '0.0.0.0:0' }\napi: { address: '127.0.0.1:0' }\n");
    let client = client_of("127.0.0.1:1".parse().unwrap());
    let error = kube_sci_metrics_adapter::run(config, client, Telemetry::disabled(), ready(())).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("server.tls") && text.contains("server.plainHttp"), "{text}");
}
