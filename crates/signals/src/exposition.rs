//! Prometheus text 0.0.4 and OpenMetrics 1.0, read without losing a label.
//!
//! ```text
//! page --lines--> is the name wanted? --yes--> tokenizer: name, labels, value, time --> sample
//!                        \--no--> skipped up to the end of the line
//! ```
//!
//! Energy is attributed by labels that hold command lines and image names. A parser that drops a label with `,`, `=`
//! or `}` in its value merges the series of two pods without any error, so that this one has to keep them all: what
//! cannot be read in full is counted as malformed and left out as a whole.
//!
//! `prometheus-parse` knows types and histograms well but loses such labels, names with `:` and quoted names, and
//! leaves escapes as they are. So it works behind the tokenizer and never sees a name or a value of the page: it tells
//! what the word of a `# TYPE` line means, by samples made up for it, and it groups [`histograms()`], for which label
//! sets and names are replaced by tokens and put back afterwards. Its `Untyped` for OpenMetrics counters, which have
//! `_total` in the sample and not in the family, is put right here.
//!
//! More than the two formats is accepted where it cannot be misread: names with characters such as `%` (ALUMET 0.9.0
//! to 0.9.2 writes `cpu_percent_alumet_%`), backslashes that are not escaped, families in pieces, blanks and trailing
//! commas anywhere, CRLF. A last line without line feed may have been cut within its number: it is malformed.

mod family;
mod histogram;
mod labels;
mod line;
mod number;
mod page;

use jiff::Timestamp;

use self::page::Page;
pub use self::{
    histogram::{Bucket, Grouped, Histogram, Quantile, Series, Summary, histograms},
    labels::Labels,
};
use crate::energy::SampleCounts;

/// One sample of a wanted name.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Name of the sample, not of its family.
    pub name: &'a str,
    /// Every label, unescaped.
    pub labels: Labels<'a>,
    /// May be infinite or not a number.
    pub value: f64,
    /// When it was taken, where it says so.
    pub at: Option<Timestamp>,
    /// As its family is declared.
    pub kind: SampleKind,
}

/// What a sample is to its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleKind {
    /// Rises until it starts again.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Observations up to the label `le`.
    HistogramBucket,
    /// Sum of a histogram's observations.
    HistogramSum,
    /// Number of a histogram's observations.
    HistogramCount,
    /// The value at the label `quantile`.
    SummaryQuantile,
    /// Sum of a summary's observations.
    SummarySum,
    /// Number of a summary's observations.
    SummaryCount,
    /// Not declared, or of a type that needs no distinction here.
    Untyped,
}

/// How a page is meant. The formats differ in the unit of their time stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// OpenMetrics where the last line is `# EOF`, else classic text.
    #[default]
    Detect,
    /// Prometheus text 0.0.4: time stamps are milliseconds.
    Text,
    /// OpenMetrics 1.0: time stamps are seconds; a page without `# EOF` was cut off and is refused.
    OpenMetrics,
}

/// What a line and a page may hold; whatever exceeds it is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of a line.
    pub line_bytes: usize,
    /// Length of a name.
    pub name_bytes: usize,
    /// Labels of a sample.
    pub labels: usize,
    /// Families with a declared type, and names that are remembered as wanted or not.
    pub families: usize,
    /// Histograms and summaries that are grouped.
    pub series: usize,
}

/// How to read a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// How it is meant.
    pub format: Format,
    /// What it may hold.
    pub limits: Limits,
}

/// Why a page is not read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpositionError {
    /// None of its first lines is a sample or a comment.
    #[error("this is no metrics page: it begins with {beginning:?}; check port and path")]
    NotMetrics {
        /// The start of its first line.
        beginning: String,
    },
    /// Compressed or binary content.
    #[error("this is no metrics page: it is not text; check port, path and content encoding")]
    Binary,
    /// OpenMetrics without its last line.
    #[error("the OpenMetrics page does not end in # EOF: it was cut off; look for a size limit on the way")]
    CutOff,
}

/// Reads a page and hands over each sample whose name is wanted, in the order of the page. The format is detected.
///
/// `wanted` is asked once per name, as long as there are not more names than [`Limits::families`].
///
/// # Errors
/// [`ExpositionError`] where the content is no page, before anything is handed over.
pub fn parse(
    text: &[u8],
    wanted: impl Fn(&str) -> bool,
    each: impl FnMut(Sample<'_>),
) -> Result<SampleCounts, ExpositionError> {
    parse_with(text, Options::default(), wanted, each)
}

/// [`parse`] with a format and limits.
///
/// # Errors
/// [`ExpositionError`] where the content is no page, before anything is handed over.
pub fn parse_with(
    text: &[u8],
    options: Options,
    wanted: impl Fn(&str) -> bool,
    each: impl FnMut(Sample<'_>),
) -> Result<SampleCounts, ExpositionError> {
    Ok(Page::open(text, options)?.read(wanted, each))
}

impl Format {
    /// By the content type of an answer; detected where it says nothing definite.
    pub fn from_content_type(content_type: &str) -> Self {
        let mut parts = content_type.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Self::OpenMetrics
        } else if media_type.eq_ignore_ascii_case("text/plain") && parts.any(|part| part.starts_with("version=")) {
            Self::Text
        } else {
            Self::Detect
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes: 1 << 20, name_bytes: 1_024, labels: 128, families: 10_000, series: 100_000 }
    }
}
