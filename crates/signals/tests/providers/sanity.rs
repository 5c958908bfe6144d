//! Values that cannot be meant.

use kube_sci_signals::grid::providers::{PrometheusQuery, PrometheusQueryConfig, Purpose, sanity};
use sci_core::{
    intensity::{Scope, Signal, SignalKind},
    quantity::GramsPerKwh,
};

use super::*;

fn check(value: f64, signal: Signal, zone: &str) -> Result<f64, String> {
    let mean = sanity::Mean::of(&Zone::new(zone).unwrap());
    sanity::value(value, signal, mean).map(GramsPerKwh::get)
}

const DIRECT: Signal = Signal { kind: SignalKind::Average, scope: Scope::Direct };
const MARGINAL: Signal = Signal { kind: SignalKind::Marginal, scope: Scope::Direct };

#[test]
fn numbers_outside_every_grid_are_refused() {
    for absurd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, 5_000.1, 1e9] {
        for signal in [Signal::default(), DIRECT, MARGINAL] {
            assert!(check(absurd, signal, "DE").is_err(), "{absurd} {signal}");
            assert!(check(absurd, signal, "XX").is_err(), "{absurd} {signal}");
        }
    }
}

#[test]
fn a_unit_that_is_off_by_a_thousand_is_named() {
    // The annual mean of DE is 371, that of PL 749 g/kWh.
    let hint = |which: &str| Err(format!("{which} of the value would be usual for the zone: correct the unit"));
    assert_eq!(check(0.371, Signal::default(), "DE"), hint("a thousandfold"));
    assert_eq!(check(371_000.0, Signal::default(), "DE"), hint("a thousandth"));
    assert_eq!(check(0.7, Signal::default(), "PL"), hint("a thousandfold"));
    assert_eq!(check(0.3, Signal::default(), "XX"), Ok(0.3), "nothing is known of the zone");
}

#[test]
fn jumps_from_the_annual_mean_are_refused() {
    // FR: 52.87 g/kWh.
    assert!(check(52.87 * 20.0 - 1.0, Signal::default(), "FR").is_ok());
    assert_eq!(
        check(1_100.0, Signal::default(), "FR"),
        Err("1100 g/kWh is more than 20 times the zone's annual mean".to_owned())
    );
    assert!(check(3.0, Signal::default(), "FR").is_ok());
    assert_eq!(
        check(2.0, Signal::default(), "FR"),
        Err("2 g/kWh is less than a 20th of the zone's annual mean".to_owned())
    );
}

#[test]
fn hydro_in_a_coal_country_is_not_refused() {
    // Tasmania is known by Australia's mean of 549 g/kWh only.
    assert!(check(16.0, Signal::default(), "AU-TAS").is_ok());
    assert!(check(0.5, Signal::default(), "AU-TAS").is_err());
}

#[test]
fn zero_is_refused_over_life_cycles_only() {
    assert!(check(0.0, Signal::default(), "XX").is_err());
    assert_eq!(check(0.0, DIRECT, "DE"), Ok(0.0));
    assert_eq!(check(0.0, MARGINAL, "DE"), Ok(0.0));
}

#[test]
fn marginal_values_are_not_held_against_averages() {
    // Quebec: 458 g/kWh marginal, some 30 average.
    assert!(check(1_000.0, MARGINAL, "CA-QC").is_ok());
    assert!(check(1_000.0, Signal::default(), "FR").is_ok());
    assert!(check(1_100.0, DIRECT, "FR").is_err(), "direct is never above life cycle");
}

#[test]
fn slots_that_cannot_be_meant_are_refused() {
    let hour = Some(std::time::Duration::from_hours(1));
    let slot = |start: &str, purpose| sanity::slot(at(start), hour, purpose, now());
    assert!(slot("2026-01-31T13:59:00Z", Purpose::Latest).is_ok());
    assert!(slot("2026-01-31T14:01:00Z", Purpose::Latest).is_err());
    assert!(slot("2026-02-09T12:00:00Z", Purpose::Forecast).is_ok());
    assert!(slot("2026-02-10T13:00:00Z", Purpose::Forecast).is_err());
    assert!(slot("2018-01-01T00:00:00Z", Purpose::Latest).is_ok(), "old is not wrong; age takes its weight");
    for seconds in [0, 86_401] {
        let duration = Some(std::time::Duration::from_secs(seconds));
        assert!(sanity::slot(now(), duration, Purpose::Latest, now()).is_err());
    }
}

#[test]
fn what_is_refused_is_counted_and_the_first_are_named() {
    let config = serde_json::from_str::<PrometheusQueryConfig>(r#"{"query": "x"}"#).unwrap();
    let provider = PrometheusQuery::new(&config);
    let bad: String = (0..50).map(|_| r#"{"metric": {"zone": "DE"}, "value": [1769860800, "-1"]},"#).collect();
    let good = r#"{"metric": {"zone": "DE"}, "value": [1769860800, "300"]}"#;
    let body = format!(r#"{{"status": "success", "data": {{"resultType": "vector", "result": [{bad}{good}]}}}}"#);
    let answer = read(&provider, &zone("DE"), Purpose::Latest, body, now()).unwrap();
    assert_eq!((answer.refused.len(), answer.refused_rows), (10, 50));
}

#[test]
fn duplicates_and_overlaps_are_refused() {
    let config = serde_json::from_str::<PrometheusQueryConfig>(r#"{"query": "x"}"#).unwrap();
    let sample = |second: u32, value: u32| {
        format!(r#"{{"metric": {{"zone": "DE"}}, "value": [{}, "{value}"]}}"#, 1_769_860_800 + second)
    };
    let samples = [sample(0, 300), sample(0, 301), sample(1_800, 302), sample(3_600, 303)].join(",");
    let body = format!(r#"{{"status": "success", "data": {{"resultType": "vector", "result": [{samples}]}}}}"#);
    let answer = read(&PrometheusQuery::new(&config), &zone("DE"), Purpose::Latest, body, now()).unwrap();
    assert_eq!(slots(&answer).iter().map(|slot| slot.1).collect::<Vec<_>>(), [300.0, 303.0]);
    assert_eq!(answer.refused_rows, 2);
}
