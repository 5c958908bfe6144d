//! The routes for operators.

use std::time::Duration;

use crate::support::{Running, client, eventually, loopback};

async fn get(running: &Running, path: &str) -> (u16, String) {
    let response = client().get(running.url(path)).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn readiness_follows_gates_and_heartbeats_and_liveness_does_not() {
    let running = Running::start(&loopback());
    let gate = running.shared.health.gate("first-sync");
    assert_eq!(get(&running, "/readyz").await, (503, "[-]first-sync not done yet\nnot ready\n".to_owned()));
    gate.open();
    assert_eq!(get(&running, "/readyz").await, (200, "ok".to_owned()));

    let heartbeat = running.shared.health.register("observer", Duration::from_millis(50));
    eventually("silence noticed", async || get(&running, "/readyz").await.0 == 503).await;
    let (_, text) = get(&running, "/readyz").await;
    assert!(text.contains("[+]first-sync ok\n") && text.contains("[-]observer silent for"), "{text}");
    assert_eq!(get(&running, "/livez").await, (200, "ok".to_owned()));

    heartbeat.beat_at(std::time::Instant::now() + Duration::from_mins(1));
    assert_eq!(get(&running, "/readyz?verbose").await.0, 200);
    assert!(get(&running, "/readyz?verbose").await.1.contains("[+]observer ok"));
}

#[tokio::test]
async fn draining_is_visible() {
    let running = Running::start(&loopback());
    running.shared.health.drain();
    assert_eq!(get(&running, "/readyz").await, (503, "[-]shutdown shutting down\nnot ready\n".to_owned()));
}
