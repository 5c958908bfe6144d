//! From points to a curve: level, slope and bend, each pulled towards the table as long as the data say little of it.
//!
//! ```text
//! line      f(u) = P0 + b (s(u) - s0)         s: shape of the table from 0 to 1; P0, s0: centre of the data
//! slope     b = (sum w (s - s0)(P - P0) + n_b b_t) / (sum w (s - s0)^2 + n_b)       b_t: of the table, scaled to P0
//! bend      minimise  sum w (P - f - d(u))^2 + n_1 sum d_j^2 + n_2 sum (d_j - d_j+1)^2
//! level     k = (sum w + n_c p(s0) / P0) / (sum w + n_c)                            p: watts by the table
//! curve     k (f + d) at the tenths, never falling
//! ```
//!
//! `w` falls with the distance of a point from the `f + d` of the round before (Huber); in the last rounds points
//! that are far off do not count at all.

use std::array::from_fn;

use super::{
    robust::{spread, weighted_median},
    sketch::{MIN_WATTS, Point},
    tridiagonal::{Row, solve},
};
use crate::{power::PowerCurve, quantity::Utilization};

pub(super) const TENTHS: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Observations that weigh as much as the level of the table.
const LEVEL_PULL: f64 = 5.0;
/// The same for the slope, times the variance of utilisation: 30 observations spread evenly over 0.15.
const SLOPE_PULL: f64 = 30.0 * 0.15 * 0.15 / 12.0;
/// Observations at a tenth that weigh as much as the line.
const BEND_PULL: f64 = 2.0;
/// How stiff the bend is: what one tenth learned reaches about two others.
const BEND_STIFFNESS: f64 = 8.0;
/// No machine bends further from a line than this part of its mean power.
const BEND_LIMIT: f64 = 0.4;
/// Of the line's rise, every tenth keeps at least this part: noise must not make more load look free.
const LEAST_RISE: f64 = 0.2;

/// Distance from the curve up to which a point counts in full, relative; about the width of a cell.
const CLIP: f64 = 0.2;
/// Logarithm of watts over curve from where it is a lie: a factor of 1.6, or four times the spread where the data are
/// that noisy.
const LIE: f64 = 0.47;
const LIE_IN_SPREADS: f64 = 4.0;
const ROUNDS_CLIPPING: usize = 15;
const ROUNDS_REJECTING: usize = 5;

/// What the points say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Regression {
    /// Watts at the tenths, never falling.
    pub(super) tenths: [f64; 11],
    /// 0 where the level is the table's, towards 1 with the number of observations.
    pub(super) level_weight: f64,
    /// 0 where the slope is the table's, towards 1 with number and span of the observations.
    pub(super) shape_weight: f64,
    /// Standard deviation of a single observation from the curve, relative.
    pub(super) spread: f64,
    /// Weight of the points that were believed.
    pub(super) believed: f64,
    /// Width of their utilisations, as if they were even.
    pub(super) span: f64,
}

/// A line over the shape of the table, through the centre of the points.
#[derive(Debug, Clone, Copy)]
struct Line {
    centre: f64,
    watts: f64,
    slope: f64,
    /// To the level that counts, between the points and the table.
    level_factor: f64,
    level_weight: f64,
    shape_weight: f64,
}

/// The table, as the formulas above see it.
#[derive(Debug, Clone, Copy)]
struct Table {
    idle: f64,
    rise: f64,
    /// From 0 to 1.
    shape: [f64; 11],
}

pub(super) fn regress(points: &[Point], table: &PowerCurve) -> Regression {
    let start = starting_curve(points, table);
    let table = Table::new(table);
    let round = |curve: &[f64; 11], lie: f64| {
        let weights = trust(points, curve, lie);
        let line = Line::fit(points, &weights, &table);
        (bent(&line, &table, points, &weights), line, weights)
    };
    let (mut curve, mut line, mut weights) = round(&start, f64::INFINITY);
    for _ in 0..ROUNDS_CLIPPING {
        (curve, line, weights) = round(&curve, f64::INFINITY);
    }
    for _ in 0..ROUNDS_REJECTING {
        (curve, line, weights) = round(&curve, lie_from(points, &curve));
    }
    let believed: Vec<f64> =
        points.iter().zip(&weights).map(|(point, weight)| if *weight > 0.0 { point.weight } else { 0.0 }).collect();
    Regression {
        tenths: never_falling(&curve, &line.tenths(&table), &density(points, &weights))
            .map(|watts| watts * line.level_factor),
        level_weight: line.level_weight,
        shape_weight: line.shape_weight,
        spread: deviation(points, &believed, &curve),
        span: span(points, &believed),
        believed: believed.iter().sum(),
    }
}

