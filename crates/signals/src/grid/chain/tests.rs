#![allow(clippy::float_cmp, reason = "whole numbers are exact; everything else is compared by difference")]

use std::time::Duration;

use sci_core::{
    forecast::Method,
    intensity::{Scope, SignalKind, Slot},
    node::NeutralReason,
    quantity::GramsPerKwh,
};

use super::*;
use crate::{
    config::{FileSourceConfig, QualityConfig, SignalConfig, SignalKindConfig, TextDuration},
    grid::ChainLink,
};

const HOUR: Duration = Duration::from_hours(1);

fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn file(path: &str) -> FileSourceConfig {
    FileSourceConfig { path: path.into(), zone: None, signal: None, quality: QualityConfig::default() }
}

fn config() -> GridConfig {
    GridConfig {
        files: vec![file("first.csv"), file("second.csv")],
        fresh_for: TextDuration::from_secs(3_600),
        stale_after: TextDuration::from_secs(3 * 3_600),
        ..GridConfig::default()
    }
}

fn zone(name: &str) -> Zone {
    Zone::new(name).unwrap()
}

/// Hourly measured values from `start` on.
fn series(name: &str, signal: Signal, start: Timestamp, values: &[f64]) -> Series {
    of_quality(Quality::Measured, name, signal, start, values)
}

fn of_quality(quality: Quality, name: &str, signal: Signal, start: Timestamp, values: &[f64]) -> Series {
    let slots = (0..).zip(values).map(|(hour, &value)| Slot {
        start: start + HOUR * hour,
        duration: HOUR,
        value: GramsPerKwh::new(value).unwrap(),
    });
    Series::new(zone(name), signal, quality, "file", slots.collect()).unwrap()
}

struct Fixture {
    grid: Grid,
    index: ZoneIndex,
}

impl Fixture {
    fn new(config: &GridConfig, name: &str) -> Self {
        let mut grid = Grid::new(config);
        let (_, index) = grid.place(&zone(name), noon());
        Self { grid, index: index.unwrap() }
    }

    fn speak(&mut self, source: usize, series: Vec<Series>) {
        self.grid.replace(source, series, noon());
        self.grid.evaluate(noon());
    }

    /// Link, value and confidence.
    fn at(&self, now: Timestamp) -> Result<(ChainLink, f64, f64), NeutralReason> {
        let value = self.grid.table().get(self.index).unwrap().at(now, &self.grid.freshness)?;
        let rounded = (value.reading.value.get() * 1e6).round() / 1e6;
        Ok((value.link, rounded, value.confidence.get()))
    }
}

#[test]
fn the_slot_that_covers_the_present_answers() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![series("HQ", Signal::default(), noon() - HOUR, &[10.0, 20.0, 30.0])]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Live, 20.0, 1.0)));
}

#[test]
fn the_next_slot_answers_when_its_time_has_come() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![series("HQ", Signal::default(), noon(), &[10.0, 20.0])]);
    assert!(!fixture.grid.evaluate(noon() + HOUR / 2), "nothing to publish within a slot");
    assert!(fixture.grid.evaluate(noon() + HOUR));
    assert_eq!(fixture.at(noon() + HOUR), Ok((ChainLink::Live, 20.0, 1.0)));
}

#[test]
fn the_last_value_loses_weight_with_age_and_then_is_stale() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![series("HQ", Signal::default(), noon() - HOUR - HOUR / 2, &[10.0])]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Cached, 10.0, 1.0)));
    assert_eq!(fixture.at(noon() + HOUR + HOUR / 2), Ok((ChainLink::Cached, 10.0, 0.5)));
    let late = noon() + 3 * HOUR;
    assert_eq!(fixture.at(late), Err(NeutralReason::IntensityStale), "stale even before the next evaluation");
    fixture.grid.evaluate(late);
    assert_eq!(fixture.at(late), Err(NeutralReason::IntensityStale));
}

