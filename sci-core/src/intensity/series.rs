//! Values of one zone over time.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    IntensityError, Quality, Reading, Signal, Zone,
    reading::{between, end_of},
    seconds,
};
use crate::quantity::{GramsPerKwh, Share};

/// One step of a [`Series`]: `value` holds from `start` up to but not including its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Slot {
    /// Since when the value holds.
    pub start: Timestamp,
    /// For how long; more than nothing.
    #[serde(rename = "durationSeconds", with = "seconds")]
    pub duration: Duration,
    /// Grams of CO2 equivalent per kilowatt-hour.
    #[serde(rename = "gramsPerKwh")]
    pub value: GramsPerKwh,
}

impl Slot {
    /// The first instant the value does not hold any more.
    pub fn end(&self) -> Timestamp {
        end_of(self.start, self.duration)
    }

    /// Time that the slot and the window have in common.
    fn overlap(&self, from: Timestamp, to: Timestamp) -> Duration {
        between(self.start.max(from), self.end().min(to))
    }
}

/// The time-weighted mean of a [`Series`] over a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowMean {
    /// Mean over the part of the window that slots cover.
    #[serde(rename = "gramsPerKwh")]
    pub value: GramsPerKwh,
    /// That part of the window; 1 where there is no gap.
    pub covered: Share,
}

/// Values of one zone, signal, quality and source: at least one slot, sorted by start, none overlapping, gaps
/// allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    zone: Zone,
    signal: Signal,
    quality: Quality,
    source: Arc<str>,
    slots: Vec<Slot>,
}

impl Series {
    /// Sorts the slots and checks them.
    ///
    /// # Errors
    /// [`IntensityError::NoSlots`], [`IntensityError::EmptySlot`] and [`IntensityError::Overlap`].
    pub fn new(
        zone: Zone,
        signal: Signal,
        quality: Quality,
        source: impl Into<Arc<str>>,
        mut slots: Vec<Slot>,
    ) -> Result<Self, IntensityError> {
        if slots.is_empty() {
            return Err(IntensityError::NoSlots);
        }
        if let Some(slot) = slots.iter().find(|slot| slot.duration.is_zero()) {
            return Err(IntensityError::EmptySlot { start: slot.start });
        }
        slots.sort_by_key(|slot| slot.start);
        let neighbours = slots.iter().zip(slots.iter().skip(1));
        for (earlier, later) in neighbours {
            if later.start < earlier.end() {
                return Err(IntensityError::Overlap { start: later.start });
            }
        }
        Ok(Self { zone, signal, quality, source: source.into(), slots })
    }

    /// Where the values hold.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// What they mean.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// How they came to be.
    pub fn quality(&self) -> Quality {
        self.quality
    }

    /// Who said them.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The values, by start.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The value that holds at `instant`; `None` before the first slot, in a gap, and after the last one.
    pub fn reading_at(&self, instant: Timestamp) -> Option<Reading> {
        self.latest_at(instant).filter(|reading| reading.covers(instant))
    }

    /// The value of the last slot that began at or before `instant`, whether it still holds or not: its
    /// [age](Reading::age) tells. Slots that begin later, such as a forecast's, are never used ahead of time.
    pub fn latest_at(&self, instant: Timestamp) -> Option<Reading> {
        let begun = self.slots.partition_point(|slot| slot.start <= instant);
        let slot = self.slots.get(begun.checked_sub(1)?)?;
        Some(Reading {
            value: slot.value,
            signal: self.signal,
            zone: self.zone.clone(),
            start: slot.start,
            duration: slot.duration,
            quality: self.quality,
            source: Arc::clone(&self.source),
        })
    }

    /// The mean from `from` up to but not including `to`, each slot weighted by the time it shares with the window:
    ///
    /// ```text
    /// mean = sum(value * overlap) / sum(overlap)        covered = sum(overlap) / (to - from)
    /// ```
    ///
    /// in gCO2e/kWh. Gaps are left out, not filled: `covered` says how much of the window the mean speaks for.
    ///
    /// # Errors
    /// [`IntensityError::EmptyWindow`] where `to` is not after `from`, [`IntensityError::NotCovered`] where no slot
    /// reaches into the window.
    pub fn mean(&self, from: Timestamp, to: Timestamp) -> Result<WindowMean, IntensityError> {
        if to <= from {
            return Err(IntensityError::EmptyWindow { from, to });
        }
        let first = self.slots.partition_point(|slot| slot.end() <= from);
        let inside = self.slots.iter().skip(first).take_while(|slot| slot.start < to);

        let (mut weighted, mut seconds) = (0.0, 0.0);
        let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
        for slot in inside {
            let overlap = slot.overlap(from, to).as_secs_f64();
            let value = slot.value.get();
            weighted += value * overlap;
            seconds += overlap;
            lowest = value.min(lowest);
            highest = value.max(highest);
        }
        let covered = Share::of(seconds, between(from, to).as_secs_f64())
            .filter(|_| seconds > 0.0)
            .ok_or(IntensityError::NotCovered { from, to })?;
        // Rounding must not carry a mean out of the values it is made of.
        let value = GramsPerKwh::clamped((weighted / seconds).clamp(lowest, highest));
        Ok(WindowMean { value, covered })
    }
}
