//! The port that is pushed to.

use std::{net::SocketAddr, time::Duration};

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::MetricsServiceServer;
use tokio::task::JoinSet;
use tonic::transport::{self, server::TcpIncoming};

use super::points::Receiver;

/// Of one export request, unpacked.
const MAX_REQUEST_BYTES: usize = 16 << 20;
/// Requests of one connection at the same time.
const MAX_REQUESTS: usize = 4;
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// A sender that went away without a word is noticed.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Listens from the first time that it is needed, until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Server {
    task: JoinSet<Result<(), transport::Error>>,
}

impl Server {
    /// Makes sure that it listens.
    ///
    /// # Errors
    /// Where the port cannot be had, and once after the server has ended.
    pub(super) fn ensure(&mut self, address: SocketAddr, service: impl FnOnce() -> Receiver) -> Result<(), String> {
        let ended = self.task.try_join_next().map(|ended| match ended {
            Ok(Ok(())) => "its connections are gone".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        });
        if self.task.is_empty() {
            let incoming = TcpIncoming::bind(address)
                .map_err(|error| format!("cannot listen on {address}: {error}; set otlp.address to a free port"))?;
            let service = MetricsServiceServer::new(service()).max_decoding_message_size(MAX_REQUEST_BYTES);
            let mut server = transport::Server::builder()
                .timeout(REQUEST_TIME)
                .concurrency_limit_per_connection(MAX_REQUESTS)
                .http2_keepalive_interval(Some(KEEPALIVE));
            self.task.spawn(server.add_service(service).serve_with_incoming(incoming));
        }
        ended.map_or(Ok(()), |problem| Err(format!("the listener on {address} has ended, starting again: {problem}")))
    }
}