#[test]
fn a_future_slot_is_not_used_ahead_of_time() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![series("HQ", Signal::default(), noon() + HOUR, &[10.0])]);
    assert_eq!(fixture.at(noon()), Err(NeutralReason::IntensityMissing));
}

#[test]
fn the_annual_average_stands_in_and_does_not_age() {
    let mut fixture = Fixture::new(&config(), "DE");
    let (link, annual, confidence) = fixture.at(noon()).unwrap();
    assert_eq!((link, confidence), (ChainLink::Annual, 1.0));
    fixture.speak(0, vec![series("DE", Signal::default(), noon() - HOUR * 10, &[annual + 1.0])]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Annual, annual, 1.0)), "a stale file does not hide it");
    fixture.speak(0, vec![series("DE", Signal::default(), noon(), &[annual + 1.0])]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Live, annual + 1.0, 1.0)));
}

#[test]
fn the_annual_average_can_be_switched_off() {
    let fixture = Fixture::new(&GridConfig { annual_fallback: false, ..config() }, "DE");
    assert_eq!(fixture.at(noon()), Err(NeutralReason::IntensityMissing));
}

#[test]
fn the_annual_average_is_no_marginal_value() {
    let signal = SignalConfig { kind: SignalKindConfig::Marginal, ..SignalConfig::default() };
    let fixture = Fixture::new(&GridConfig { signal, ..config() }, "DE");
    assert_eq!(fixture.at(noon()), Err(NeutralReason::IntensityMissing));
}

#[test]
fn values_of_another_kind_are_never_used() {
    let mut fixture = Fixture::new(&config(), "HQ");
    let direct = Signal { kind: SignalKind::Average, scope: Scope::Direct };
    fixture.speak(0, vec![series("HQ", direct, noon(), &[10.0])]);
    assert_eq!(fixture.at(noon()), Err(NeutralReason::UnlikeSignal));
}

#[test]
fn a_missing_zone_is_not_another_zones_value() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![series("HQ2", Signal::default(), noon(), &[10.0])]);
    assert_eq!(fixture.at(noon()), Err(NeutralReason::IntensityMissing));
}

#[test]
fn the_first_source_that_knows_the_present_wins() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(1, vec![series("HQ", Signal::default(), noon(), &[2.0])]);
    assert_eq!(fixture.at(noon()).unwrap().1, 2.0);
    fixture.speak(0, vec![series("HQ", Signal::default(), noon(), &[1.0])]);
    assert_eq!(fixture.at(noon()).unwrap().1, 1.0);
    fixture.speak(0, vec![series("HQ", Signal::default(), noon() - 2 * HOUR, &[3.0])]);
    assert_eq!(fixture.at(noon()).unwrap().1, 2.0, "a current value is better than a stronger source's old one");
}

#[test]
fn a_zone_says_since_when_it_is_answered_for_and_since_when_its_sources_are_silent() {
    let hour = |number: u32| noon() + HOUR * number;
    let mut fixture = Fixture::new(&config(), "FR");
    let step = |fixture: &mut Fixture, now: Timestamp| {
        fixture.grid.evaluate(now);
        let state = fixture.grid.table().get(fixture.index).unwrap();
        (state.link(), state.since, state.silent_since)
    };
    assert_eq!(step(&mut fixture, hour(1)), (ChainLink::Annual, noon(), None), "no source ever spoke");
    fixture.grid.replace(0, vec![series("FR", Signal::default(), hour(1), &[50.0, 60.0])], hour(1));
    assert_eq!(step(&mut fixture, hour(1)), (ChainLink::Live, hour(1), None));
    assert_eq!(step(&mut fixture, hour(2)), (ChainLink::Live, hour(1), None), "another slot, the same source");
    assert_eq!(step(&mut fixture, hour(3)), (ChainLink::Cached, hour(3), Some(hour(3))));
    assert_eq!(step(&mut fixture, hour(9)), (ChainLink::Annual, hour(9), Some(hour(3))));
    let other = of_quality(Quality::Measured, "FR", Signal::default(), hour(9), &[50.0]);
    fixture.grid.replace(1, vec![other], hour(9));
    assert_eq!(step(&mut fixture, hour(9)), (ChainLink::Live, hour(9), None));
}

