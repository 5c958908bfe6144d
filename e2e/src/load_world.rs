//! The demand of workloads, set by a test and told by pages that Prometheus or the metrics adapter scrapes.
//!
//! ```no_run
//! # async fn scenario(plane: kube_sci_e2e::control_plane::ControlPlane) -> anyhow::Result<()> {
//! use kube_sci_e2e::load_world::{LoadFault, LoadWorld, POD_RANGE};
//! use kube_sci_e2e::prometheus::{Prometheus, PrometheusOptions};
//! use kube_sci_e2e::world::node;
//!
//! plane.world().create_nodes([node("n1").pod_range(POD_RANGE)]).await?;
//! let load = LoadWorld::start(plane.client(), "shop").await?;
//! load.set("web", 700.0);
//! let _prometheus = Prometheus::start(PrometheusOptions::default().job(load.job())).await?;
//! load.fault("web", LoadFault::NotANumber);
//! # Ok(())
//! # }
//! ```
//!
//! | page | tells |
//! | --- | --- |
//! | `http://127.0.0.1:PORT/workloads/NAME/metrics` | the demand of a workload, all of it: [`DEMAND`], [`DEMAND_TOTAL`] |
//! | `http://POD:PORT/metrics` | the share of one of its pods, by the label `app`: [`SHARE`], [`SHARE_TOTAL`] |
//!
//! Demand is what users want, whether there are pods for it or not. It is shared equally by the pods that run. Addresses of
//! pods have to be of loopback: see [`POD_RANGE`].

mod page;
mod pods;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use kube::Client;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::page::Sample;
pub use self::page::{DEMAND, DEMAND_TOTAL, SHARE, SHARE_TOTAL};
use self::pods::Pods;
use crate::http_server;
use crate::ports::free_address;
use crate::prometheus::{Job, Target};

/// For [`NodeBuilder::pod_range`](crate::world::NodeBuilder::pod_range): every pod has an address of its own, and all of
/// them are this machine.
pub const POD_RANGE: &str = "127.64.0.0/16";

/// What is wrong with a workload's pages.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum LoadFault {
    /// The page is there, its metrics are not.
    Missing,
    /// `NaN`.
    NotANumber,
    /// The right number with the wrong sign.
    Negative,
    /// This number on every page, whatever the demand.
    Value(f64),
    /// The right number, from so long ago.
    Stale(Duration),
    /// The connection ends without an answer.
    Refused,
    /// No answer, ever.
    Hangs,
    /// An HTTP status without a page.
    Status(u16),
    /// A page of something else.
    Garbage,
}

/// Demands of the workloads of one namespace, and their pages; ends when dropped.
#[derive(Debug)]
pub struct LoadWorld {
    port: u16,
    state: Arc<State>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    namespace: String,
    workloads: Mutex<BTreeMap<String, Workload>>,
    pods: Mutex<Pods>,
}

/// One workload's demand.
#[derive(Debug, Clone)]
struct Workload {
    per_second: f64,
    /// Since it is known.
    total: f64,
    at: Instant,
    fault: Option<LoadFault>,
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("nobody is there")]
struct Refused;

impl LoadWorld {
    /// Begins to serve, and to watch the pods of the namespace.
    pub async fn start(client: Client, namespace: &str) -> io::Result<Self> {
        let port = free_address().map_err(io::Error::other)?.port();
        // All of 127.0.0.0/8: every pod has an address there. Who comes to another address is turned away.
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
        let state =
            Arc::new(State { namespace: namespace.to_owned(), workloads: Mutex::default(), pods: Mutex::default() });
        let (seen, asked) = (Arc::clone(&state), Arc::clone(&state));
        let tasks = vec![
            tokio::spawn(pods::watch(client, seen)),
            tokio::spawn(http_server::serve(listener, None, move |local, request: Request<Incoming>| {
                let state = Arc::clone(&asked);
                async move { state.answer(local, request.uri().path()).await }
            })),
        ];
        Ok(Self { port, state, tasks })
    }

    /// The port of all pages.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on users want so much of a workload in each second.
    pub fn set(&self, workload: &str, per_second: f64) {
        self.state.with(workload, |workload| workload.per_second = per_second);
    }

    /// What is wanted of a workload, as it was set.
    pub fn demand(&self, workload: &str) -> Option<f64> {
        self.state.workloads().get(workload).map(|workload| workload.per_second)
    }

    /// The pages of a workload, of its pods too, are faulty until [mended](Self::mend).
    pub fn fault(&self, workload: &str, fault: LoadFault) {
        self.state.with(workload, |workload| workload.fault = Some(fault));
    }

    pub fn mend(&self, workload: &str) {
        self.state.with(workload, |workload| workload.fault = None);
    }

    /// A job that scrapes the pages of all workloads that are known by now, each second.
    pub fn job(&self) -> Job {
        let workloads = self.state.workloads();
        let target = |name: &String| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
            Target::new(address).path(&page::path(name)).label("instance", name)
        };
        Job::new("demand", workloads.keys().map(target).collect::<Vec<_>>())
    }

    /// `PromQL` for the demand of a workload.
    pub fn query(&self, workload: &str) -> String {
        format!("{DEMAND}{{namespace=\"{}\",workload=\"{workload}\"}}", self.state.namespace)
    }
}

