use std::cmp::Ordering;

use jiff::SignedDuration;

use super::*;
use crate::quantity::GramsPerKwh;

const HOUR: Duration = Duration::from_hours(1);

fn grams(value: f64) -> GramsPerKwh {
    GramsPerKwh::new(value).unwrap()
}

/// `hours` after a fixed midnight, or before it.
fn at(hours: f64) -> Timestamp {
    "2026-03-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs_f64(hours * 3600.0)
}

fn slot(start_hours: f64, value: f64) -> Slot {
    Slot { start: at(start_hours), duration: HOUR, value: grams(value) }
}

fn try_series(slots: Vec<Slot>) -> Result<Series, IntensityError> {
    Series::new(Zone::new("DE").unwrap(), Signal::default(), Quality::Measured, "test", slots)
}

fn series(slots: Vec<Slot>) -> Series {
    try_series(slots).unwrap()
}

fn reading(value: f64, signal: Signal) -> Reading {
    Reading { signal, ..series(vec![slot(12.0, value)]).latest_at(at(12.0)).unwrap() }
}

#[test]
fn zone_names_are_checked() {
    for good in ["DE", "US-CAL-CISO", "a", "on.prem_7", &"x".repeat(64)] {
        assert_eq!(Zone::new(good).unwrap().as_str(), good);
    }
    assert_eq!(Zone::new(""), Err(ZoneError::Length { length: 0 }));
    assert_eq!(Zone::new(&"x".repeat(65)), Err(ZoneError::Length { length: 65 }));
    assert_eq!(Zone::new("DE/LU"), Err(ZoneError::Character { character: '/' }));
    assert_eq!(Zone::new("Österreich"), Err(ZoneError::Character { character: 'Ö' }));
}

#[test]
fn serde_checks_zone_names_too() {
    assert_eq!(serde_json::from_str::<Zone>("\"GB\"").unwrap(), Zone::new("GB").unwrap());
    assert!(serde_json::from_str::<Zone>("\"G B\"").is_err());
    assert_eq!(serde_json::to_string(&Zone::new("GB").unwrap()).unwrap(), "\"GB\"");
}

#[test]
fn the_default_signal_is_average_lifecycle() {
    assert_eq!(Signal::default().to_string(), "average lifecycle");
}

#[test]
fn quality_is_written_as_it_is_called() {
    let quality = [
        Quality::Measured,
        Quality::Estimated,
        Quality::Modelled,
        Quality::Forecast,
        Quality::Typical,
        Quality::Annual,
        Quality::Default,
    ];
    assert!(quality.is_sorted(), "best first");
    for one in quality {
        assert_eq!(serde_json::to_string(&one).unwrap(), format!("\"{}\"", one.as_str()));
    }
}

#[test]
fn a_slot_holds_from_its_start_up_to_but_not_including_its_end() {
    let reading = reading(100.0, Signal::default());
    assert!(!reading.covers(at(11.99)));
    assert!(reading.covers(at(12.0)));
    assert!(reading.covers(at(12.99)));
    assert!(!reading.covers(at(13.0)));
}

#[test]
fn age_counts_from_the_end_of_the_slot() {
    let reading = reading(100.0, Signal::default());
    assert_eq!(reading.age(at(12.0)), Duration::ZERO);
    assert_eq!(reading.age(at(12.5)), Duration::ZERO);
    assert_eq!(reading.age(at(13.0)), Duration::ZERO);
    assert_eq!(reading.age(at(15.0)), 2 * HOUR);
}

#[test]
fn a_future_reading_is_as_old_as_the_time_until_it_begins() {
    let reading = reading(100.0, Signal::default());
    assert!(reading.is_future(at(11.0)));
    assert_eq!(reading.age(at(11.0)), HOUR);
    let freshness = Freshness { fresh_for: HOUR, stale_after: 6 * HOUR };
    let a_clock_slightly_ahead = freshness.confidence(reading.age(at(11.999)));
    assert_eq!(a_clock_slightly_ahead, Share::ALL);
    let tomorrow = freshness.confidence(reading.age(at(-12.0)));
    assert_eq!(tomorrow, Share::NONE);
}

#[test]
fn a_slot_at_the_end_of_time_does_not_overflow() {
    let last = Reading { start: Timestamp::MAX, duration: Duration::MAX, ..reading(1.0, Signal::default()) };
    assert_eq!(last.end(), Timestamp::MAX);
    assert_eq!(last.age(Timestamp::MAX), Duration::ZERO);
    assert!(last.age(Timestamp::MIN) > Duration::ZERO);
}

#[test]
fn unlike_signals_refuse_to_be_compared() {
    let average = Signal::default();
    let marginal = Signal { kind: SignalKind::Marginal, ..average };
    let direct = Signal { scope: Scope::Direct, ..average };
    assert_eq!(reading(1.0, average).try_cmp(&reading(2.0, average)), Ok(Ordering::Less));
    for other in [marginal, direct] {
        let refused = reading(1.0, average).try_cmp(&reading(2.0, other)).unwrap_err();
        assert_eq!(refused, IntensityError::UnlikeSignals { left: average, right: other });
    }
    assert_eq!(
        reading(1.0, average).try_cmp(&reading(1.0, marginal)).unwrap_err().to_string(),
        "cannot compare average lifecycle with marginal lifecycle intensity, use one signal throughout"
    );
}

