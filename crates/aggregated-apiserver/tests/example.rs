//! The example is a program that works, and a short one.

use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{
    client::{self, HOST, Protocol, get},
    cluster::Cluster,
    pki::pki,
    world::{TestClock, front_proxy, options, write_pair},
};

#[path = "../examples/greetings.rs"]
#[allow(dead_code)]
mod greetings;

#[tokio::test]
async fn the_example_greets() {
    let cluster = Cluster::start().await;
    let folder = tempfile::tempdir().unwrap();
    write_pair(&folder, &pki().serving.server(HOST));
    let server = greetings::bind(options(&cluster, &folder, Arc::new(TestClock::default()))).await.unwrap();
    let address = server.addresses()[0];
    let stop = CancellationToken::new();
    let running = tokio::spawn(server.run(stop.clone()));
    let base = "/apis/greetings.example.dev/v1/namespaces/default";
    let ask = async |path: String| {
        client::once(address, Some(&front_proxy()), Protocol::Http2, get(&path).remote_user("grace", &[])).await
    };
    let greeting = ask(format!("{base}/greetings/ada")).await.json();
    assert_eq!(
        greeting,
        json!({"kind": "Greeting", "apiVersion": "greetings.example.dev/v1", "text": "Hello ada, says grace",
               "metadata": {"name": "ada", "namespace": "default"}})
    );
    assert_eq!(ask(format!("{base}/greetings")).await.reason(404), "NotFound");
    assert_eq!(ask("/apis/greetings.example.dev/v1".to_owned()).await.json()["kind"], "APIResourceList");
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[test]
fn the_example_has_at_most_sixty_lines() {
    assert!(include_str!("../examples/greetings.rs").lines().count() <= 60);
}
