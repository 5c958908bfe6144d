//! A client certificate verifier whose authorities can be exchanged while it is in use.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{TlsError, material::trust_anchors, reload::Content};

/// Delegates every check to the verifier built from the authorities last read.
#[derive(Debug)]
pub(super) struct ReloadableVerifier {
    // One more Arc, because ArcSwap holds sized values only.
    current: ArcSwap<Arc<dyn ClientCertVerifier>>,
    provider: Arc<CryptoProvider>,
    required: bool,
}

impl ReloadableVerifier {
    pub(super) fn new(contents: &[Content], provider: Arc<CryptoProvider>, required: bool) -> Result<Self, TlsError> {
        let first = build(contents, &provider)?;
        Ok(Self { current: ArcSwap::from_pointee(first), provider, required })
    }

    pub(super) fn replace(&self, contents: &[Content]) -> Result<(), TlsError> {
        self.current.store(Arc::new(build(contents, &self.provider)?));
        Ok(())
    }
}

impl ClientCertVerifier for ReloadableVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    /// No hints: they would have to outlive the authorities they name. A client without hints sends what it has.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.current.load().verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current.load().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current.load().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn build(contents: &[Content], provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let [authorities] = contents else { return Err(TlsError::NoClientAuthority) };
    let roots = trust_anchors(authorities)?;
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|source| TlsError::ClientAuthority { path: authorities.path.clone(), source: Box::new(source) })
}
