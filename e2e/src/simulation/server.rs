//! Pages of agents over HTTP, in real time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::agent::{Agent, AlumetPoint, Program, Reply};
use super::clock::SimulationClock;
use super::page::Page;
use crate::http_server;

/// Serves agents on loopback until dropped: all by path on one port, or one on a port of its own.
#[derive(Debug)]
pub struct AgentServer {
    agents: Arc<Agents>,
    listeners: Mutex<Vec<JoinHandle<()>>>,
}

/// The agents of a running simulation, by node and program.
#[derive(Debug)]
pub struct Agents {
    clock: SimulationClock,
    nodes: RwLock<BTreeMap<String, BTreeMap<&'static str, SharedAgent>>>,
    scrapes: AtomicU64,
}

type SharedAgent = Arc<Mutex<Agent>>;
/// Node, and slug of the program.
type Key = (String, &'static str);

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("nobody is there")]
struct Refused;

impl AgentServer {
    pub fn new(clock: SimulationClock) -> Self {
        let agents = Agents { clock, nodes: RwLock::default(), scrapes: AtomicU64::new(0) };
        Self { agents: Arc::new(agents), listeners: Mutex::default() }
    }

    /// The agents behind it.
    pub fn agents(&self) -> &Arc<Agents> {
        &self.agents
    }

    /// Adds an agent, or puts it in place of one on the same node.
    pub fn add(&self, agent: Agent) {
        self.agents.add(agent);
    }

    /// Serves all agents, also those added later, on one port: see [`Self::path`].
    pub async fn listen(&self) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        self.accept(listener, None)
    }

    /// Serves one agent under `/metrics` on an address of its own. All of 127.0.0.0/8 may be used, so that every node has
    /// an address and all agents the same port.
    pub async fn listen_for(&self, address: SocketAddr, node: &str, slug: &'static str) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        self.accept(listener, Some((node.to_owned(), slug)))
    }

    /// Path of an agent's page on the shared port.
    pub fn path(node: &str, slug: &str) -> String {
        format!("/nodes/{node}/{slug}{}", Program::PATH)
    }

    fn accept(&self, listener: TcpListener, only: Option<Key>) -> std::io::Result<SocketAddr> {
        let address = listener.local_addr()?;
        let agents = Arc::clone(&self.agents);
        let task = tokio::spawn(http_server::serve(listener, None, move |_local, request| {
            let (agents, only) = (Arc::clone(&agents), only.clone());
            async move { answer(&agents, only.as_ref(), &request).await }
        }));
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        Ok(address)
    }
}

impl Drop for AgentServer {
    fn drop(&mut self) {
        for listener in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            listener.abort();
        }
    }
}

impl Agents {
    pub fn clock(&self) -> SimulationClock {
        self.clock
    }

    /// Pages asked for so far.
    pub fn scrapes(&self) -> u64 {
        self.scrapes.load(Ordering::Relaxed)
    }

    pub fn add(&self, agent: Agent) {
        let (node, slug) = (agent.node().name().to_owned(), agent.program().slug());
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        nodes.entry(node).or_default().insert(slug, Arc::new(Mutex::new(agent)));
    }

    /// Does something with an agent while nobody asks it, such as adding a fault.
    pub fn with<R>(&self, node: &str, slug: &str, act: impl FnOnce(&mut Agent) -> R) -> Option<R> {
        let agent = self.find(node, slug)?;
        let mut agent = agent.lock().unwrap_or_else(PoisonError::into_inner);
        Some(act(&mut agent))
    }

    /// What a scrape of this agent brings now.
    pub fn scrape(&self, node: &str, slug: &str) -> Option<Reply> {
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        // The instant is taken under the agent's lock: instants must rise.
        self.with(node, slug, |agent| agent.scrape(self.clock.elapsed()))
    }

    /// What ALUMET agents push for the time between two instants, by node.
    pub fn points(&self, from: Duration, to: Duration) -> Vec<(String, Vec<AlumetPoint>)> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let agents = nodes.iter().flat_map(|(node, agents)| agents.values().map(move |agent| (node, agent)));
        let points = agents.map(|(node, agent)| {
            let points = agent.lock().unwrap_or_else(PoisonError::into_inner).points(from, to);
            (node.clone(), points)
        });
        points.filter(|(_, points)| !points.is_empty()).collect()
    }

    fn find(&self, node: &str, slug: &str) -> Option<SharedAgent> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.get(node)?.get(slug).cloned()
    }
}

async fn answer(
    agents: &Agents,
    only: Option<&Key>,
    request: &Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Refused> {
    let path = request.uri().path();
    let wanted = match only {
        Some((node, slug)) => (path == Program::PATH).then_some((node.as_str(), *slug)),
        None => parse_path(path),
    };
    match wanted.and_then(|(node, slug)| agents.scrape(node, slug)) {
        None => Ok(plain(StatusCode::NOT_FOUND)),
        Some(Reply::Page(page)) => Ok(page_response(page)),
        Some(Reply::Status(status)) => Ok(plain(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY))),
        Some(Reply::Refused) => Err(Refused),
        Some(Reply::Lost | Reply::Hangs) => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
    }
}

fn parse_path(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/nodes/")?.strip_suffix(Program::PATH)?.split_once('/')
}

fn page_response(page: Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page.body)));
    if let Some(kind) = page.content_type {
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    }
    response
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
