//! How one node differs from its class.

use jiff::Timestamp;

use super::{
    FitOptions, PowerObservation,
    regression::{at, deviation, lie_limit, residual},
    robust::weighted_median,
    sketch::{Point, Sketch},
};
use crate::{decay, power::PowerCurve, quantity::Share};

/// Observations that weigh as much as the expectation that a node is like its class.
const PULL: f64 = 2.0;
/// Nodes of one class differ by about this much, as a standard deviation: a meter that is noisier than that has to
/// say it more often.
const USUAL_DIFFERENCE: f64 = 0.1;
/// Cells that one node may keep; an honest one fills some twenty.
const NODE_CELLS: usize = 128;

/// What a node can draw, relative to its class. Beyond that it is in the wrong class.
pub const SCALE_RANGE: (f64, f64) = (0.2, 5.0);

/// Learns the ratio of one node's watts to those of its class.
///
/// It remembers watts, not ratios: when the curve of the class moves on, nothing is out of date.
#[derive(Debug, Clone)]
pub struct NodeScale {
    sketch: Sketch,
}

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearnedScale {
    /// Watts of the node over those of its class, within [`SCALE_RANGE`]; 1 where nothing was seen.
    pub factor: f64,
    /// How much of the factor is learned: 0 for none of it.
    pub weight: Share,
    /// Observations that were believed, faded with age.
    pub observations: f64,
    /// Standard deviation of one observation, relative.
    pub spread: f64,
    /// Time since the newest observation; `None` where there was none.
    pub age: Option<std::time::Duration>,
}

impl NodeScale {
    /// Knows nothing yet.
    pub fn new(options: FitOptions) -> Self {
        Self { sketch: Sketch::new(options, NODE_CELLS) }
    }

    /// As [`PowerFit::observe`](super::PowerFit::observe).
    pub fn observe(&mut self, observation: &PowerObservation) -> bool {
        self.sketch.observe(observation)
    }

    /// The node's factor to the curve of its class, as of `now`:
    ///
    /// ```text
    /// k = (sum w P / P_class(u) + n0) / (sum w + n0)         n0 = 2 + (spread / 0.1)^2
    /// ```
    ///
    /// over the observations that lie near their median. Ten good observations of a node that draws twice as much
    /// as its class give 1.83.
    pub fn learn(&self, class: &PowerCurve, now: Timestamp) -> LearnedScale {
        let points = self.sketch.points(now);
        let class = class.points().map(crate::quantity::Watts::get);
        let residuals: Vec<f64> =
            points.iter().map(|point| residual(point.watts, at(&class, point.utilization))).collect();
        let weights = believed(&points, &residuals);
        let observations: f64 = weights.iter().sum();
        let ratios: f64 = residuals.iter().zip(&weights).map(|(residual, weight)| weight * residual.exp()).sum();
        let spread = if observations > 0.0 {
            deviation(&points, &weights, &class.map(|watts| watts * ratios / observations))
        } else {
            0.0
        };
        let pull = PULL + (spread / USUAL_DIFFERENCE).powi(2);
        let (low, high) = SCALE_RANGE;
        LearnedScale {
            factor: ((ratios + pull) / (observations + pull)).clamp(low, high),
            weight: Share::clamped(observations / (observations + pull)),
            observations,
            spread,
            age: self.sketch.newest().map(|newest| decay::elapsed(newest, now)),
        }
    }
}

impl LearnedScale {
    /// A node without a meter.
    pub const UNSEEN: Self = Self { factor: 1.0, weight: Share::NONE, observations: 0.0, spread: 0.0, age: None };
}

/// Weights of the points that lie near the median ratio; nothing for the others.
fn believed(points: &[Point], residuals: &[f64]) -> Vec<f64> {
    let weighted = || residuals.iter().copied().zip(points.iter().map(|point| point.weight));
    let median = weighted_median(weighted()).unwrap_or(0.0);
    let lie = lie_limit(weighted().map(|(residual, weight)| (residual - median, weight)));
    weighted().map(|(residual, weight)| if (residual - median).abs() <= lie { weight } else { 0.0 }).collect()
}
