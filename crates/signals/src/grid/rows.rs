//! From text to series. Text that cannot be read is refused as a whole; a row that cannot be meant, by the checks that
//! every provider's value passes, is left out, and its line is named.

mod csv;
mod json;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
};

pub use self::{csv::parse_csv, json::parse_json};
use super::{Answer, providers::sanity};

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

/// One value as it was read.
#[derive(Debug, Clone)]
struct Row {
    line: u64,
    zone: Zone,
    signal: Signal,
    quality: Quality,
    start: Timestamp,
    duration: Option<Duration>,
    /// In gCO2e/kWh.
    value: f64,
}

/// A value that can be meant, not checked against its neighbours yet.
#[derive(Debug, Clone, Copy)]
struct Taken {
    line: u64,
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
    by_series: BTreeMap<Key, Vec<Taken>>,
    refused: Vec<RowProblem>,
    left_out: usize,
    /// Of those left out, how many are only dated too far ahead.
    early: usize,
}

impl Rows {
    fn add(&mut self, row: Result<Row, RowProblem>, now: Timestamp) {
        let row = match row {
            Ok(row) => row,
            Err(problem) => return self.refuse(problem),
        };
        let Row { line, zone, signal, quality, start, duration, value } = row;
        let early = sanity::is_early(start, quality, now);
        let checked = sanity::slot_of(start, duration, quality, now)
            .and_then(|()| sanity::value(value, signal, sanity::Mean::of(&zone)));
        match checked {
            Ok(value) => {
                let taken = Taken { line, start, duration, value };
                self.by_series.entry(Key { zone, signal, quality }).or_default().push(taken);
            }
            Err(problem) => {
                self.early += usize::from(early);
                self.refuse(RowProblem { line, problem });
            }
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
        let Self { refused, left_out, early, .. } = self;
        Ok(Answer { series, refused, refused_rows: left_out, early_rows: early, ..Answer::default() })
    }

    /// Orders rows, gives each its length, leaves out those that overlap the one ahead.
    fn slots(&mut self, mut rows: Vec<Taken>) -> Vec<Slot> {
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

/// From `earlier` to `later`, or nothing.
fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests;
