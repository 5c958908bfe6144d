//! Pairs of utilisation and watts in bounded space: a grid of cells with decaying weights.
//!
//! Cells keep sums, so their means are exact and the order of observations does not matter. A lie lands in another
//! cell than the truth, where robust statistics find and drop it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{FitOptions, PowerObservation};
use crate::decay::{Decay, part_of};

/// Less than this no machine draws; such values are left out.
pub(super) const MIN_WATTS: f64 = 0.1;

/// Twentieths of utilisation: none of them spans a point of a power curve.
const UTILIZATION_BINS: u8 = 20;
/// Quarters of a doubling, from [`MIN_WATTS`] to 100 MW.
const BUCKETS_PER_DOUBLING: f64 = 4.0;
const WATTS_BUCKETS: u8 = 120;
/// What has faded below this is dropped.
const FORGOTTEN: f64 = 1e-6;

/// The grid. Memory is bounded by the number of cells that it may keep.
#[derive(Debug, Clone)]
pub(super) struct Sketch {
    options: FitOptions,
    max_cells: usize,
    decay: Decay,
    cells: BTreeMap<(u8, u8), Cell>,
}

/// Observations of one cell, as one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) utilization: f64,
    pub(super) watts: f64,
    /// Of the watts within the cell, relative to their square.
    pub(super) relative_variance: f64,
    pub(super) weight: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    weight: f64,
    utilization: f64,
    watts: f64,
    watts_squared: f64,
}

impl Sketch {
    pub(super) fn new(options: FitOptions, max_cells: usize) -> Self {
        Self { options, max_cells, decay: Decay::new(options.half_life), cells: BTreeMap::new() }
    }

    /// Whether the observation counts: not if it covers no time, or less than any machine draws.
    pub(super) fn observe(&mut self, observation: &PowerObservation) -> bool {
        let watts = observation.watts.get() * observation.wall_factor.get();
        let part = part_of(observation.time, self.options.one_observation);
        if observation.time.is_zero() || watts < MIN_WATTS {
            return false;
        }
        let weights = self.decay.observe(observation.at);
        if weights.old < 1.0 {
            self.fade(weights.old);
        }
        let weight = weights.new * part;
        let utilization = observation.utilization.get();
        let key = key(utilization, watts);
        let cell = self.cells.entry(key).or_default();
        cell.weight += weight;
        cell.utilization += weight * utilization;
        cell.watts += weight * watts;
        cell.watts_squared += weight * watts * watts;
        self.keep_within_bounds(key);
        true
    }

    /// One point for each cell that still has weight at `now`.
    pub(super) fn points(&self, now: Timestamp) -> Vec<Point> {
        let left = self.decay.at(now);
        let points = self.cells.values().filter_map(|cell| {
            let weight = cell.weight * left;
            (weight > FORGOTTEN).then(|| cell.point(weight))
        });
        points.collect()
    }

    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.decay.newest()
    }

    fn fade(&mut self, left: f64) {
        self.cells.retain(|_, cell| {
            cell.weight *= left;
            cell.utilization *= left;
            cell.watts *= left;
            cell.watts_squared *= left;
            cell.weight > FORGOTTEN
        });
    }

    /// Drops the lightest cell, but not the one just filled: what is new must be able to grow.
    fn keep_within_bounds(&mut self, filled: (u8, u8)) {
        if self.cells.len() <= self.max_cells {
            return;
        }
        let others = self.cells.iter().filter(|(key, _)| **key != filled);
        let lightest = others.min_by(|a, b| a.1.weight.total_cmp(&b.1.weight)).map(|(key, _)| *key);
        if let Some(key) = lightest {
            self.cells.remove(&key);
        }
    }
}

impl Cell {
    fn point(&self, weight: f64) -> Point {
        let watts = self.watts / self.weight;
        // Rounding can bring the difference of two equal squares below zero.
        let variance = (self.watts_squared / self.weight - watts * watts).max(0.0);
        Point {
            utilization: self.utilization / self.weight,
            watts,
            relative_variance: variance / (watts * watts),
            weight,
        }
    }
}

