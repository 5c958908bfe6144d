//! Whom a client certificate stands for: the common name is the user, organisations are the groups.

use std::{collections::BTreeMap, sync::Arc};

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use x509_parser::{der_parser::asn1_rs::oid, parse_x509_certificate, prelude::X509Name};

use super::trust;
use crate::{hash, user::UserInfo};

/// Facts of a leaf certificate, whoever signed it.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) common_name: String,
    pub(crate) organisations: Vec<String>,
    pub(crate) not_after: std::time::SystemTime,
    fingerprint: String,
}

/// A leaf certificate that names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LeafError {
    #[error("the certificate cannot be parsed")]
    Unparsable,
    #[error("the certificate has more than one common name")]
    Ambiguous,
    #[error("a name in the certificate is no text")]
    Text,
}

impl Leaf {
    pub(crate) fn parse(certificate: &CertificateDer<'_>) -> Result<Self, LeafError> {
        let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| LeafError::Unparsable)?;
        let subject = parsed.subject();
        let mut names = texts(subject, &oid!(2.5.4.3))?;
        let common_name = names.pop().unwrap_or_default();
        if !names.is_empty() {
            return Err(LeafError::Ambiguous);
        }
        let (_, not_after) = trust::validity(parsed.validity());
        let fingerprint = hash::hex(digest(&SHA256, certificate).as_ref());
        Ok(Self { common_name, organisations: texts(subject, &oid!(2.5.4.10))?, not_after, fingerprint })
    }

    /// The caller that it stands for if an authority of clients signed it; nobody without a common name.
    pub(crate) fn user(&self) -> Option<Arc<UserInfo>> {
        if self.common_name.is_empty() {
            return None;
        }
        let credential = ("authentication.kubernetes.io/credential-id", format!("X509SHA256={}", self.fingerprint));
        let user = UserInfo {
            name: self.common_name.clone(),
            uid: String::new(),
            groups: self.organisations.clone(),
            extra: BTreeMap::from([(credential.0.to_owned(), vec![credential.1])]),
        };
        Some(Arc::new(user.with_authenticated_group()))
    }
}

fn texts(name: &X509Name<'_>, wanted: &x509_parser::der_parser::Oid<'_>) -> Result<Vec<String>, LeafError> {
    name.iter_attributes()
        .filter(|attribute| attribute.attr_type() == wanted)
        .map(|attribute| attribute.as_str().map(str::to_owned).map_err(|_| LeafError::Text))
        .collect()
}
