//! Intensities from a file that may be replaced at any time.

use std::{
    fs::File,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use sci_core::intensity::{Quality, Signal, Zone};
use tokio::task;

use super::{
    Answer, Failure, IntensitySource, ParseContext, RowProblem, SourceError, SourceStatus, StatusHandle, parse_csv,
    parse_json,
};
use crate::config::{FileSourceConfig, GridConfig};

/// When a file that speaks of too far a future is read again, though it did not change.
const AGAIN: Duration = Duration::from_hours(1);
/// Ten years of hours in ten zones fit.
const MAX_BYTES: u64 = 32 << 20;

/// A CSV or JSON file. Its content is compared, not its time stamp: a mounted `ConfigMap` is replaced through a
/// symbolic link, an editor by renaming, and both are seen.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    name: String,
    context: ParseContext,
    period: Duration,
    seen: Option<Seen>,
    status: SourceStatus,
    handle: StatusHandle,
}

/// What was read last.
#[derive(Debug)]
struct Seen {
    hash: u64,
    /// Why it could not be used, if so: it is told until the file changes.
    problem: Option<RowProblem>,
    /// When it was read, if some of its rows, or all, may only have been dated too far ahead.
    again: Option<Timestamp>,
}

impl Seen {
    fn is_current(&self, hash: u64, now: Timestamp) -> bool {
        self.hash == hash && self.again.is_none_or(|read| now.duration_since(read).unsigned_abs() < AGAIN)
    }
}

impl FileSource {
    /// A file as configured; nothing is read yet.
    pub fn new(file: &FileSourceConfig, grid: &GridConfig) -> Self {
        let name = file.path.file_name().map_or_else(|| "file".into(), |name| name.to_string_lossy().into_owned());
        let context = ParseContext {
            zone: file.zone.as_deref().and_then(|zone| Zone::new(zone).ok()),
            signal: file.signal.map_or_else(|| grid.signal(), Signal::from),
            quality: Quality::from(file.quality),
            source: name.as_str().into(),
        };
        let status = SourceStatus::new(&name, "file");
        let handle = StatusHandle::new(status.clone());
        Self { path: file.path.clone(), name, context, period: grid.poll_interval.get(), seen: None, status, handle }
    }

    /// As a source with a name of its own.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self.status.name = name.into();
        self.handle.store(self.status.clone());
        self.context.source = name.into();
        self
    }

    async fn look(&mut self, now: Timestamp) -> Result<Option<Answer>, SourceError> {
        let read = self.read_if_changed(now).await;
        match &read {
            Ok(answer) => {
                self.status.succeeded(now);
                if let Some(answer) = answer {
                    self.status.left_out(answer);
                }
            }
            Err(error) => {
                self.status.failed(Failure { at: now, kind: error.kind(), text: error.to_string().as_str().into() });
            }
        }
        self.handle.store(self.status.clone());
        read
    }

    async fn read_if_changed(&mut self, now: Timestamp) -> Result<Option<Answer>, SourceError> {
        let content = read_limited(&self.path).await.inspect_err(|_| self.seen = None)?;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&content);
        if let Some(seen) = self.seen.as_ref().filter(|seen| seen.is_current(hash, now)) {
            return seen.problem.clone().map_or(Ok(None), |problem| Err(self.malformed(problem)));
        }
        let json = self.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let parse = if json { parse_json } else { parse_csv };
        let parsed = parse(&content, &self.context, now);
        let again = parsed.as_ref().map_or(true, |answer| answer.early_rows > 0).then_some(now);
        self.seen = Some(Seen { hash, problem: parsed.as_ref().err().cloned(), again });
        parsed.map(Some).map_err(|problem| self.malformed(problem))
    }

    fn malformed(&self, RowProblem { line, problem }: RowProblem) -> SourceError {
        SourceError::Malformed { path: self.path.clone(), line, problem }
    }
}

impl IntensitySource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn period(&self) -> Duration {
        self.period
    }

    fn status(&self) -> Option<StatusHandle> {
        Some(self.handle.clone())
    }

    fn poll(&mut self, now: Timestamp) -> BoxFuture<'_, Result<Option<Answer>, SourceError>> {
        self.look(now).boxed()
    }
}

async fn read_limited(path: &Path) -> Result<Vec<u8>, SourceError> {
    let owned = path.to_owned();
    let read = task::spawn_blocking(move || {
        let mut content = Vec::new();
        File::open(owned)?.take(MAX_BYTES + 1).read_to_end(&mut content)?;
        Ok(content)
    });
    let content = read.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let content = content.map_err(|source| SourceError::Read { path: path.to_owned(), source })?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= MAX_BYTES) {
        return Ok(content);
    }
    Err(SourceError::TooLarge { path: path.to_owned(), limit: MAX_BYTES })
}
