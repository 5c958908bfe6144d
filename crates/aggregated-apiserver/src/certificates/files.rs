//! Certificate and key in files that may change at any time.
//!
//! A mounted Secret changes by a swap of symbolic links, which file watches miss; the content is polled instead.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::PathBuf,
    time::Duration,
};

use tokio::time::{self, MissedTickBehavior};

use super::{
    CertificateError,
    key::{Pair, ServingKey},
};
use crate::metrics::ServerMetrics;

/// Where the pair is.
#[derive(Debug)]
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    poll: Duration,
    /// Fingerprint of the content that was tried last, used or not; `None` while the files cannot be read.
    tried: Option<u64>,
    metrics: ServerMetrics,
}

impl Files {
    /// Reads the files for the first time: here what is unusable is an error, later it is not.
    pub(super) fn open(
        certificate: PathBuf,
        key: PathBuf,
        poll: Duration,
        metrics: ServerMetrics,
    ) -> Result<(Self, Pair), CertificateError> {
        let mut this = Self { certificate, key, poll, tried: None, metrics };
        let (certificate, key) = this.read()?;
        this.tried = Some(fingerprint(&certificate, &key));
        let pair = Pair::from_pem(&certificate, &key)?;
        Ok((this, pair))
    }

    /// Takes over what changes, until dropped.
    pub(super) async fn follow(mut self, key: &ServingKey) {
        let mut ticks = time::interval(self.poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // A few kilobytes from a memory-backed mount: cheaper in place than on another thread.
            match self.check() {
                Ok(None) => {}
                Ok(Some(pair)) => {
                    key.replace(pair);
                    self.metrics.count_reload("success");
                    tracing::info!("serving certificate reloaded");
                }
                Err(error) => {
                    self.metrics.count_reload("failure");
                    tracing::warn!(%error, "changed serving certificate refused, the old one stays in use");
                }
            }
        }
    }

    /// The pair if it is a new one. What cannot be used is reported once.
    fn check(&mut self) -> Result<Option<Pair>, CertificateError> {
        let (certificate, key) = match self.read() {
            Ok(contents) => contents,
            Err(error) => return if self.tried.take().is_some() { Err(error) } else { Ok(None) },
        };
        let found = fingerprint(&certificate, &key);
        if self.tried.replace(found) == Some(found) {
            return Ok(None);
        }
        Pair::from_pem(&certificate, &key).map(Some)
    }

    fn read(&self) -> Result<(Vec<u8>, Vec<u8>), CertificateError> {
        let read =
            |path: &PathBuf| fs::read(path).map_err(|source| CertificateError::Read { path: path.clone(), source });
        Ok((read(&self.certificate)?, read(&self.key)?))
    }
}

/// Not cryptographic: who can choose the content can replace the certificate anyway.
fn fingerprint(certificate: &[u8], key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    certificate.hash(&mut hasher);
    key.hash(&mut hasher);
    hasher.finish()
}
