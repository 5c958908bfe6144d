//! From text to series. Text that cannot be read is refused as a whole; a row that cannot be meant is left out, and
//! its line is named.

mod csv;
mod json;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
};

pub use self::{csv::parse_csv, json::parse_json};
use super::Answer;

/// More than a forecast reaches; a date beyond is a mistake of the year or of the unit.
const MAX_FUTURE: Duration = Duration::from_hours(32 * 24);
/// No slot of an intensity series is longer than a year.
const MAX_SLOT: Duration = Duration::from_hours(366 * 24);
/// The gap to the next row gives a slot its length, but not beyond this: what follows is a hole.
const MAX_DERIVED_SLOT: Duration = Duration::from_hours(24);
/// Length of a lone row that names none.
const DEFAULT_SLOT: Duration = Duration::from_hours(1);
/// Problems named one by one; the rest is only counted.
const MAX_NAMED: usize = 10;

/// What a file means where it does not say so itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ParseContext {
    /// Zone of rows without one.
    pub zone: Option<Zone>,
    /// Signal of rows without one.
    pub signal: Signal,
    /// Quality of rows without one.
    pub quality: Quality,
    /// Name of the source, kept with every reading.
    pub source: Arc<str>,
}

/// What is wrong with a file or a row of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RowProblem {
    /// Where, from 1.
    pub line: u64,
    /// What to do.
    pub problem: String,
}

/// One value, read but not checked against its neighbours.
#[derive(Debug, Clone)]
struct Row {
    line: u64,
    zone: Zone,
    signal: Signal,
    quality: Quality,
    start: Timestamp,
    duration: Option<Duration>,
    value: GramsPerKwh,
}

/// What cannot be told apart within one series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    zone: Zone,
    signal: Signal,
    quality: Quality,
}

/// Rows on their way to series.
#[derive(Debug, Default)]
struct Rows {
    by_series: BTreeMap<Key, Vec<Row>>,
    refused: Vec<RowProblem>,
    left_out: usize,
}

impl Rows {
    fn add(&mut self, row: Result<Row, RowProblem>, now: Timestamp) {
        match row.and_then(|row| plausible(row, now)) {
            Ok(row) => {
                let key = Key { zone: row.zone.clone(), signal: row.signal, quality: row.quality };
                self.by_series.entry(key).or_default().push(row);
            }
            Err(problem) => self.refuse(problem),
        }
    }

    fn refuse(&mut self, problem: RowProblem) {
        self.left_out += 1;
        if self.refused.len() < MAX_NAMED {
            self.refused.push(problem);
        }
    }

    /// All series; a file of which no row is left is broken as a whole, by its first problem.
    fn finish(mut self, source: &Arc<str>) -> Result<Answer, RowProblem> {
        let mut series = Vec::new();
        for (key, rows) in std::mem::take(&mut self.by_series) {
            let slots = self.slots(rows);
            // Slots are ordered, apart and of some length by now, so that only an empty list is refused.
            series.extend(Series::new(key.zone, key.signal, key.quality, Arc::clone(source), slots).ok());
        }
        if series.is_empty() {
            let none = RowProblem { line: 1, problem: "add at least one row with a value".to_owned() };
            return Err(self.refused.into_iter().next().unwrap_or(none));
        }
        Ok(Answer { series, refused: self.refused, refused_rows: self.left_out, ..Answer::default() })
    }

    /// Orders rows, gives each its length, leaves out those that overlap the one ahead.
    fn slots(&mut self, mut rows: Vec<Row>) -> Vec<Slot> {
        rows.sort_by_key(|row| row.start);
        let mut slots: Vec<Slot> = Vec::with_capacity(rows.len());
        let starts: Vec<Timestamp> = rows.iter().map(|row| row.start).collect();
        let mut step = DEFAULT_SLOT;
        for (index, row) in rows.into_iter().enumerate() {
            if slots.last().is_some_and(|ahead| row.start < ahead.end()) {
                self.refuse(RowProblem {
                    line: row.line,
                    problem: format!("remove the row: its slot at {} overlaps the one ahead of it", row.start),
                });
                continue;
            }
            let gap = starts.get(index + 1..).and_then(|later| later.iter().find(|&&start| start > row.start));
            step = gap.map_or(step, |&next| between(row.start, next)).min(MAX_DERIVED_SLOT);
            slots.push(Slot { start: row.start, duration: row.duration.unwrap_or(step), value: row.value });
        }
        slots
    }
}

/// Refuses dates and lengths that cannot be meant.
fn plausible(row: Row, now: Timestamp) -> Result<Row, RowProblem> {
    let problem = |problem: &str| Err(RowProblem { line: row.line, problem: problem.to_owned() });
    if between(now, row.start) > MAX_FUTURE {
        return problem("correct the start: it lies more than a month in the future");
    }
    match row.duration {
        Some(duration) if duration.is_zero() => problem("make the duration longer than zero"),
        Some(duration) if duration > MAX_SLOT => problem("make the duration a year or less"),
        _ => Ok(row),
    }
}

/// From `earlier` to `later`, or nothing.
fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or(Duration::ZERO)
}

fn intensity(line: u64, value: f64) -> Result<GramsPerKwh, RowProblem> {
    GramsPerKwh::new(value).map_err(|error| RowProblem { line, problem: error.to_string() })
}

#[cfg(test)]
mod tests;
