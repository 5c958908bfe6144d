//! One connection: handshake, protocol, and when it ends.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{net::TcpStream, time};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{Limits, pipeline::Pipeline};
use crate::authn::peer::Peer;

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) acceptor: TlsAcceptor,
    /// Connections end after the requests in flight.
    pub(super) stop: CancellationToken,
    /// Connections end.
    pub(super) abort: CancellationToken,
}

/// Headers of one HTTP/1 request.
const HEADER_COUNT: usize = 4096;
/// Resets that a client may have pending before its connection is closed. More than there are streams at a time, since
/// the front proxy resets what its own clients give up, all at once if need be.
const PENDING_RESETS: usize = 500;
/// Bytes that HTTP/2 buffers for one stream.
const SEND_BUFFER: usize = 256 * 1024;
/// Ping of quiet HTTP/2 connections, so that those of vanished clients end.
const PING: Duration = Duration::from_secs(30);

/// When requests were last seen.
struct Activity {
    started: Instant,
    in_flight: AtomicUsize,
    any: AtomicBool,
    /// Milliseconds after `started`.
    last: AtomicU64,
}

/// Counts one request in flight for as long as it lives.
struct InFlight(Arc<Activity>);

/// Serves one connection to its end.
pub(super) async fn serve(shared: Shared, stream: TcpStream) {
    let metrics = &shared.pipeline.metrics;
    let handshake = time::timeout(shared.pipeline.limits.handshake, shared.acceptor.accept(stream));
    let stream = tokio::select! {
        done = handshake => match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS handshake failed");
                metrics.count_handshake("failed");
                return;
            }
            Err(_) => {
                metrics.count_handshake("timeout");
                return;
            }
        },
        () = shared.stop.cancelled() => return,
    };
    metrics.count_handshake("ok");
    metrics.connections.inc();
    speak(&shared, stream).await;
    metrics.connections.dec();
}

async fn speak(shared: &Shared, stream: TlsStream<TcpStream>) {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default().iter().map(|der| der.clone().into_owned()).collect();
    let is_http2 = session.alpn_protocol() == Some(b"h2");
    let peer = Arc::new(Peer::new(chain));
    let activity = Arc::new(Activity::new());
    let service = {
        let (pipeline, peer, activity) = (Arc::clone(&shared.pipeline), Arc::clone(&peer), Arc::clone(&activity));
        service_fn(move |request: http::Request<Incoming>| {
            let (pipeline, peer, in_flight) = (Arc::clone(&pipeline), Arc::clone(&peer), activity.begin());
            async move {
                let response = pipeline.serve(&peer, request).await;
                drop(in_flight);
                Ok::<_, Infallible>(response)
            }
        })
    };
    let limits = &shared.pipeline.limits;
    let io = TokioIo::new(stream);
    if is_http2 {
        let connection = http2_builder(limits).serve_connection(io, service);
        drive(shared, &peer, &activity, connection, http2::Connection::graceful_shutdown).await;
    } else {
        let connection = http1_builder(limits).serve_connection(io, service);
        drive(shared, &peer, &activity, connection, http1::Connection::graceful_shutdown).await;
    }
}

/// Polls a connection until it ends, and asks it to end when it is time.
async fn drive<C>(shared: &Shared, peer: &Peer, activity: &Activity, connection: C, finish: fn(std::pin::Pin<&mut C>))
where
    C: Future<Output = hyper::Result<()>>,
{
    let limits = &shared.pipeline.limits;
    let mut connection = pin!(connection);
    let mut finishing: Option<Instant> = None;
    let mut ticks = time::interval(limits.header_time.min(limits.idle).div_f32(4.0).max(Duration::from_millis(10)));
    loop {
        let asked = tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = shared.abort.cancelled() => return,
            () = shared.stop.cancelled(), if finishing.is_none() => true,
            () = peer.close.notified(), if finishing.is_none() => true,
            _ = ticks.tick() => match finishing {
                // A client that neither takes its answers nor goes away.
                Some(since) if since.elapsed() >= limits.grace => return,
                Some(_) => false,
                None => activity.is_over(limits),
            },
        };
        if asked && finishing.is_none() {
            finishing = Some(Instant::now());
            finish(connection.as_mut());
        }
    }
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    let header_bytes = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX);
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_headers(HEADER_COUNT)
        .max_header_size(header_bytes)
        // The least that hyper takes is 8 KiB.
        .max_buf_size(header_bytes.max(8 * 1024));
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

impl Activity {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            in_flight: AtomicUsize::new(0),
            any: AtomicBool::new(false),
            last: AtomicU64::new(0),
        }
    }

    fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.any.store(true, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Nothing in flight for too long; the first request must come sooner than the next.
    fn is_over(&self, limits: &Limits) -> bool {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let quiet = self.started.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)));
        quiet >= if self.any.load(Ordering::Relaxed) { limits.idle } else { limits.header_time }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(now, Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
