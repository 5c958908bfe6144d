use super::*;

#[test]
fn only_its_own_zone_and_what_happened_is_learned() {
    let mut forecaster = Forecaster::new(Zone::new("YY").unwrap(), Signal::default());
    let foreign = forecaster.observe(&measured(monday(), &[100.0]), Timestamp::MAX).unwrap_err();
    assert_eq!(
        foreign.to_string(),
        "expected average lifecycle intensity of YY, got average lifecycle intensity of XX"
    );
    let mut forecaster = Forecaster::new(zone(), Signal::default());
    for quality in [Quality::Forecast, Quality::Typical, Quality::Annual, Quality::Default] {
        let guess = series_of(quality, Hour::LENGTH, monday(), &[100.0]);
        assert_eq!(forecaster.observe(&guess, Timestamp::MAX), Err(ForecastError::NotObserved { quality }));
    }
    assert_eq!(forecaster, Forecaster::new(zone(), Signal::default()));
    let none = forecaster.forecast(monday().start(), 24).unwrap_err().to_string();
    assert!(none.contains("climatology: no table of usual values was given"), "{none}");
}

#[test]
fn a_day_gives_persistence_and_three_the_profile() {
    let day: Vec<_> = (0..72).map(|hour| solar_day(hour, 300.0)).collect();
    let (forecaster, now) = taught(&day[..24]);
    let forecast = forecaster.forecast(now, 24).unwrap();
    assert_eq!((forecast.method, values(&forecast)), (Method::Persistence, day[..24].to_vec()));
    let few = Unfit::FewDays { hour_of_day: 0, known_days: 1, needed_days: 3 };
    assert!(forecast.declined.contains(&Declined { method: Method::AnchoredProfile, why: few }));
    let (forecaster, now) = taught(&day);
    assert_eq!(forecaster.forecast(now, 24).unwrap().method, Method::AnchoredProfile);
}

#[test]
fn the_same_series_again_changes_nothing() {
    let day: Vec<_> = (0..240).map(|hour| solar_day(hour, 300.0) + f64::from(hour % 7)).collect();
    let (once, now) = taught(&day);
    let mut twice = once.clone();
    twice.observe(&measured(monday(), &day), now).unwrap();
    assert_eq!(once, twice);
}

#[test]
fn hour_by_hour_teaches_what_all_at_once_does() {
    let day: Vec<_> = (0..300).map(|hour| solar_day(hour, 300.0) + f64::from(hour % 7)).collect();
    let (at_once, now) = taught(&day);
    let mut live = Forecaster::new(zone(), Signal::default());
    for (hour, value) in (0..).zip(&day) {
        live.observe(&measured(monday().plus(hour), &[*value]), monday().plus(hour + 1).start()).unwrap();
    }
    assert_eq!(at_once.forecast(now, 72), live.forecast(now, 72));
}

#[test]
fn a_source_that_lags_lengthens_the_lead() {
    let day: Vec<_> = (0..400).map(|hour| 300.0 + f64::from((hour * 7919) % 101)).collect();
    let (forecaster, now) = taught(&day);
    let late = now + Duration::from_hours(5);
    let (fresh, stale) = (forecaster.forecast(now, 24).unwrap(), forecaster.forecast(late, 24).unwrap());
    assert_eq!(fresh.points[5..], stale.points[..19]);
}

#[test]
fn a_provider_is_followed_where_it_speaks() {
    let day: Vec<_> = (0..96).map(|hour| solar_day(hour, 300.0)).collect();
    let (mut forecaster, now) = taught(&day);
    let said = series_of(Quality::Forecast, Hour::LENGTH, Hour::containing(now).plus(1), &[50.0, 60.0]);
    forecaster.provide(&said, now).unwrap();
    let forecast = forecaster.forecast(now, 4).unwrap();
    assert_eq!(values(&forecast), [400.0, 50.0, 60.0, 400.0]);
    let methods: Vec<_> = forecast.points.iter().map(|point| point.method).collect();
    assert_eq!(methods[1..3], [Method::Provider; 2]);
    assert_eq!(methods[0], Method::AnchoredProfile);
    // A day later it says nothing any more.
    let tomorrow = forecaster.forecast(now + Duration::from_hours(24), 4).unwrap();
    assert_eq!(tomorrow.method, Method::AnchoredProfile);
}

#[test]
fn a_provider_without_history_speaks_up_to_its_first_hole() {
    let mut forecaster = Forecaster::new(zone(), Signal::default());
    let far = monday().start() + Duration::from_hours(1_000);
    let said = series_of(Quality::Forecast, Duration::from_hours(3), monday(), &[50.0]);
    forecaster.provide(&said, monday().start()).unwrap();
    assert_eq!(values(&forecaster.forecast(monday().start(), 24).unwrap()), [50.0; 3]);
    assert!(forecaster.forecast(far, 24).is_err());
    assert!(forecaster.provide(&said, Timestamp::MIN).is_ok(), "far ahead of the clock: left out");
}

#[test]
fn lengths_are_kept_in_range() {
    let (forecaster, now) = taught(&[100.0; 96]);
    assert_eq!(forecaster.forecast(now, 0).unwrap().points.len(), 1);
    assert_eq!(forecaster.forecast(now, usize::MAX).unwrap().points.len(), MAX_HOURS);
    for edge in [Timestamp::MIN, Timestamp::MAX] {
        assert!(forecaster.forecast(edge, MAX_HOURS).is_err());
    }
}

#[test]
fn it_is_a_series_and_json() {
    let (forecaster, now) = taught(&[100.0; 96]);
    let forecast = forecaster.forecast(now + Duration::from_mins(20), 2).unwrap();
    let series = forecast.series().unwrap();
    assert_eq!((series.quality(), &**series.source()), (Quality::Forecast, "forecast/anchoredProfile"));
    assert!(series.reading_at(now + Duration::from_mins(90)).is_some());
    let json = serde_json::to_value(&forecast).unwrap();
    assert_eq!(json["points"][0]["start"], "2026-01-09T00:00:00Z");
    assert_eq!(json["points"][0]["lowerGramsPerKwh"], 50.0);
    assert_eq!(json["declined"][0]["method"], "provider");
    assert_eq!(json["declined"][0]["reason"], "noProvider");
}
