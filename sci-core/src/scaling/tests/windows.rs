use jiff::{
    Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};

use crate::scaling::{ScalingError, Window, Windows};

/// Central Europe: one hour ahead of UTC, two from the last Sunday of March to that of October.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

fn window(days: &[Weekday], from: i8, to: i8) -> Window {
    let time = |hour| Time::new(hour, 0, 0, 0).unwrap();
    Window::new(days.iter().copied(), time(from), time(to), berlin()).unwrap()
}

fn holds(window: &Window, at: &str) -> bool {
    window.contains(at.parse::<Timestamp>().unwrap())
}

#[test]
fn a_window_begins_and_ends_by_the_clock_on_the_wall() {
    // 2026-01-05 is a Monday.
    let mornings = window(&[Weekday::Monday, Weekday::Tuesday], 8, 10);
    assert!(!holds(&mornings, "2026-01-05T06:59:59Z"));
    assert!(holds(&mornings, "2026-01-05T07:00:00Z"));
    assert!(holds(&mornings, "2026-01-05T08:59:59Z"));
    assert!(!holds(&mornings, "2026-01-05T09:00:00Z"));
    assert!(!holds(&mornings, "2026-01-07T07:30:00Z"), "a Wednesday");
    // In summer the same clock reads two hours ahead of UTC.
    assert!(holds(&mornings, "2026-07-06T06:00:00Z"));
    assert!(!holds(&mornings, "2026-07-06T08:00:00Z"));
}

#[test]
fn over_midnight_the_day_it_began_on_counts() {
    let fridays = window(&[Weekday::Friday], 22, 6);
    assert!(holds(&fridays, "2026-01-09T21:00:00Z"), "Friday 22:00");
    assert!(holds(&fridays, "2026-01-10T04:59:59Z"), "Saturday 05:59");
    assert!(!holds(&fridays, "2026-01-10T05:00:00Z"), "Saturday 06:00");
    assert!(!holds(&fridays, "2026-01-09T04:00:00Z"), "Friday 05:00 belongs to Thursday's night");
    assert!(!holds(&fridays, "2026-01-10T21:30:00Z"), "Saturday 22:30");
}

#[test]
fn from_and_to_alike_is_the_whole_day() {
    let sundays = window(&[Weekday::Sunday], 0, 0);
    assert!(holds(&sundays, "2026-01-10T23:00:00Z") && holds(&sundays, "2026-01-11T22:59:59Z"));
    assert!(!holds(&sundays, "2026-01-10T22:59:59Z") && !holds(&sundays, "2026-01-11T23:00:00Z"));
}

#[test]
fn the_night_that_skips_an_hour_skips_a_window_in_it() {
    // 2026-03-29, 02:00 is 03:00.
    let window = window(&[Weekday::Sunday], 2, 3);
    for at in ["2026-03-29T00:30:00Z", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"] {
        assert!(!holds(&window, at), "{at}");
    }
    assert!(holds(&window, "2026-03-22T01:30:00Z"), "the Sunday before");
}

#[test]
fn the_night_that_repeats_an_hour_repeats_a_window_in_it() {
    // 2026-10-25, 03:00 is 02:00 again.
    let window = window(&[Weekday::Sunday], 2, 3);
    for at in ["2026-10-25T00:00:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z", "2026-10-25T01:59:59Z"] {
        assert!(holds(&window, at), "{at}");
    }
    assert!(!holds(&window, "2026-10-24T23:59:59Z") && !holds(&window, "2026-10-25T02:00:00Z"));
}

#[test]
fn the_first_of_several_is_named() {
    let windows = Windows::from(vec![window(&[Weekday::Monday], 8, 10), window(&[Weekday::Monday], 9, 12)]);
    let active = |at: &str| windows.active(at.parse().unwrap());
    assert_eq!(active("2026-01-05T08:30:00Z"), Some(0));
    assert_eq!(active("2026-01-05T09:30:00Z"), Some(1));
    assert_eq!(active("2026-01-05T11:30:00Z"), None);
    assert_eq!(Windows::default().active("2026-01-05T11:30:00Z".parse().unwrap()), None);
}

#[test]
fn a_window_without_days_is_refused() {
    assert_eq!(Window::new([], Time::midnight(), Time::midnight(), TimeZone::UTC), Err(ScalingError::NoDays));
}
