use kube_sci_signals::grid::providers::{Auth, WattTime, WattTimeConfig, WattTimeSignal};

use super::*;

fn provider() -> WattTime {
    WattTime::new(&WattTimeConfig::default())
}

fn california() -> ZoneRequest {
    zone_as("US-CAL-CISO", "CAISO_NORTH")
}

/// An answer with one value and the given `meta`.
fn answer(value: &str, region: &str, signal: &str, units: &str) -> Result<Answer, ProviderError> {
    let body = format!(
        r#"{{"data": [{{"point_time": "2026-01-31T11:55:00+00:00", "value": {value}}}],
        "meta": {{"data_point_period_seconds": 300, "region": "{region}", "signal_type": "{signal}",
        "units": "{units}", "model": {{"date": "2023-03-01"}}, "warnings": [{{"type": "STALE", "message": "x"}}]}}}}"#
    );
    read(&provider(), &california(), Purpose::Latest, body, now())
}

#[test]
fn pounds_per_megawatt_hour_become_grams_per_kilowatt_hour() {
    // 1,000 lb/MWh = 453,592.37 g / 1,000 kWh.
    let answer = answer("1000", "CAISO_NORTH", "co2_moer", "lbs_co2_per_mwh").unwrap();
    let slots = slots(&answer);
    assert!((slots[0].1 - 453.592_37).abs() < 1e-9);
    assert_eq!((slots[0].0.as_str(), slots[0].2), ("2026-01-31T11:55:00Z / 300", "modelled"));
    assert_eq!(flags(&answer), "the publisher warns: STALE");
}

#[test]
fn a_marginal_plant_may_emit_nothing() {
    assert_eq!(slots(&answer("0", "CAISO_NORTH", "co2_moer", "lbs_co2_per_mwh").unwrap())[0].1, 0.0);
}

#[test]
fn other_units_regions_and_signals_are_refused() {
    for (region, signal, units, kind) in [
        ("CAISO_NORTH", "co2_moer", "kg_co2_per_mwh", "malformed"),
        ("CAISO_NORTH", "health_damage", "lbs_co2_per_mwh", "malformed"),
        ("CAISO_NORTH", "co2_aoer", "lbs_co2_per_mwh", "malformed"),
        ("PJM_NJ", "co2_moer", "lbs_co2_per_mwh", "other_zone"),
    ] {
        assert_eq!(answer("900", region, signal, units).unwrap_err().kind(), kind, "{region} {signal} {units}");
    }
    assert_eq!(answer("null", "CAISO_NORTH", "co2_moer", "lbs_co2_per_mwh").unwrap_err().kind(), "absurd");
}

#[test]
fn a_session_lasts_half_an_hour_less_a_margin() {
    let login = provider().login().unwrap();
    assert_eq!((login.path_and_query.as_str(), login.auth), ("/login", Auth::Basic));
    let token = provider().read_login(200, &sample("watttime_login.json"), now()).unwrap();
    assert!(token.expose().starts_with("eyJ"));
    assert_eq!(token.expires_at(), at("2026-01-31T12:28:00Z"));
    assert!(!format!("{token:?}").contains("eyJ"), "{token:?}");
    for body in ["{}", r#"{"token": ""}"#, r#"{"token": "a b"}"#, "<html>"] {
        assert_eq!(provider().read_login(200, body.as_bytes(), now()).unwrap_err().kind(), "malformed");
    }
    for status in [401, 403] {
        assert_eq!(provider().read_login(status, b"", now()).unwrap_err(), ProviderError::Unauthorized);
    }
}

#[test]
fn zones_are_asked_for_by_their_configured_region_only() {
    assert!(!provider().serves(&zone("US-CAL-CISO")));
    assert!(provider().plan(&[zone("US-CAL-CISO")], now()).is_empty());
    let planned = provider().plan(&[california()], at("2026-01-31T12:03:59Z"));
    assert_eq!(
        planned[0].path_and_query,
        "/v3/historical?region=CAISO_NORTH&signal_type=co2_moer&start=2026-01-31T10%3A00Z&end=2026-01-31T12%3A00Z"
    );
    assert!(planned.iter().all(|question| question.auth == Auth::Session));
    let average = WattTime::new(&WattTimeConfig { signal_type: WattTimeSignal::Co2Aoer });
    assert!(average.plan(&[california()], now())[0].path_and_query.contains("co2_aoer"));
}
