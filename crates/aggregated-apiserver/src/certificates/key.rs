//! The certificate in use, and who keeps it current.

use std::{sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use x509_parser::parse_x509_certificate;

use super::{CertificateError, files::Files, self_signed::Rotation};
use crate::{authn::trust, metrics::ServerMetrics};

/// Hands out the pair in use to every new connection.
#[derive(Debug)]
pub(crate) struct ServingKey {
    current: ArcSwap<CertifiedKey>,
    metrics: ServerMetrics,
}

/// A pair that can be served.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) key: CertifiedKey,
    pub(crate) not_after: SystemTime,
}

/// Keeps the pair current for as long as it runs.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(super) key: Arc<ServingKey>,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) enum Source {
    Files(Box<Files>),
    Own(Box<Rotation>),
}

impl ServingKey {
    pub(super) fn new(pair: Pair, metrics: &ServerMetrics) -> Arc<Self> {
        metrics.set_not_after("serving", pair.not_after);
        Arc::new(Self { current: ArcSwap::from_pointee(pair.key), metrics: metrics.clone() })
    }

    /// New connections see the new pair, open ones go on.
    pub(super) fn replace(&self, pair: Pair) {
        self.metrics.set_not_after("serving", pair.not_after);
        self.current.store(Arc::new(pair.key));
    }
}

impl ResolvesServerCert for ServingKey {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Pair {
    /// Certificate with its intermediates, and the key that belongs to it.
    pub(crate) fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|source| CertificateError::Pem { what: "certificate", source })?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|source| CertificateError::Pem { what: "private key", source })?;
        let not_after = chain
            .first()
            .and_then(|leaf| parse_x509_certificate(leaf).ok())
            .map(|(_, leaf)| trust::validity(leaf.validity()).1)
            .ok_or(CertificateError::Unparsable)?;
        let provider: CryptoProvider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(CertificateError::Mismatch)?;
        Ok(Self { key, not_after })
    }
}

impl Keeper {
    pub(crate) fn key(&self) -> Arc<ServingKey> {
        Arc::clone(&self.key)
    }

    /// Runs until dropped.
    pub(crate) async fn run(self) {
        match self.source {
            Source::Files(files) => files.follow(&self.key).await,
            Source::Own(rotation) => rotation.follow(&self.key).await,
        }
    }
}
