use super::*;

#[test]
fn month_and_hour_are_those_of_utc() {
    let mut months = [[grams(0.0); 24]; 12];
    months[1][23] = grams(7.0);
    let table = Climatology::new(months);
    let at = |instant: &str| table.at(Hour::containing(instant.parse().unwrap())).unwrap();
    assert_eq!(at("2024-02-29T23:59:59Z"), grams(7.0));
    assert_eq!(at("2024-03-01T00:30:00+01:00"), grams(7.0));
    assert_eq!(at("2024-03-01T23:30:00Z"), grams(0.0));
}

#[test]
fn without_history_it_stands_in() {
    let forecaster =
        Forecaster::new(zone(), Signal::default()).with_climatology(Climatology::new([[grams(300.0); 24]; 12]));
    let forecast = forecaster.forecast(monday().start(), 72).unwrap();
    assert_eq!(forecast.method, Method::Climatology);
    assert_eq!(values(&forecast), [300.0; 72]);
    assert!(!forecast.calibrated);
    assert_eq!((forecast.points[0].lower, forecast.points[0].upper), (grams(150.0), grams(450.0)));
    let reasons: Vec<_> = forecast.declined.iter().map(Declined::to_string).collect();
    assert_eq!(
        reasons,
        [
            "provider: no provider gave a forecast for these hours",
            "anchoredProfile: no hour of the last 7 days was seen",
            "persistence: no hour of the last 7 days was seen"
        ]
    );
}
