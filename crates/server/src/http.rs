//! The HTTP listener: limits, TLS, admin routes, errors as JSON, metrics and spans of every request.

mod admin;
mod body;
mod error;
mod observe;
mod probes;

use std::{fmt, future::Future, io, net::SocketAddr, rc::Rc, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::{Server, ServerHandle},
    web,
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::time::sleep;

pub use self::{
    body::read_limited,
    error::{ErrorBody, HttpError},
};

use self::observe::{Observer, RequestMetrics};
use crate::{
    config::ListenConfig,
    health::Health,
    metrics::MetricsRegistry,
    peer,
    telemetry::Telemetry,
    tls::{self, Reloader, ServerTls, TlsError, TlsMetrics},
};

/// Longest wait for the head of a request and for a TLS handshake. A client that is slower is cut off.
const CLIENT_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// A stopping listener is quiet after this many looks without a request in flight. It leaves answers the time to get
/// out of the socket.
const QUIET_LOOKS: u32 = 20;
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// What the listener reports about and to.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Behind `/readyz`.
    pub health: Health,
    /// Behind `/metrics`.
    pub registry: MetricsRegistry,
    /// Behind `/log-level`, and for pushed metrics.
    pub telemetry: Telemetry,
}

/// A listener that is bound but not served yet: connections queue until [`BoundServer::into_tasks`] are polled, which
/// [`crate::supervise::Supervisor::run`] does.
pub struct BoundServer {
    addresses: Vec<SocketAddr>,
    server: Server,
    stopper: Stopper,
    reloader: Option<Reloader>,
}

/// Stops a listener. Clones stop the same.
#[derive(Clone)]
pub struct Stopper {
    handle: ServerHandle,
    in_flight: Gauge,
}

/// A listener that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Plain HTTP would be reachable from elsewhere.
    #[error(
        "refusing plain HTTP on {address}: set server.tls, listen on a loopback address, or allow it with \
         server.plainHttp: true"
    )]
    PlainHttp {
        /// Where to.
        address: SocketAddr,
    },
    /// A number that must not be zero.
    #[error("server.{key} must be greater than zero")]
    Zero {
        /// Its key.
        key: &'static str,
    },
    /// The certificates cannot be used.
    #[error("cannot use the TLS files of server.tls")]
    Tls(#[from] TlsError),
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where to.
        address: SocketAddr,
        /// Reason.
        source: io::Error,
    },
}

/// Binds the listener and puts the routes of `configure` and the admin routes behind it:
///
/// | route | answer |
/// | --- | --- |
/// | `GET /livez` | 200 while the process answers at all |
/// | `GET /readyz` | 200, or 503 with the failing checks; every check with `?verbose` |
/// | `GET /metrics` | the metrics as `OpenMetrics` text |
/// | `GET /log-level` | what is logged at present |
/// | `PUT /log-level` | changes it; trusted peers only |
///
/// If there is a collector, everything in the registry is pushed to it from now on, so register the metrics of the
/// program first. `configure` runs once per worker thread. Handlers run on those threads, not on the caller's runtime.
pub fn serve<F>(listen: &ListenConfig, shared: &Shared, configure: F) -> Result<BoundServer, ServeError>
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    serve_with_poll(listen, shared, configure, tls::DEFAULT_POLL)
}

