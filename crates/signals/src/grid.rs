//! Carbon intensity of grid zones: where it comes from, and what holds now.
//!
//! A source is asked at its own pace and answers with whole series; the writer keeps the last answer of each and
//! chooses one value per zone: the slot that covers the present, else the latest slot, losing weight with age, else
//! the annual average, else none. A missing value is never zero and never another zone's.

mod chain;
mod file;
mod rows;
mod table;

use std::{path::PathBuf, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use sci_core::intensity::Series;

pub use self::{
    chain::Grid,
    file::FileSource,
    rows::{ParseContext, RowProblem, parse_csv, parse_json},
    table::{ChainLink, ChosenReading, ZoneIndex, ZoneState, ZoneTable, ZoneValue},
};

/// Something that knows intensities over time.
pub trait IntensitySource: Send {
    /// Short name for logs, metrics and explanations.
    fn name(&self) -> &str;

    /// How long to wait between two questions.
    fn period(&self) -> Duration;

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
