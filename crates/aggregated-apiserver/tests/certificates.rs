//! The authority of our own: made once, shared, published, rotated.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aggregated_apiserver::{SelfSigned, Server, ServerError, Serving};
use k8s_openapi::ByteString;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;

use crate::support::{
    client::{self, Connection, HOST, Protocol, get},
    cluster::{Cluster, api_service},
    pki::{DAY, Identity, Leaf, pki},
    world::{Echo, RESOURCE, TestClock, World, eventually, options},
};

const OURS: [&str; 2] = ["v1.tests.example.dev", "v1beta1.tests.example.dev"];
const FOREIGN: &str = "v1beta1.external.metrics.k8s.io";
const ABSENT: &str = "v1.absent.example.dev";
const OVERLAP: Duration = Duration::from_hours(1);
const LIFE: Duration = Duration::from_hours(90 * 24);

fn settings(cluster: &Cluster) -> SelfSigned {
    let names = OURS.into_iter().chain([FOREIGN, ABSENT]).map(str::to_owned).collect();
    let mut settings = SelfSigned::new(cluster.client(), "tests", "server", names);
    settings.authority_life = LIFE;
    settings.certificate_life = 80 * DAY;
    settings.overlap = OVERLAP;
    settings.interval = Duration::from_millis(20);
    settings
}

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    for name in OURS {
        cluster.state().services.insert(name.to_owned(), api_service(name, "tests", "server"));
    }
    cluster.state().services.insert(FOREIGN.to_owned(), api_service(FOREIGN, "keda", "keda-metrics-apiserver"));
    cluster
}

async fn world(cluster: Cluster) -> World {
    let settings = settings(&cluster);
    World::within(cluster, |options| options.serving = Serving::SelfSigned(settings)).await
}

fn bundle(cluster: &Cluster, name: &str) -> String {
    let state = cluster.state();
    let encoded = state.services[name]["spec"]["caBundle"].clone();
    let bytes: Option<ByteString> = serde_json::from_value(encoded).unwrap();
    String::from_utf8(bytes.map(|bytes| bytes.0).unwrap_or_default()).unwrap()
}

fn authorities(bundle: &str) -> usize {
    bundle.matches("BEGIN CERTIFICATE").count()
}

fn secret(cluster: &Cluster) -> Value {
    cluster.state().secrets.get("tests/server-ca").cloned().unwrap_or_default()
}

/// A connection of the front proxy that trusts this bundle only, and lives by the clock of the test.
async fn open(world: &World, bundle: &str) -> std::io::Result<Connection> {
    let mut config = client::config_with(client::roots(bundle), Some(&long_lived_proxy()), Protocol::Http2);
    config.time_provider = world.clock.clone();
    Connection::open_with(world.address, config, Protocol::Http2).await
}

/// A request on such a connection.
async fn trusted(world: &World, bundle: &str) -> std::io::Result<String> {
    let mut connection = open(world, bundle).await?;
    Ok(connection.send(get(RESOURCE).remote_user("ada", &[])).await.user())
}

async fn start_fails(cluster: &Cluster) -> ServerError {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(cluster, &folder, Arc::new(TestClock::default()));
    options.serving = Serving::SelfSigned(settings(cluster));
    let program = Arc::new(Echo { seen: AtomicUsize::new(0), gate: tokio::sync::Semaphore::new(0) });
    Server::bind(options, program).await.unwrap_err()
}

