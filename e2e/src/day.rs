//! A day in minutes: the intensity of a grid as it usually is, and a load that follows the sun.

use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use sci_core::forecast::Hour;
use sci_core::intensity::Zone;
use sci_core::quantity::GramsPerKwh;
use sci_core::region::catalogue;

use crate::simulation::random::uniform;

const HOURS: f64 = 24.0;
/// A year in which every month begins; which one does not matter to what is usual.
const YEAR: i16 = 2026;

/// One value for each hour of a day (UTC).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hourly([f64; 24]);

/// Demand over a day, lowest twelve hours from its peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiurnalLoad {
    /// Per second.
    pub lowest: f64,
    /// Per second.
    pub highest: f64,
    /// Hour of the day (UTC).
    pub peak_hour: f64,
}

/// Time of a day that passes faster.
#[derive(Debug, Clone, Copy)]
pub struct DayClock {
    started: Instant,
    speed: f64,
}

/// Numbers around 0, the same ones for the same seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    seed: u64,
    amplitude: f64,
    drawn: u64,
}

impl Noise {
    /// Of up to `amplitude` to both sides, each as likely as any other.
    pub fn new(seed: u64, amplitude: f64) -> Self {
        Self { seed, amplitude, drawn: 0 }
    }

    /// The next one.
    pub fn draw(&mut self) -> f64 {
        self.drawn += 1;
        self.amplitude * (2.0 * uniform(self.seed, self.drawn) - 1.0)
    }
}

impl Hourly {
    /// From midnight on.
    pub const fn new(values: [f64; 24]) -> Self {
        Self(values)
    }

    /// Intensities that are usual in a zone in a month (1 to 12), in gCO2e/kWh, from `sci-core/data/typical.csv`
    /// (greenpick 0.4.1, MIT); `None` where the table does not have the zone.
    pub fn usual_intensity(zone: &str, month: i8) -> Option<Self> {
        let typical = catalogue().typical(&Zone::new(zone).ok()?)?;
        let midnight = Date::new(YEAR, month, 1).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let hour = |hour: u64| {
            let instant = midnight.checked_add(Duration::from_hours(hour)).ok()?;
            typical.values.at(Hour::containing(instant)).map(GramsPerKwh::get)
        };
        let values: Vec<f64> = (0..24).map(hour).collect::<Option<_>>()?;
        values.try_into().ok().map(Self)
    }

    /// The value of an hour, whatever the minute.
    pub fn within(&self, hour: f64) -> f64 {
        let hour = hour.rem_euclid(HOURS).floor();
        let mut hours = (0_u8..).zip(self.0);
        hours.find(|(number, _)| f64::from(*number) + 0.5 > hour).map_or(0.0, |(_, value)| value)
    }

    /// On a straight line from hour to hour, and from the last one to the first.
    pub fn at(&self, hour: f64) -> f64 {
        let share = hour - hour.floor();
        self.within(hour) * (1.0 - share) + self.within(hour + 1.0) * share
    }

    /// Lowest and highest value.
    pub fn range(&self) -> (f64, f64) {
        let fold = |pick: fn(f64, f64) -> f64, start| self.0.into_iter().fold(start, pick);
        (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY))
    }
}

impl DiurnalLoad {
    /// Per second, at an hour of the day.
    pub fn at(&self, hour: f64) -> f64 {
        let (middle, swing) = (f64::midpoint(self.lowest, self.highest), (self.highest - self.lowest) / 2.0);
        middle + swing * (TAU * (hour - self.peak_hour) / HOURS).cos()
    }
}

impl DayClock {
    /// Midnight is now; an hour lasts `3600 / speed` seconds.
    pub fn start(speed: f64) -> Self {
        Self { started: Instant::now(), speed }
    }

    /// Hours since midnight.
    pub fn hour(&self) -> f64 {
        self.hour_at(Instant::now())
    }

    /// Hours from midnight to an instant.
    pub fn hour_at(&self, instant: Instant) -> f64 {
        instant.saturating_duration_since(self.started).as_secs_f64() * self.speed / 3_600.0
    }

    pub fn is_over(&self) -> bool {
        self.hour() >= HOURS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_day_has_the_values_of_the_table_and_lines_between_them() {
        let day = Hourly::usual_intensity("CA-ON", 1).unwrap();
        // The first row of the table.
        for (hour, expected) in [(0.0, 140.2), (22.0, 146.7), (22.5, 146.6), (23.5, 143.35), (24.0, 140.2)] {
            assert!((day.at(hour) - expected).abs() < 1e-9, "at {hour}: {}", day.at(hour));
        }
        assert!((day.within(22.9) - 146.7).abs() < 1e-9);
        assert_eq!(day.range(), (131.2, 146.7));
        assert_eq!(Hourly::usual_intensity("nowhere", 1), None);
        assert_eq!(Hourly::usual_intensity("CA-ON", 13), None);
    }

    #[test]
    fn the_load_is_highest_at_its_peak_and_lowest_half_a_day_away() {
        let load = DiurnalLoad { lowest: 200.0, highest: 1_000.0, peak_hour: 19.0 };
        assert!((load.at(19.0) - 1_000.0).abs() < 1e-9);
        assert!((load.at(7.0) - 200.0).abs() < 1e-9);
        assert!((load.at(13.0) - 600.0).abs() < 1e-9);
    }

    #[test]
    fn noise_stays_within_its_amplitude_on_both_sides_and_repeats_itself() {
        let drawn = || {
            let mut noise = Noise::new(7, 3.0);
            std::iter::repeat_with(move || noise.draw()).take(1_000).collect::<Vec<_>>()
        };
        let numbers = drawn();
        assert!(numbers.iter().all(|number| number.abs() <= 3.0));
        assert!(numbers.iter().any(|number| *number > 2.5) && numbers.iter().any(|number| *number < -2.5));
        assert_eq!(numbers, drawn());
    }

    #[test]
    fn a_fast_day_passes_in_minutes() {
        let clock = DayClock::start(600.0);
        assert!((clock.hour_at(clock.started + Duration::from_secs(6)) - 1.0).abs() < 1e-9);
        assert!((clock.hour_at(clock.started + Duration::from_secs(144)) - 24.0).abs() < 1e-9);
        assert!(!clock.is_over());
    }
}
