//! Numbers that scaling is about.

use std::{fmt, ops::Mul, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ScalingError,
    number::{ceil, whole},
};

/// Loads stay below this: a thousand times more, as the milli-units of a Kubernetes quantity, still fits 63 bits.
pub const LOAD_LIMIT: f64 = 9e15;

/// The part of a load that replicas are asked for: above 0, at most 1. 1 is an ordinary autoscaler.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct GreenFactor(f64);

impl GreenFactor {
    /// No throttling.
    pub const ONE: Self = Self(1.0);

    /// Checks the range.
    ///
    /// # Errors
    /// [`ScalingError::Factor`] for NaN, for 0 and below, and above 1.
    pub fn new(value: f64) -> Result<Self, ScalingError> {
        if value > 0.0 && value <= 1.0 { Ok(Self(value)) } else { Err(ScalingError::Factor { value }) }
    }

    /// The bare number.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether it leaves less than the whole load.
    pub fn throttles(self) -> bool {
        self < Self::ONE
    }

    /// The larger one: less throttling.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if other > self { other } else { self }
    }

    /// The smaller one: more throttling.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if other < self { other } else { self }
    }

    /// A value made by arithmetic on factors; what is out of range or not a number throttles nothing.
    pub(super) fn or_one(value: f64) -> Self {
        Self::new(value).unwrap_or(Self::ONE)
    }
}

impl Default for GreenFactor {
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<f64> for GreenFactor {
    type Error = ScalingError;
    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<GreenFactor> for f64 {
    fn from(factor: GreenFactor) -> Self {
        factor.0
    }
}

impl fmt::Display for GreenFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Mul for GreenFactor {
    type Output = Self;
    /// At least the smallest positive number: two tiny factors throttle, they do not cancel each other.
    fn mul(self, other: Self) -> Self {
        Self((self.0 * other.0).max(f64::MIN_POSITIVE))
    }
}

/// Demand on a workload in the unit of its policy, such as requests per second: finite, at least 0, below
/// [`LOAD_LIMIT`].
///
/// It must be what is asked for, not what is served: the use of a full replica says nothing of the queue before it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Load(f64);

impl Load {
    /// Nothing to do.
    pub const ZERO: Self = Self(0.0);

    /// Checks the range.
    ///
    /// # Errors
    /// [`LoadError`] for what is no load; it is never read as 0.
    pub fn new(value: f64) -> Result<Self, LoadError> {
        if !value.is_finite() {
            return Err(LoadError::NotFinite);
        }
        if value < 0.0 {
            return Err(LoadError::Negative { value });
        }
        // -0.0 is no negative load; adding zero gives it the sign that prints as expected.
        if value < LOAD_LIMIT { Ok(Self(value + 0.0)) } else { Err(LoadError::TooLarge { value }) }
    }

    /// The bare number, in the policy's unit.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// A value made by arithmetic on valid values, brought back into range.
    pub(super) fn clamped(value: f64) -> Self {
        Self(if value.is_nan() { 0.0 } else { value.clamp(0.0, LOAD_LIMIT.next_down()) })
    }

    /// In thousandths, rounded up as Kubernetes rounds quantities, rounding errors aside. What an API answers.
    pub fn milli(self) -> u64 {
        whole(ceil(self.0 * 1e3))
    }
}

impl TryFrom<f64> for Load {
    type Error = LoadError;
    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Load> for f64 {
    fn from(load: Load) -> Self {
        load.0
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Mul<GreenFactor> for Load {
    type Output = Self;
    fn mul(self, factor: GreenFactor) -> Self {
        Self(self.0 * factor.0)
    }
}

/// Load that one replica carries: at least a thousandth, below [`LOAD_LIMIT`]. The API has no finer unit.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct LoadPerReplica(f64);

impl LoadPerReplica {
    /// Checks the range.
    ///
    /// # Errors
    /// [`ScalingError::LoadPerReplica`] for what is not finite, below 0.001 or too large.
    pub fn new(value: f64) -> Result<Self, ScalingError> {
        if (1e-3..LOAD_LIMIT).contains(&value) { Ok(Self(value)) } else { Err(ScalingError::LoadPerReplica { value }) }
    }

    /// The bare number, in the policy's unit.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for LoadPerReplica {
    type Error = ScalingError;
    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<LoadPerReplica> for f64 {
    fn from(load: LoadPerReplica) -> Self {
        load.0
    }
}

impl fmt::Display for LoadPerReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Relative deviation of load from target that a `HorizontalPodAutoscaler` leaves alone: 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Tolerance(f64);

impl Tolerance {
    /// Every deviation counts.
    pub const NONE: Self = Self(0.0);
    /// `--horizontal-pod-autoscaler-tolerance` as it comes.
    pub const CLUSTER_DEFAULT: Self = Self(0.1);

    /// Checks the range.
    ///
    /// # Errors
    /// [`ScalingError::Tolerance`] for NaN and outside 0 to 1.
    pub fn new(value: f64) -> Result<Self, ScalingError> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value + 0.0)) } else { Err(ScalingError::Tolerance { value }) }
    }

    /// The bare number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::CLUSTER_DEFAULT
    }
}

impl TryFrom<f64> for Tolerance {
    type Error = ScalingError;
    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Tolerance> for f64 {
    fn from(tolerance: Tolerance) -> Self {
        tolerance.0
    }
}

/// A load as somebody measured it, unchecked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadSample {
    /// In the policy's unit.
    pub value: f64,
    /// When it was so.
    pub at: Timestamp,
}

impl LoadSample {
    /// How far the sample is from speaking of `now`. One dated in the future is as old as the time until then, so
    /// that a clock some seconds ahead does no harm.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.duration_since(self.at).unsigned_abs()
    }

    /// The load, if the sample is one and not older than `stale_after`.
    ///
    /// # Errors
    /// [`LoadError::Stale`], and as [`Load::new`].
    pub fn load(&self, now: Timestamp, stale_after: Duration) -> Result<Load, LoadError> {
        let age = self.age(now);
        if age > stale_after {
            return Err(LoadError::Stale { age, stale_after });
        }
        Load::new(self.value)
    }
}

/// Why there is no load. Then nothing is served: the autoscaler holds, and its guard may still scale up.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Nobody said.
    #[error("no load is known")]
    Missing,
    /// NaN or an infinity.
    #[error("the load is not a finite number")]
    NotFinite,
    /// Below zero.
    #[error("the load must not be negative, got {value}")]
    Negative {
        /// What was given.
        value: f64,
    },
    /// Out of what an API can say.
    #[error("the load must be below 9e15, got {value}")]
    TooLarge {
        /// What was given.
        value: f64,
    },
    /// More replicas than an autoscaler can count to. It would not stop at the most there can be, but take this for
    /// less than nothing, and scale down.
    #[error("a load of {value} would take more than 2147483647 replicas at {target} each")]
    TooManyReplicas {
        /// What was given.
        value: f64,
        /// T.
        target: f64,
    },
    /// True once, not any more.
    #[error("the load is {} s old, more than {} s are too old", age.as_secs(), stale_after.as_secs())]
    Stale {
        /// How old it is.
        age: Duration,
        /// How old it may be.
        stale_after: Duration,
    },
}

impl LoadError {
    /// As in metrics and conditions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotFinite => "not_finite",
            Self::Negative { .. } => "negative",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyReplicas { .. } => "too_many_replicas",
            Self::Stale { .. } => "stale",
        }
    }
}
