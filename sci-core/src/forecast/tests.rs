mod climatology;
mod forecaster;
mod history;
mod placement;
mod profile;
mod scoreboard;

use std::time::Duration;

use super::*;
use crate::quantity::Share;

fn zone() -> Zone {
    Zone::new("XX").unwrap()
}

/// 2026-01-05, a Monday.
fn monday() -> Hour {
    Hour::containing("2026-01-05T00:00:00Z".parse().unwrap())
}

fn grams(value: f64) -> GramsPerKwh {
    GramsPerKwh::new(value).unwrap()
}

fn get(values: &[GramsPerKwh]) -> Vec<f64> {
    values.iter().map(|value| value.get()).collect()
}

fn series_of(quality: Quality, step: Duration, first: Hour, values: &[f64]) -> Series {
    let slot = |(n, value): (u32, &f64)| Slot { start: first.start() + n * step, duration: step, value: grams(*value) };
    Series::new(zone(), Signal::default(), quality, "test", (0..).zip(values).map(slot).collect()).unwrap()
}

fn measured(first: Hour, values: &[f64]) -> Series {
    series_of(Quality::Measured, Hour::LENGTH, first, values)
}

/// Low around noon, by the given depth.
fn solar_day(hour: i32, depth: f64) -> f64 {
    if (10..15).contains(&hour.rem_euclid(24)) { 400.0 - depth } else { 400.0 }
}

fn taught(values: &[f64]) -> (Forecaster, Timestamp) {
    let mut forecaster = Forecaster::new(zone(), Signal::default());
    let now = monday().plus(i64::try_from(values.len()).unwrap()).start();
    forecaster.observe(&measured(monday(), values), now).unwrap();
    (forecaster, now)
}

fn values(forecast: &Forecast) -> Vec<f64> {
    forecast.points.iter().map(|point| point.value.get()).collect()
}
