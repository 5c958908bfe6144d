//! From single values to series, with everything odd left out, counted and named.

use std::{collections::BTreeMap, fmt::Display, sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::intensity::{Quality, Series, Signal, Slot, Zone};

use super::{ProviderError, Purpose, sanity};
use crate::grid::{Answer, RowProblem};

/// Problems named one by one; the rest is only counted.
const MAX_NAMED: usize = 10;
/// Length of a value that names none and has no neighbour; also the most that a gap to the next one gives.
const DEFAULT_SLOT: Duration = Duration::from_hours(1);

/// One value of an answer.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// Which of the answer's values, from 1.
    pub(super) position: u64,
    pub(super) zone: Zone,
    pub(super) signal: Signal,
    pub(super) quality: Quality,
    pub(super) start: Timestamp,
    /// `None`: up to the next value, an hour at most.
    pub(super) duration: Option<Duration>,
    /// In gCO2e/kWh.
    pub(super) value: f64,
}

/// A value that passed the checks of its own.
#[derive(Debug, Clone, Copy)]
struct Taken {
    position: u64,
    slot: Slot,
    /// Whether the slot still needs its length.
    derived: bool,
}

/// Values on their way to series.
#[derive(Debug)]
pub(super) struct Points {
    source: Arc<str>,
    purpose: Purpose,
    now: Timestamp,
    by_series: BTreeMap<(Zone, Signal, Quality), Vec<Taken>>,
    refused: Vec<RowProblem>,
    refused_rows: usize,
    flagged: Vec<RowProblem>,
}

impl Points {
    pub(super) fn new(source: &str, purpose: Purpose, now: Timestamp) -> Self {
        Self {
            source: source.into(),
            purpose,
            now,
            by_series: BTreeMap::new(),
            refused: Vec::new(),
            refused_rows: 0,
            flagged: Vec::new(),
        }
    }

    /// Takes a value, or refuses it.
    pub(super) fn push(&mut self, point: Point) {
        let Point { position, zone, signal, quality, start, duration, value } = point;
        let checked = sanity::slot(start, duration, self.purpose, self.now)
            .and_then(|()| sanity::value(value, signal, sanity::Mean::of(&zone)));
        match checked {
            Ok(value) => {
                let slot = Slot { start, duration: duration.unwrap_or(DEFAULT_SLOT), value };
                let taken = Taken { position, slot, derived: duration.is_none() };
                self.by_series.entry((zone, signal, quality)).or_default().push(taken);
            }
            Err(problem) => self.refuse(position, problem),
        }
    }

    /// Leaves a value out.
    pub(super) fn refuse(&mut self, position: u64, problem: impl Display) {
        self.refuse_many(1, position, problem);
    }

    /// Leaves several values out for the same reason.
    pub(super) fn refuse_many(&mut self, count: usize, position: u64, problem: impl Display) {
        self.refused_rows += count;
        if count > 0 && self.refused.len() < MAX_NAMED {
            self.refused.push(RowProblem { line: position, problem: problem.to_string() });
        }
    }

    /// Reports something odd about what was taken.
    pub(super) fn flag(&mut self, position: u64, problem: impl Display) {
        if self.flagged.len() < MAX_NAMED {
            self.flagged.push(RowProblem { line: position, problem: problem.to_string() });
        }
    }

    /// All series.
    ///
    /// # Errors
    /// [`ProviderError::NoData`] where nothing was said, [`ProviderError::Absurd`] where nothing of it can be used.
    pub(super) fn finish(mut self) -> Result<Answer, ProviderError> {
        let mut series = Vec::new();
        for ((zone, signal, quality), values) in std::mem::take(&mut self.by_series) {
            let slots = self.slots(values);
            // Ordered, apart and of some length by now, so that only an empty list is refused.
            series.extend(Series::new(zone, signal, quality, Arc::clone(&self.source), slots).ok());
        }
        if !series.is_empty() {
            let Self { refused, refused_rows, flagged, .. } = self;
            return Ok(Answer { series, refused, refused_rows, flagged, ..Answer::default() });
        }
        match self.refused.into_iter().next() {
            Some(RowProblem { problem, .. }) => Err(ProviderError::Absurd { problem, refused_rows: self.refused_rows }),
            None => Err(ProviderError::NoData),
        }
    }

    /// Orders values, gives a length to those without, leaves out those that begin within the one ahead.
    fn slots(&mut self, mut values: Vec<Taken>) -> Vec<Slot> {
        values.sort_by_key(|value| value.slot.start);
        let starts: Vec<Timestamp> = values.iter().map(|value| value.slot.start).collect();
        let mut slots: Vec<Slot> = Vec::with_capacity(values.len());
        let mut step = DEFAULT_SLOT;
        for (index, Taken { position, mut slot, derived }) in values.into_iter().enumerate() {
            if slots.last().is_some_and(|ahead| slot.start < ahead.end()) {
                self.refuse(position, format!("the slot at {} is given twice or overlaps the one ahead", slot.start));
                continue;
            }
            if derived {
                let next = starts.get(index + 1..).and_then(|later| later.iter().find(|&&start| start > slot.start));
                let gap = next.and_then(|next| Duration::try_from(next.duration_since(slot.start)).ok());
                step = gap.map_or(step, |gap| gap.min(DEFAULT_SLOT));
                slot.duration = step;
            }
            slots.push(slot);
        }
        slots
    }
}
