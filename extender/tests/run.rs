//! The whole program, without a cluster to talk to.

use std::future::ready;

use kube::{Client, Config};
use kube_sci_extender::config::ExtenderConfig;
use kube_sci_server::{
    config::{install_crypto_provider, parse_yaml},
    telemetry::Telemetry,
};

/// A client whose API server refuses every connection.
fn client() -> Client {
    install_crypto_provider();
    Client::try_from(Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap()
}

fn config(yaml: &str) -> ExtenderConfig {
    parse_yaml("test", yaml).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_when_asked_even_without_a_cluster() {
    let config = config("server: { address: 127.0.0.1:0 }\nevents: { enabled: true }\n");
    kube_sci_extender::run(config, client(), Telemetry::disabled(), ready(())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_plain_http_for_everybody() {
    let config = config("server: { address: 0.0.0.0:0 }\n");
    let error = kube_sci_extender::run(config, client(), Telemetry::disabled(), ready(())).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("server.tls") && text.contains("server.plainHttp"), "{text}");
}
