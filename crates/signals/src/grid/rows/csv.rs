//! CSV: `zone,start,value[,duration][,kind][,scope][,quality]` by header, or `timestamp,gCO2eq_per_kWh`.

use std::time::Duration;

use csv::{ReaderBuilder, StringRecord, Trim};
use jiff::Timestamp;
use sci_core::intensity::{Quality, Scope, SignalKind, Zone};

use super::{Answer, ParseContext, Row, RowProblem, Rows};
use crate::config::TextDuration;

/// Columns by name; the second name is that of common open data sets.
#[derive(Debug)]
struct Columns {
    zone: Option<usize>,
    start: usize,
    value: usize,
    duration: Option<usize>,
    kind: Option<usize>,
    scope: Option<usize>,
    quality: Option<usize>,
}

/// Reads a whole CSV file.
///
/// # Errors
/// The header lacks a column, the text is no CSV or no UTF-8, or no row can be used; with the line.
pub fn parse_csv(content: &[u8], context: &ParseContext, now: Timestamp) -> Result<Answer, RowProblem> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut reader = ReaderBuilder::new().comment(Some(b'#')).trim(Trim::All).from_reader(content);
    let header = reader.headers().map_err(|error| broken(&error))?;
    let columns = Columns::of(header, context)?;
    let mut rows = Rows::default();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| broken(&error))? {
        let line = record.position().map_or(1, csv::Position::line);
        rows.add(columns.row(&record, line, context), now);
    }
    rows.finish(&context.source)
}

impl Columns {
    fn of(header: &StringRecord, context: &ParseContext) -> Result<Self, RowProblem> {
        let find = |names: &[&str]| header.iter().position(|column| names.contains(&column));
        let problem = |problem: &str| RowProblem { line: 1, problem: problem.to_owned() };
        let columns = Self {
            zone: find(&["zone"]),
            start: find(&["start", "timestamp"]).ok_or_else(|| problem("add a column named start"))?,
            value: find(&["value", "gCO2eq_per_kWh"]).ok_or_else(|| problem("add a column named value"))?,
            duration: find(&["duration"]),
            kind: find(&["kind"]),
            scope: find(&["scope"]),
            quality: find(&["quality"]),
        };
        if columns.zone.is_none() && context.zone.is_none() {
            return Err(problem("add a column named zone, or name the file's zone in the configuration"));
        }
        Ok(columns)
    }

    fn row(&self, record: &StringRecord, line: u64, context: &ParseContext) -> Result<Row, RowProblem> {
        let problem = |problem: String| RowProblem { line, problem };
        let text = |column: Option<usize>| column.and_then(|column| record.get(column)).filter(|text| !text.is_empty());
        let zone = match text(self.zone) {
            Some(name) => Zone::new(name).map_err(|error| problem(error.to_string()))?,
            None => context.zone.clone().ok_or_else(|| problem("name the zone".to_owned()))?,
        };
        let start = text(Some(self.start)).unwrap_or_default();
        let start = timestamp(start).ok_or_else(|| problem(format!("write {start:?} as 2026-01-31T14:00:00Z")))?;
        let value = text(Some(self.value)).unwrap_or_default();
        let value = value.parse().map_err(|_| problem(format!("write {value:?} as a number of gCO2e/kWh")))?;
        let mut signal = context.signal;
        if let Some(kind) = text(self.kind) {
            signal.kind = kind_named(kind).ok_or_else(|| problem(format!("use average or marginal, not {kind:?}")))?;
        }
        if let Some(scope) = text(self.scope) {
            signal.scope =
                scope_named(scope).ok_or_else(|| problem(format!("use lifecycle or direct, not {scope:?}")))?;
        }
        let quality = match text(self.quality) {
            Some(name) => quality_named(name).ok_or_else(|| problem(format!("name a known quality, not {name:?}")))?,
            None => context.quality,
        };
        let duration = text(self.duration)
            .map(|text| {
                duration(text).ok_or_else(|| problem(format!("write {text:?} as a duration like 1h, or in seconds")))
            })
            .transpose()?;
        Ok(Row { line, zone, signal, quality, start, duration, value })
    }
}

/// RFC 3339; "2026-01-31 14:00:00+00:00" as pandas writes it is accepted too.
fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Text like "1h", or bare seconds.
fn duration(text: &str) -> Option<Duration> {
    text.parse().map(Duration::from_secs).ok().or_else(|| text.parse().map(TextDuration::get).ok())
}

pub(super) fn kind_named(name: &str) -> Option<SignalKind> {
    [SignalKind::Average, SignalKind::Marginal].into_iter().find(|kind| kind.as_str() == name)
}

pub(super) fn scope_named(name: &str) -> Option<Scope> {
    [Scope::Lifecycle, Scope::Direct].into_iter().find(|scope| scope.as_str() == name)
}

fn quality_named(name: &str) -> Option<Quality> {
    use Quality::{Annual, Default, Estimated, Forecast, Measured, Modelled, Typical};
    [Measured, Estimated, Modelled, Forecast, Typical, Annual, Default]
        .into_iter()
        .find(|quality| quality.as_str() == name)
}

fn broken(error: &csv::Error) -> RowProblem {
    let line = error.position().map_or(1, csv::Position::line);
    RowProblem { line, problem: format!("correct the CSV: {error}") }
}