#[test]
fn old_names_of_a_zone_find_its_values() {
    let mut grid = Grid::new(&config());
    let old = zone("BR-SP");
    let (today, index) = grid.place(&old, noon());
    assert_ne!(today, old);
    assert_eq!(grid.place(&today, noon()), (today.clone(), index));
    grid.replace(0, vec![series("BR-SP", Signal::default(), noon(), &[7.0])], noon());
    assert!(grid.evaluate(noon()));
    assert_eq!(grid.table().get(index.unwrap()).unwrap().link(), ChainLink::Live);
}

#[test]
fn invented_zones_are_bounded_and_take_nothing_from_the_others() {
    let mut grid = Grid::new(&config());
    let first = grid.place(&zone("DE"), noon());
    let places: Vec<_> = (0..2 * MAX_ZONES).map(|number| grid.place(&zone(&format!("Z{number}")), noon()).1).collect();
    assert!(places.iter().take(MAX_ZONES - 1).all(Option::is_some));
    assert!(places.iter().skip(MAX_ZONES - 1).all(Option::is_none));
    assert_eq!(grid.table().iter().count(), MAX_ZONES);
    assert_eq!(grid.place(&zone("DE"), noon()), first);
}

/// Days of a grid that is clean at noon, up to `until`.
fn past(name: &str, days: u32, until: Timestamp) -> Series {
    let hours = 24 * days;
    let start = until - HOUR * hours;
    let value = |hour: u32| if Hour::containing(start + HOUR * hour).of_day() == 12 { 100.0 } else { 300.0 };
    series(name, Signal::default(), start, &(0..hours).map(value).collect::<Vec<_>>())
}

#[test]
fn the_zones_own_past_forecasts_the_hour_when_the_last_value_is_not_fresh_any_more() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![past("HQ", 10, noon() - 2 * HOUR)]);
    let (link, value, confidence) = fixture.at(noon()).unwrap();
    assert_eq!((link, value), (ChainLink::Forecast, 100.0), "noon is clean every day");
    assert!(confidence > 0.9, "every day is like the other: {confidence}");
    let state = fixture.grid.table().get(fixture.index).unwrap();
    let source = &state.value.as_ref().unwrap().reading.source;
    assert_eq!(&**source, "forecast/anchoredProfile from file");
    let forecast = state.forecast.as_ref().unwrap();
    assert_eq!((forecast.forecast.points.len(), forecast.known_hours), (72, 240));
}

#[test]
fn a_fresh_last_value_comes_before_a_forecast() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![past("HQ", 10, noon() - HOUR)]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Cached, 300.0, 1.0)));
    let later = noon() + Duration::from_secs(1);
    fixture.grid.evaluate(later);
    assert_eq!(fixture.at(later).unwrap().0, ChainLink::Forecast);
}

#[test]
fn without_forecasts_an_old_value_is_used_with_less_weight() {
    let forecast = ForecastConfig { enabled: false, ..ForecastConfig::default() };
    let mut fixture = Fixture::new(&GridConfig { forecast, ..config() }, "HQ");
    fixture.speak(0, vec![past("HQ", 10, noon() - 2 * HOUR)]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Cached, 300.0, 0.5)));
    assert!(fixture.grid.table().get(fixture.index).unwrap().forecast.is_none());
}

