//! Stretches of time with one intensity each, and work filled into them.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

use super::PlannedSlot;
use crate::{
    forecast::{Hour, Point},
    quantity::GramsPerKwh,
    scaling::Load,
};

/// Time with one intensity, or with none known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) value: Option<GramsPerKwh>,
}

impl Stretch {
    pub(super) fn seconds(&self) -> f64 {
        seconds(self.start, self.end)
    }

    fn filled(&self, rate: f64) -> PlannedSlot {
        PlannedSlot { start: self.start, end: self.end, rate: Load::clamped(rate), grams_per_kwh: self.value }
    }
}

impl PlannedSlot {
    /// Units of work that it does.
    pub(super) fn work(&self) -> f64 {
        self.rate.get() * seconds(self.start, self.end)
    }
}

/// From `from` to `to` without a hole: at most two per hour that is forecast, and one more.
pub(super) fn stretches(from: Timestamp, to: Timestamp, forecast: &[Point]) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut at = from;
    for point in forecast {
        let end = point.start.checked_add(Hour::LENGTH).unwrap_or(Timestamp::MAX).min(to);
        let start = point.start.max(at);
        if start >= end {
            continue;
        }
        if start > at {
            stretches.push(Stretch { start: at, end: start, value: None });
        }
        stretches.push(Stretch { start, end, value: Some(point.value) });
        at = end;
    }
    if at < to {
        stretches.push(Stretch { start: at, end: to, value: None });
    }
    stretches
}

/// All of them at one rate.
pub(super) fn at_full_rate(stretches: &[Stretch], rate: f64) -> Vec<PlannedSlot> {
    stretches.iter().map(|stretch| stretch.filled(rate)).collect()
}

/// The cleanest at full rate, the last one that is needed at the rate that finishes the work, by start. Of equals the
/// earlier one; what is not known is as dirty as the dirtiest that is.
pub(super) fn cleanest_first(stretches: &[Stretch], work: f64, full: f64) -> Vec<PlannedSlot> {
    let mut order: Vec<_> = stretches.iter().collect();
    order.sort_by(|one, other| match (one.value, other.value) {
        (Some(value), Some(other)) => value.get().total_cmp(&other.get()),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    let (mut left, mut slots) = (work, Vec::new());
    for stretch in order {
        if left <= 0.0 {
            break;
        }
        let time = stretch.seconds();
        slots.push(stretch.filled(full.min(left / time)));
        left -= full * time;
    }
    slots.sort_by_key(|slot| slot.start);
    slots
}

/// From `earlier` to `later`; zero where they come in the other order.
pub(super) fn seconds(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64().max(0.0)
}

/// The instant that many seconds later, or the last one there is.
pub(super) fn later(from: Timestamp, seconds: f64) -> Timestamp {
    let wait = SignedDuration::try_from_secs_f64(seconds).ok();
    wait.and_then(|wait| from.checked_add(wait).ok()).unwrap_or(Timestamp::MAX)
}
