//! The day that passes: its clock, its requests, its grid.

use std::{sync::OnceLock, time::Duration};

use kube_sci_e2e::day::{DayClock, Hourly};
use sci_core::quantity::GramsPerKwh;

pub const HOURS: usize = 24;
/// Midnight after it, in hours.
pub const END: f64 = 24.0;
/// Real time that an hour takes.
pub const HOUR: Duration = Duration::from_millis(2_500);
/// Where the intensities come from.
pub const GRID: &str = "made up, as on a day in spring in a grid with much sun";

/// Requests per second on the hour: quiet before dawn, busy at noon, busiest in the evening.
const REQUESTS: Hourly = Hourly::new([
    900.0, 760.0, 670.0, 620.0, 610.0, 660.0, 780.0, 950.0, 1_160.0, 1_400.0, 1_640.0, 1_840.0, 1_950.0, 1_920.0,
    1_800.0, 1_700.0, 1_690.0, 1_790.0, 1_960.0, 2_110.0, 2_150.0, 1_950.0, 1_570.0, 1_190.0,
]);

/// gCO2e/kWh in each hour: little while the sun shines, gas in the evening. The mean is about that of a year in California.
const INTENSITY: Hourly = Hourly::new([
    285.0, 280.0, 276.0, 274.0, 280.0, 296.0, 312.0, 282.0, 205.0, 148.0, 118.0, 104.0, 98.0, 100.0, 108.0, 126.0,
    172.0, 262.0, 352.0, 398.0, 405.0, 384.0, 342.0, 306.0,
]);

/// It is midnight until the day begins.
#[derive(Debug, Default)]
pub struct Clock {
    begun: OnceLock<DayClock>,
}

impl Clock {
    /// Lets the day begin; a second call changes nothing.
    pub fn begin(&self) {
        self.begun.get_or_init(|| DayClock::start(3_600.0 / HOUR.as_secs_f64()));
    }

    /// Hours since midnight, which go on after the day.
    pub fn hour(&self) -> f64 {
        self.begun.get().map_or(0.0, DayClock::hour)
    }
}

/// Requests per second, straight from hour to hour.
pub fn requests(hour: f64) -> f64 {
    REQUESTS.at(hour)
}

/// The most requests per second of the day.
pub fn most_requests() -> f64 {
    REQUESTS.range().1
}

/// What the grid emits.
pub fn intensity(hour: f64) -> GramsPerKwh {
    GramsPerKwh::clamped(INTENSITY.within(hour))
}

/// The middle of the hour in which the grid emits most.
pub fn dirtiest() -> f64 {
    let middles = (0_u8..24).map(|hour| f64::from(hour) + 0.5);
    middles.max_by(|one, other| INTENSITY.within(*one).total_cmp(&INTENSITY.within(*other))).unwrap_or_default()
}

/// As on a clock on the wall.
pub fn wall(hour: f64) -> String {
    let minutes = whole(hour * 60.0);
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// The number of an hour of the day; later ones are counted on.
pub fn number(hour: f64) -> usize {
    whole(hour)
}

// Hours of a day, and minutes of it, fit.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> usize {
    value.max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_straight_from_hour_to_hour_and_around_midnight() {
        for (hour, expected) in [(0.0, 900.0), (0.5, 830.0), (12.0, 1_950.0), (23.5, 1_045.0), (24.0, 900.0)] {
            assert!((requests(hour) - expected).abs() < 1e-9, "at {hour}: {}", requests(hour));
        }
    }

    #[test]
    fn the_evening_is_the_dirtiest_time() {
        assert_eq!(wall(dirtiest()), "20:30");
        assert!((intensity(dirtiest()).get() - 405.0).abs() < 1e-9);
        assert!((intensity(24.5).get() - 285.0).abs() < 1e-9);
    }

    #[test]
    fn a_day_has_not_begun_by_itself() {
        let clock = Clock::default();
        assert!(clock.hour() <= 0.0);
        clock.begin();
        let once = clock.hour();
        clock.begin();
        assert!(clock.hour() >= once);
    }
}