/// [`serve`] with another interval between two looks at the certificate files.
pub fn serve_with_poll<F>(
    listen: &ListenConfig,
    shared: &Shared,
    configure: F,
    poll: Duration,
) -> Result<BoundServer, ServeError>
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    check(listen)?;
    let tls_metrics = TlsMetrics::registered(&shared.registry);
    let tls = listen.tls.as_ref().map(|tls| ServerTls::load(tls, &tls_metrics, poll)).transpose()?;
    let certificate_required = listen.tls.as_ref().is_some_and(|tls| tls.require_client_certificate);

    let metrics = RequestMetrics::new(&shared.registry, &shared.telemetry);
    shared.telemetry.push(&shared.registry);
    let in_flight = metrics.in_flight();
    let state = shared.clone();
    let limit = listen.max_body_bytes;
    let server = HttpServer::new(move || {
        let observer = Rc::new(Observer::new(Rc::new(metrics.clone()), limit, state.telemetry.exports()));
        let configure = configure.clone();
        App::new()
            .app_data(web::Data::new(state.clone()))
            .configure(|routes| body::limit_extractors(routes, limit))
            .wrap_fn(probes::guard)
            .wrap_fn(move |request, next| observer.observe(request, next))
            .configure(configure)
            .configure(admin::routes)
            .default_service(web::to(error::not_found))
    })
    .workers(listen.workers)
    .keep_alive(Duration::from_secs(listen.keep_alive_seconds))
    .client_request_timeout(CLIENT_HEAD_TIMEOUT)
    .tls_handshake_timeout(CLIENT_HEAD_TIMEOUT)
    .tcp_nodelay(true)
    // A caller that gave up closes the connection; only this way its request is dropped and counted at once.
    .h1_allow_half_closed(false)
    .disable_signals()
    // Whole seconds, and a little less than the supervisor waits, so that it is actix that cuts off what is late.
    .shutdown_timeout(listen.shutdown_grace_seconds.saturating_mul(6).div_ceil(10).max(1))
    // Before the bind: each bind captures it.
    .on_connect(move |io, connection| peer::remember(io, certificate_required, connection));

    let (bound, reloader) = match tls {
        // `h2` and `http/1.1` are offered by actix.
        Some(ServerTls { config, reloader }) => (server.bind_rustls_0_23(listen.address, config), Some(reloader)),
        None => (server.bind(listen.address), None),
    };
    let mut bound = bound.map_err(|source| ServeError::Bind { address: listen.address, source })?;
    if let Some(address) = listen.probe_address {
        bound = bound.on_connect(probes::mark).bind(address).map_err(|source| ServeError::Bind { address, source })?;
    }
    let addresses = bound.addrs();
    let server = bound.run();
    let stopper = Stopper { handle: server.handle(), in_flight };
    Ok(BoundServer { addresses, server, stopper, reloader })
}

impl BoundServer {
    /// Where it listens, with the real port if 0 was asked for: `address`, then `probeAddress` if there is one.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// To stop it from elsewhere.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// The future that serves, and the task that keeps its certificates current.
    pub fn into_tasks(self) -> (impl Future<Output = io::Result<()>> + Send + 'static, Option<Reloader>) {
        (self.server, self.reloader)
    }
}

impl Stopper {
    /// Closes the listener and returns when every request is answered. There is no limit to the time it takes.
    ///
    /// actix ends idle HTTP/1.1 connections by itself, but waits for idle HTTP/2 connections to the last, and
    /// kube-scheduler keeps one of those open. So no request in flight for a while counts as done, too.
    pub async fn stop(&self) {
        let stopped = self.handle.stop(true);
        tokio::select! {
            () = stopped => {},
            () = self.quiet() => {},
        }
    }

    /// Cuts every connection.
    pub fn abort(&self) {
        // The command is sent by the call; there is no need to wait for its effect.
        drop(self.handle.stop(false));
    }

    async fn quiet(&self) {
        let mut quiet_looks = 0;
        while quiet_looks < QUIET_LOOKS {
            sleep(LOOK_INTERVAL).await;
            quiet_looks = if self.in_flight.get() == 0 { quiet_looks + 1 } else { 0 };
        }
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").field("in_flight", &self.in_flight.get()).finish_non_exhaustive()
    }
}

impl fmt::Debug for BoundServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundServer").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// What can be said of the configuration without touching files or the network; [`serve`] does it too.
pub fn check(listen: &ListenConfig) -> Result<(), ServeError> {
    if listen.tls.is_none() && !listen.plain_http && !peer::is_loopback(listen.address) {
        return Err(ServeError::PlainHttp { address: listen.address });
    }
    if listen.workers == 0 {
        return Err(ServeError::Zero { key: "workers" });
    }
    if listen.max_body_bytes == 0 {
        return Err(ServeError::Zero { key: "maxBodyBytes" });
    }
    Ok(())
}
