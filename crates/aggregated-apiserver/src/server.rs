//! The server: from options to a bound socket to served requests.

mod connection;
mod pipeline;
mod respond;
mod route;
mod tls;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    connection::Shared,
    pipeline::Pipeline,
    route::{Program, Router},
};
use crate::{
    api::Api,
    authn::{self, Authenticator, authorities::Authorities, token::TokenReviewer},
    authz::Authorizer,
    certificates::{self, CertificateError, Serving, key::Keeper},
    clock::{Clock, SystemClock},
    delegation::{Delegation, RandomError, StartError},
    discovery::{Catalogue, Document},
    health::{Check, Ready},
    metrics::ServerMetrics,
};

/// Binds servers.
#[derive(Clone, Copy, Debug)]
pub struct Server;

/// Everything a server needs to know.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Address to listen on; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where the serving certificate comes from.
    pub serving: Serving,
    /// Who is asked about callers.
    pub delegation: Delegation,
    /// What one caller may use up.
    pub limits: Limits,
    /// Checks of the program, beside the server's own.
    pub checks: Vec<Check>,
    /// Where figures go.
    pub metrics: ServerMetrics,
    /// Text of `/version`, for instance `v1.2.3`.
    pub version: String,
    /// Judges the validity of certificates.
    pub clock: Arc<dyn Clock>,
    /// How often certificate files are read.
    pub certificate_poll: Duration,
}

/// What one caller may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// Requests at a time; a further one waits for `queue`, then is answered 503.
    pub in_flight: usize,
    /// Longest wait for a place among the requests in flight.
    pub queue: Duration,
    /// Bytes of request line and headers. Not less than the API server itself takes (1 MiB): a quarter more than this
    /// ends an HTTP/2 connection, and nobody behind the front proxy may be able to end the one that carries all.
    pub header_bytes: u32,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time for the headers of a request.
    pub header_time: Duration,
    /// Time for a whole request, authentication and authorisation included.
    pub request_time: Duration,
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// HTTP/2 streams at a time on one connection.
    pub streams: u32,
    /// A connection without requests ends after this.
    pub idle: Duration,
    /// On stop: time in which the server still serves but says that it is not ready.
    pub drain: Duration,
    /// On stop, after `drain`: time for requests in flight to end.
    pub grace: Duration,
}

/// A server that listens but does not serve yet.
pub struct BoundServer {
    addresses: Vec<SocketAddr>,
    listener: TcpListener,
    ready: Ready,
    pipeline: Arc<Pipeline>,
    acceptor: TlsAcceptor,
    delegation: Delegation,
    authorities: Arc<ArcSwap<Authorities>>,
    keeper: Keeper,
}

