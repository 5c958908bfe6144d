//! A metrics API whose every answer a test sets: `custom.metrics.k8s.io`, `external.metrics.k8s.io` and `metrics.k8s.io`, as
//! an aggregated API of a local control plane.
//!
//! It stands in for adapters and metrics servers of others where the real autoscaler is watched; it asks nobody who is
//! calling. Every answer is a number of thousandths, so that nothing is lost between a script and what the autoscaler reads.

mod answers;
mod script;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Request;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::script::Script;
pub use self::script::{Asked, Question, Said, Sample};
use crate::aggregation::{Aggregation, AggregationError, GroupVersion, HostService};
use crate::control_plane::ControlPlane;
use crate::http_server;
use crate::pki::{Authority, PkiError, Subject};

const NAMESPACE: &str = "kube-system";
const NAME: &str = "scripted-metrics";

/// The API could not be served or registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptedMetricsError {
    #[error("listen on loopback")]
    Listen(#[from] io::Error),
    #[error(transparent)]
    Certificate(#[from] PkiError),
    #[error(transparent)]
    Aggregation(#[from] AggregationError),
}

/// The running API; ends when dropped.
#[derive(Debug)]
pub struct ScriptedMetrics {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    server: JoinHandle<()>,
}

impl ScriptedMetrics {
    /// Begins to answer, and registers all its groups. Nothing is known yet: everything is 404.
    pub async fn start(plane: &ControlPlane) -> Result<Self, ScriptedMetricsError> {
        Self::start_with(plane, answers::groups().collect()).await
    }

    /// The same for the use of pods alone, as a metrics server, beside an adapter that has the other groups.
    pub async fn start_usage(plane: &ControlPlane) -> Result<Self, ScriptedMetricsError> {
        Self::start_with(plane, vec![answers::usage()]).await
    }

    async fn start_with(plane: &ControlPlane, versions: Vec<GroupVersion>) -> Result<Self, ScriptedMetricsError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let service = HostService::new(NAMESPACE, NAME, address);
        let authority = Authority::new(&format!("{NAME}-ca"))?;
        let subject = Subject::server(NAME, &[&service.server_name()]);
        let files = authority.issue(plane.folder(), NAME, &subject)?;
        let script = Arc::new(Mutex::new(Script::default()));
        let server = tokio::spawn(run(listener, http_server::acceptor(&files)?, Arc::clone(&script)));
        let metrics = Self { address, script, server };

        let aggregation = Aggregation::new(plane.client());
        aggregation.serve(&service).await?;
        for version in &versions {
            aggregation.register(version, &service, Some(&authority.pem())).await?;
        }
        for version in &versions {
            aggregation.wait_available(version).await?;
        }
        Ok(metrics)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this is the answer to a question.
    pub fn set(&self, question: Question, said: Said) {
        self.lock().set(question, said);
    }

    /// When this was asked so far, in order, and what was answered.
    pub fn asked(&self, question: &Question) -> Vec<Asked> {
        self.lock().asked(question)
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ScriptedMetrics {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn run(listener: TcpListener, tls: tokio_rustls::TlsAcceptor, script: Arc<Mutex<Script>>) {
    http_server::serve(listener, Some(tls), move |_local, request: Request<Incoming>| {
        let answer = answers::answer(&mut script.lock().unwrap_or_else(PoisonError::into_inner), &request);
        async move { Ok::<_, std::convert::Infallible>(answer) }
    })
    .await;
}
