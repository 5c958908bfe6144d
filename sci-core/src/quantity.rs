//! Checked newtypes for physical quantities.
//!
//! A value exists only if it is finite, not negative and within the range of its type, so no formula has to ask
//! again. Operators exist only where the physics does: `Watts * Duration` is [`Joules`], while `Watts + Joules`
//! does not compile.
//!
//! ```
//! use std::time::Duration;
//! use sci_core::quantity::{GramsPerKwh, Pue, Watts};
//!
//! let energy = Watts::new(250.0)? * Duration::from_secs(3600) * Pue::new(1.2)?;
//! let carbon = energy * GramsPerKwh::new(400.0)?;
//! assert!((carbon.get() - 120.0).abs() < 1e-9);
//! # Ok::<(), sci_core::quantity::QuantityError>(())
//! ```

use std::{
    fmt,
    iter::Sum,
    ops::{Add, Div, Mul},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Joules in one kilowatt-hour.
pub const JOULES_PER_KWH: f64 = 3_600_000.0;
/// Watts in one kilowatt.
pub const WATTS_PER_KILOWATT: f64 = 1_000.0;
/// Seconds in one hour.
pub const SECONDS_PER_HOUR: f64 = 3_600.0;

/// Why a number is no quantity.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// NaN or an infinity.
    #[error("{quantity} must be a finite number, got {value}")]
    NotFinite {
        /// The type that refused.
        quantity: &'static str,
        /// What was given.
        value: f64,
    },
    /// Outside the range of the type; most ranges begin at zero.
    #[error("{quantity} must be between {min} and {max}{}{unit}, got {value}", if unit.is_empty() { "" } else { " " })]
    OutOfRange {
        /// The type that refused.
        quantity: &'static str,
        /// What was given.
        value: f64,
        /// Smallest accepted value.
        min: f64,
        /// Largest accepted value.
        max: f64,
        /// Unit of all three numbers.
        unit: &'static str,
    },
}

fn checked(quantity: &'static str, unit: &'static str, range: (f64, f64), value: f64) -> Result<f64, QuantityError> {
    let (min, max) = range;
    if !value.is_finite() {
        return Err(QuantityError::NotFinite { quantity, value });
    }
    if value < min || value > max {
        return Err(QuantityError::OutOfRange { quantity, value, min, max, unit });
    }
    // -0.0 passes the range check; adding zero gives it the sign that prints and hashes as expected.
    Ok(value + 0.0)
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $unit:literal, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Unit as printed.
            pub const UNIT: &'static str = $unit;
            /// Smallest accepted value.
            pub const MIN: Self = Self($min);
            /// Largest accepted value.
            pub const MAX: Self = Self($max);

            /// Checks the range of the type.
            ///
            /// # Errors
            /// [`QuantityError`] for NaN, an infinity, or a value outside [`Self::MIN`] to [`Self::MAX`].
            pub fn new(value: f64) -> Result<Self, QuantityError> {
                checked(stringify!($name), $unit, ($min, $max), value).map(Self)
            }

            /// The bare number, in the unit of the type.
            pub const fn get(self) -> f64 {
                self.0
            }

            /// A value made by arithmetic on valid values, brought back into range where rounding or an
            /// overflow left it.
            pub fn clamped(value: f64) -> Self {
                Self(if value.is_nan() { $min } else { value.clamp($min, $max) })
            }
        }

        impl TryFrom<f64> for $name {
            type Error = QuantityError;
            fn try_from(value: f64) -> Result<Self, Self::Error> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)?;
                if $unit.is_empty() { Ok(()) } else { write!(f, " {}", $unit) }
            }
        }
    };
}

/// Amounts that add up and start at nothing.
macro_rules! additive {
    ($($name:ident),*) => {$(
        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0.0);

            /// The difference, or zero where `other` is larger.
            #[must_use]
            pub fn saturating_sub(self, other: Self) -> Self {
                Self::clamped(self.0 - other.0)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::ZERO
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self::clamped(self.0 + other.0)
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
                values.fold(Self::ZERO, Add::add)
            }
        }

        impl Mul<Share> for $name {
            type Output = Self;
            fn mul(self, share: Share) -> Self {
                Self::clamped(self.0 * share.0)
            }
        }
    )*};
}