/// Watts of a curve at a utilisation, linear between the tenths.
pub(super) fn at(tenths: &[f64; 11], utilization: f64) -> f64 {
    tenths.iter().zip(TENTHS).map(|(watts, tenth)| watts * hat(tenth, utilization)).sum()
}

/// Logarithm of measured over expected watts.
pub(super) fn residual(watts: f64, expected: f64) -> f64 {
    (watts / expected.max(MIN_WATTS / 100.0)).ln()
}

/// From this distance on a point is taken for a lie, for residuals and weights of all points.
pub(super) fn lie_limit(residuals: impl Iterator<Item = (f64, f64)>) -> f64 {
    LIE.max(LIE_IN_SPREADS * spread(residuals))
}

/// Relative standard deviation of single observations, by weights for each point.
pub(super) fn deviation(points: &[Point], weights: &[f64], curve: &[f64; 11]) -> f64 {
    let total: f64 = weights.iter().sum();
    let squares = points.iter().zip(weights).map(|(point, weight)| {
        let off = residual(point.watts, at(curve, point.utilization));
        weight * (off * off + point.relative_variance)
    });
    if total > 0.0 { (squares.sum::<f64>() / total).sqrt() } else { 0.0 }
}

/// The standard deviation times the root of 12: the width, if values are even.
fn span(points: &[Point], weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let mean = |of: &dyn Fn(f64) -> f64| {
        points.iter().zip(weights).map(|(point, weight)| weight * of(point.utilization)).sum::<f64>() / total
    };
    let centre = mean(&|u| u);
    (12.0 * mean(&|u| (u - centre).powi(2))).sqrt().min(1.0)
}

/// The table, scaled so that half of the data lie above it; flat where the table draws nothing.
fn starting_curve(points: &[Point], table: &PowerCurve) -> [f64; 11] {
    let expected = |point: &Point| table.at(Utilization::clamped(point.utilization)).get();
    let ratios = points.iter().map(|point| (point.watts / expected(point), point.weight));
    if let Some(ratio) = weighted_median(ratios) {
        return table.points().map(|watts| watts.get() * ratio);
    }
    let flat = weighted_median(points.iter().map(|point| (point.watts, point.weight)));
    [flat.unwrap_or(0.0); 11]
}

fn lie_from(points: &[Point], curve: &[f64; 11]) -> f64 {
    lie_limit(points.iter().map(|point| (residual(point.watts, at(curve, point.utilization)), point.weight)))
}

/// Weights of the points as far as they are believed: in full near the curve, less further off, and not at all from
/// `lie` on.
fn trust(points: &[Point], curve: &[f64; 11], lie: f64) -> Vec<f64> {
    let weight = |point: &Point| {
        let off = residual(point.watts, at(curve, point.utilization)).abs();
        // Weight times distance never exceeds CLIP: that bounds what a point can do.
        if off > lie { 0.0 } else { point.weight * (CLIP / off.exp_m1().max(CLIP)) }
    };
    points.iter().map(weight).collect()
}

impl Table {
    fn new(curve: &PowerCurve) -> Self {
        let (idle, rise) = (curve.idle().get(), curve.full().get() - curve.idle().get());
        let shape = if rise > 0.0 { curve.points().map(|watts| (watts.get() - idle) / rise) } else { TENTHS };
        Self { idle, rise, shape }
    }
}