#[test]
fn what_a_source_said_in_advance_is_a_forecast_and_no_live_value() {
    let mut fixture = Fixture::new(&config(), "HQ");
    let said = of_quality(Quality::Forecast, "HQ", Signal::default(), noon(), &[70.0, 80.0]);
    fixture.speak(1, vec![said.clone()]);
    let (link, value, confidence) = fixture.at(noon()).unwrap();
    assert_eq!((link, value), (ChainLink::Forecast, 70.0));
    assert!(confidence > 0.5 && confidence < 1.0, "its errors are not known yet: {confidence}");
    fixture.speak(0, vec![series("HQ", Signal::default(), noon(), &[90.0])]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Live, 90.0, 1.0)));
}

#[test]
fn a_finer_slot_of_a_provider_is_not_flattened_to_the_hour() {
    let mut fixture = Fixture::new(&config(), "HQ");
    let quarter = Duration::from_mins(15);
    let slots = (0..8).map(|n| Slot {
        start: noon() + quarter * n,
        duration: quarter,
        value: GramsPerKwh::new(100.0 + 10.0 * f64::from(n)).unwrap(),
    });
    let said = Series::new(zone("HQ"), Signal::default(), Quality::Forecast, "api", slots.collect()).unwrap();
    fixture.speak(0, vec![said]);
    assert_eq!(fixture.at(noon()).unwrap().1, 100.0);
    let later = noon() + quarter;
    fixture.grid.evaluate(later);
    assert_eq!(fixture.at(later).unwrap().1, 110.0);
}

#[test]
fn a_provider_that_does_worse_than_the_zones_own_past_is_replaced() {
    let mut fixture = Fixture::new(&config(), "HQ");
    let start = noon() - HOUR * 24 * 20;
    let mut known = Vec::new();
    for hour in 0..20 * 24 {
        let now = start + HOUR * hour;
        let clean = Hour::containing(now).of_day() == 12;
        // It always names the worst hour as the best.
        let wrong: Vec<f64> = (0..24).map(|ahead| if (now + HOUR * ahead) == now { 100.0 } else { 900.0 }).collect();
        known.push(if clean { 100.0 } else { 300.0 });
        let told = vec![
            series("HQ", Signal::default(), start, &known),
            of_quality(Quality::Forecast, "HQ", Signal::default(), now + HOUR, &wrong),
        ];
        fixture.grid.replace(0, told, now + HOUR);
    }
    fixture.grid.replace(0, vec![of_quality(Quality::Forecast, "HQ", Signal::default(), noon(), &[900.0])], noon());
    let later = noon() + 2 * HOUR;
    fixture.grid.evaluate(later);
    let state = fixture.grid.table().get(fixture.index).unwrap();
    assert_ne!(state.forecast.as_ref().unwrap().forecast.method, Method::Provider);
    assert_eq!(fixture.at(later).unwrap().1, 300.0);
}

#[test]
fn usual_values_of_the_table_come_before_the_annual_average_and_do_not_age() {
    let mut fixture = Fixture::new(&config(), "SE");
    let (link, winter, confidence) = fixture.at(noon()).unwrap();
    assert_eq!((link, confidence), (ChainLink::Typical, 1.0));
    let summer: Timestamp = "2026-07-15T12:00:00Z".parse().unwrap();
    fixture.grid.evaluate(summer);
    assert_ne!(fixture.at(summer).unwrap().1, winter);
    let fixture = Fixture::new(&GridConfig { typical_fallback: false, ..config() }, "SE");
    assert_eq!(fixture.at(noon()).unwrap().0, ChainLink::Annual);
}

#[test]
fn four_weeks_of_a_zones_own_past_say_what_is_usual() {
    let mut fixture = Fixture::new(&config(), "HQ");
    // The forecast gives up after a week of silence.
    fixture.speak(0, vec![past("HQ", 30, noon() - HOUR * 24 * 10)]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Typical, 100.0, 1.0)));
    let spring = noon() + HOUR * 24 * 90;
    fixture.grid.evaluate(spring);
    assert_eq!(fixture.at(spring), Err(NeutralReason::IntensityStale), "another season");
}

