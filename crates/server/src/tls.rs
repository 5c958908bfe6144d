//! TLS for the listener: certificate, key and client authorities from files that may change at any time.
//!
//! A mounted Secret changes by a swap of symbolic links, which file watches miss; the content is polled instead. A
//! certificate and key that do not parse or do not belong together never replace the ones in use.

mod material;
mod reload;
mod verifier;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};

pub use self::reload::Reloader;

use self::{
    material::Identity,
    reload::{Files, Part},
    verifier::ReloadableVerifier,
};
use crate::{
    config::TlsConfig,
    metrics::{MetricsRegistry, Spec, Unit},
};

/// How often the files are read.
pub const DEFAULT_POLL: Duration = Duration::from_secs(2);

/// A listener's TLS: the configuration to bind with and the task that keeps its certificates current.
#[derive(Debug)]
pub struct ServerTls {
    /// For `HttpServer::bind_rustls_0_23`.
    pub config: ServerConfig,
    /// To be polled for as long as the listener lives.
    pub reloader: Reloader,
}

/// Figures of the certificate in use.
#[derive(Clone, Debug, Default)]
pub struct TlsMetrics {
    not_after: Gauge,
    reloads: Family<ReloadLabels, Counter>,
}

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// A file is no PEM or lacks what is looked for.
    #[error("no usable {what} in {}", path.display())]
    Pem {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Reason.
        source: rustls::pki_types::pem::Error,
    },
    /// The leaf certificate is no X.509.
    #[error("cannot parse the certificate in {}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
    },
    /// Key of an unsupported kind, or not the key of the certificate.
    #[error("certificate and key do not work together")]
    KeyPair(#[source] rustls::Error),
    /// The client authorities are not usable.
    #[error("cannot verify clients with the authorities in {}", path.display())]
    ClientAuthority {
        /// The file.
        path: PathBuf,
        /// Reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Client certificates are required but nothing to verify them with is given.
    #[error("requireClientCertificate needs clientCaFile: name the authority that signs the clients")]
    NoClientAuthority,
    /// No TLS version can be offered.
    #[error("cannot set up TLS")]
    Protocol(#[source] rustls::Error),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, prometheus_client::encoding::EncodeLabelSet)]
struct ReloadLabels {
    result: &'static str,
}

/// Hands out the pair in use to every new connection.
#[derive(Debug)]
struct Resolver(Arc<ArcSwap<CertifiedKey>>);

impl TlsMetrics {
    /// Metrics that are part of `registry`.
    pub fn registered(registry: &MetricsRegistry) -> Self {
        let this = Self::default();
        let not_after = Spec {
            name: "kube_sci_tls_certificate_not_after",
            unit: Some(Unit::Seconds),
            labels: &[],
            help: "End of validity of the server certificate in use, seconds since 1970",
        };
        let reloads = Spec {
            name: "kube_sci_tls_reloads",
            unit: None,
            labels: &["result"],
            help: "Changed certificate files that were taken over (success) or refused in favour of the old (failure)",
        };
        registry.register(not_after, this.not_after.clone());
        registry.register(reloads, this.reloads.clone());
        this
    }

    fn count_reload(&self, result: &'static str) {
        self.reloads.get_or_create(&ReloadLabels { result }).inc();
    }
}

impl ServerTls {
    /// Reads the files for the first time. Here an unusable file is an error, later it is not.
    pub fn load(config: &TlsConfig, metrics: &TlsMetrics, poll: Duration) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (pair, pair_part) = identity_part(config, Arc::clone(&provider), metrics.clone())?;
        let mut parts = vec![pair_part];

        let versions = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Protocol)?;
        let mut server = match (&config.client_ca_file, config.require_client_certificate) {
            (None, true) => return Err(TlsError::NoClientAuthority),
            (None, false) => versions.with_no_client_auth(),
            (Some(file), required) => {
                let (verifier, part) = client_authority_part(file, provider, required)?;
                parts.push(part);
                versions.with_client_cert_verifier(verifier)
            }
        }
        .with_cert_resolver(Arc::new(Resolver(pair)));
        forbid_resumption(&mut server);
        Ok(Self { config: server, reloader: Reloader::new(parts, poll, metrics.clone()) })
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// A resumed session brings both certificates of its first handshake along and skips their verification: a client of
/// a withdrawn authority could come back for as long as its ticket lives, and a client that was to see the new server
/// certificate would not. Connections are few and long-lived here, so a full handshake for each costs nothing.
fn forbid_resumption(server: &mut ServerConfig) {
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
}

fn identity_part(
    config: &TlsConfig,
    provider: Arc<CryptoProvider>,
    metrics: TlsMetrics,
) -> Result<(Arc<ArcSwap<CertifiedKey>>, Part), TlsError> {
    let files = Files::new([config.cert_file.clone(), config.key_file.clone()]);
    let contents = files.read()?;
    let first = Identity::parse(&contents, &provider)?;
    metrics.not_after.set(first.not_after_seconds);
    let current = Arc::new(ArcSwap::new(first.key));
    let target = Arc::clone(&current);
    let part = Part::new("server certificate", files, &contents, move |contents| {
        let next = Identity::parse(contents, &provider)?;
        metrics.not_after.set(next.not_after_seconds);
        target.store(next.key);
        Ok(())
    });
    Ok((current, part))
}

fn client_authority_part(
    file: &std::path::Path,
    provider: Arc<CryptoProvider>,
    required: bool,
) -> Result<(Arc<ReloadableVerifier>, Part), TlsError> {
    let files = Files::new([file.to_owned()]);
    let contents = files.read()?;
    let verifier = Arc::new(ReloadableVerifier::new(&contents, provider, required)?);
    let target = Arc::clone(&verifier);
    let part = Part::new("client authority", files, &contents, move |contents| target.replace(contents));
    Ok((verifier, part))
}