#[tokio::test]
async fn first_start_makes_an_authority_and_publishes_it_in_our_services_only() {
    let cluster = cluster().await;
    cluster.state().services.get_mut(OURS[1]).unwrap()["spec"]["insecureSkipTLSVerify"] = true.into();
    let world = world(cluster).await;
    let published = bundle(&world.cluster, OURS[0]);
    assert_eq!(authorities(&published), 1);
    assert_eq!(bundle(&world.cluster, OURS[1]), published);
    assert_eq!(trusted(&world, &published).await.unwrap(), "ada");
    {
        let state = world.cluster.state();
        assert!(state.services[OURS[1]]["spec"].get("insecureSkipTLSVerify").is_none(), "never left insecure");
        assert_eq!(state.services[FOREIGN], api_service(FOREIGN, "keda", "keda-metrics-apiserver"), "left alone");
        let patch = |name| format!("PATCH /apis/apiregistration.k8s.io/v1/apiservices/{name}");
        let expected = ["POST /api/v1/namespaces/tests/secrets".to_owned(), patch(OURS[0]), patch(OURS[1])];
        assert_eq!(state.writes, expected, "nothing else is written");
    }
    let secret = secret(&world.cluster);
    assert_eq!(secret["type"], "Opaque");
    assert_eq!(secret["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["ca.crt", "ca.key"]);
}

#[tokio::test]
async fn certificate_is_made_out_to_the_service() {
    let world = world(cluster().await).await;
    let bundle = bundle(&world.cluster, OURS[0]);
    for (host, trusted) in [(HOST, true), ("server.tests.svc.cluster.local", true), ("other.tests.svc", false)] {
        let config = client::config_with(client::roots(&bundle), None, Protocol::Http2);
        let stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(host).unwrap(), stream).await;
        assert_eq!(connected.is_ok(), trusted, "{host}");
    }
}

#[tokio::test]
async fn replicas_share_the_authority_whoever_is_first() {
    let cluster = Arc::new(cluster().await);
    let start = async || {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(&cluster, &folder, Arc::new(TestClock::default()));
        options.serving = Serving::SelfSigned(settings(&cluster));
        let program = Arc::new(Echo { seen: AtomicUsize::new(0), gate: tokio::sync::Semaphore::new(0) });
        Server::bind(options, program).await.unwrap()
    };
    let servers = futures::future::join_all((0..4).map(|_| start())).await;
    assert_eq!(servers.len(), 4);
    let bundle = bundle(&cluster, OURS[0]);
    let secret = secret(&cluster);
    let stored: ByteString = serde_json::from_value(secret["data"]["ca.crt"].clone()).unwrap();
    assert_eq!(bundle, String::from_utf8(stored.0).unwrap(), "one authority, and all published the same");
}

#[tokio::test]
async fn writes_that_another_replica_overtook_are_read_again() {
    let cluster = cluster().await;
    cluster.state().conflicts = 2;
    let world = world(cluster).await;
    assert_eq!(trusted(&world, &bundle(&world.cluster, OURS[0])).await.unwrap(), "ada");
}

#[tokio::test]
async fn empty_secret_of_an_installation_is_filled() {
    let cluster = cluster().await;
    let empty = json!({"kind": "Secret", "apiVersion": "v1", "type": "Opaque",
        "metadata": {"name": "server-ca", "namespace": "tests", "resourceVersion": "5", "labels": {"app": "x"}}});
    cluster.state().secrets.insert("tests/server-ca".to_owned(), empty);
    let world = world(cluster).await;
    let secret = secret(&world.cluster);
    assert!(secret["data"].get("ca.key").is_some());
    assert_eq!(secret["metadata"]["labels"], json!({"app": "x"}), "what is not ours stays");
}

#[tokio::test]
async fn secret_of_somebody_else_is_not_written_over() {
    let contents = [json!({"ca.crt": "bm90aGluZw=="}), json!({"ca.crt": "bm90aGluZw==", "ca.key": "bm90aGluZw=="})];
    for content in contents {
        let cluster = cluster().await;
        let foreign = json!({"kind": "Secret", "apiVersion": "v1", "data": content,
            "metadata": {"name": "server-ca", "namespace": "tests", "resourceVersion": "5"}});
        cluster.state().secrets.insert("tests/server-ca".to_owned(), foreign.clone());
        assert!(matches!(start_fails(&cluster).await, ServerError::Certificate(_)));
        assert_eq!(secret(&cluster), foreign);
    }
}

#[tokio::test]
async fn certificate_is_renewed_before_it_ends_by_the_same_authority() {
    let world = world(cluster().await).await;
    let bundle_before = bundle(&world.cluster, OURS[0]);
    let shown = async || open(&world, &bundle_before).await.unwrap().server;
    let first = shown().await;
    world.clock.advance(50 * DAY);
    let settled = world.metric("aggregated_apiserver_authority_steps_total{step=\"issue\",result=\"success\"}");
    assert_eq!(settled, 1.0, "fifty of eighty days are no reason");
    world.clock.advance(5 * DAY);
    eventually("a new certificate", async || shown().await != first).await;
    assert_eq!(bundle(&world.cluster, OURS[0]), bundle_before);
}

#[tokio::test]
async fn rotation_keeps_both_authorities_trusted_while_either_is_served() {
    let world = world(cluster().await).await;
    let published = || bundle(&world.cluster, OURS[0]);
    let old = published();
    let mut live = open(&world, &old).await.unwrap();
    world.clock.advance(61 * DAY);
    eventually("the next authority is announced", async || authorities(&published()) == 2).await;
    let both = published();
    assert!(both.starts_with(&old), "the old one still signs");
    assert_eq!(trusted(&world, &old).await.unwrap(), "ada", "nobody who has not heard yet is turned away");
    world.clock.advance(OVERLAP);
    eventually("the next authority signs", async || trusted(&world, &old).await.is_err()).await;
    assert_eq!(trusted(&world, &both).await.unwrap(), "ada");
    eventually("the old one is last", async || published().ends_with(&old)).await;
    world.clock.advance(OVERLAP);
    eventually("the old one is retired", async || authorities(&published()) == 1).await;
    let new = published();
    assert!(both.ends_with(&new));
    assert_eq!(trusted(&world, &new).await.unwrap(), "ada");
    assert_eq!(live.send(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada", "through all of it");
    let keys = secret(&world.cluster)["data"].as_object().unwrap().len();
    assert_eq!(keys, 2, "the key of the old one is gone");
}

#[tokio::test]
async fn rotation_drops_no_request() {
    let world = Arc::new(world(cluster().await).await);
    let over = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    // As the aggregator does it: trusts what the APIService says at this moment, on connections new and old.
    let asking = tokio::spawn({
        let (world, over, asked) = (Arc::clone(&world), Arc::clone(&over), Arc::clone(&asked));
        async move {
            let mut live = open(&world, &bundle(&world.cluster, OURS[0])).await.unwrap();
            while !over.load(Ordering::Relaxed) {
                let bundle = bundle(&world.cluster, OURS[0]);
                assert_eq!(trusted(&world, &bundle).await.expect("trusted at every moment"), "ada");
                assert_eq!(live.send(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let step = |step| {
        world.metric(&format!("aggregated_apiserver_authority_steps_total{{step=\"{step}\",result=\"success\"}}"))
    };
    // The overlap is long enough for everybody to have read the bundle: here, for two rounds of questions.
    let heard = async || {
        let before = asked.load(Ordering::Relaxed);
        eventually("two rounds", async || asked.load(Ordering::Relaxed) >= before + 2).await;
    };
    for turn in 1..=2_u32 {
        world.clock.advance(61 * DAY);
        eventually("announced", async || step("announce") >= f64::from(turn)).await;
        heard().await;
        world.clock.advance(OVERLAP);
        eventually("promoted", async || step("promote") >= f64::from(turn)).await;
        heard().await;
        world.clock.advance(OVERLAP);
        eventually("retired", async || step("retire") >= f64::from(turn)).await;
        heard().await;
    }
    over.store(true, Ordering::Relaxed);
    asking.await.unwrap();
}

/// The clock moves by months, and the front proxy shall not be what expires.
fn long_lived_proxy() -> Identity {
    let leaf = Leaf::client("front-proxy-client", &[]);
    pki().proxy.sign(&Leaf { not_after: leaf.not_before + 360 * DAY, ..leaf })
}

#[tokio::test]
async fn authority_that_cannot_be_published_is_not_used() {
    let world = world(cluster().await).await;
    let old = bundle(&world.cluster, OURS[0]);
    world.cluster.state().services_frozen = true;
    world.clock.advance(61 * DAY);
    let step = |step, result| {
        world.metric(&format!("aggregated_apiserver_authority_steps_total{{step=\"{step}\",result=\"{result}\"}}"))
    };
    eventually("announced", async || step("announce", "success") >= 1.0).await;
    world.clock.advance(10 * OVERLAP);
    let failures = step("publish", "failure");
    eventually("several more rounds", async || step("publish", "failure") >= failures + 6.0).await;
    assert_eq!(step("promote", "success"), 0.0);
    assert_eq!(trusted(&world, &old).await.unwrap(), "ada", "what is trusted is what is served");
    world.cluster.state().services_frozen = false;
    eventually("promoted once it is published", async || step("promote", "success") >= 1.0).await;
    assert_eq!(trusted(&world, &bundle(&world.cluster, OURS[0])).await.unwrap(), "ada");
}

#[tokio::test]
async fn bundle_that_somebody_changed_is_put_right() {
    let world = world(cluster().await).await;
    let published = bundle(&world.cluster, OURS[0]);
    world.cluster.state().services.get_mut(OURS[0]).unwrap()["spec"]["caBundle"] = Value::Null;
    eventually("the bundle is back", async || bundle(&world.cluster, OURS[0]) == published).await;
}
