use std::time::Duration;

use super::{grams, noon};
use crate::{forecast::Hour, scaling::IntensityHistory};

const WEEK: Duration = Duration::from_hours(168);

fn of(values: impl IntoIterator<Item = (i64, f64)>) -> IntensityHistory {
    let mut history = IntensityHistory::new();
    for (hours_ago, value) in values {
        history.set(Hour::containing(noon()).plus(-hours_ago), grams(value));
    }
    history
}

#[test]
fn a_zone_that_never_changes_ranks_in_the_middle() {
    let history = of((1..=48).map(|hour| (hour, 250.0)));
    let rank = |value| history.rank(grams(value), WEEK, noon()).unwrap().share.get();
    assert!((rank(250.0) - 0.5).abs() < 1e-12);
    assert!(rank(249.0).abs() < 1e-12);
    assert!((rank(251.0) - 1.0).abs() < 1e-12);
}

#[test]
fn forty_seven_hours_rank_nothing() {
    let history = of((1..=47).map(|hour| (hour, 250.0)));
    assert_eq!(history.rank(grams(1.0), WEEK, noon()).unwrap_err().hours, 47);
    assert_eq!(
        history.rank(grams(1.0), WEEK, noon()).unwrap_err().to_string(),
        "47 hours of the zone's past are known, 48 are needed"
    );
}

#[test]
fn only_hours_within_the_window_count() {
    let history = of((1..=100).map(|hour| (hour, if hour <= 50 { 100.0 } else { 900.0 })));
    let rank = history.rank(grams(500.0), Duration::from_hours(50), noon()).unwrap();
    assert_eq!((rank.hours, rank.share.get().to_bits()), (50, 1.0_f64.to_bits()));
    let rank = history.rank(grams(500.0), WEEK, noon()).unwrap();
    assert!((rank.share.get() - 0.5).abs() < 1e-12);
    assert_eq!(history.range(Duration::from_hours(50), noon()), Some((grams(100.0), grams(100.0))));
    assert_eq!(history.range(WEEK, noon()), Some((grams(100.0), grams(900.0))));
    assert_eq!(history.range(WEEK, noon() + 2 * WEEK), None);
}

#[test]
fn hours_of_the_future_do_not_count() {
    let history = of((-50..=-2).map(|hour| (hour, 100.0)));
    assert_eq!(history.rank(grams(1.0), WEEK, noon()).unwrap_err().hours, 0);
}

#[test]
fn histories_merge_and_the_other_one_wins() {
    let mut merged = of((1..=30).map(|hour| (hour, 100.0)));
    merged.merge(&of((21..=60).map(|hour| (hour, 300.0))));
    assert_eq!(merged.known(), 60);
    let rank = merged.rank(grams(200.0), WEEK, noon()).unwrap();
    // 20 of 60 stay as they were.
    assert!((rank.share.get() - 20.0 / 60.0).abs() < 1e-12);
}