/// `A * B = C`, and `B * A = C`.
macro_rules! product {
    ($($a:ident * $b:ident = $c:ident, scale $scale:expr;)*) => {$(
        impl Mul<$b> for $a {
            type Output = $c;
            fn mul(self, other: $b) -> $c {
                $c::clamped(self.0 * other.0 * $scale)
            }
        }
        impl Mul<$a> for $b {
            type Output = $c;
            fn mul(self, other: $a) -> $c {
                other * self
            }
        }
    )*};
}

// The upper bounds are far above anything real and low enough that no product of two overflows.
const HUGE: f64 = 1e18;

quantity!(
    /// Energy in joules.
    Joules, "J", 0.0, HUGE
);
quantity!(
    /// Power in watts.
    Watts, "W", 0.0, HUGE
);
quantity!(
    /// Carbon dioxide equivalent in grams.
    GramsCo2e, "gCO2e", 0.0, HUGE
);
quantity!(
    /// Carbon intensity of electricity in gCO2e per kWh. Coal plants stay below 1,300; the bound leaves room for
    /// a marginal signal and refuses a value in another unit (kilograms or pounds per megawatt-hour, times 1,000).
    GramsPerKwh, "gCO2e/kWh", 0.0, 5_000.0
);
quantity!(
    /// A rate of emission in gCO2e per hour.
    GramsPerHour, "gCO2e/h", 0.0, HUGE
);
quantity!(
    /// Emission per core-hour of reference work, in gCO2e.
    GramsPerCoreHour, "gCO2e/core-hour", 0.0, HUGE
);
quantity!(
    /// Power usage effectiveness: energy of the whole site over energy of its machines. Never below 1.
    Pue, "", 1.0, 10.0
);
quantity!(
    /// CPU in hardware threads, the unit of Kubernetes' `cpu` resource.
    Cores, "cores", 0.0, 1e9
);
quantity!(
    /// Memory in bytes.
    Bytes, "B", 0.0, HUGE
);
quantity!(
    /// Busy fraction of a machine, 0 to 1.
    Utilization, "", 0.0, 1.0
);
quantity!(
    /// A part of a whole, 0 to 1.
    Share, "", 0.0, 1.0
);
quantity!(
    /// Work per hardware thread, relative to the reference class (Cascade Lake = 1).
    RelativePerformance, "", 0.01, 100.0
);
quantity!(
    /// Watts at the wall over the watts that a meter sees. RAPL sees packages and memory, not fans, drives and the
    /// losses of power supplies.
    WallFactor, "", 0.5, 3.0
);
quantity!(
    /// Power that a workload adds to a node over the power that its requests let expect.
    WorkloadFactor, "", 0.05, 20.0
);

additive!(Joules, Watts, GramsCo2e, GramsPerHour, GramsPerCoreHour, Cores, Bytes);

product! {
    Joules * GramsPerKwh = GramsCo2e, scale 1.0 / JOULES_PER_KWH;
    Watts * GramsPerKwh = GramsPerHour, scale 1.0 / WATTS_PER_KILOWATT;
    Joules * Pue = Joules, scale 1.0;
    Watts * Pue = Watts, scale 1.0;
}

impl Joules {
    /// From kilowatt-hours.
    ///
    /// # Errors
    /// As [`Joules::new`].
    pub fn from_kwh(kwh: f64) -> Result<Self, QuantityError> {
        Self::new(kwh * JOULES_PER_KWH)
    }

    /// In kilowatt-hours.
    pub fn kwh(self) -> f64 {
        self.0 / JOULES_PER_KWH
    }
}

impl Share {
    /// Nothing of the whole.
    pub const NONE: Self = Self(0.0);
    /// The whole.
    pub const ALL: Self = Self(1.0);

    /// `part / whole`, at most 1; `None` where the whole is nothing.
    pub fn of(part: f64, whole: f64) -> Option<Self> {
        (whole > 0.0 && part >= 0.0).then(|| Self::clamped(part / whole))
    }
}

impl Utilization {
    /// Nothing runs.
    pub const IDLE: Self = Self(0.0);
    /// All threads are busy.
    pub const FULL: Self = Self(1.0);

    /// `busy / all`, at most 1; `None` where there are no cores.
    pub fn of(busy: Cores, all: Cores) -> Option<Self> {
        (all.0 > 0.0).then(|| Self::clamped(busy.0 / all.0))
    }
}

