//! Energy of nodes and pods, by whoever measures it.
//!
//! ```text
//! pages, query results, pushed points --route--> samples --reader--> readings --meter--> windows of joules
//! ```
//!
//! A window says how much of its time is covered; what is not covered is a gap, never zero.
//!
//! A route hands every sample to a [`readers::PageReader`], and what that finishes to the [`meter::Meter`] of the node:
//!
//! ```text
//! let mut reader = PageReader::new(&exporters, ReaderOptions { route, node_label });
//! exposition::parse(body, |name| readers::wanted(&exporters, name), |sample| reader.sample(&sample, received_at))?;
//! meter.observe(reader.finish());                                // one node is known
//! let (pages, unplaced) = reader.finish_by_node(&names);         // or the samples say which
//! let output = meter.take(now);
//! ```
//!
//! Several points of one series in one observation (ranges of a query, pushed points) are fine: they are ordered by
//! their own time. Samples that came through a Prometheus are to have the time of their scrape, not of the query, or
//! counters seem to run fast and slow by turns.

mod directory;
mod fleet;
pub mod meter;
pub mod otlp;
pub mod prometheus;
pub mod readers;
mod reading;
mod scrape;
mod sources;
mod window;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;

pub use self::{
    directory::{NodeDirectory, NodeFacts, NodeNames},
    meter::{Meter, MeterCounts, MeterOptions, MeterOutput},
    readers::{PageReader, ReaderOptions, Unplaced},
    reading::{NodePage, ReadCounts},
    sources::sources,
    window::{
        Exporter, Gap, GapReason, MeterId, NodeJoules, NodeWindow, PodRef, PodWindow, Refusal, RefusedMeter, Route,
        SCALE_FROM,
    },
};

/// Something that knows the energy of nodes and pods over time.
pub trait EnergySource: Send {
    /// Its configured name.
    fn name(&self) -> &str;

    /// How long to wait between two questions.
    fn period(&self) -> Duration;

    /// What became known since the last question.
    ///
    /// # Errors
    /// [`EnergySourceError`] where the source as a whole has no answer. Nodes that failed one by one are gaps.
    fn poll(&mut self, now: Timestamp) -> BoxFuture<'_, Result<EnergyAnswer, EnergySourceError>>;
}

/// What became known since the last question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EnergyAnswer {
    /// Finished windows, oldest first for each node.
    pub windows: Vec<NodeWindow>,
    /// Time without a value.
    pub gaps: Vec<Gap>,
    /// Meters that are not believed, all that are refused at present.
    pub refused: Vec<RefusedMeter>,
    /// Why the answer may lack nodes: warnings of a partial response, agents that did not answer.
    pub partial: Option<Arc<str>>,
    /// Samples and lines of the answer.
    pub counts: SampleCounts,
}

/// Samples and lines, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SampleCounts {
    /// Samples that a reader wanted.
    pub parsed: u64,
    /// Samples of families that nobody wants.
    pub skipped: u64,
    /// Lines and points that cannot be read.
    pub malformed: u64,
}

impl std::ops::AddAssign for SampleCounts {
    fn add_assign(&mut self, other: Self) {
        self.parsed += other.parsed;
        self.skipped += other.skipped;
        self.malformed += other.malformed;
    }
}

/// Why a source has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnergySourceError {
    /// Worded by the route; never holds a secret.
    #[error("{0}")]
    Route(String),
}
