//! Carbon intensity of grid zones: where it comes from, and what holds now.
//!
//! A source is asked at its own pace and answers with whole series; the writer keeps the last answer of each and
//! chooses one value per zone by the links of the chain. A missing value is never zero and never another zone's.

mod chain;
mod config_map;
mod demand;
mod fallback;
mod fetch;
mod file;
mod history;
mod learning;
pub mod providers;
mod rows;
mod sources;
mod status;
mod table;

use std::{path::PathBuf, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use sci_core::intensity::Series;

pub use self::{
    chain::Grid,
    demand::{DemandedZone, ZoneDemand},
    fetch::{Allowance, Fetcher, FetcherOptions},
    file::FileSource,
    history::{HistoryFile, LearnedHistory, LearnedHours},
    rows::{ParseContext, RowProblem, parse_csv, parse_json},
    sources::sources,
    status::{BreakerState, Calls, Failure, QuestionStatus, SourceStatus, StatusHandle},
    table::{ChainLink, ChosenReading, LearnedForecast, ZoneForecast, ZoneIndex, ZoneState, ZoneTable, ZoneValue},
};

/// Something that knows intensities over time.
pub trait IntensitySource: Send {
    /// Short name for logs, metrics and explanations.
    fn name(&self) -> &str;

    /// How long to wait between two questions.
    fn period(&self) -> Duration;

    /// Where it tells how it fares, if it does.
    fn status(&self) -> Option<StatusHandle> {
        None
    }

    /// All series known now, or `None` where nothing changed since the last answer.
    ///
    /// # Errors
    /// [`SourceError`]; what the source said before stays in force.
    fn poll(&mut self, now: Timestamp) -> BoxFuture<'_, Result<Option<Answer>, SourceError>>;
}

/// What a source says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Replaces everything that the source said before.
    pub series: Vec<Series>,
    /// Rows that were left out, the first few of them.
    pub refused: Vec<RowProblem>,
    /// Rows that were left out, all of them.
    pub refused_rows: usize,
    /// Of these, the rows that are only dated too far ahead: a file that does not change may be worth another look.
    pub early_rows: usize,
    /// What was taken but looks odd, the first few of it.
    pub flagged: Vec<RowProblem>,
    /// Why there is no answer to some of the questions; only what was not said before.
    pub unanswered: Vec<String>,
}

/// Why a source has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file is not there or not readable.
    #[error("read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Larger than any sensible series.
    #[error("cut {path} to {limit} bytes or fewer")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// What is accepted.
        limit: u64,
    },
    /// Text that cannot be read as a whole.
    #[error("{path}, line {line}: {problem}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: u64,
        /// What to do.
        problem: String,
    },
    /// A source of another program, which words its own problem.
    #[error("{0}")]
    Other(String),
}

impl SourceError {
    /// A fixed word for metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::TooLarge { .. } => "too_large",
            Self::Malformed { .. } => "malformed",
            Self::Other(_) => "other",
        }
    }
}