impl Drop for LoadWorld {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl State {
    fn workloads(&self) -> MutexGuard<'_, BTreeMap<String, Workload>> {
        self.workloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pods(&self) -> MutexGuard<'_, Pods> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a workload; what was until now is counted first.
    fn with(&self, name: &str, change: impl FnOnce(&mut Workload)) {
        let now = Instant::now();
        let mut workloads = self.workloads();
        let workload = workloads.entry(name.to_owned()).or_insert_with(|| Workload::new(now));
        let until_now = workload.advance(now);
        // Shares add up to the demand of that time.
        self.pods().advance(name, until_now);
        change(workload);
    }

    async fn answer(&self, local: SocketAddr, path: &str) -> Result<Response<Full<Bytes>>, Refused> {
        if !local.ip().is_loopback() {
            return Err(Refused);
        }
        let Some((fault, page)) = self.page(local.ip(), path) else {
            return Ok(respond(StatusCode::NOT_FOUND, "text/plain", "no such page\n"));
        };
        match fault {
            Some(LoadFault::Refused) => Err(Refused),
            Some(LoadFault::Hangs) => {
                let never: Infallible = std::future::pending().await;
                match never {}
            }
            Some(LoadFault::Status(status)) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                Ok(respond(status, "text/plain", "something went wrong\n"))
            }
            Some(LoadFault::Garbage) => Ok(respond(StatusCode::OK, "text/html", "<html><body>Welcome!</body></html>")),
            _value_fault => Ok(respond(StatusCode::OK, page::CONTENT_TYPE, &page)),
        }
    }

    /// The page behind an address and a path, and what is wrong with it.
    fn page(&self, address: IpAddr, path: &str) -> Option<(Option<LoadFault>, String)> {
        let workload = match page::workload_of(path) {
            Some(name) => name.to_owned(),
            None if path == "/metrics" => self.pods().app(address)?.to_owned(),
            None => return None,
        };
        // Counts until now.
        self.with(&workload, |_as_it_is| ());
        let known = self.workloads().get(&workload)?.clone();
        let now = Timestamp::now();
        let page = if page::workload_of(path).is_some() {
            let labels = format!("{{namespace=\"{}\",workload=\"{workload}\"}}", self.namespace);
            let rate = Sample { name: DEMAND, labels: &labels, value: known.per_second };
            page::text(&rate, &Sample { name: DEMAND_TOTAL, labels: &labels, value: known.total }, known.fault, now)
        } else {
            let (share, total) = self.pods().share(address, known.per_second)?;
            let rate = Sample { name: SHARE, labels: "", value: share };
            page::text(&rate, &Sample { name: SHARE_TOTAL, labels: "", value: total }, known.fault, now)
        };
        Some((known.fault, page))
    }
}

impl Workload {
    fn new(now: Instant) -> Self {
        Self { per_second: 0.0, total: 0.0, at: now, fault: None }
    }

    /// Counts until `now`, and returns what came in.
    fn advance(&mut self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let came = self.per_second.max(0.0) * passed;
        self.total += came;
        self.at = now;
        came
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_owned())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State { namespace: "shop".to_owned(), workloads: Mutex::default(), pods: Mutex::default() }
    }

    #[test]
    fn demand_is_told_by_workload_and_shared_by_its_running_pods() {
        let state = state();
        state.with("web", |web| web.per_second = 700.0);
        let addresses = [IpAddr::from([127, 64, 0, 1]), IpAddr::from([127, 64, 0, 2])];
        for address in addresses {
            state.pods().insert(address, "web");
        }
        let (fault, page) = state.page(IpAddr::from(Ipv4Addr::LOCALHOST), "/workloads/web/metrics").unwrap();
        assert_eq!(fault, None);
        assert!(page.contains("demand_requests_per_second{namespace=\"shop\",workload=\"web\"} 700\n"), "{page}");
        let (_, page) = state.page(addresses[0], "/metrics").unwrap();
        assert!(page.contains("requests_per_second 350\n"), "{page}");
        state.pods().remove(addresses[1]);
        let (_, page) = state.page(addresses[0], "/metrics").unwrap();
        assert!(page.contains("requests_per_second 700\n"), "{page}");
        assert!(state.page(addresses[1], "/metrics").is_none(), "a pod that is gone has no page");
        assert!(state.page(addresses[0], "/other").is_none());
    }

    #[test]
    fn totals_count_what_came_in_over_changes_of_the_demand() {
        let start = Instant::now();
        let mut web = Workload::new(start);
        web.per_second = 10.0;
        assert!((web.advance(start + Duration::from_secs(3)) - 30.0).abs() < 1e-9);
        web.per_second = -5.0;
        assert!(web.advance(start + Duration::from_secs(9)).abs() < 1e-9, "a counter never falls");
        assert!((web.total - 30.0).abs() < 1e-9);
    }
}
