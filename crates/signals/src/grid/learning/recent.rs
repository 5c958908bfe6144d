//! Values of the present, kept until their hour is over.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::{
    intensity::{Series, Slot},
    quantity::GramsPerKwh,
};

/// Longer than it takes until an hour is learned.
const KEPT: Duration = Duration::from_hours(3);

/// What a source said that only ever tells of now. A later value ends the one before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent(BTreeMap<Timestamp, (Timestamp, GramsPerKwh)>);

impl Recent {
    /// Takes over the slots that have begun.
    pub(super) fn keep(&mut self, series: &Series, now: Timestamp) {
        for slot in series.slots().iter().filter(|slot| slot.start <= now) {
            if let Some((_, (end, _))) = self.0.range_mut(..slot.start).next_back() {
                *end = slot.start.min(*end);
            }
            self.0.insert(slot.start, (slot.end(), slot.value));
        }
        let oldest = now.checked_sub(KEPT).unwrap_or(now);
        self.0.retain(|&start, (end, _)| *end > oldest && start <= now);
    }

    /// All that is kept, as if it had come at once.
    pub(super) fn series(&self, like: &Series) -> Option<Series> {
        let mut slots: Vec<Slot> = Vec::with_capacity(self.0.len());
        for (&start, &(end, value)) in &self.0 {
            let duration = end.duration_since(start).unsigned_abs();
            if slots.last().is_none_or(|ahead| ahead.end() <= start) && !duration.is_zero() {
                slots.push(Slot { start, duration, value });
            }
        }
        Series::new(like.zone().clone(), like.signal(), like.quality(), Arc::clone(like.source()), slots).ok()
    }
}

#[cfg(test)]
mod tests {
    use sci_core::intensity::{Quality, Signal, Zone};

    use super::*;

    fn at(minute: u64) -> Timestamp {
        let noon: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        noon + Duration::from_mins(minute)
    }

    fn now_only(minute: u64, value: f64) -> Series {
        let value = GramsPerKwh::new(value).unwrap();
        let slot = Slot { start: at(minute), duration: Duration::from_hours(1), value };
        Series::new(Zone::new("DE").unwrap(), Signal::default(), Quality::Measured, "page", vec![slot]).unwrap()
    }

    #[test]
    fn values_that_follow_each_other_make_an_hour() {
        let mut recent = Recent::default();
        for (minute, value) in [(0, 100.0), (30, 200.0), (60, 900.0)] {
            recent.keep(&now_only(minute, value), at(minute));
        }
        let mean = recent.series(&now_only(0, 0.0)).unwrap().mean(at(0), at(60)).unwrap();
        assert!((mean.value.get() - 150.0).abs() < 1e-9 && (mean.covered.get() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn old_values_go_and_future_ones_wait() {
        let mut recent = Recent::default();
        recent.keep(&now_only(0, 100.0), at(0));
        recent.keep(&now_only(400, 100.0), at(300));
        assert!(recent.series(&now_only(0, 0.0)).is_none());
    }
}
