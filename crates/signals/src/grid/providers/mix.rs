//! From generation by kind of plant to intensity.
//!
//! ```text
//! intensity = sum(power * factor) / sum(power)        over all kinds that generate, each power at least 0
//! ```
//!
//! in gCO2e/kWh, with one life-cycle factor per kind (IPCC AR5 WG3 Annex III medians; oil and others by convention).
//! It is the intensity of what the zone produces: imports are not traced. Storage and pumping only move energy in
//! time and are left out. Biomass (230, by others 0) and others (700, by some 300) are the choices that move results
//! most.

mod fuel;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

pub(super) use self::fuel::{Fuel, Plant};

/// A kind that is not reported may have made this share of the generation, no more.
const MAX_UNREPORTED: f64 = 0.05;
/// A year of quarter-hours: no answer is longer.
const MAX_CELLS: i64 = 36_000;
/// Shortest step of a grid.
const MIN_STEP_SECONDS: i64 = 60;

/// Generation by kind over time, as reported: steps may differ from kind to kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Generation {
    by_code: BTreeMap<(Fuel, String), Vec<Piece>>,
}

/// Power that held for a while.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: i64,
    end: i64,
    megawatts: f64,
}

/// Mean power of every kind in one slot; kinds that generate nothing have none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Mix {
    megawatts: BTreeMap<Fuel, f64>,
}

/// One slot: its mix, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub(super) start: Timestamp,
    pub(super) duration: Duration,
    pub(super) mix: Result<Mix, String>,
}

impl Mix {
    /// Sets the power of a kind, in MW.
    #[cfg(test)]
    pub(super) fn set(&mut self, fuel: Fuel, megawatts: f64) {
        self.megawatts.insert(fuel, megawatts.max(0.0));
    }

    /// Power of a kind, in MW.
    #[cfg(test)]
    pub(super) fn get(&self, fuel: Fuel) -> f64 {
        self.megawatts.get(&fuel).copied().unwrap_or(0.0)
    }

    /// Adds `share` of another mix.
    pub(super) fn add(&mut self, other: &Self, share: f64) {
        for (&fuel, megawatts) in &other.megawatts {
            *self.megawatts.entry(fuel).or_default() += megawatts * share;
        }
    }

    /// The part that weather does not decide.
    pub(super) fn without_weather(&self) -> Self {
        let megawatts = self.megawatts.iter().filter(|(fuel, _)| !fuel.is_weather());
        Self { megawatts: megawatts.map(|(&fuel, &power)| (fuel, power)).collect() }
    }

    /// The part that weather decides.
    pub(super) fn weather(&self) -> Self {
        let megawatts = self.megawatts.iter().filter(|(fuel, _)| fuel.is_weather());
        Self { megawatts: megawatts.map(|(&fuel, &power)| (fuel, power)).collect() }
    }

    /// Takes every kind that another mix names from there.
    pub(super) fn replace(&mut self, other: &Self) {
        self.megawatts.extend(&other.megawatts);
    }

    /// Power of all kinds, in MW.
    pub(super) fn total(&self) -> f64 {
        self.megawatts.values().sum()
    }

    /// Emissions of all kinds, in MW times g/kWh.
    pub(super) fn emissions(&self) -> f64 {
        self.megawatts.iter().map(|(fuel, megawatts)| megawatts * fuel.grams_per_kwh()).sum()
    }

    /// In gCO2e/kWh.
    pub(super) fn intensity(&self) -> Result<f64, String> {
        let total = self.total();
        if total > 0.0 { Ok(self.emissions() / total) } else { Err("nothing generates".to_owned()) }
    }
}

impl Generation {
    /// Adds the power of one kind, in MW, for a while. `code` is the publisher's: two codes of one fuel are two
    /// series, each of which may be reported or not.
    pub(super) fn add(&mut self, fuel: Fuel, code: &str, start: Timestamp, duration: Duration, megawatts: f64) {
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let start = start.as_second();
        let piece = Piece { start, end: start.saturating_add(seconds), megawatts };
        if piece.end > piece.start && megawatts.is_finite() {
            self.by_code.entry((fuel, code.to_owned())).or_default().push(piece);
        }
    }

