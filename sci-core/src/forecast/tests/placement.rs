use super::*;

fn forecast(values: &[f64]) -> Forecast {
    let points = (0..).zip(values).map(|(ahead, value)| {
        let value = grams(*value);
        let (lower, upper) = (value, value);
        Point { start: monday().plus(ahead).start(), value, lower, upper, method: Method::Persistence }
    });
    Forecast {
        zone: zone(),
        signal: Signal::default(),
        issued_at: monday().start(),
        method: Method::Persistence,
        declined: vec![],
        calibrated: false,
        points: points.collect(),
    }
}

fn minutes(count: i64) -> Timestamp {
    monday().start() + jiff::SignedDuration::from_mins(count)
}

#[test]
fn a_job_may_begin_between_hours() {
    let valley = forecast(&[300.0, 200.0, 100.0, 200.0, 300.0]);
    let place = |length, from, to| valley.best_start(Duration::from_mins(length), minutes(from), minutes(to)).unwrap();
    let hour = place(60, 0, 300);
    assert_eq!((hour.start, hour.mean, hour.saving()), (minutes(120), grams(100.0), grams(200.0)));
    // 90 minutes: half an hour of 200, then the whole of 100, or the other way round.
    let longer = place(90, 0, 300);
    assert_eq!(longer.start, minutes(90));
    assert!((longer.mean.get() - (0.5 * 200.0 + 100.0) / 1.5).abs() < 1e-9);
    assert_eq!(place(60, 130, 300).start, minutes(130), "the valley has begun");
    assert_eq!(place(60, 0, 100).start, minutes(40), "it must be over earlier");
}

#[test]
fn of_equals_the_earliest_wins() {
    let flat = forecast(&[0.1; 24]);
    let placement = flat.best_start(Duration::from_mins(100), minutes(7), minutes(1_440)).unwrap();
    assert_eq!(placement.start, minutes(7));
    assert_eq!(best_hour(&[grams(2.0), grams(1.0), grams(1.0), grams(1.0)], 2), 1);
    assert_eq!(best_hour(&[grams(2.0)], 4), 0, "it does not fit");
}

#[test]
fn no_place_is_said() {
    let short = forecast(&[100.0, 50.0]);
    let place = |length, from, to| short.best_start(Duration::from_mins(length), minutes(from), minutes(to));
    assert_eq!(place(0, 0, 60), Err(ForecastError::NoLength));
    assert!(matches!(place(121, 0, 600), Err(ForecastError::NoPlace { .. })), "beyond the forecast");
    assert!(matches!(place(60, 0, 59), Err(ForecastError::NoPlace { .. })), "window too short");
    assert!(matches!(place(60, 600, 900), Err(ForecastError::NoPlace { .. })), "after the forecast");
    assert!(place(120, -60, 600).is_ok(), "a window that began before the forecast is cut");
    assert!(forecast(&[]).best_start(Hour::LENGTH, minutes(0), minutes(60)).is_err());
}
