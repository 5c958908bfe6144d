//! What was learned, as hardware that the node score understands: with its provenance and an honest band.

use std::{sync::Arc, time::Duration};

use super::{
    LearnedCurve, LearnedScale,
    regression::{Regression, at},
};
use crate::{
    power::{Hardware, PowerCurve, Provenance},
    quantity::{Utilization, Watts},
};

/// A curve is called measured from this weight of the node's own meter on.
pub const MEASURED_FROM: f64 = 0.5;
/// Of a curve that many observations agree on: no meter is exact, and RAPL does not see fans, drives and the losses of
/// the power supply.
pub const METER_ERROR: (f64, f64) = (0.9, 1.3);
/// On top, where only the level is learned. From a fifth of its load on, full power of 2 to 8 times idle power where
/// the table says 4 is this far off at three quarters.
pub const SHAPE_ERROR: (f64, f64) = (0.6, 1.6);
/// On top, for a node that has no meter while others of its class have.
pub const NODE_SPREAD: (f64, f64) = (0.85, 1.2);

/// The middle of the loads that a band speaks of.
const REFERENCE_LOAD: f64 = 0.75;
/// Standard errors that a band covers.
const STANDARD_ERRORS: f64 = 2.0;

/// Logarithms of the two factors of a band.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Band {
    low: f64,
    high: f64,
}

/// The hardware of a node by everything that is known of it: the table, the meters of its class and its own.
///
/// Power is the class's curve times the node's factor; all else is the table's. It is
/// - [measured](Provenance::Measured) where the node's own meter has a weight of [`MEASURED_FROM`] or more and spoke
///   within `stale_after`,
/// - [modelled](Provenance::Modelled) where meters of its class have that weight, or its own meter fell silent,
/// - as the table otherwise.
///
/// The band narrows from the table's to [`METER_ERROR`] as the weights grow. Without any observation the table comes
/// back as it is.
pub fn learned_hardware(
    table: &Hardware,
    class: &LearnedCurve,
    scale: &LearnedScale,
    stale_after: Duration,
) -> Hardware {
    if class.observations + scale.observations <= 0.0 {
        return table.clone();
    }
    let own = scale.weight.get();
    let speaks = scale.age.is_some_and(|age| age <= stale_after);
    let (provenance, source): (_, Arc<str>) = if speaks && own >= MEASURED_FROM {
        (Provenance::Measured, format!("the node's own meter, on {}", table.source).into())
    } else if own.max(class.level_weight.get()) >= MEASURED_FROM {
        (Provenance::Modelled, format!("meters of the same hardware, on {}", table.source).into())
    } else {
        (table.provenance, Arc::clone(&table.source))
    };
    let without_own = Band::of(class.error_band)
        .moved(-scale.factor.ln())
        .plus(Band::of(NODE_SPREAD).times(class.level_weight.get()));
    let with_own = metered(scale.spread, scale.observations, class.shape_weight.get());
    Hardware {
        curve: class.curve.scaled(scale.factor),
        provenance,
        source,
        error_band: without_own.times(1.0 - own).plus(with_own.times(own)).factors(),
        ..table.clone()
    }
}

/// The band of a class's curve: the table's as far as the level is the table's, else that of the meters.
pub(super) fn class_band(table: &Hardware, curve: &PowerCurve, found: &Regression) -> (f64, f64) {
    let load = Utilization::clamped(REFERENCE_LOAD);
    let learned = at(&curve.points().map(Watts::get), REFERENCE_LOAD);
    let shift = if learned > 0.0 { (table.curve.at(load).get() / learned).ln() } else { 0.0 };
    let of_table = Band::of(table.error_band).moved(if shift.is_finite() { shift } else { 0.0 });
    let of_meters = metered(found.spread, found.believed, found.shape_weight);
    of_table.times(1.0 - found.level_weight).plus(of_meters.times(found.level_weight)).factors()
}

/// What meters leave open.
fn metered(spread: f64, observations: f64, shape_weight: f64) -> Band {
    let noise = if observations > 0.0 { STANDARD_ERRORS * spread / observations.sqrt() } else { 0.0 };
    Band::of(METER_ERROR).plus(Band::of(SHAPE_ERROR).times(1.0 - shape_weight)).plus(Band { low: -noise, high: noise })
}

impl Band {
    fn of((low, high): (f64, f64)) -> Self {
        // A band of a table is never closed at zero; should one be, a thousandth is as good.
        Self { low: low.max(1e-3).ln(), high: high.max(1e-3).ln() }
    }

    /// The same watts, seen from a curve that lies `shift` lower. The curve itself stays within its band.
    fn moved(self, shift: f64) -> Self {
        Self { low: (self.low + shift).min(0.0), high: (self.high + shift).max(0.0) }
    }

    fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }

    fn times(self, part: f64) -> Self {
        Self { low: self.low * part, high: self.high * part }
    }

    fn factors(self) -> (f64, f64) {
        (self.low.exp(), self.high.exp())
    }
}
