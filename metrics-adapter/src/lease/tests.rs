use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::fake_api::{self, refusal};

const DURATION: Duration = Duration::from_secs(15);

/// An API server with room for one Lease.
#[derive(Clone, Default)]
struct Server {
    lease: Arc<Mutex<Option<Value>>>,
    versions: Arc<AtomicUsize>,
    down: Arc<Mutex<bool>>,
}

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        fake_api::client(move |parts, body| server.answer(&parts.method, body))
    }

    fn answer(&self, method: &Method, body: &[u8]) -> (u16, Value) {
        if *self.down.lock().unwrap() {
            return refusal(500);
        }
        let mut lease = self.lease.lock().unwrap();
        match (method.as_str(), lease.as_ref()) {
            ("GET", Some(lease)) => (200, lease.clone()),
            ("GET", None) => refusal(404),
            ("POST", Some(_)) => refusal(409),
            _ => {
                let mut written: Value = serde_json::from_slice(body).unwrap();
                let known = lease.as_ref().map(|lease| lease["metadata"]["resourceVersion"].clone());
                if method == Method::PATCH && known != Some(written["metadata"]["resourceVersion"].clone()) {
                    return refusal(409);
                }
                let version = self.versions.fetch_add(1, Ordering::Relaxed) + 1;
                written["metadata"]["resourceVersion"] = json!(version.to_string());
                *lease = Some(written.clone());
                (200, written)
            }
        }
    }

    fn holder(&self) -> String {
        self.lease.lock().unwrap().as_ref().unwrap()["spec"]["holderIdentity"].as_str().unwrap().to_owned()
    }
}

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn elector(server: &Server, identity: &str) -> Elector {
    let options = LeaseOptions {
        namespace: "kube-sci".into(),
        name: "adapter".into(),
        identity: identity.into(),
        duration: DURATION,
    };
    Elector::new(server.client(), options)
}

#[tokio::test(start_paused = true)]
async fn the_first_leads_and_the_second_waits_until_it_is_silent() {
    let server = Server::default();
    let (mut one, mut two) = (elector(&server, "one"), elector(&server, "two"));
    one.look(now()).await;
    two.look(now()).await;
    assert!(one.leadership().leads() && !two.leadership().leads());

    // Renewed: the waiting begins anew.
    tokio::time::advance(Duration::from_secs(9)).await;
    one.look(now() + Duration::from_secs(9)).await;
    two.look(now()).await;
    tokio::time::advance(Duration::from_secs(9)).await;
    two.look(now()).await;
    assert!(one.leadership().leads() && !two.leadership().leads());

    // Silent: it stops by itself before the other begins.
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(!one.leadership().leads());
    two.look(now()).await;
    assert!(!two.leadership().leads());
    tokio::time::advance(Duration::from_secs(5)).await;
    two.look(now()).await;
    assert!(two.leadership().leads());
    assert_eq!(server.holder(), "two");
    one.look(now()).await;
    assert!(!one.leadership().leads());
}

#[tokio::test(start_paused = true)]
async fn whoever_is_slower_has_lost() {
    let server = Server::default();
    let (mut one, mut two) = (elector(&server, "one"), elector(&server, "two"));
    one.look(now()).await;
    two.look(now()).await;
    tokio::time::advance(Duration::from_secs(16)).await;
    // Between the look and the write of one, two writes.
    let stale = server.lease.lock().unwrap().clone().unwrap();
    two.look(now()).await;
    let version = stale["metadata"]["resourceVersion"].as_str().map(str::to_owned);
    assert!(!one.apply(&one.lease(version, 1, now())).await.unwrap());
    assert_eq!(server.holder(), "two");
}

#[tokio::test(start_paused = true)]
async fn without_an_api_server_leadership_ends() {
    let server = Server::default();
    let mut one = elector(&server, "one");
    one.look(now()).await;
    *server.down.lock().unwrap() = true;
    tokio::time::advance(Duration::from_secs(5)).await;
    one.look(now()).await;
    assert!(one.leadership().leads(), "one failed call is no end");
    tokio::time::advance(Duration::from_secs(6)).await;
    one.look(now()).await;
    assert!(!one.leadership().leads());
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_stops_gives_the_lease_back() {
    let server = Server::default();
    let one = elector(&server, "one");
    let (leadership, stop) = (one.leadership(), CancellationToken::new());
    let task = tokio::spawn(one.run(now, || (), stop.clone()));
    while !leadership.leads() {
        sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    task.await.unwrap();
    assert_eq!(server.holder(), "");
    assert!(!leadership.leads());
    let mut two = elector(&server, "two");
    two.look(now()).await;
    assert!(two.leadership().leads(), "at once");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_wrong_elsewhere_changes_nothing() {
    let server = Server::default();
    let (mut one, mut two) = (elector(&server, "one"), elector(&server, "two"));
    one.look("1999-01-01T00:00:00Z".parse().unwrap()).await;
    two.look(now()).await;
    assert!(one.leadership().leads() && !two.leadership().leads());
}

#[test]
fn the_only_replica_always_leads() {
    assert!(Leadership::always().leads());
    assert!(!Leadership::default().leads());
}
