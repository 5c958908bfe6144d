//! Reads files again and again and applies what changed.

use std::{
    fmt, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    time::Duration,
};

use tokio::time::{self, MissedTickBehavior};

use super::{TlsError, TlsMetrics};
use crate::health::Heartbeat;

/// Keeps the certificates of a listener current.
#[derive(Debug)]
pub struct Reloader {
    parts: Vec<Part>,
    poll: Duration,
    metrics: TlsMetrics,
}

/// One file as read.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

/// Files that are only meaningful together.
#[derive(Debug)]
pub(super) struct Files(Vec<PathBuf>);

/// Files and what to do when they change. Parts are independent: a broken authority does not hold up a new certificate.
pub(super) struct Part {
    what: &'static str,
    files: Files,
    /// Fingerprint of the content that was last tried, used or not; `None` while the files cannot be read.
    tried: Option<u64>,
    apply: Apply,
}

type Apply = Box<dyn Fn(&[Content]) -> Result<(), TlsError> + Send + Sync>;

impl Reloader {
    pub(super) fn new(parts: Vec<Part>, poll: Duration, metrics: TlsMetrics) -> Self {
        Self { parts, poll, metrics }
    }

    /// Polls until dropped, beating after each round.
    pub async fn run(mut self, heartbeat: Heartbeat) {
        let mut ticks = time::interval(self.poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.check();
            heartbeat.beat();
        }
    }

    /// One round. The files are a few kilobytes in memory-backed mounts: reading them in place costs less than a
    /// hand-over to another thread.
    fn check(&mut self) {
        for part in &mut self.parts {
            match part.check() {
                Ok(false) => {}
                Ok(true) => {
                    self.metrics.count_reload("success");
                    tracing::info!(what = part.what, "certificate files reloaded");
                }
                Err(error) => {
                    self.metrics.count_reload("failure");
                    let reason = error_chain(&error);
                    tracing::warn!(what = part.what, reason, "changed certificate files refused, the old stay in use");
                }
            }
        }
    }
}

impl Files {
    pub(super) fn new(paths: impl Into<Vec<PathBuf>>) -> Self {
        Self(paths.into())
    }

    pub(super) fn read(&self) -> Result<Vec<Content>, TlsError> {
        self.0
            .iter()
            .map(|path| match fs::read(path) {
                Ok(bytes) => Ok(Content { path: path.clone(), bytes }),
                Err(source) => Err(TlsError::Read { path: path.clone(), source }),
            })
            .collect()
    }
}

impl Part {
    pub(super) fn new(
        what: &'static str,
        files: Files,
        in_use: &[Content],
        apply: impl Fn(&[Content]) -> Result<(), TlsError> + Send + Sync + 'static,
    ) -> Self {
        Self { what, files, tried: Some(fingerprint(in_use)), apply: Box::new(apply) }
    }

    /// True if new content is in use now. An error is reported once per content.
    fn check(&mut self) -> Result<bool, TlsError> {
        let contents = match self.files.read() {
            Ok(contents) => contents,
            Err(error) => return if self.tried.take().is_some() { Err(error) } else { Ok(false) },
        };
        let found = fingerprint(&contents);
        if self.tried.replace(found) == Some(found) {
            return Ok(false);
        }
        (self.apply)(&contents).map(|()| true)
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("what", &self.what).field("files", &self.files).finish_non_exhaustive()
    }
}

/// Not cryptographic: who can choose the content can replace the certificate anyway.
fn fingerprint(contents: &[Content]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for content in contents {
        content.bytes.hash(&mut hasher);
    }
    hasher.finish()
}

fn error_chain(error: &TlsError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
