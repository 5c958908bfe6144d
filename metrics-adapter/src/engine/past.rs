//! The past that quantile curves compare an intensity with.

use std::sync::Arc;

use kube_sci_signals::grid::LearnedHours;
use rustc_hash::FxHashMap;
use sci_core::{forecast::Hour, intensity::Zone, quantity::GramsPerKwh, scaling::IntensityHistory};

use super::intensity::Weights;

/// Shares are compared in twentieths: a pod that moves changes no past.
const GRAIN: f64 = 20.0;

/// Pasts by mix of zones, made when they are asked for.
#[derive(Debug, Default)]
pub(super) struct Pasts {
    learned: LearnedHours,
    by_mix: FxHashMap<Vec<(Zone, u8)>, Arc<IntensityHistory>>,
}

impl Pasts {
    /// Forgets what is not true any more.
    pub(super) fn refresh(&mut self, learned: &LearnedHours) {
        if !self.learned.is_same(learned) {
            self.learned = learned.clone();
            self.by_mix.clear();
        }
    }

    /// The past of a mix of zones: of several the mean of the hours that all of them have.
    pub(super) fn of(&mut self, weights: &Weights) -> Arc<IntensityHistory> {
        let mix: Vec<(Zone, u8)> = weights.shares().map(|(zone, share)| (zone.clone(), grain(share))).collect();
        let learned = &self.learned;
        Arc::clone(self.by_mix.entry(mix).or_insert_with_key(|mix| Arc::new(mixed(mix, learned))))
    }
}

fn grain(share: f64) -> u8 {
    // At least one, so that every zone of a mix counts.
    let twentieths = (share * GRAIN).round().clamp(1.0, GRAIN);
    (1..=20).find(|count| f64::from(*count) >= twentieths).unwrap_or(20)
}

fn mixed(mix: &[(Zone, u8)], learned: &LearnedHours) -> IntensityHistory {
    let total: f64 = mix.iter().map(|(_, weight)| f64::from(*weight)).sum();
    let mut sums: FxHashMap<Hour, (f64, usize)> = FxHashMap::default();
    for (zone, weight) in mix {
        for (hour, value) in learned.of(zone) {
            let (sum, zones) = sums.entry(*hour).or_default();
            *sum += value.get() * f64::from(*weight) / total;
            *zones += 1;
        }
    }
    let mut hours: Vec<(Hour, f64)> =
        sums.into_iter().filter(|(_, (_, zones))| *zones == mix.len()).map(|(hour, (sum, _))| (hour, sum)).collect();
    hours.sort_by_key(|(hour, _)| *hour);
    let mut history = IntensityHistory::new();
    for (hour, value) in hours {
        history.set(hour, GramsPerKwh::clamped(value));
    }
    history
}
