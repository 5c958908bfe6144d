//! A listener for one test, and the means to wait for things.

use std::{
    future::Future,
    net::SocketAddr,
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, web};
use kube_sci_server::{
    config::{self, ListenConfig},
    health::Health,
    http::{self, BoundServer, Shared, Stopper},
    metrics::MetricsRegistry,
    peer::Peer,
    telemetry::Telemetry,
};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);

/// Short, so that a changed file is seen at once.
pub const POLL: Duration = Duration::from_millis(20);

/// A listener that is being served.
pub struct Running {
    pub addresses: Vec<SocketAddr>,
    pub shared: Shared,
    stopper: Stopper,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    pub fn start(listen: &ListenConfig) -> Self {
        Self::start_with(listen, shared(), routes)
    }

    pub fn start_with(listen: &ListenConfig, shared: Shared, routes: fn(&mut web::ServiceConfig)) -> Self {
        let server = http::serve_with_poll(listen, &shared, routes, POLL).unwrap();
        let (addresses, stopper) = (server.addresses().to_vec(), server.stopper());
        let (listener, reloader) = server.into_tasks();
        let mut tasks = vec![tokio::spawn(async move { listener.await.unwrap() })];
        if let Some(reloader) = reloader {
            let heartbeat = shared.health.register("certificate-reload", PATIENCE);
            tasks.push(tokio::spawn(reloader.run(heartbeat)));
        }
        Self { addresses, shared, stopper, tasks }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses[0])
    }

    pub fn https(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.addresses[0].port())
    }

    /// Value of a sample on the metrics page, read from the registry.
    pub fn sample(&self, name_and_labels: &str) -> Option<f64> {
        let page = self.shared.registry.encode().unwrap();
        page.lines().find_map(|line| line.strip_prefix(name_and_labels)?.strip_prefix(' ')?.parse().ok())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.abort();
        for task in &self.tasks {
            task.abort();
        }
    }
}

pub fn shared() -> Shared {
    config::install_crypto_provider();
    Shared {
        health: Health::default(),
        registry: MetricsRegistry::new("test", "1.2.3"),
        telemetry: Telemetry::disabled(),
    }
}

pub fn loopback() -> ListenConfig {
    ListenConfig { address: "127.0.0.1:0".parse().unwrap(), workers: 1, ..ListenConfig::default() }
}

pub fn bind(listen: &ListenConfig, shared: &Shared) -> BoundServer {
    http::serve(listen, shared, routes).unwrap()
}

/// `POST /echo` answers the size of its body, `GET /whoami` the peer, `GET /items/{id}` the parameter.
pub fn routes(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource("/echo").route(web::post().to(echo)))
        .service(web::resource("/whoami").route(web::get().to(whoami)))
        .service(web::resource("/items/{id}").route(web::get().to(item)));
}

/// A client that never reuses a connection.
pub fn client() -> reqwest::Client {
    config::install_crypto_provider();
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}

/// Polls until `condition` holds; fails the test after a generous time.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Fails the test if `work` takes too long.
pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

async fn echo(payload: web::Payload) -> Result<String, http::HttpError> {
    let body = http::read_limited(payload, 4 * 1024 * 1024).await?;
    Ok(body.len().to_string())
}

async fn whoami(request: HttpRequest) -> HttpResponse {
    let peer = Peer::from_request(&request);
    let text = match &peer {
        Peer::Loopback => "loopback".to_owned(),
        Peer::Anonymous => "anonymous".to_owned(),
        Peer::Verified(identity) => format!("{} {:?}", identity.common_name, identity.organizations),
    };
    HttpResponse::Ok().body(text)
}

async fn item(id: web::Path<u32>) -> String {
    id.to_string()
}
