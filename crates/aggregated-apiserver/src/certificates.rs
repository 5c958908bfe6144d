//! The certificate that the server shows, and how the aggregator comes to trust it.

mod files;
pub(crate) mod key;
mod self_signed;

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use self::{
    files::Files,
    key::{Keeper, ServingKey, Source},
    self_signed::Rotation,
};
use crate::{clock::Clock, metrics::ServerMetrics};

pub use crate::raw::RawError;

/// Where the serving certificate comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
// One per process: nothing would be gained by a box.
#[allow(clippy::large_enum_variant)]
pub enum Serving {
    /// Files in PEM, for instance of a mounted Secret that cert-manager writes. Read again when they change.
    Files {
        /// Certificate with its intermediates.
        certificate: PathBuf,
        /// Private key.
        key: PathBuf,
    },
    /// An authority of our own.
    SelfSigned(SelfSigned),
}

/// An authority of our own: kept in a Secret that all replicas share, and made known to the aggregator by patching
/// `spec.caBundle` of the named APIServices, which needs `get` and `patch` on just these.
#[derive(Clone)]
pub struct SelfSigned {
    /// Client of the API server.
    pub client: kube::Client,
    /// Namespace of service and Secret.
    pub namespace: String,
    /// Service by which the aggregator reaches us: the certificate is made out to `SERVICE.NAMESPACE.svc`.
    pub service: String,
    /// Secret that holds the authority.
    pub secret: String,
    /// APIServices to patch. One that points to another service is left alone.
    pub api_services: Vec<String>,
    /// Life of the authority.
    pub authority_life: Duration,
    /// Life of the serving certificate.
    pub certificate_life: Duration,
    /// How long a new authority is in the bundles before it signs, and an old one stays after that.
    pub overlap: Duration,
    /// Pause between two looks at Secret and APIServices.
    pub interval: Duration,
}

/// A serving certificate that cannot be used, or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// It is no PEM or lacks what is looked for.
    #[error("no usable {what}")]
    Pem {
        /// What was looked for.
        what: &'static str,
        /// Reason.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate is no X.509.
    #[error("the certificate cannot be parsed")]
    Unparsable,
    /// Key of an unsupported kind, or not the key of the certificate.
    #[error("certificate and key do not work together")]
    Mismatch(#[source] rustls::Error),
    /// A certificate or key cannot be made or read.
    #[error("the certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// The key of the authority is not that of its certificate.
    #[error("certificate and key of the authority do not belong together")]
    Stranger,
    /// The Secret cannot be read or written.
    #[error("the Secret of the authority cannot be read or written")]
    Secret(#[source] RawError),
    /// The Secret holds something else than an authority.
    #[error("the Secret of the authority has something else in {key}")]
    SecretContent {
        /// Where.
        key: &'static str,
    },
    /// An APIService cannot be read or patched.
    #[error("the bundle of APIService {name} cannot be read or written")]
    Bundle {
        /// Name of the APIService.
        name: String,
        /// Reason.
        source: Box<kube::Error>,
    },
    /// Another replica wrote the Secret each time that we were about to.
    #[error("the Secret of the authority changes all the time")]
    Overtaken,
    /// The API server took too long.
    #[error("no answer of the API server in time")]
    Timeout,
}

/// Gets the first pair and whoever keeps it current.
pub(crate) async fn start(
    serving: Serving,
    poll: Duration,
    clock: Arc<dyn Clock>,
    metrics: &ServerMetrics,
) -> Result<Keeper, CertificateError> {
    let (pair, source) = match serving {
        Serving::Files { certificate, key } => {
            let (files, pair) = Files::open(certificate, key, poll, metrics.clone())?;
            (pair, Source::Files(Box::new(files)))
        }
        Serving::SelfSigned(settings) => {
            let (rotation, pair) = Rotation::start(settings, clock, metrics.clone()).await?;
            (pair, Source::Own(Box::new(rotation)))
        }
    };
    Ok(Keeper { key: ServingKey::new(pair, metrics), source })
}

impl SelfSigned {
    /// The usual lives: an authority of a year, certificates of thirty days, an overlap of one hour.
    pub fn new(
        client: kube::Client,
        namespace: impl Into<String>,
        service: impl Into<String>,
        api_services: Vec<String>,
    ) -> Self {
        let day = Duration::from_hours(24);
        let service = service.into();
        Self {
            client,
            namespace: namespace.into(),
            secret: format!("{service}-ca"),
            service,
            api_services,
            authority_life: 365 * day,
            certificate_life: 30 * day,
            overlap: Duration::from_hours(1),
            interval: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfSigned")
            .field("namespace", &self.namespace)
            .field("service", &self.service)
            .field("secret", &self.secret)
            .field("api_services", &self.api_services)
            .finish_non_exhaustive()
    }
}
