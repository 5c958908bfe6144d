//! Power learned from meters: a curve for each class of hardware, and a scale for each node.
//!
//! ```text
//! P_node(u) = k_node * P_class(u)
//! ```
//!
//! | level | learned by | forgets in | answers |
//! | --- | --- | --- | --- |
//! | class: nodes of one shape | [`PowerFit`] | days | how watts rise with load |
//! | node | [`NodeScale`] | hours | how this machine differs from its class |
//!
//! Both start from a table ([`power`](super)) and leave it continuously: each learned number is a mean of what was
//! measured and of what was expected, and the expectation weighs as much as a fixed number of observations. Level,
//! slope and bend have their own, so a node that only ever idles moves the level of its curve and not its slope. With
//! 30 observations evenly over 15 % of utilisation table and meters have equal say in the slope.
//!
//! # Lies
//! Meters stick, wrap, and jump when a machine boots. Observations are kept in cells of utilisation and watts, so that
//! wrong ones stay apart from right ones; what lies far off the curve that most observations agree on does not count.
//! A minority has bounded influence, whatever it says. A majority is believed: nobody can tell it from the truth.
//! Values that no machine draws should be refused before they come here.
//!
//! # Wall and package
//! Tables speak of watts at the wall. RAPL sees packages and memory only. [`PowerObservation::wall_factor`] maps the
//! one to the other; use [`WallFactor::NONE`] where the meter sees the platform. The default is 1 as well, since no
//! factor holds for all machines: the band of a learned curve ([`METER_ERROR`]) has room for what is missed.
//!
//! Instants are those of the caller's clock, not of a page from outside: an observation dated far ahead would make
//! everything else old.
//!
//! ```
//! use std::time::Duration;
//! use sci_core::{
//!     power::{default_for, fit::{FitOptions, NodeScale, PowerFit, PowerObservation, learned_hardware}, Provenance},
//!     quantity::{Bytes, Cores, Utilization, WallFactor, Watts},
//! };
//!
//! let table = default_for(Cores::new(16.0)?, Bytes::new(64e9)?); // 11.8 W to 56 W
//! let mut class = PowerFit::new(FitOptions::CLASS);
//! let mut node = NodeScale::new(FitOptions::NODE);
//! let mut now = "2026-01-01T00:00:00Z".parse()?;
//! for minute in 0..200_u32 {
//!     let load = f64::from(minute % 20) / 20.0;
//!     let observation = PowerObservation {
//!         at: now,
//!         utilization: Utilization::new(load)?,
//!         watts: Watts::new(40.0 + 120.0 * load)?,
//!         time: Duration::from_mins(1),
//!         wall_factor: WallFactor::NONE,
//!     };
//!     class.observe(&observation);
//!     node.observe(&observation);
//!     now += Duration::from_mins(1);
//! }
//! let class = class.learn(&table, now);
//! let scale = node.learn(&class.curve, now);
//! let hardware = learned_hardware(&table, &class, &scale, Duration::from_mins(5));
//! assert_eq!(hardware.provenance, Provenance::Measured);
//! let half = hardware.curve.at(Utilization::new(0.5)?).get();
//! assert!((half - 100.0).abs() < 2.0, "{half}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod hardware;
mod regression;
mod robust;
mod scale;
mod sketch;
#[cfg(test)]
mod tests;
mod tridiagonal;

use std::time::Duration;

use jiff::Timestamp;

pub use self::{
    hardware::{MEASURED_FROM, METER_ERROR, NODE_SPREAD, SHAPE_ERROR, learned_hardware},
    scale::{LearnedScale, NodeScale, SCALE_RANGE},
};
use self::{regression::regress, sketch::Sketch};
use super::{Hardware, PowerCurve};
use crate::quantity::{Share, Utilization, WallFactor, Watts};

/// Cells that one class may keep; an honest class fills about a hundred.
const CLASS_CELLS: usize = 512;

/// How fast to forget, and what counts as one observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FitOptions {
    /// After this time an observation counts half.
    pub half_life: Duration,
    /// Observations over less time count in proportion, all others once: neighbouring seconds tell the same.
    pub one_observation: Duration,
}

/// What a meter said of a node, and how busy the node was meanwhile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerObservation {
    /// The end of the observed time.
    pub at: Timestamp,
    /// Mean busy share of the node's hardware threads.
    pub utilization: Utilization,
    /// Mean power by the meter. From a meter, not from a model: what is learned here is called measured.
    pub watts: Watts,
    /// Over what time.
    pub time: Duration,
    /// From what the meter sees to the wall.
    pub wall_factor: WallFactor,
}

/// Learns the power curve of one class of hardware: nodes of one shape, since watts are those of whole nodes.
///
/// Memory is bounded, and the order of observations does not matter.
#[derive(Debug, Clone)]
pub struct PowerFit {
    sketch: Sketch,
}

/// What is known of a class.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedCurve {
    /// Never falling. The table's while there is no observation.
    pub curve: PowerCurve,
    /// From half load upwards the true watts of a node of this class are expected between the curve times the first
    /// and the curve times the second factor.
    pub error_band: (f64, f64),
    /// Observations that were believed, faded with age.
    pub observations: f64,
    /// Width of the utilisation seen, as if it had been even: the standard deviation times the root of 12.
    pub span: f64,
    /// How much of the level is learned: 0 for none of it.
    pub level_weight: Share,
    /// How much of the slope is learned: it takes a span, too.
    pub shape_weight: Share,
    /// Standard deviation of one observation from the curve, relative.
    pub spread: f64,
}

impl FitOptions {
    /// For a class: a day, so that nights are remembered by day.
    pub const CLASS: Self = Self { half_life: Duration::from_hours(24), one_observation: Duration::from_mins(1) };
    /// For a node: two hours, so that a machine that changes is seen within a shift.
    pub const NODE: Self = Self { half_life: Duration::from_hours(2), one_observation: Duration::from_mins(1) };
}

impl PowerFit {
    /// Knows nothing yet.
    pub fn new(options: FitOptions) -> Self {
        Self { sketch: Sketch::new(options, CLASS_CELLS) }
    }

    /// Takes an observation of any node of the class. `false` where it does not count: it covers no time, or shows
    /// less than 0.1 W.
    pub fn observe(&mut self, observation: &PowerObservation) -> bool {
        self.sketch.observe(observation)
    }

    /// The curve as of `now`, leaning on the class's `table` as far as little was seen.
    pub fn learn(&self, table: &Hardware, now: Timestamp) -> LearnedCurve {
        let points = self.sketch.points(now);
        let found = regress(&points, &table.curve);
        // Without a point the arithmetic gives the table back, but for rounding.
        let curve = if points.is_empty() { table.curve.clone() } else { PowerCurve::rising(found.tenths) };
        LearnedCurve {
            error_band: hardware::class_band(table, &curve, &found),
            curve,
            observations: found.believed,
            span: found.span,
            level_weight: Share::clamped(found.level_weight),
            shape_weight: Share::clamped(found.shape_weight),
            spread: found.spread,
        }
    }
}

impl LearnedCurve {
    /// 0 where the curve is the table's, towards 1 where level and slope are learned.
    pub fn weight(&self) -> Share {
        Share::clamped(self.level_weight.get() * self.shape_weight.get())
    }
}
