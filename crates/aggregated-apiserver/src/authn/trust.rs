//! Authorities, and whether a chain of certificates leads to one of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime, pem::PemObject};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::{certificate::Validity, parse_x509_certificate};

/// Authorities that mean the same thing.
#[derive(Debug)]
pub(crate) struct TrustDomain {
    anchors: Vec<Anchor>,
}

#[derive(Debug)]
struct Anchor {
    key: TrustAnchor<'static>,
    not_before: SystemTime,
    not_after: SystemTime,
}

/// A bundle of authorities that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    #[error("no PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    #[error("no certificate in it")]
    Empty,
    #[error("a certificate in it cannot be parsed")]
    Certificate,
}

impl TrustDomain {
    /// Every certificate of a PEM bundle. One that cannot be parsed makes the whole bundle unusable: half of it would
    /// lock half of the callers out.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, TrustError> {
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            anchors.push(Anchor::new(&certificate.map_err(TrustError::Pem)?)?);
        }
        if anchors.is_empty() { Err(TrustError::Empty) } else { Ok(Self { anchors }) }
    }

    /// Checks signatures, validity and purpose of a chain, the leaf first, for a client. Authorities outside their own
    /// validity do not count. A leaf without any extended key usage may be used for everything, as Go has it.
    pub(crate) fn verify(&self, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<(), webpki::Error> {
        let Some((leaf, intermediates)) = chain.split_first() else { return Err(webpki::Error::UnknownIssuer) };
        let leaf = EndEntityCert::try_from(leaf)?;
        let valid: Vec<TrustAnchor<'_>> = self
            .anchors
            .iter()
            .filter(|anchor| anchor.not_before <= now && now <= anchor.not_after)
            .map(|anchor| anchor.key.clone())
            .collect();
        let time = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        leaf.verify_for_usage(algorithms(), &valid, intermediates, time, KeyUsage::client_auth(), None, None)?;
        Ok(())
    }

    /// When the last of the authorities ends.
    pub(crate) fn not_after(&self) -> SystemTime {
        self.anchors.iter().map(|anchor| anchor.not_after).max().unwrap_or(UNIX_EPOCH)
    }
}

impl Anchor {
    fn new(certificate: &CertificateDer<'_>) -> Result<Self, TrustError> {
        let key = webpki::anchor_from_trusted_cert(certificate).map_err(|_| TrustError::Certificate)?.to_owned();
        let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| TrustError::Certificate)?;
        let (not_before, not_after) = validity(parsed.validity());
        Ok(Self { key, not_before, not_after })
    }
}

/// Both ends of a validity.
pub(crate) fn validity(validity: &Validity) -> (SystemTime, SystemTime) {
    (system_time(validity.not_before.timestamp()), system_time(validity.not_after.timestamp()))
}

/// Times before 1970 are all the same to us.
fn system_time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    webpki::ALL_VERIFICATION_ALGS
}
