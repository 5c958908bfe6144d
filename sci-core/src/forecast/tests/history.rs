use super::*;

#[test]
fn short_slots_become_hourly_means() {
    let mut history = HourlyHistory::new();
    let slots = [100.0, 200.0, 300.0, 400.0, 10.0, 10.0];
    history.record(&series_of(Quality::Measured, Duration::from_mins(15), monday(), &slots), Timestamp::MAX);
    assert_eq!(history.get(monday()), Some(grams(250.0)));
    assert_eq!(history.get(monday().plus(1)), Some(grams(10.0)), "half of the hour speaks for it");
    assert_eq!(history.known(), 2);
}

#[test]
fn an_hour_that_is_not_over_is_left_out() {
    let mut history = HourlyHistory::new();
    let now = monday().plus(1).start() + Duration::from_mins(20);
    history.record(&measured(monday(), &[100.0, 900.0, 900.0]), now);
    assert_eq!(history.hours().collect::<Vec<_>>(), [(monday(), grams(100.0))]);
}

#[test]
fn less_than_half_an_hour_does_not_speak_for_it() {
    let mut history = HourlyHistory::new();
    history.record(&series_of(Quality::Measured, Duration::from_mins(20), monday(), &[100.0]), Timestamp::MAX);
    assert_eq!(history.last(), None);
}

#[test]
fn holes_stay_holes_until_they_are_filled() {
    let mut history = HourlyHistory::new();
    history.set(monday(), grams(1.0));
    history.set(monday().plus(3), grams(4.0));
    assert_eq!(history.get(monday().plus(1)), None);
    assert_eq!(history.last_before(monday().plus(3)), Some((monday(), grams(1.0))));
    history.set(monday().plus(1), grams(2.0));
    history.set(monday().plus(-2), grams(0.5));
    history.set(monday(), grams(1.5));
    let known: Vec<_> = history.hours().map(|(hour, value)| (hour.since(monday()), value.get())).collect();
    assert_eq!(known, [(-2, 0.5), (0, 1.5), (1, 2.0), (3, 4.0)]);
    assert_eq!(history.range(), Some((grams(0.5), grams(4.0))));
}

#[test]
fn it_never_grows_beyond_its_capacity() {
    let mut history = HourlyHistory::new();
    for hour in 0..2_000 {
        history.set(monday().plus(hour), grams(1.0));
    }
    assert_eq!(history.known(), HourlyHistory::CAPACITY);
    history.set(monday(), grams(1.0));
    assert_eq!(history.known(), HourlyHistory::CAPACITY, "too far back");
    history.set(monday().plus(i64::MAX), grams(2.0));
    assert_eq!(history.hours().map(|(_, value)| value.get()).collect::<Vec<_>>(), [2.0], "all else is too old");
}
