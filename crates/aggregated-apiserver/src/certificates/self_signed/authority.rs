//! Makes authorities and the certificates that they sign.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::parse_x509_certificate;

use super::super::{CertificateError, SelfSigned, key::Pair};
use crate::authn::trust;

/// Clocks of replicas and of the API server may differ by this.
const SKEW: Duration = Duration::from_mins(5);

/// A certificate that signs others, with its key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

/// What a replica serves, and who signed it.
#[derive(Debug)]
pub(super) struct Issued {
    /// The certificate of the authority.
    pub(super) by: String,
    /// Time for the next one.
    pub(super) renew: SystemTime,
}

impl Authority {
    /// A new one, valid from now on.
    pub(super) fn make(settings: &SelfSigned, now: SystemTime) -> Result<Self, CertificateError> {
        let mut parameters = CertificateParams::default();
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        parameters.distinguished_name =
            name(&format!("{}.{} authority {seconds}", settings.service, settings.namespace));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        parameters.not_before = (now - SKEW).into();
        parameters.not_after = (now + settings.authority_life).into();
        let key = KeyPair::generate()?;
        let certificate = parameters.self_signed(&key)?.pem();
        Self::parse(certificate, key.serialize_pem())
    }

    /// One that was made earlier; certificate and key must belong together.
    pub(super) fn parse(certificate: String, key: String) -> Result<Self, CertificateError> {
        let pair = KeyPair::from_pem(&key)?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|source| CertificateError::Pem { what: "authority", source })?;
        let (_, parsed) = parse_x509_certificate(&der).map_err(|_| CertificateError::Unparsable)?;
        if parsed.public_key().raw != rcgen::PublicKeyData::subject_public_key_info(&pair) {
            return Err(CertificateError::Stranger);
        }
        let (not_before, not_after) = trust::validity(parsed.validity());
        Ok(Self { certificate, key, not_before, not_after })
    }

    /// A serving certificate for the service, valid no longer than the authority.
    pub(super) fn issue(&self, settings: &SelfSigned, now: SystemTime) -> Result<(Issued, Pair), CertificateError> {
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, KeyPair::from_pem(&self.key)?)?;
        let host = format!("{}.{}.svc", settings.service, settings.namespace);
        let mut parameters = CertificateParams::new(vec![host.clone(), format!("{host}.cluster.local")])?;
        parameters.distinguished_name = name(&host);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let not_after = (now + settings.certificate_life).min(self.not_after);
        parameters.not_before = (now - SKEW).into();
        parameters.not_after = not_after.into();
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &issuer)?.pem();
        let pair = Pair::from_pem(certificate.as_bytes(), key.serialize_pem().as_bytes())?;
        let life = not_after.duration_since(now).unwrap_or_default();
        Ok((Issued { by: self.certificate.clone(), renew: now + life * 2 / 3 }, pair))
    }

    /// Time for a successor.
    pub(super) fn renew(&self) -> SystemTime {
        let life = self.not_after.duration_since(self.not_before).unwrap_or_default();
        self.not_before + life * 2 / 3
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}
