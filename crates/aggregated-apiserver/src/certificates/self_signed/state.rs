//! What the shared Secret holds, and what to do about it next. No clock, no network.
//!
//! A rotation takes three steps, so that at every moment the bundles cover whatever any replica serves:
//!
//! 1. announce: the next authority joins the bundles, nobody serves its certificates yet;
//! 2. promote: after the overlap, and once the bundles are known to have it, replicas serve its certificates;
//! 3. retire: after the overlap again, the previous authority leaves the bundles.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use k8s_openapi::ByteString;

use super::{super::CertificateError, authority::Authority};

const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";
const NEXT_CERTIFICATE: &str = "next-ca.crt";
const NEXT_KEY: &str = "next-ca.key";
const NEXT_SINCE: &str = "next-since";
const PREVIOUS_CERTIFICATE: &str = "previous-ca.crt";
const PREVIOUS_SINCE: &str = "previous-since";

/// The authorities that replicas share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) current: Authority,
    pub(super) next: Option<(Authority, SystemTime)>,
    /// Certificate of the one before, and since when it does not sign any more.
    pub(super) previous: Option<(String, SystemTime)>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    Announce,
    Promote,
    Retire,
}

type Data = BTreeMap<String, ByteString>;

impl State {
    pub(super) fn first(current: Authority) -> Self {
        Self { current, next: None, previous: None }
    }

    /// Reads the data of the Secret. One that has neither certificate nor key is empty, which is not an error; one that
    /// has something else is not ours to write over.
    pub(super) fn parse(data: &Data) -> Result<Option<Self>, CertificateError> {
        let text = |key: &'static str| -> Result<Option<String>, CertificateError> {
            let Some(ByteString(bytes)) = data.get(key) else { return Ok(None) };
            String::from_utf8(bytes.clone()).map(Some).map_err(|_| CertificateError::SecretContent { key })
        };
        let time = |key: &'static str| -> Result<SystemTime, CertificateError> {
            let seconds = text(key)?.and_then(|text| text.parse().ok());
            let seconds = seconds.ok_or(CertificateError::SecretContent { key })?;
            UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or(CertificateError::SecretContent { key })
        };
        let current = match (text(CERTIFICATE)?, text(KEY)?) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => Authority::parse(certificate, key)?,
            (None, Some(_)) => return Err(CertificateError::SecretContent { key: CERTIFICATE }),
            (Some(_), None) => return Err(CertificateError::SecretContent { key: KEY }),
        };
        let next = match (text(NEXT_CERTIFICATE)?, text(NEXT_KEY)?) {
            (Some(certificate), Some(key)) => Some((Authority::parse(certificate, key)?, time(NEXT_SINCE)?)),
            _ => None,
        };
        let previous = match text(PREVIOUS_CERTIFICATE)? {
            Some(certificate) => Some((certificate, time(PREVIOUS_SINCE)?)),
            None => None,
        };
        Ok(Some(Self { current, next, previous }))
    }

    /// The data of the Secret.
    pub(super) fn data(&self) -> Data {
        let mut data = Data::new();
        let mut put = |key: &str, text: String| data.insert(key.to_owned(), ByteString(text.into_bytes()));
        put(CERTIFICATE, self.current.certificate.clone());
        put(KEY, self.current.key.clone());
        if let Some((next, since)) = &self.next {
            put(NEXT_CERTIFICATE, next.certificate.clone());
            put(NEXT_KEY, next.key.clone());
            put(NEXT_SINCE, seconds(*since));
        }
        if let Some((certificate, since)) = &self.previous {
            put(PREVIOUS_CERTIFICATE, certificate.clone());
            put(PREVIOUS_SINCE, seconds(*since));
        }
        data
    }

    /// Everything that a client has to trust now.
    pub(super) fn bundle(&self) -> String {
        let mut bundle = String::new();
        let next = self.next.as_ref().map(|(next, _)| next.certificate.as_str());
        let previous = self.previous.as_ref().map(|(previous, _)| previous.as_str());
        for certificate in [Some(self.current.certificate.as_str()), next, previous].into_iter().flatten() {
            bundle.push_str(certificate.trim_end());
            bundle.push('\n');
        }
        bundle
    }

    /// What to do next; `published` says that every bundle of ours has everything that is to be trusted.
    pub(super) fn step(&self, now: SystemTime, overlap: Duration, published: bool) -> Step {
        let over = |since: SystemTime| now.duration_since(since).is_ok_and(|waited| waited >= overlap);
        match (&self.next, &self.previous) {
            // Nobody trusts an expired authority anyway: waiting would help nobody.
            (Some(_), _) if self.current.not_after <= now => Step::Promote,
            (Some((_, since)), _) if published && over(*since) => Step::Promote,
            (None, _) if now >= self.current.renew() => Step::Announce,
            (_, Some((_, since))) if over(*since) => Step::Retire,
            _ => Step::Nothing,
        }
    }

    pub(super) fn announce(&mut self, next: Authority, now: SystemTime) {
        self.next = Some((next, now));
    }

    pub(super) fn promote(&mut self, now: SystemTime) {
        if let Some((next, _)) = self.next.take() {
            let old = std::mem::replace(&mut self.current, next);
            self.previous = Some((old.certificate, now));
        }
    }

    pub(super) fn retire(&mut self) {
        self.previous = None;
    }
}

fn seconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string()
}
