//! A day in minutes: the intensity of a grid as it usually is, and a load that follows the sun.

use std::f64::consts::TAU;
use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sci_core::forecast::Hour;
use sci_core::intensity::Zone;
use sci_core::quantity::GramsPerKwh;
use sci_core::region::catalogue;

use crate::grid_file::GridFile;
use crate::load_world::LoadWorld;

const HOURS: f64 = 24.0;
/// Between two steps of a replay.
const STEP: Duration = Duration::from_millis(250);
/// A year in which every month begins; which one does not matter to what is usual.
const YEAR: i16 = 2026;

/// Intensities of one day by hour (UTC), in gCO2e/kWh: those that are usual in a month, from `sci-core/data/typical.csv`
/// (greenpick 0.4.1, MIT).
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    hours: Vec<f64>,
}

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

impl Day {
    /// What is usual in a zone in a month (1 to 12); `None` where no table has the zone.
    pub fn usual(zone: &str, month: i8) -> Option<Self> {
        let typical = catalogue().typical(&Zone::new(zone).ok()?)?;
        let midnight = Date::new(YEAR, month, 1).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let hour = |hour: u64| {
            let instant = midnight.checked_add(Duration::from_hours(hour)).ok()?;
            typical.values.at(Hour::containing(instant)).map(GramsPerKwh::get)
        };
        Some(Self { hours: (0..24).map(hour).collect::<Option<_>>()? })
    }

    /// At an hour of the day, fractions in between on a line.
    pub fn intensity(&self, hour: f64) -> f64 {
        let hour = hour.rem_euclid(HOURS);
        let at = |place: f64| {
            let mut hours = (0_u8..).zip(&self.hours);
            hours.find(|(number, _)| f64::from(*number) + 0.5 > place).map_or(0.0, |(_, value)| *value)
        };
        let (before, share) = (hour.floor(), hour.fract());
        at(before) * (1.0 - share) + at((before + 1.0).rem_euclid(HOURS)) * share
    }

    /// Lowest and highest value.
    pub fn range(&self) -> (f64, f64) {
        let fold = |pick: fn(f64, f64) -> f64, start| self.hours.iter().copied().fold(start, pick);
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

/// Plays the day to its end: writes the zone's intensity and sets the workload's demand four times a second. `watch` sees
/// every step: hour, intensity, demand.
pub async fn replay(
    (day, zone, file): (&Day, &str, &GridFile),
    (load, workload, world): (&DiurnalLoad, &str, &LoadWorld),
    clock: DayClock,
    mut watch: impl FnMut(f64, f64, f64),
) -> io::Result<()> {
    while !clock.is_over() {
        let hour = clock.hour();
        let (intensity, demand) = (day.intensity(hour), load.at(hour));
        file.write([(zone, intensity, Timestamp::now() - Duration::from_secs(1))])?;
        world.set(workload, demand);
        watch(hour, intensity, demand);
        tokio::time::sleep(STEP).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_day_has_the_values_of_the_table_and_lines_between_them() {
        let day = Day::usual("CA-ON", 1).unwrap();
        // The first row of the table.
        assert!((day.intensity(0.0) - 140.2).abs() < 1e-9);
        assert!((day.intensity(22.0) - 146.7).abs() < 1e-9);
        assert!((day.intensity(22.5) - 146.6).abs() < 1e-9);
        assert!((day.intensity(23.5) - f64::midpoint(146.5, 140.2)).abs() < 1e-9, "the last hour leads to the first");
        assert_eq!(day.range(), (131.2, 146.7));
        assert_eq!(Day::usual("nowhere", 1), None);
        assert_eq!(Day::usual("CA-ON", 13), None);
    }

    #[test]
    fn the_load_is_highest_at_its_peak_and_lowest_half_a_day_away() {
        let load = DiurnalLoad { lowest: 200.0, highest: 1_000.0, peak_hour: 19.0 };
        assert!((load.at(19.0) - 1_000.0).abs() < 1e-9);
        assert!((load.at(7.0) - 200.0).abs() < 1e-9);
        assert!((load.at(13.0) - 600.0).abs() < 1e-9);
    }

    #[test]
    fn a_fast_day_passes_in_minutes() {
        let clock = DayClock::start(600.0);
        assert!((clock.hour_at(clock.started + Duration::from_secs(6)) - 1.0).abs() < 1e-9);
        assert!((clock.hour_at(clock.started + Duration::from_secs(144)) - 24.0).abs() < 1e-9);
        assert!(!clock.is_over());
    }
}
