//! A server under test in a cluster of its own.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use aggregated_apiserver::{
    Api, ApiGroup, ApiRequest, ApiResource, ApiResponse, ApiVersion, Check, Clock, Definition, Delegation, Probe,
    Ready, Server, ServerError, ServerMetrics, ServerOptions, Serving, StandsFor, Status, Verb,
};
use futures::future::BoxFuture;
use prometheus_client::registry::Registry;
use rustls::pki_types::UnixTime;
use serde_json::json;
use tempfile::TempDir;
use tokio::{sync::Semaphore, task::JoinHandle, time};
use tokio_util::sync::CancellationToken;

use super::{
    client::{self, Ask, Connection, HOST, PATIENCE, Protocol, Reply},
    cluster::Cluster,
    pki::{Identity, pki},
};

/// A server under test, its cluster, and what it counted.
pub struct World {
    pub cluster: Cluster,
    pub address: SocketAddr,
    pub clock: Arc<TestClock>,
    pub program: Arc<Echo>,
    pub ready: Ready,
    /// Where `tls.crt` and `tls.key` are.
    pub folder: TempDir,
    pub stop: CancellationToken,
    pub running: JoinHandle<Result<(), ServerError>>,
    registry: Registry,
}

/// The clock of the machine, plus what a test adds.
#[derive(Debug, Default)]
pub struct TestClock(AtomicI64);

/// Answers with what it saw.
#[derive(Debug)]
pub struct Echo {
    /// Requests that reached it.
    pub seen: AtomicUsize,
    /// Requests for `/wait` go on when there is a permit.
    pub gate: Semaphore,
}

/// A resource that everybody but `mallory` may read.
pub const RESOURCE: &str = "/apis/tests.example.dev/v1/namespaces/ns/greetings/hello";

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with other options than usual.
    pub async fn with(change: impl FnOnce(&mut ServerOptions)) -> Self {
        Self::within(Cluster::start().await, change).await
    }

    pub async fn within(cluster: Cluster, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_pair(&folder, &pki().serving.server(HOST));
        let clock = Arc::new(TestClock::default());
        let mut options = options(&cluster, &folder, Arc::clone(&clock));
        change(&mut options);
        let mut registry = Registry::default();
        options.metrics.register(&mut registry);
        let program = Arc::new(Echo { seen: AtomicUsize::new(0), gate: Semaphore::new(0) });
        let server = Server::bind(options, program.clone()).await.unwrap();
        let address = server.addresses()[0];
        let ready = server.ready();
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run(stop.clone()));
        Self { cluster, address, clock, program, ready, folder, stop, running, registry }
    }

    /// A connection of the front proxy.
    pub async fn proxy(&self, protocol: Protocol) -> Connection {
        Connection::open(self.address, Some(&front_proxy()), protocol).await
    }

    /// A request through the front proxy.
    pub async fn through_proxy(&self, ask: Ask) -> Reply {
        client::once(self.address, Some(&front_proxy()), Protocol::Http2, ask).await
    }

    pub async fn direct(&self, identity: Option<&Identity>, ask: Ask) -> Reply {
        client::once(self.address, identity, Protocol::Http1, ask).await
    }

    /// The value of a sample on the metrics page; 0 if there is none.
    pub fn metric(&self, sample: &str) -> f64 {
        let page = self.page();
        let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    pub fn page(&self) -> String {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry).unwrap();
        page
    }

    /// Requests that reached the program.
    pub fn seen(&self) -> usize {
        self.program.seen.load(Ordering::SeqCst)
    }

    pub async fn stopped(self) -> Result<(), ServerError> {
        self.stop.cancel();
        time::timeout(PATIENCE, self.running).await.expect("an end in time").unwrap()
    }
}

