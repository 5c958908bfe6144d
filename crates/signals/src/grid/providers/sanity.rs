//! What no value of a grid can be.
//!
//! | check | refuses |
//! | --- | --- |
//! | range | NaN, infinities, less than 0, more than 5,000 g/kWh; 0 where life cycles are counted |
//! | unit | what a thousandth or a thousandfold of would be usual for the zone |
//! | jump | less than a 20th or more than the 20-fold of the zone's annual mean |
//! | time | a start further ahead than the question allows, a slot of no length or more than a day |
//!
//! The annual mean is one of averages over life cycles. Marginal values have nothing to do with it (Quebec: 5 against
//! 458 g/kWh) and are only checked by range; direct ones may well be zero and are not checked downwards. Where only
//! the country's mean is known the factor is 200: a hydro zone may stand in a coal country.

use std::time::Duration;

use jiff::Timestamp;
use sci_core::{
    intensity::{Quality, Scope, Signal, SignalKind, Zone},
    quantity::GramsPerKwh,
    region,
};

use super::Purpose;

/// Factor to the zone's own annual mean that no hour reaches.
const MAX_JUMP: f64 = 20.0;
/// The same to the mean of the country that the zone is a part of.
const MAX_JUMP_FROM_COUNTRY: f64 = 200.0;
/// Within this factor of the mean a value counts as usual.
const USUAL: f64 = 4.0;
/// What units differ by when they are mistaken: g and kg, kWh and `MWh`.
const THOUSAND: f64 = 1_000.0;
/// A publisher's clock, and the slot after the present one.
const MAX_AHEAD: Duration = Duration::from_hours(2);
/// More than any forecast of a grid reaches.
const MAX_FORECAST: Duration = Duration::from_hours(10 * 24);
/// Grids are told by the day at least.
const MAX_SLOT: Duration = Duration::from_hours(24);
/// What is usual speaks of the year at most, and is not published more than a month ahead.
const USUAL_SLOT: Duration = Duration::from_hours(366 * 24);
const USUAL_AHEAD: Duration = Duration::from_hours(32 * 24);

/// The annual mean that values of one zone are held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    grams_per_kwh: f64,
    max_jump: f64,
}

impl Mean {
    /// From the embedded catalogue; `None` for a zone that it does not know.
    pub fn of(zone: &Zone) -> Option<Self> {
        let catalogue = region::catalogue();
        let annual = catalogue.annual(zone)?;
        let its_own = annual.zone == catalogue.canonical(zone);
        let max_jump = if its_own { MAX_JUMP } else { MAX_JUMP_FROM_COUNTRY };
        Some(Self { grams_per_kwh: annual.value.get(), max_jump })
    }
}

/// A number as an intensity, or why it cannot be one, with what to do.
///
/// # Errors
/// One sentence part for an operator.
pub fn value(number: f64, signal: Signal, mean: Option<Mean>) -> Result<GramsPerKwh, String> {
    let mean = mean.filter(|_| signal.kind == SignalKind::Average);
    let checked = GramsPerKwh::new(number)
        .map_err(|error| hint(number / THOUSAND, mean, "a thousandth").unwrap_or_else(|| error.to_string()))?;
    if number == 0.0 && signal.kind == SignalKind::Average && signal.scope == Scope::Lifecycle {
        return Err("a grid of 0 g/kWh over life cycles does not exist, it stands for unknown".to_owned());
    }
    let Some(mean) = mean else { return Ok(checked) };
    if number > mean.grams_per_kwh * mean.max_jump {
        let text = || format!("{number} g/kWh is more than {} times the zone's annual mean", mean.max_jump);
        return Err(hint(number / THOUSAND, Some(mean), "a thousandth").unwrap_or_else(text));
    }
    if signal.scope == Scope::Lifecycle && number < mean.grams_per_kwh / mean.max_jump {
        let text = || format!("{number} g/kWh is less than a {}th of the zone's annual mean", mean.max_jump);
        return Err(hint(number * THOUSAND, Some(mean), "a thousandfold").unwrap_or_else(text));
    }
    Ok(checked)
}

/// The slot of a value, or why it cannot be meant.
///
/// # Errors
/// One sentence part for an operator.
pub fn slot(start: Timestamp, duration: Option<Duration>, purpose: Purpose, now: Timestamp) -> Result<(), String> {
    check_slot(start, duration, if purpose == Purpose::Forecast { FORECAST } else { OBSERVED }, now)
}

/// The same by the quality of the value, where nobody asked for it: only a forecast speaks of hours to come, and only
/// what is usual of more than a day.
///
/// # Errors
/// One sentence part for an operator.
pub fn slot_of(start: Timestamp, duration: Option<Duration>, quality: Quality, now: Timestamp) -> Result<(), String> {
    let problem = match check_slot(start, duration, bounds(quality), now) {
        Ok(()) => return Ok(()),
        Err(problem) => problem,
    };
    let advance = bounds(quality) == OBSERVED && check_slot(start, duration, FORECAST, now).is_ok();
    Err(if advance { format!("{problem}: a value said in advance has the quality forecast") } else { problem })
}

/// Whether a start lies so far ahead that a value of this quality cannot be meant yet.
pub fn is_early(start: Timestamp, quality: Quality, now: Timestamp) -> bool {
    Duration::try_from(start.duration_since(now)).is_ok_and(|until| until > bounds(quality).ahead)
}

/// How far ahead a slot may begin and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    ahead: Duration,
    length: Duration,
    length_text: &'static str,
}

const OBSERVED: Bounds = Bounds { ahead: MAX_AHEAD, length: MAX_SLOT, length_text: "a day" };
const FORECAST: Bounds = Bounds { ahead: MAX_FORECAST, ..OBSERVED };
const USUAL_BOUNDS: Bounds = Bounds { ahead: USUAL_AHEAD, length: USUAL_SLOT, length_text: "a year" };

const fn bounds(quality: Quality) -> Bounds {
    match quality {
        Quality::Measured | Quality::Estimated | Quality::Modelled => OBSERVED,
        Quality::Forecast => FORECAST,
        Quality::Typical | Quality::Annual | Quality::Default => USUAL_BOUNDS,
    }
}

fn check_slot(start: Timestamp, duration: Option<Duration>, bounds: Bounds, now: Timestamp) -> Result<(), String> {
    if Duration::try_from(start.duration_since(now)).is_ok_and(|until| until > bounds.ahead) {
        return Err(format!("the start {start} lies too far in the future"));
    }
    match duration {
        Some(duration) if duration.is_zero() => Err(format!("the slot at {start} has no length")),
        Some(duration) if duration > bounds.length => {
            Err(format!("the slot at {start} is longer than {}", bounds.length_text))
        }
        _ => Ok(()),
    }
}

fn hint(corrected: f64, mean: Option<Mean>, which: &str) -> Option<String> {
    let mean = mean?.grams_per_kwh;
    (mean / USUAL..=mean * USUAL)
        .contains(&corrected)
        .then(|| format!("{which} of the value would be usual for the zone: correct the unit"))
}
