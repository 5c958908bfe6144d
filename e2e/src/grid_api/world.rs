//! The clock and the table of values.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::api::Api;

const DAY_SECONDS: i64 = 86_400;

/// Values of a zone over the day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    /// Mean over the day, in gCO2e/kWh.
    pub mean: f64,
    /// How far the value leaves the mean, in the same unit.
    pub swing: f64,
    /// Hour of the day in UTC at which it is highest.
    pub peak_hour: f64,
}

#[derive(Debug)]
pub(super) struct World {
    origin: Timestamp,
    started: Instant,
    speed: u32,
    zones: BTreeMap<String, Curve>,
    names: BTreeMap<(Api, String), String>,
    pub(super) zip: bool,
}

impl Curve {
    /// The same at all times.
    pub const fn flat(grams_per_kwh: f64) -> Self {
        Self { mean: grams_per_kwh, swing: 0.0, peak_hour: 0.0 }
    }

    /// The value at an instant.
    pub fn at(&self, instant: Timestamp) -> f64 {
        let second = i32::try_from(instant.as_second().rem_euclid(DAY_SECONDS)).unwrap_or_default();
        let hour = f64::from(second) / 3_600.0;
        self.mean + self.swing * (TAU * (hour - self.peak_hour) / 24.0).cos()
    }
}

impl World {
    pub(super) fn new(origin: Timestamp, speed: u32) -> Self {
        let (zones, names) = (BTreeMap::new(), BTreeMap::new());
        Self { origin, started: Instant::now(), speed, zones, names, zip: false }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.origin.checked_add(self.started.elapsed() * self.speed).unwrap_or(self.origin)
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.origin = self.origin.checked_add(by).unwrap_or(self.origin);
    }

    pub(super) fn set(&mut self, zone: &str, curve: Curve) {
        self.zones.insert(zone.to_owned(), curve);
    }

    pub(super) fn name(&mut self, api: Api, name: &str, zone: &str) {
        self.names.insert((api, name.to_owned()), zone.to_owned());
    }

    pub(super) fn value(&self, zone: &str, at: Timestamp) -> Option<f64> {
        self.zones.get(zone).map(|curve| curve.at(at))
    }

    /// Every zone that has values.
    pub(super) fn zones(&self) -> impl Iterator<Item = (&String, &Curve)> {
        self.zones.iter()
    }

    /// The values behind a name at an API.
    pub(super) fn curve(&self, api: Api, name: &str) -> Option<Curve> {
        let zone = self.names.get(&(api, name.to_owned())).map_or(name, String::as_str);
        self.zones.get(zone).copied()
    }
}

/// Instants `step` apart from the first at or after `from` until before `to`.
pub(super) fn steps(from: Timestamp, to: Timestamp, step: Duration) -> impl Iterator<Item = Timestamp> {
    let step = i64::try_from(step.as_secs()).unwrap_or(1).max(1);
    let first = -(-from.as_second()).div_euclid(step);
    let last = -(-to.as_second()).div_euclid(step);
    // Ten years of hours: no question is longer.
    (first..last).take(100_000).filter_map(move |index| Timestamp::from_second(index * step).ok())
}

/// The last multiple of `step` before or at an instant.
pub(super) fn floor(instant: Timestamp, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_secs()).unwrap_or(1).max(1);
    Timestamp::from_second(instant.as_second().div_euclid(step) * step).unwrap_or(instant)
}

/// An instant `hours` later, or earlier.
pub(super) fn shifted(instant: Timestamp, hours: i64) -> Timestamp {
    instant.checked_add(SignedDuration::from_hours(hours)).unwrap_or(instant)
}
