//! A forecast of intensity out of one of wind and sun.
//!
//! ```text
//! demand    D(t) = all generation a week before t
//! weather   W(t) = day-ahead forecast of wind and sun; a kind that it leaves out as a week before
//! the rest  R(t) = max(D(t) - W(t), 0), at the intensity of the rest a week before
//! intensity = (R * i_rest + sum(W_kind * factor_kind)) / (R + W)
//! ```
//!
//! It knows nothing of imports, prices and holidays. Its worth lies in windy grids, where the weather of last week
//! says nothing about tomorrow.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::super::mix::{Cell, Mix};

/// A week: the same hour of the same day.
const WEEK: Duration = Duration::from_hours(7 * 24);
/// How much of the past is kept; the forecast for the day after tomorrow needs the last five to eight days.
const KEPT: Duration = Duration::from_hours(9 * 24);

/// Generation of one area over the last days.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    cells: BTreeMap<Timestamp, (Duration, Mix)>,
}

impl Memory {
    /// Takes what is known now, newest knowledge last, and forgets what is too old.
    pub(super) fn learn(&mut self, cells: &[Cell]) {
        for cell in cells {
            if let Ok(mix) = &cell.mix {
                self.cells.insert(cell.start, (cell.duration, mix.clone()));
            }
        }
        let newest = self.cells.keys().next_back().copied();
        if let Some(oldest) = newest.and_then(|newest| newest.checked_sub(KEPT).ok()) {
            self.cells = self.cells.split_off(&oldest);
        }
    }

    /// Whether a whole week is there.
    pub(super) fn is_ready(&self) -> bool {
        let (first, last) = (self.cells.keys().next(), self.cells.keys().next_back());
        first.zip(last).is_some_and(|(first, last)| {
            // The week's last hours may be late: a day less is enough to begin with.
            last.duration_since(*first) >= jiff::SignedDuration::from_hours(6 * 24)
        })
    }

    /// Mean power from `start` for `duration`; `None` unless all of it is known.
    fn mix(&self, start: Timestamp, duration: Duration) -> Option<Mix> {
        let end = start.checked_add(duration).ok()?;
        // No cell is longer than an hour, so that one that reaches in begins less than that before.
        let from = start.checked_sub(Duration::from_hours(1)).ok()?;
        let (mut mix, mut covered) = (Mix::default(), 0.0);
        for (&begin, (length, power)) in self.cells.range(from..end) {
            let overlap = begin.checked_add(*length).ok()?.min(end).duration_since(begin.max(start)).as_secs_f64();
            if overlap > 0.0 {
                let share = overlap / duration.as_secs_f64();
                mix.add(power, share);
                covered += share;
            }
        }
        (covered > 1.0 - 1e-9 && covered < 1.0 + 1e-9).then_some(mix)
    }

    /// The intensity of one slot in gCO2e/kWh, or why it cannot be said.
    pub(super) fn forecast(&self, start: Timestamp, duration: Duration, weather: &Mix) -> Result<f64, String> {
        let unknown = || "the generation of a week before is not known".to_owned();
        let before = start.checked_sub(WEEK).ok().and_then(|start| self.mix(start, duration)).ok_or_else(unknown)?;
        let rest = before.without_weather();
        let mut expected = before.weather();
        expected.replace(weather);
        let needed = (before.total() - expected.total()).max(0.0);
        if let Some(scale) = Some(needed / rest.total()).filter(|scale| scale.is_finite()) {
            expected.add(&rest, scale);
        }
        expected.intensity()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::mix::Fuel, *};

    const HOUR: Duration = Duration::from_hours(1);

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_699_999_200 + hours * 3_600).unwrap()
    }

    fn mix(powers: &[(Fuel, f64)]) -> Mix {
        let mut mix = Mix::default();
        for &(fuel, megawatts) in powers {
            mix.set(fuel, megawatts);
        }
        mix
    }

    fn week() -> Memory {
        let mut memory = Memory::default();
        let power = [(Fuel::Gas, 600.0), (Fuel::Nuclear, 200.0), (Fuel::WindOnshore, 200.0)];
        let cells: Vec<Cell> =
            (0..168).map(|hour| Cell { start: at(hour), duration: HOUR, mix: Ok(mix(&power)) }).collect();
        memory.learn(&cells);
        memory
    }

    #[test]
    fn more_wind_than_a_week_ago_displaces_the_rest() {
        let memory = week();
        assert!(memory.is_ready());
        // Demand 1000, wind 500: the rest is 500, at (600 * 490 + 200 * 12) / 800 = 370.5.
        let grams = memory.forecast(at(170), HOUR, &mix(&[(Fuel::WindOnshore, 500.0)])).unwrap();
        assert!((grams - (500.0 * 370.5 + 500.0 * 11.0) / 1_000.0).abs() < 1e-9);
    }

    #[test]
    fn the_weather_of_last_week_repeats_last_week() {
        let grams = week().forecast(at(170), HOUR, &mix(&[(Fuel::WindOnshore, 200.0)])).unwrap();
        assert!((grams - (600.0 * 490.0 + 200.0 * 12.0 + 200.0 * 11.0) / 1_000.0).abs() < 1e-9);
    }

    #[test]
    fn a_kind_that_the_forecast_leaves_out_is_as_a_week_ago() {
        // Wind 200 as before, sun 300 instead of none: the rest is 500.
        let grams = week().forecast(at(170), HOUR, &mix(&[(Fuel::Solar, 300.0)])).unwrap();
        assert!((grams - (500.0 * 370.5 + 200.0 * 11.0 + 300.0 * 45.0) / 1_000.0).abs() < 1e-9);
    }

    #[test]
    fn wind_beyond_demand_leaves_no_rest() {
        let grams = week().forecast(at(170), HOUR, &mix(&[(Fuel::WindOnshore, 1_500.0)])).unwrap();
        assert!((grams - 11.0).abs() < 1e-9);
    }

    #[test]
    fn quarters_are_forecast_from_hours() {
        let quarter = Duration::from_mins(15);
        let start = at(170) + quarter;
        let grams = week().forecast(start, quarter, &mix(&[(Fuel::WindOnshore, 500.0)])).unwrap();
        assert!((grams - 190.75).abs() < 1e-9);
    }

    #[test]
    fn without_the_week_before_there_is_no_forecast() {
        let wind = mix(&[(Fuel::WindOnshore, 500.0)]);
        assert!(week().forecast(at(170 + 168), HOUR, &wind).is_err());
        assert!(Memory::default().forecast(at(170), HOUR, &wind).is_err());
        assert!(!Memory::default().is_ready());
    }

    #[test]
    fn old_days_are_forgotten() {
        let mut memory = week();
        let cells: Vec<Cell> = (168..400)
            .map(|hour| Cell { start: at(hour), duration: HOUR, mix: Ok(mix(&[(Fuel::Gas, 1.0)])) })
            .collect();
        memory.learn(&cells);
        assert_eq!(memory.cells.len(), 9 * 24 + 1);
    }
}