fn key(utilization: f64, watts: f64) -> (u8, u8) {
    let bucket = (watts / MIN_WATTS).log2() * BUCKETS_PER_DOUBLING;
    (step(utilization * f64::from(UTILIZATION_BINS), UTILIZATION_BINS), step(bucket, WATTS_BUCKETS))
}

/// The largest whole number below `count` that is not above `position`; 0 where there is none.
fn step(position: f64, count: u8) -> u8 {
    (0..count).rev().find(|&step| f64::from(step) <= position).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::quantity::{Utilization, WallFactor, Watts};

    fn seen(second: i64, utilization: f64, watts: f64) -> PowerObservation {
        PowerObservation {
            at: Timestamp::from_second(1_767_225_600 + second).unwrap(),
            utilization: Utilization::new(utilization).unwrap(),
            watts: Watts::new(watts).unwrap(),
            time: Duration::from_mins(1),
            wall_factor: WallFactor::NONE,
        }
    }

    fn options() -> FitOptions {
        FitOptions { half_life: Duration::from_hours(1), one_observation: Duration::from_mins(1) }
    }

    #[test]
    fn neighbours_become_one_point_with_their_mean() {
        let mut sketch = Sketch::new(options(), 10);
        assert!(sketch.observe(&seen(0, 0.51, 96.0)));
        assert!(sketch.observe(&seen(0, 0.53, 100.0)));
        let points = sketch.points(seen(0, 0.0, 1.0).at);
        assert_eq!(points.len(), 1);
        assert!((points[0].utilization - 0.52).abs() < 1e-12);
        assert!((points[0].watts - 98.0).abs() < 1e-12);
        // Both are 2 W off their mean.
        assert!((points[0].relative_variance - 4.0 / 98.0f64.powi(2)).abs() < 1e-12);
        assert!((points[0].weight - 2.0).abs() < 1e-12);
    }

    #[test]
    fn what_no_machine_draws_is_left_out() {
        let mut sketch = Sketch::new(options(), 10);
        assert!(!sketch.observe(&seen(0, 0.5, 0.0001)));
        assert!(!sketch.observe(&PowerObservation { time: Duration::ZERO, ..seen(0, 0.5, 100.0) }));
        assert!(sketch.points(seen(0, 0.0, 1.0).at).is_empty());
    }

    #[test]
    fn the_wall_factor_lifts_what_the_meter_sees() {
        let mut sketch = Sketch::new(options(), 10);
        sketch.observe(&PowerObservation { wall_factor: WallFactor::new(1.2).unwrap(), ..seen(0, 0.5, 100.0) });
        assert!((sketch.points(seen(0, 0.0, 1.0).at)[0].watts - 120.0).abs() < 1e-9);
    }

    #[test]
    fn cells_never_outgrow_their_bound_and_the_heavy_ones_stay() {
        let mut sketch = Sketch::new(options(), 8);
        for second in 0..20 {
            sketch.observe(&seen(second, 0.5, 100.0));
        }
        for power in 0..100i32 {
            sketch.observe(&seen(20, 0.5, 1.3f64.powi(power)));
        }
        let points = sketch.points(seen(20, 0.0, 1.0).at);
        assert_eq!(points.len(), 8);
        assert!(points.iter().any(|point| (point.watts - 100.0).abs() < 10.0 && point.weight > 19.0));
    }

    #[test]
    fn old_cells_fade_and_leave() {
        let mut sketch = Sketch::new(options(), 8);
        sketch.observe(&seen(0, 0.5, 100.0));
        sketch.observe(&seen(3_600, 0.5, 200.0));
        let weights: Vec<f64> = sketch.points(seen(3_600, 0.0, 1.0).at).iter().map(|point| point.weight).collect();
        assert_eq!(weights, [0.5, 1.0]);
        assert!(sketch.points(seen(3_600 * 30, 0.0, 1.0).at).is_empty());
    }
}