#[test]
fn confidence_falls_in_a_line() {
    let freshness = Freshness { fresh_for: HOUR, stale_after: 5 * HOUR };
    let expected = [(0, 1.0), (1, 1.0), (2, 0.75), (3, 0.5), (5, 0.0), (500, 0.0)];
    for (hours, share) in expected {
        assert!((freshness.confidence(hours * HOUR).get() - share).abs() < 1e-12, "after {hours} h");
    }
}

#[test]
fn confidence_drops_at_once_without_a_slope() {
    for stale_after in [Duration::ZERO, HOUR] {
        let freshness = Freshness { fresh_for: HOUR, stale_after };
        assert_eq!(freshness.confidence(HOUR), Share::ALL);
        assert_eq!(freshness.confidence(HOUR + Duration::from_nanos(1)), Share::NONE);
    }
}

#[test]
fn slots_are_sorted_and_checked() {
    let sorted = series(vec![slot(2.0, 3.0), slot(0.0, 1.0), slot(1.0, 2.0)]);
    assert!(sorted.slots().is_sorted_by_key(|slot| slot.start));
    assert_eq!(try_series(vec![]), Err(IntensityError::NoSlots));
    assert_eq!(try_series(vec![slot(0.5, 1.0), slot(0.0, 2.0)]), Err(IntensityError::Overlap { start: at(0.5) }));
    let empty = Slot { duration: Duration::ZERO, ..slot(4.0, 1.0) };
    assert_eq!(try_series(vec![slot(0.0, 1.0), empty]), Err(IntensityError::EmptySlot { start: at(4.0) }));
}

#[test]
fn a_reading_is_looked_up_by_instant() {
    let gap_at_one = series(vec![slot(0.0, 10.0), slot(2.0, 30.0)]);
    let value = |reading: Option<Reading>| reading.map(|reading| reading.value.get());
    assert_eq!(value(gap_at_one.reading_at(at(-0.1))), None);
    assert_eq!(value(gap_at_one.reading_at(at(0.0))), Some(10.0));
    assert_eq!(value(gap_at_one.reading_at(at(1.5))), None);
    assert_eq!(value(gap_at_one.reading_at(at(2.0))), Some(30.0));
    assert_eq!(value(gap_at_one.reading_at(at(3.0))), None);
}

#[test]
fn the_latest_reading_never_comes_from_the_future() {
    let gap_at_one = series(vec![slot(0.0, 10.0), slot(2.0, 30.0)]);
    assert_eq!(gap_at_one.latest_at(at(-0.1)), None);
    let in_the_gap = gap_at_one.latest_at(at(1.5)).unwrap();
    assert_eq!((in_the_gap.value, in_the_gap.age(at(1.5))), (grams(10.0), HOUR / 2));
    assert_eq!(gap_at_one.latest_at(at(99.0)).unwrap().value, grams(30.0));
}

#[test]
fn a_mean_weights_partial_slots_by_their_overlap() {
    let steps = series(vec![slot(0.0, 100.0), slot(1.0, 200.0), slot(2.0, 400.0)]);
    let mean = steps.mean(at(0.75), at(2.5)).unwrap();
    // (0.25 * 100 + 1 * 200 + 0.5 * 400) / 1.75
    assert!((mean.value.get() - 425.0 / 1.75).abs() < 1e-9);
    assert_eq!(mean.covered, Share::ALL);
}

#[test]
fn a_mean_leaves_gaps_out_and_says_so() {
    let gap_at_one = series(vec![slot(0.0, 100.0), slot(2.0, 400.0)]);
    let mean = gap_at_one.mean(at(0.0), at(4.0)).unwrap();
    assert!((mean.value.get() - 250.0).abs() < 1e-9);
    assert!((mean.covered.get() - 0.5).abs() < 1e-12);
}

#[test]
fn a_mean_of_nothing_is_an_error() {
    let one = series(vec![slot(0.0, 100.0)]);
    let touching_only = (at(1.0), at(2.0));
    assert_eq!(
        one.mean(touching_only.0, touching_only.1),
        Err(IntensityError::NotCovered { from: at(1.0), to: at(2.0) })
    );
    assert_eq!(one.mean(at(0.0), at(0.0)), Err(IntensityError::EmptyWindow { from: at(0.0), to: at(0.0) }));
    assert_eq!(one.mean(at(1.0), at(0.0)), Err(IntensityError::EmptyWindow { from: at(1.0), to: at(0.0) }));
}

#[test]
fn a_reading_is_written_with_units_in_its_keys() {
    let json = serde_json::to_value(reading(230.5, Signal::default())).unwrap();
    let expected = serde_json::json!({
        "gramsPerKwh": 230.5,
        "signal": { "kind": "average", "scope": "lifecycle" },
        "zone": "DE",
        "start": "2026-03-01T12:00:00Z",
        "durationSeconds": 3600,
        "quality": "measured",
        "source": "test",
    });
    assert_eq!(json, expected);
}

#[test]
fn a_reading_of_negative_length_is_refused() {
    let mut json = serde_json::to_value(reading(1.0, Signal::default())).unwrap();
    json["durationSeconds"] = serde_json::json!(-1);
    assert!(serde_json::from_value::<Reading>(json).is_err());
}