/// The usual options: short waits, so that tests are.
pub fn options(cluster: &Cluster, folder: &TempDir, clock: Arc<TestClock>) -> ServerOptions {
    let serving = Serving::Files { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") };
    let mut delegation = Delegation::new(cluster.client());
    delegation.first_pause = Duration::from_millis(10);
    delegation.timeout = Duration::from_secs(2);
    delegation.attempts = 3;
    delegation.start_timeout = Duration::from_millis(300);
    let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap(), serving, delegation);
    options.clock = clock;
    options.certificate_poll = Duration::from_millis(20);
    options.metrics = ServerMetrics::default();
    "v1.2.3".clone_into(&mut options.version);
    options.limits.grace = Duration::from_secs(5);
    options.checks = vec![
        Check::new("data", Probe::Ready, || Ok("3 zones".to_owned())),
        Check::new("loop", Probe::Live, || Ok(String::new())),
    ];
    options
}

/// The certificate of the front proxy of the cluster.
pub fn front_proxy() -> Identity {
    pki().proxy.client("front-proxy-client", &[])
}

pub fn write_pair(folder: &TempDir, identity: &Identity) {
    std::fs::write(folder.path().join("tls.crt"), &identity.pem).unwrap();
    std::fs::write(folder.path().join("tls.key"), &identity.key_pem).unwrap();
}

/// Asks again and again until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: not in time"));
}

impl TestClock {
    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_secs()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(self.0.load(Ordering::SeqCst).try_into().unwrap())
    }
}

impl rustls::time_provider::TimeProvider for TestClock {
    fn current_time(&self) -> Option<UnixTime> {
        self.now().duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}

impl Api for Echo {
    fn groups(&self) -> Vec<ApiGroup> {
        let greetings = vec![
            ApiResource::namespaced("greetings", "Greeting", &[Verb::Get, Verb::List, Verb::Create]),
            ApiResource::namespaced("pods/load", "GreetingList", &[Verb::Get]),
        ];
        let older = vec![ApiResource::namespaced("greetings", "Greeting", &[Verb::Get])];
        let versions = vec![ApiVersion::new("v1", greetings), ApiVersion::new("v1beta1", older)];
        vec![ApiGroup::new("tests.example.dev", versions)]
    }

    fn definitions(&self) -> Vec<Definition> {
        vec![Definition {
            name: "dev.example.tests.v1.Greeting".to_owned(),
            group: "tests.example.dev".to_owned(),
            version: "v1".to_owned(),
            kind: "Greeting".to_owned(),
            schema: json!({"type": "object", "properties": {"text": {"type": "string"}}}),
        }]
    }

    /// `/why/namespaces/NS/things[/NAME]` is about things.
    fn stands_for(&self, segments: &[&str]) -> Option<StandsFor> {
        let (namespace, name) = match segments {
            ["why", "namespaces", namespace, "things"] => (namespace, ""),
            ["why", "namespaces", namespace, "things", name] => (namespace, *name),
            _ => return None,
        };
        Some(StandsFor {
            group: "tests.example.dev".to_owned(),
            namespace: (*namespace).to_owned(),
            resource: "things".to_owned(),
            subresource: "why".to_owned(),
            name: name.to_owned(),
        })
    }

    fn handle<'a>(&'a self, request: &'a ApiRequest) -> BoxFuture<'a, Result<ApiResponse, Status>> {
        self.seen.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let a = &request.attributes;
            match a.path.as_str() {
                "/panic" => panic!("as asked"),
                "/wait" => drop(self.gate.acquire().await),
                "/text" => return Ok(ApiResponse::text("plain")),
                _ if a.name == "nobody" => return Err(Status::not_found("there is no greeting for nobody")),
                _ => {}
            }
            let headers: Vec<&str> = request.headers.keys().map(http::HeaderName::as_str).collect();
            ApiResponse::json(&json!({
                "user": {"name": request.user.name, "uid": request.user.uid, "groups": request.user.groups,
                         "extra": request.user.extra},
                "verb": a.verb.as_str(), "group": a.group, "version": a.version, "namespace": a.namespace,
                "resource": a.resource, "subresource": a.subresource, "name": a.name, "path": a.path,
                "headers": headers, "body": request.body.len(), "query": request.query,
            }))
        })
    }
}
