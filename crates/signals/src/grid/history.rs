//! What was learned, kept over restarts.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use sci_core::{
    forecast::Hour,
    intensity::{Quality, Signal, Zone},
    quantity::GramsPerKwh,
};
use serde_json::json;
use tokio::task;
use tracing::warn;

use super::{Answer, IntensitySource, ParseContext, SourceError, parse_json};

/// How often it is looked whether there is something to write.
const PERIOD: Duration = Duration::from_mins(5);
/// 35 days of hours of some five hundred zones.
const MAX_BYTES: u64 = 64 << 20;

/// The hourly means of every zone that were learned from. Written by the one writer, read by whoever keeps them.
/// Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct LearnedHistory(Arc<ArcSwap<Learned>>);

#[derive(Debug, Default, PartialEq)]
struct Learned {
    signal: Signal,
    zones: Vec<(Zone, Vec<(Hour, GramsPerKwh)>)>,
}

/// A file with the hourly means. It speaks once, at the start; from then on it is written.
#[derive(Debug)]
pub struct HistoryFile {
    path: PathBuf,
    learned: LearnedHistory,
    written: Arc<Learned>,
    read: bool,
}

/// What was learned up to an instant.
#[derive(Debug, Clone, Default)]
pub struct LearnedHours(Arc<Learned>);

impl LearnedHours {
    /// Hourly means of a zone under its present name, in order.
    pub fn of(&self, zone: &Zone) -> &[(Hour, GramsPerKwh)] {
        self.0.zones.iter().find(|(known, _)| known == zone).map(|(_, hours)| hours.as_slice()).unwrap_or_default()
    }

    /// Whether nothing was learned between the two.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl LearnedHistory {
    /// What was learned until now.
    pub fn hours(&self) -> LearnedHours {
        LearnedHours(self.0.load_full())
    }

    pub(super) fn publish(&self, signal: Signal, mut zones: Vec<(Zone, Vec<(Hour, GramsPerKwh)>)>) {
        zones.retain(|(_, hours)| !hours.is_empty());
        let learned = Learned { signal, zones };
        if **self.0.load() != learned {
            self.0.store(Arc::new(learned));
        }
    }
}

impl HistoryFile {
    /// A file as configured; nothing is read yet.
    pub fn new(path: impl Into<PathBuf>, learned: LearnedHistory) -> Self {
        Self { path: path.into(), learned, written: Arc::default(), read: false }
    }

    async fn step(&mut self, now: Timestamp) -> Result<Option<Answer>, SourceError> {
        if !self.read {
            self.read = true;
            return self.read(now).await;
        }
        let learned = self.learned.0.load_full();
        if learned.zones.is_empty() || Arc::ptr_eq(&learned, &self.written) {
            return Ok(None);
        }
        let (path, text) = (self.path.clone(), Arc::clone(&learned));
        let written = task::spawn_blocking(move || write(&path, &text.text())).await;
        written
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| SourceError::Other(format!("write {}: {}", self.path.display(), error.kind())))?;
        self.written = learned;
        Ok(None)
    }

    /// What the file says. One that cannot be read is as good as none: it is learned again.
    async fn read(&self, now: Timestamp) -> Result<Option<Answer>, SourceError> {
        let path = self.path.clone();
        let read =
            task::spawn_blocking(
                move || {
                    if fs::metadata(&path)?.len() > MAX_BYTES { Ok(Vec::new()) } else { fs::read(&path) }
                },
            );
        let content = match read.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SourceError::Read { path: self.path.clone(), source }),
        };
        let signal = self.learned.0.load().signal;
        let context = ParseContext { zone: None, signal, quality: Quality::Estimated, source: "history".into() };
        match parse_json(&content, &context, now) {
            Ok(answer) => Ok(Some(answer)),
            Err(problem) => {
                warn!(file = %self.path.display(), %problem, "history ignored, it is learned again");
                Ok(None)
            }
        }
    }
}

impl Learned {
    /// In the form of a grid file, so that one reader does for both.
    fn text(&self) -> String {
        let slot = |(hour, value): &(Hour, GramsPerKwh)| json!({ "start": hour.start(), "value": value.get() });
        let zones = self.zones.iter().map(|(zone, hours)| {
            json!({
                "zone": zone, "signal": self.signal.kind, "scope": self.signal.scope, "quality": Quality::Estimated,
                "slots": hours.iter().map(slot).collect::<Vec<_>>(),
            })
        });
        zones.collect::<serde_json::Value>().to_string()
    }
}

impl IntensitySource for HistoryFile {
    fn name(&self) -> &'static str {
        "history"
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    fn poll(&mut self, now: Timestamp) -> BoxFuture<'_, Result<Option<Answer>, SourceError>> {
        self.step(now).boxed()
    }
}

/// Readers see the old file or the new one, never half of one.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("tmp");
    let mut file = fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)
}
