//! From the bytes of PEM files to keys and trust anchors.

use std::sync::Arc;

use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::parse_x509_certificate;

use super::{TlsError, reload::Content};

/// Certificate chain with the matching key.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    /// End of validity of the leaf, seconds since 1970.
    pub(super) not_after_seconds: i64,
}

impl Identity {
    /// Parses the content of a certificate file and a key file, in this order, and proves that they belong together.
    pub(super) fn parse(contents: &[Content], provider: &CryptoProvider) -> Result<Self, TlsError> {
        let [certificate, key] = contents else {
            return Err(TlsError::KeyPair(rustls::Error::NoCertificatesPresented));
        };
        let chain = certificates(certificate)?;
        let private_key = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|source| TlsError::Pem {
            what: "private key",
            path: key.path.clone(),
            source,
        })?;
        let not_after_seconds = chain
            .first()
            .and_then(|leaf| parse_x509_certificate(leaf).ok())
            .map(|(_, leaf)| leaf.validity().not_after.timestamp())
            .ok_or_else(|| TlsError::Certificate { path: certificate.path.clone() })?;
        let pair = CertifiedKey::from_der(chain, private_key, provider).map_err(TlsError::KeyPair)?;
        Ok(Self { key: Arc::new(pair), not_after_seconds })
    }
}

/// Every certificate of a file as trust anchor.
pub(super) fn trust_anchors(content: &Content) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(content)? {
        roots
            .add(certificate)
            .map_err(|source| TlsError::ClientAuthority { path: content.path.clone(), source: Box::new(source) })?;
    }
    Ok(roots)
}

fn certificates(content: &Content) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { what: "certificate", path: content.path.clone(), source };
    let found: Vec<_> = CertificateDer::pem_slice_iter(&content.bytes).collect::<Result<_, _>>().map_err(pem)?;
    if found.is_empty() {
        return Err(pem(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}