/// Why a server cannot start, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Reason.
        source: io::Error,
    },
    /// There is no certificate to show.
    #[error("no serving certificate")]
    Certificate(#[from] CertificateError),
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// Callers could not be identified.
    #[error("no authentication configuration")]
    Authentication(#[from] StartError),
    /// The machine has no randomness.
    #[error("cannot make a key for the hashes of tokens")]
    Random(#[from] RandomError),
    /// A task that has to live as long as the server has ended.
    #[error("{task} ended")]
    TaskEnded {
        /// Which one.
        task: &'static str,
    },
}

impl Server {
    /// Reads the serving certificate and the cluster's authentication configuration, then listens. Both must be there.
    pub async fn bind(options: ServerOptions, api: Arc<dyn Api>) -> Result<BoundServer, ServerError> {
        let ServerOptions { address, serving, delegation, limits, checks, metrics, version, clock, certificate_poll } =
            options;
        let keeper = certificates::start(serving, certificate_poll, Arc::clone(&clock), &metrics).await?;
        let acceptor = TlsAcceptor::from(Arc::new(tls::config(keeper.key())?));
        let first = authn::watch::first(&delegation, &metrics).await?;
        let authorities = Arc::new(ArcSwap::from_pointee(first));
        let tokens = TokenReviewer::new(&delegation, metrics.clone())?;
        let ready = Ready::new(checks);
        let pipeline = Pipeline {
            authenticator: Authenticator::new(Arc::clone(&authorities), tokens, clock, metrics.clone()),
            authorizer: Authorizer::new(&delegation, metrics.clone()),
            router: Router {
                catalogue: Catalogue::new(Arc::clone(&api), version.clone()),
                api: Program(api),
                ready: ready.clone(),
                version: Document::version(&version),
            },
            gate: Semaphore::new(limits.in_flight),
            limits,
            metrics,
        };
        let listener = TcpListener::bind(address).await.map_err(|source| ServerError::Listen { address, source })?;
        let local = listener.local_addr().map_err(|source| ServerError::Listen { address, source })?;
        Ok(BoundServer {
            addresses: vec![local],
            listener,
            ready,
            pipeline: Arc::new(pipeline),
            acceptor,
            delegation,
            authorities,
            keeper,
        })
    }
}

impl ServerOptions {
    /// Options with the usual limits and the clock of the machine.
    pub fn new(address: SocketAddr, serving: Serving, delegation: Delegation) -> Self {
        Self {
            address,
            serving,
            delegation,
            limits: Limits::default(),
            checks: Vec::new(),
            metrics: ServerMetrics::default(),
            version: concat!("v", env!("CARGO_PKG_VERSION")).to_owned(),
            clock: Arc::new(SystemClock),
            certificate_poll: Duration::from_secs(2),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            in_flight: 400,
            queue: Duration::from_secs(1),
            header_bytes: 1024 * 1024,
            handshake: Duration::from_secs(10),
            header_time: Duration::from_secs(32),
            request_time: Duration::from_secs(30),
            body_bytes: 1024 * 1024,
            streams: 250,
            idle: Duration::from_mins(3),
            drain: Duration::ZERO,
            grace: Duration::from_secs(20),
        }
    }
}

impl BoundServer {
    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Tells from outside whether the server is ready.
    pub fn ready(&self) -> Ready {
        self.ready.clone()
    }

    /// Serves until `stop` is cancelled, then lets requests in flight end. Ends early, with an error, if one of the tasks
    /// that keep certificates and authorities current does.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServerError> {
        let Self { listener, ready, pipeline, acceptor, delegation, authorities, keeper, .. } = self;
        let mut tasks = JoinSet::new();
        let metrics = pipeline.metrics.clone();
        tasks.spawn(async move {
            authn::watch::follow(delegation, authorities, metrics).await;
            "watch of the authentication configuration"
        });
        tasks.spawn(async move {
            keeper.run().await;
            "keeper of the serving certificate"
        });
        let limits = pipeline.limits.clone();
        let shared = Shared { pipeline, acceptor, stop: CancellationToken::new(), abort: CancellationToken::new() };
        let connections = TaskTracker::new();
        let result = {
            let accepting = accept(&listener, &shared, &connections, limits.connections);
            tokio::pin!(accepting);
            tokio::select! {
                () = &mut accepting => Ok(()),
                ended = tasks.join_next() => {
                    let task = ended.and_then(Result::ok).unwrap_or("a task of the server");
                    Err(ServerError::TaskEnded { task })
                }
                () = stop.cancelled() => {
                    ready.stop();
                    // Still served: who asks has not heard yet that we are leaving.
                    let _ = time::timeout(limits.drain, &mut accepting).await;
                    Ok(())
                }
            }
        };
        drop(listener);
        shared.stop.cancel();
        connections.close();
        if time::timeout(limits.grace, connections.wait()).await.is_err() {
            tracing::warn!(left = connections.len(), "connections did not end in time");
            shared.abort.cancel();
        }
        tasks.shutdown().await;
        result
    }
}

impl std::fmt::Debug for BoundServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundServer").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Accepts connections, a limited number at a time.
async fn accept(listener: &TcpListener, shared: &Shared, connections: &TaskTracker, limit: usize) {
    let places = Arc::new(Semaphore::new(limit));
    let mut complained = None::<Instant>;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream: TcpStream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, for instance: it passes, or not, but not faster by trying at once.
                if complained.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                    tracing::warn!(%error, "cannot accept a connection");
                    complained = Some(Instant::now());
                }
                time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        connections.spawn(async move {
            connection::serve(shared, stream).await;
            drop(place);
        });
    }
}