    /// Slots as long as the longest step, so that kinds reported by the quarter-hour and by the hour meet. A slot in
    /// which much of the generation is not reported has no mix: the newest hours of a grid often are like that.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let pieces = || self.by_code.values().flatten();
        let step = pieces().map(|piece| piece.end - piece.start).max().unwrap_or(0).max(MIN_STEP_SECONDS);
        let (Some(first), Some(last)) =
            (pieces().map(|piece| piece.start).min(), pieces().map(|piece| piece.end).max())
        else {
            return Vec::new();
        };
        let first = first.div_euclid(step);
        let count = (last - 1).div_euclid(step).saturating_sub(first).saturating_add(1);
        if count > MAX_CELLS {
            return Vec::new();
        }
        let columns: Vec<(Fuel, Column)> =
            self.by_code.iter().map(|((fuel, _), pieces)| (*fuel, Column::new(pieces, first, count, step))).collect();
        (0..count)
            .filter_map(|index| {
                let start = Timestamp::from_second((first + index) * step).ok()?;
                let duration = Duration::from_secs(u64::try_from(step).ok()?);
                Some(Cell { start, duration, mix: mix_at(&columns, usize::try_from(index).ok()?)? })
            })
            .collect()
    }
}

/// Mean power of one series in every slot, where the whole slot is reported.
struct Column {
    known: Vec<Option<f64>>,
    /// The last power known before each slot, else the first one after it.
    nearest: Vec<f64>,
}

impl Column {
    fn new(pieces: &[Piece], first: i64, count: i64, step: i64) -> Self {
        let length = usize::try_from(count).unwrap_or(0);
        let mut sums: Vec<(i64, f64)> = vec![(0, 0.0); length];
        for piece in pieces {
            for index in piece.start.div_euclid(step)..=(piece.end - 1).div_euclid(step) {
                let slot = index * step;
                let seconds = piece.end.min(slot + step) - piece.start.max(slot);
                let place = usize::try_from(index - first).ok().and_then(|place| sums.get_mut(place));
                if let Some((covered, sum)) = place {
                    *covered += seconds;
                    *sum += piece.megawatts * precise(seconds);
                }
            }
        }
        let mean = |&(covered, sum): &(i64, f64)| (covered >= step).then(|| sum / precise(covered));
        let known: Vec<Option<f64>> = sums.iter().map(mean).collect();
        let mut last = known.iter().flatten().next().copied().unwrap_or(0.0);
        let step_on = |power: &Option<f64>| {
            let before = last;
            last = power.unwrap_or(last);
            before
        };
        let nearest = known.iter().map(step_on).collect();
        Self { known, nearest }
    }
}

/// The mix of one slot; `None` where nobody reports anything for it.
fn mix_at(columns: &[(Fuel, Column)], index: usize) -> Option<Result<Mix, String>> {
    let mut mix = Mix::default();
    let (mut reported, mut unreported, mut anything) = (0.0, 0.0, false);
    for (fuel, column) in columns {
        if let Some(power) = column.known.get(index).copied().flatten() {
            let power = power.max(0.0);
            *mix.megawatts.entry(*fuel).or_default() += power;
            reported += power;
            anything = true;
        } else {
            unreported += column.nearest.get(index).map_or(0.0, |power| power.max(0.0));
        }
    }
    if !anything {
        return None;
    }
    let share = unreported / (reported + unreported);
    let known = if share > MAX_UNREPORTED {
        Err(format!("{:.0} % of the generation is not reported yet", share * 100.0))
    } else {
        Ok(mix)
    };
    Some(known)
}

/// Seconds as a factor: far below the number from which on not every integer is a float.
fn precise(seconds: i64) -> f64 {
    u32::try_from(seconds).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests;
