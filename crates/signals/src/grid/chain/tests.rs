#![allow(clippy::float_cmp, reason = "whole numbers are exact; everything else is compared by difference")]

use sci_core::{
    intensity::{Scope, SignalKind, Slot},
    quantity::GramsPerKwh,
};

use super::*;
use crate::config::{FileSourceConfig, QualityConfig, SignalConfig, SignalKindConfig, TextDuration};

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

/// Hourly values from `start` on.
fn series(name: &str, signal: Signal, start: Timestamp, values: &[f64]) -> Series {
    let slots = (0..).zip(values).map(|(hour, &value)| Slot {
        start: start + HOUR * hour,
        duration: HOUR,
        value: GramsPerKwh::new(value).unwrap(),
    });
    Series::new(zone(name), signal, Quality::Measured, "file", slots.collect()).unwrap()
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
        self.grid.replace(source, series);
        self.grid.evaluate(noon());
    }

    /// Link, value and confidence.
    fn at(&self, now: Timestamp) -> Result<(ChainLink, f64, f64), NeutralReason> {
        let value = self.grid.table().get(self.index).unwrap().at(now, &self.grid.freshness)?;
        Ok((value.link, value.reading.value.get(), value.confidence.get()))
    }
}

#[test]
fn the_slot_that_covers_the_present_answers() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![series("HQ", Signal::default(), noon() - HOUR, &[10.0, 20.0, 30.0])]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Current, 20.0, 1.0)));
}

#[test]
fn the_next_slot_answers_when_its_time_has_come() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![series("HQ", Signal::default(), noon(), &[10.0, 20.0])]);
    assert!(!fixture.grid.evaluate(noon() + HOUR / 2), "nothing to publish within a slot");
    assert!(fixture.grid.evaluate(noon() + HOUR));
    assert_eq!(fixture.at(noon() + HOUR), Ok((ChainLink::Current, 20.0, 1.0)));
}

#[test]
fn the_latest_slot_loses_weight_with_age_and_then_is_stale() {
    let mut fixture = Fixture::new(&config(), "HQ");
    fixture.speak(0, vec![series("HQ", Signal::default(), noon() - HOUR - HOUR / 2, &[10.0])]);
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Latest, 10.0, 1.0)));
    assert_eq!(fixture.at(noon() + HOUR + HOUR / 2), Ok((ChainLink::Latest, 10.0, 0.5)));
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
    assert_eq!(fixture.at(noon()), Ok((ChainLink::Current, annual + 1.0, 1.0)));
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
fn old_names_of_a_zone_find_its_values() {
    let mut grid = Grid::new(&config());
    let old = zone("BR-SP");
    let (today, index) = grid.place(&old, noon());
    assert_ne!(today, old);
    assert_eq!(grid.place(&today, noon()), (today.clone(), index));
    grid.replace(0, vec![series("BR-SP", Signal::default(), noon(), &[7.0])]);
    assert!(grid.evaluate(noon()));
    assert_eq!(grid.table().get(index.unwrap()).unwrap().link(), ChainLink::Current);
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
