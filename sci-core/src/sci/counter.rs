//! Energy out of counters that only ever count up, until they wrap.

use std::time::Duration;

use jiff::Timestamp;

use crate::quantity::{Joules, Watts};

/// A counter as it was read at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CounterSample {
    /// When.
    pub at: Timestamp,
    /// What it showed.
    pub energy: Joules,
}

/// What is known of a counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CounterLimits {
    /// The reading after which it starts again at zero; RAPL publishes it as `max_energy_range_uj`. `None` where
    /// the counter does not wrap, or nobody knows at what.
    pub range: Option<Joules>,
    /// More than this the counted hardware cannot draw: what bounds the damage of a counter that lies.
    pub max_power: Watts,
}

/// Why two readings of a counter give no energy. The interval is a gap: it has no value, not the value zero.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CounterError {
    /// It went down and it is not known where it wraps: a restart, or a wrap.
    #[error("the counter fell from {previous} to {current} and its range is not known, skip the interval")]
    Fell {
        /// Earlier reading.
        previous: Joules,
        /// Later reading.
        current: Joules,
    },
    /// A reading that a counter of this range cannot show.
    #[error("the counter shows {reading} but wraps at {range}, check its range")]
    BeyondRange {
        /// The reading.
        reading: Joules,
        /// Where it should wrap.
        range: Joules,
    },
    /// Two readings of one instant, or in the wrong order.
    #[error("the later reading of the counter is not later, skip it")]
    NotLater,
    /// More than the hardware can draw.
    #[error("the counter rose by {energy} within {interval:?}, more than {max_power}, skip the interval")]
    Implausible {
        /// What it rose by.
        energy: Joules,
        /// In what time.
        interval: Duration,
        /// What the hardware can draw.
        max_power: Watts,
    },
}

/// Energy between two readings of a counter, in joules:
///
/// ```text
/// d = current - previous                   where it rose
///   = (range - previous) + current         where it fell: it wrapped once
/// ```
///
/// As Kepler does (`internal/monitor`, Apache-2.0), but for a fall with an unknown range: Kepler counts zero, here
/// it is an error.
///
/// # Errors
/// [`CounterError::Fell`], [`CounterError::BeyondRange`].
///
/// ```
/// use sci_core::{quantity::Joules, sci::counter::counter_delta};
///
/// let range = Some(Joules::new(100.0)?);
/// let wrapped = counter_delta(Joules::new(90.0)?, Joules::new(10.0)?, range)?;
/// assert_eq!(wrapped.get(), 20.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn counter_delta(previous: Joules, current: Joules, range: Option<Joules>) -> Result<Joules, CounterError> {
    if let Some(range) = range
        && let Some(reading) = [previous, current].into_iter().find(|reading| *reading > range)
    {
        return Err(CounterError::BeyondRange { reading, range });
    }
    if current >= previous {
        return Ok(current.saturating_sub(previous));
    }
    let range = range.ok_or(CounterError::Fell { previous, current })?;
    Ok(range.saturating_sub(previous) + current)
}

/// Energy between two samples, in joules, if the hardware could have drawn it:
///
/// ```text
/// d <= max_power * (t_current - t_previous)
/// ```
///
/// # Errors
/// Those of [`counter_delta`], [`CounterError::NotLater`], [`CounterError::Implausible`].
///
/// ```
/// use sci_core::{
///     quantity::{Joules, Watts},
///     sci::counter::{CounterLimits, CounterSample, energy_between},
/// };
///
/// let limits = CounterLimits { range: None, max_power: Watts::new(500.0)? };
/// let first = CounterSample { at: "2026-01-01T00:00:00Z".parse()?, energy: Joules::new(1_000.0)? };
/// let later = CounterSample { at: "2026-01-01T00:00:10Z".parse()?, energy: Joules::new(3_000.0)? };
/// assert_eq!(energy_between(&first, &later, &limits)?.get(), 2_000.0);
///
/// let absurd = CounterSample { energy: Joules::new(9e14)?, ..later };
/// assert!(energy_between(&first, &absurd, &limits).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn energy_between(
    previous: &CounterSample,
    current: &CounterSample,
    limits: &CounterLimits,
) -> Result<Joules, CounterError> {
    let interval: Duration = current.at.duration_since(previous.at).try_into().unwrap_or(Duration::ZERO);
    if interval.is_zero() {
        return Err(CounterError::NotLater);
    }
    let energy = counter_delta(previous.energy, current.energy, limits.range)?;
    if energy > limits.max_power * interval {
        return Err(CounterError::Implausible { energy, interval, max_power: limits.max_power });
    }
    Ok(energy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joules(value: f64) -> Joules {
        Joules::new(value).unwrap()
    }

    fn sample(second: u32, energy: f64) -> CounterSample {
        CounterSample { at: format!("2026-01-01T00:00:{second:02}Z").parse().unwrap(), energy: joules(energy) }
    }

    fn limits(range: Option<f64>) -> CounterLimits {
        CounterLimits { range: range.map(joules), max_power: Watts::new(400.0).unwrap() }
    }

    #[test]
    fn a_fall_without_a_known_range_is_a_gap() {
        let refused = counter_delta(joules(20.0), joules(10.0), None).unwrap_err();
        assert_eq!(refused, CounterError::Fell { previous: joules(20.0), current: joules(10.0) });
    }

    #[test]
    fn a_reading_beyond_the_range_is_refused() {
        for (previous, current) in [(150.0, 10.0), (10.0, 150.0)] {
            let refused = counter_delta(joules(previous), joules(current), Some(joules(100.0))).unwrap_err();
            assert_eq!(refused, CounterError::BeyondRange { reading: joules(150.0), range: joules(100.0) });
        }
    }

    #[test]
    fn a_wrapped_rapl_counter_goes_on() {
        // readings of a simulated package counter around its wrap, 60 W for about 5 s
        let rapl = limits(Some(262_143.328_850));
        let energy = energy_between(&sample(0, 262_079.844_667), &sample(5, 234.134_130), &rapl).unwrap();
        assert!((energy.get() - 297.618_313).abs() < 1e-6);
    }

    #[test]
    fn a_jump_beyond_the_hardware_is_a_gap() {
        let restarted = energy_between(&sample(0, 0.0), &sample(5, 262_000.0), &limits(None)).unwrap_err();
        assert!(matches!(restarted, CounterError::Implausible { .. }));
        // A restart that looks like a wrap is caught by the same bound.
        let looks_wrapped = energy_between(&sample(0, 5_000.0), &sample(5, 10.0), &limits(Some(262_143.0)));
        assert!(matches!(looks_wrapped, Err(CounterError::Implausible { .. })));
    }

    #[test]
    fn samples_must_come_in_order() {
        for later in [5, 4] {
            let refused = energy_between(&sample(5, 1.0), &sample(later, 2.0), &limits(None)).unwrap_err();
            assert_eq!(refused, CounterError::NotLater);
        }
    }
}