#[test]
fn a_past_that_is_told_late_is_learned_in_order() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![past("HQ", 1, noon())]);
    fixture.speak(0, vec![past("HQ", 1, noon()), past("HQ", 28, noon() - HOUR * 24)]);
    let forecast = fixture.grid.table().get(fixture.index).unwrap().forecast.clone().unwrap();
    assert_eq!(forecast.known_hours, 29 * 24);
    assert!(forecast.forecast.calibrated, "errors of the past weeks are known");
    assert!(forecast.scores.score(Method::AnchoredProfile).scored_days() > 20);
}

#[test]
fn sources_are_not_mixed_into_one_past() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![past("HQ", 5, noon())]);
    fixture.speak(1, vec![series("HQ", Signal::default(), noon() - HOUR * 240, &[900.0; 240])]);
    let forecast = fixture.grid.table().get(fixture.index).unwrap().forecast.clone().unwrap();
    assert_eq!(forecast.known_hours, 5 * 24);
    assert!(forecast.forecast.points.iter().all(|point| point.value.get() <= 360.0));
}

#[test]
fn a_clock_that_jumps_changes_links_but_invents_nothing() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![series("HQ", Signal::default(), noon(), &[10.0, 20.0])]);
    for (hours, expected) in [(0, Ok(10.0)), (48, Err(())), (1, Ok(20.0)), (-48, Err(())), (0, Ok(10.0))] {
        let now = noon() + jiff::SignedDuration::from_hours(hours);
        fixture.grid.evaluate(now);
        assert_eq!(fixture.at(now).map(|(_, value, _)| value).map_err(|_| ()), expected, "after {hours} hours");
    }
}

#[test]
fn an_unchanged_second_publishes_nothing() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![past("HQ", 10, noon() - 2 * HOUR)]);
    assert!(!fixture.grid.evaluate(noon() + Duration::from_secs(1)));
    assert!(fixture.grid.evaluate(noon() + HOUR), "a new hour is another forecast");
}

#[test]
fn a_day_or_two_is_no_past_to_forecast_from() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![past("HQ", 2, noon() - HOUR * 7)]);
    assert_eq!(fixture.at(noon()), Err(NeutralReason::IntensityStale));
}

#[test]
fn a_source_that_only_tells_of_now_teaches_hour_by_hour() {
    let mut fixture = Fixture::new(&config(), "HQ");
    for hour in 0..4 * 24 {
        let now = noon() + HOUR * hour;
        let value = if Hour::containing(now).of_day() == 12 { 100.0 } else { 300.0 };
        fixture.grid.replace(0, vec![series("HQ", Signal::default(), now, &[value])], now);
    }
    let later = noon() + HOUR * 24 * 4 + HOUR;
    fixture.grid.evaluate(later);
    let state = fixture.grid.table().get(fixture.index).unwrap();
    let forecast = state.forecast.as_ref().unwrap();
    assert!(forecast.known_hours >= 4 * 24 - 1, "{}", forecast.known_hours);
    let next_noon = noon() + HOUR * 24 * 5;
    let point = forecast.forecast.points.iter().find(|point| point.start == next_noon).unwrap();
    assert!(point.value.get() < 150.0, "{point:?}");
}

#[test]
fn a_past_without_rule_is_believed_less() {
    let mut fixture = Fixture::new(&config(), "HQ");
    let start = noon() - HOUR * (24 * 20 + 2);
    let mut dice = 1_u32;
    let mut roll = || {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        100.0 + f64::from((dice >> 16) % 401)
    };
    let values: Vec<f64> = (0..24 * 20).map(|_| roll()).collect();
    fixture.speak(0, vec![series("HQ", Signal::default(), start, &values)]);
    let (link, _, confidence) = fixture.at(noon()).unwrap();
    assert_eq!(link, ChainLink::Forecast);
    assert!(confidence > 0.4 && confidence < 0.8, "bounds as wide as the value halve its weight: {confidence}");
}