impl RelativePerformance {
    /// The reference class itself.
    pub const REFERENCE: Self = Self(1.0);
}

impl WallFactor {
    /// The meter sees the whole machine, or nobody knows what it misses.
    pub const NONE: Self = Self(1.0);
}

impl WorkloadFactor {
    /// As the requests let expect.
    pub const EXPECTED: Self = Self(1.0);
}

impl Pue {
    /// A site that adds nothing.
    pub const IDEAL: Self = Self(1.0);
}

impl Mul<Duration> for Watts {
    type Output = Joules;
    fn mul(self, time: Duration) -> Joules {
        Joules::clamped(self.0 * time.as_secs_f64())
    }
}

impl Div<Duration> for Joules {
    /// `None` for a window of no length.
    type Output = Option<Watts>;
    fn div(self, time: Duration) -> Option<Watts> {
        (!time.is_zero()).then(|| Watts::clamped(self.0 / time.as_secs_f64()))
    }
}

impl Mul<Duration> for GramsPerHour {
    type Output = GramsCo2e;
    fn mul(self, time: Duration) -> GramsCo2e {
        GramsCo2e::clamped(self.0 * time.as_secs_f64() / SECONDS_PER_HOUR)
    }
}

impl Div<Duration> for GramsCo2e {
    /// `None` for a window of no length.
    type Output = Option<GramsPerHour>;
    fn div(self, time: Duration) -> Option<GramsPerHour> {
        (!time.is_zero()).then(|| GramsPerHour::clamped(self.0 / (time.as_secs_f64() / SECONDS_PER_HOUR)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_infinite_and_negative_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-300, -5.0] {
            assert!(Watts::new(bad).is_err(), "{bad}");
            assert!(Joules::new(bad).is_err(), "{bad}");
            assert!(GramsPerKwh::new(bad).is_err(), "{bad}");
            assert!(Share::new(bad).is_err(), "{bad}");
        }
        assert!(Watts::new(1e300).is_err(), "huge");
        assert!(Pue::new(0.99).is_err(), "a site cannot use less than its machines");
        assert!(GramsPerKwh::new(400_000.0).is_err(), "grams per MWh");
        assert!(Utilization::new(1.01).is_err());
    }

    #[test]
    fn negative_zero_becomes_zero() {
        let zero = Watts::new(-0.0).unwrap();
        assert!(zero.get().is_sign_positive());
    }

    #[test]
    fn messages_name_the_quantity_and_its_range() {
        assert_eq!(Pue::new(0.5).unwrap_err().to_string(), "Pue must be between 1 and 10, got 0.5");
        assert_eq!(Watts::new(f64::NAN).unwrap_err().to_string(), "Watts must be a finite number, got NaN");
    }

    #[test]
    fn power_over_time_is_energy_and_back() {
        let hour = Duration::from_hours(1);
        let energy = Watts::new(100.0).unwrap() * hour;
        assert!((energy.kwh() - 0.1).abs() < 1e-12);
        assert!(((energy / hour).unwrap().get() - 100.0).abs() < 1e-9);
        assert_eq!(energy / Duration::ZERO, None);
    }

    #[test]
    fn watts_times_intensity_is_a_rate() {
        let rate = Watts::new(250.0).unwrap() * GramsPerKwh::new(400.0).unwrap();
        assert!((rate.get() - 100.0).abs() < 1e-12);
        assert!(((rate * Duration::from_mins(30)).get() - 50.0).abs() < 1e-12);
    }

    #[test]
    fn subtraction_stops_at_zero() {
        let (small, large) = (Cores::new(1.0).unwrap(), Cores::new(4.0).unwrap());
        assert_eq!(small.saturating_sub(large), Cores::ZERO);
    }

    #[test]
    fn a_share_of_nothing_is_no_share() {
        assert_eq!(Share::of(1.0, 0.0), None);
        assert_eq!(Share::of(3.0, 2.0), Some(Share::ALL));
    }

    #[test]
    fn serde_checks_the_range_too() {
        assert!(serde_json::from_str::<Watts>("12.5").is_ok());
        assert!(serde_json::from_str::<Watts>("-1").is_err());
        assert_eq!(serde_json::to_string(&Watts::new(12.5).unwrap()).unwrap(), "12.5");
    }
}
