//! What was measured, hour by hour.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::hour::Hour;
use crate::{intensity::Series, quantity::GramsPerKwh};

/// Less of an hour than this does not speak for it.
const LEAST_COVERED: f64 = 0.5;

/// Hourly means of one zone's past: a regular grid with holes, at most [`CAPACITY`](Self::CAPACITY) hours. What
/// becomes older is forgotten.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HourlyHistory {
    /// By hour, without a gap in the grid; a hole is `None`.
    values: VecDeque<Option<GramsPerKwh>>,
    /// The first hour after the grid; meaningless while it is empty.
    end: Option<Hour>,
}

impl HourlyHistory {
    /// 35 days.
    pub const CAPACITY: usize = 35 * 24;

    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The mean of an hour; `None` where it is not known.
    pub fn get(&self, hour: Hour) -> Option<GramsPerKwh> {
        *self.values.get(self.position(hour)?)?
    }

    /// The latest hour that is known.
    pub fn last(&self) -> Option<(Hour, GramsPerKwh)> {
        self.last_before(self.end?)
    }

    /// The latest hour before `limit` that is known.
    pub fn last_before(&self, limit: Hour) -> Option<(Hour, GramsPerKwh)> {
        let end = self.end?;
        let later = usize::try_from(end.since(limit)).unwrap_or(0);
        let behind = self.values.iter().rev().skip(later).position(Option::is_some)? + later;
        let hour = end.plus(-1 - signed(behind));
        Some((hour, self.get(hour)?))
    }

    /// All hours that are known, in order.
    pub fn hours(&self) -> impl Iterator<Item = (Hour, GramsPerKwh)> {
        let first = self.end.map(|end| end.plus(-signed(self.values.len())));
        self.values.iter().zip(0_i64..).filter_map(move |(value, offset)| Some((first?.plus(offset), (*value)?)))
    }

    /// How many hours are known.
    pub fn known(&self) -> usize {
        self.values.iter().flatten().count()
    }

    /// Smallest and largest value known.
    pub fn range(&self) -> Option<(GramsPerKwh, GramsPerKwh)> {
        let mut values = self.values.iter().flatten().copied();
        let first = values.next()?;
        Some(values.fold((first, first), |(low, high), value| {
            (if value < low { value } else { low }, if value > high { value } else { high })
        }))
    }

    /// Sets or replaces one hour. Hours further back than the capacity are left out.
    pub fn set(&mut self, hour: Hour, value: GramsPerKwh) {
        match self.end {
            Some(end) if hour < end => self.revise(end, hour, value),
            Some(end) if hour.since(end) < signed(Self::CAPACITY) => {
                let hole = usize::try_from(hour.since(end)).unwrap_or(0);
                self.values.extend(std::iter::repeat_n(None, hole));
                self.append(hour, value);
            }
            // Everything known before is older than the capacity.
            _ => {
                self.values.clear();
                self.append(hour, value);
            }
        }
    }

    /// Takes over the hours of a series that are over at `now`, each with its time-weighted mean. An hour of which
    /// less than half is covered is left out. Hours known before are replaced: publishers revise.
    pub fn record(&mut self, series: &Series, now: Timestamp) {
        for (hour, value) in hourly_means(series, now) {
            self.set(hour, value);
        }
    }

    fn position(&self, hour: Hour) -> Option<usize> {
        let behind = usize::try_from(self.end?.since(hour)).ok().filter(|behind| *behind > 0)?;
        self.values.len().checked_sub(behind)
    }

    fn append(&mut self, hour: Hour, value: GramsPerKwh) {
        self.values.push_back(Some(value));
        self.end = Some(hour.plus(1));
        let surplus = self.values.len().saturating_sub(Self::CAPACITY);
        self.values.drain(..surplus);
    }

    fn revise(&mut self, end: Hour, hour: Hour, value: GramsPerKwh) {
        if end.since(hour) > signed(Self::CAPACITY) {
            return;
        }
        let behind = usize::try_from(end.since(hour)).unwrap_or(0);
        while self.values.len() < behind {
            self.values.push_front(None);
        }
        let at = self.values.len() - behind;
        if let Some(known) = self.values.get_mut(at) {
            *known = Some(value);
        }
    }
}

/// Means of the hours that are over at `now`, no further back than a history reaches.
pub(super) fn hourly_means(series: &Series, now: Timestamp) -> impl Iterator<Item = (Hour, GramsPerKwh)> {
    let last = series.slots().last().map_or(now, |slot| slot.end().min(now));
    // The hour that holds `last` is complete only where `last` is its end.
    let after = Hour::containing(last);
    let oldest = after.plus(-signed(HourlyHistory::CAPACITY));
    let first = series.slots().first().map_or(after, |slot| Hour::containing(slot.start).max(oldest));
    means(series, first, after.plus(1)).filter(move |(hour, _)| hour.end() <= now)
}

/// Means of the hours from `first` up to but not including `after`.
pub(super) fn means(series: &Series, first: Hour, after: Hour) -> impl Iterator<Item = (Hour, GramsPerKwh)> {
    (0..after.since(first)).filter_map(move |offset| {
        let hour = first.plus(offset);
        let mean = series.mean(hour.start(), hour.end()).ok()?;
        (mean.covered.get() >= LEAST_COVERED).then_some((hour, mean.value))
    })
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