impl Line {
    fn fit(points: &[Point], weights: &[f64], table: &Table) -> Self {
        let places: Vec<f64> = points.iter().map(|point| at(&table.shape, point.utilization)).collect();
        let all = || points.iter().zip(weights).zip(&places).map(|((point, weight), place)| (point, *weight, *place));
        let total: f64 = weights.iter().sum();
        let mean = |sum: f64| if total > 0.0 { sum / total } else { 0.0 };
        let centre = mean(all().map(|(_, weight, place)| weight * place).sum());
        let mean_watts = mean(all().map(|(point, weight, _)| weight * point.watts).sum());

        let expected = table.idle + table.rise * centre;
        let scaled_rise = if expected > 0.0 { table.rise * mean_watts / expected } else { 0.0 };
        let squares: f64 = all().map(|(_, weight, place)| weight * (place - centre).powi(2)).sum();
        let products: f64 =
            all().map(|(point, weight, place)| weight * (place - centre) * (point.watts - mean_watts)).sum();
        let slope = (products + SLOPE_PULL * scaled_rise) / (squares + SLOPE_PULL);
        let pull = if mean_watts > 0.0 { LEVEL_PULL * expected / mean_watts } else { 0.0 };
        Self {
            centre,
            watts: mean_watts,
            // Neither falling, nor below nothing when idle.
            slope: slope.max(0.0).min(if centre > 0.0 { mean_watts / centre } else { f64::MAX }),
            level_factor: (total + pull) / (total + LEVEL_PULL),
            level_weight: total / (total + LEVEL_PULL),
            shape_weight: squares / (squares + SLOPE_PULL),
        }
    }

    fn tenths(&self, table: &Table) -> [f64; 11] {
        table.shape.map(|place| (self.watts + self.slope * (place - self.centre)).max(0.0))
    }
}

/// The part of a point at `utilization` that belongs to the tenth at `tenth`.
fn hat(tenth: f64, utilization: f64) -> f64 {
    (1.0 - (utilization - tenth).abs() * 10.0).max(0.0)
}

/// The line, bent to the points: watts to add at each tenth, by least squares.
fn bent(line: &Line, table: &Table, points: &[Point], weights: &[f64]) -> [f64; 11] {
    let mut curve = line.tenths(table);
    let limit = BEND_LIMIT * line.watts;
    let known: Vec<(f64, f64, f64)> = points
        .iter()
        .zip(weights)
        .map(|(point, weight)| {
            let off = point.watts - at(&curve, point.utilization);
            (point.utilization, off.clamp(-limit, limit), *weight)
        })
        .collect();
    let sum = |of: &dyn Fn(f64, f64) -> f64| known.iter().map(|(u, off, weight)| weight * of(*u, *off)).sum::<f64>();
    let coupling = |tenth: f64, other: Option<f64>| {
        other.map_or(0.0, |other| sum(&|u, _| hat(tenth, u) * hat(other, u)) - BEND_STIFFNESS)
    };
    let rows = TENTHS.map(|tenth| {
        let below = (tenth > 0.05).then_some(tenth - 0.1);
        let above = (tenth < 0.95).then_some(tenth + 0.1);
        let neighbours = f64::from(u8::from(below.is_some()) + u8::from(above.is_some()));
        Row {
            below: coupling(tenth, below),
            middle: sum(&|u, _| hat(tenth, u).powi(2)) + BEND_PULL + BEND_STIFFNESS * neighbours,
            above: coupling(tenth, above),
            right: sum(&|u, off| hat(tenth, u) * off),
        }
    });
    for (watts, bend) in curve.iter_mut().zip(solve(&rows)) {
        *watts = (*watts + bend).max(0.0);
    }
    curve
}

/// How much is known at each tenth.
fn density(points: &[Point], weights: &[f64]) -> [f64; 11] {
    TENTHS.map(|tenth| {
        let here = points.iter().zip(weights).map(|(point, weight)| weight * hat(tenth, point.utilization));
        here.sum::<f64>() + BEND_PULL
    })
}

/// The nearest curve (least squares) that rises by [`LEAST_RISE`] of the line everywhere: neighbours in the wrong
/// order are pooled.
fn never_falling(curve: &[f64; 11], line: &[f64; 11], density: &[f64; 11]) -> [f64; 11] {
    let least = line.map(|watts| LEAST_RISE * watts);
    let mut blocks: Vec<(f64, f64, usize)> = Vec::with_capacity(curve.len());
    for ((watts, least), weight) in curve.iter().zip(least).zip(density) {
        let mut block = (watts - least, *weight, 1);
        while let Some(&(before, before_weight, length)) = blocks.last()
            && before > block.0
        {
            blocks.pop();
            let weight = before_weight + block.1;
            block = ((before * before_weight + block.0 * block.1) / weight, weight, length + block.2);
        }
        blocks.push(block);
    }
    let mut pooled = blocks.into_iter().flat_map(|(value, _, length)| std::iter::repeat_n(value, length));
    let mut least = least.into_iter();
    from_fn(|_| (pooled.next().unwrap_or(0.0) + least.next().unwrap_or(0.0)).max(0.0))
}
