use kube_sci_signals::{
    config::ScopeConfig,
    grid::providers::{CloudRegion, ElectricityMaps, ElectricityMapsApi, ElectricityMapsConfig},
};
use sci_core::region;

use super::*;

fn provider() -> ElectricityMaps {
    ElectricityMaps::new(&ElectricityMapsConfig::default())
}

fn latest(zone: &ZoneRequest, body: &str) -> Result<Answer, ProviderError> {
    read(&provider(), zone, Purpose::Latest, body, now())
}

const VALUE: &str = r#""carbonIntensity": 245, "datetime": "2026-01-31T12:00:00.000Z", "isEstimated": true"#;

#[test]
fn the_newest_value_may_be_for_an_hour_that_has_not_begun() {
    let answer = read(
        &provider(),
        &zone("AT"),
        Purpose::Latest,
        sample("electricitymaps_latest.json"),
        at("2025-10-17T10:40:00Z"),
    );
    let series = &answer.unwrap().series[0];
    assert_eq!(series.latest_at(at("2025-10-17T10:40:00Z")), None, "it is not used ahead of time");
    assert!(series.latest_at(at("2025-10-17T11:30:00Z")).is_some());
    let far = latest(&zone("AT"), r#"{"zone": "AT", "carbonIntensity": 245, "datetime": "2026-01-31T15:00:00Z"}"#);
    assert_eq!(far.unwrap_err().kind(), "absurd", "three hours ahead is no clock that runs fast");
}

#[test]
fn null_values_are_left_out_and_counted() {
    let body = r#"{"zone": "DE", "temporalGranularity": "hourly", "history": [
        {"carbonIntensity": 400, "datetime": "2026-01-31T09:00:00Z", "isEstimated": false},
        {"carbonIntensity": null, "datetime": "2026-01-31T10:00:00Z", "isEstimated": false},
        {"carbonIntensity": 300, "datetime": "2026-01-31T11:00:00Z", "isEstimated": true}]}"#;
    let answer = read(&provider(), &zone("DE"), Purpose::History, body, now()).unwrap();
    let expected = [
        ("2026-01-31T09:00:00Z / 3600".to_owned(), 400.0, "measured"),
        ("2026-01-31T11:00:00Z / 3600".to_owned(), 300.0, "estimated"),
    ];
    assert_eq!(slots(&answer), expected);
    assert_eq!((answer.refused_rows, answer.refused[0].line), (1, 2));
}

#[test]
fn values_may_stand_under_history_or_data() {
    for list in ["history", "data", "forecast"] {
        let body = format!(r#"{{"zone": "DE", "{list}": [{{{VALUE}}}], "aggregationPeriod": "x"}}"#);
        let answer = read(&provider(), &zone("DE"), Purpose::History, &body, now()).unwrap();
        assert_eq!(slots(&answer)[0].1, 245.0, "{list}");
    }
}

#[test]
fn a_renamed_zone_is_the_same_zone() {
    for (asked, answered) in [("BR-CS", "BR-SP"), ("BR-SP", "BR-CS"), ("DE", "DE-LU")] {
        let answer = latest(&zone(asked), &format!(r#"{{"zone": "{answered}", {VALUE}}}"#)).unwrap();
        assert_eq!(answer.series[0].zone().as_str(), asked);
    }
    let renamed = latest(&zone_as("IN-WE", "IN-MH"), &format!(r#"{{"zone": "IN-MH", {VALUE}}}"#)).unwrap();
    assert_eq!(renamed.series[0].zone().as_str(), "IN-WE", "as configured");
}

#[test]
fn an_answer_for_another_zone_is_refused() {
    let error = latest(&zone("DE"), &format!(r#"{{"zone": "FR", {VALUE}}}"#)).unwrap_err();
    assert_eq!(error.to_string(), "asked for zone DE, answered for FR: name the zone as the provider does");
    let row =
        r#"{"zone": "DE", "history": [{"zone": "FR", "carbonIntensity": 50, "datetime": "2026-01-31T10:00:00Z"}]}"#;
    assert!(read(&provider(), &zone("DE"), Purpose::History, row, now()).is_err());
}

#[test]
fn the_provider_may_place_a_region_in_another_zone() {
    let provider = ElectricityMaps::new(&ElectricityMapsConfig { place_regions: true, ..Default::default() });
    let oregon = ZoneRequest {
        region: Some(CloudRegion { provider: region::Provider::Aws, name: "us-west-2".into() }),
        ..zone("US-NW-BPAT")
    };
    let question = question(&provider, &oregon, Purpose::Latest, now());
    assert!(question.path_and_query.contains("?dataCenterProvider=aws&dataCenterRegion=us-west-2&"));
    let answer =
        provider.read(&question, 200, format!(r#"{{"zone": "US-NW-PACW", {VALUE}}}"#).as_bytes(), now()).unwrap();
    assert_eq!(answer.series[0].zone().as_str(), "US-NW-BPAT", "by the name that nodes know");
    assert_eq!(flags(&answer), "the provider places aws us-west-2 in zone US-NW-PACW, the catalogue in US-NW-BPAT");
}

#[test]
fn unlike_factors_and_units_are_never_taken() {
    let direct = format!(r#"{{"zone": "DE", "emissionFactorType": "direct", {VALUE}}}"#);
    assert_eq!(latest(&zone("DE"), &direct).unwrap_err().kind(), "absurd");
    let provider = ElectricityMaps::new(&ElectricityMapsConfig { scope: ScopeConfig::Direct, ..Default::default() });
    let answer = read(&provider, &zone("DE"), Purpose::Latest, &direct, now()).unwrap();
    assert_eq!(signals(&answer), ["average direct"]);
    let pounds = format!(r#"{{"zone": "DE", "unit": "lb/MWh", {VALUE}}}"#);
    assert_eq!(latest(&zone("DE"), &pounds).unwrap_err().kind(), "malformed");
}

#[test]
fn steps_of_five_and_fifteen_minutes_are_read_and_months_are_not() {
    for (granularity, seconds) in
        [("5_minutes", Some(300)), ("15_minutes", Some(900)), ("daily", Some(86_400)), ("monthly", None)]
    {
        let body = format!(r#"{{"zone": "DE", "temporalGranularity": "{granularity}", {VALUE}}}"#);
        let start = seconds.map(|seconds| format!("2026-01-31T12:00:00Z / {seconds}"));
        assert_eq!(latest(&zone("DE"), &body).ok().map(|answer| slots(&answer)[0].0.clone()), start, "{granularity}");
    }
}

#[test]
fn a_token_that_lacks_a_zone_is_told_from_a_wrong_token() {
    let error = |body: &str| read_status(&provider(), &zone("DE"), 401, body).unwrap_err();
    assert_eq!(error(r#"{"error": "Invalid auth-token"}"#), ProviderError::Unauthorized);
    assert_eq!(error(r#"{"error": "Request unauthorized for zone DE"}"#), ProviderError::NotInPlan);
    assert_eq!(error("<html>"), ProviderError::Unauthorized);
    assert_eq!(read_status(&provider(), &zone("DE"), 403, "").unwrap_err(), ProviderError::NotInPlan);
}

#[test]
fn every_question_forbids_the_place_of_the_caller() {
    for api in [ElectricityMapsApi::V3, ElectricityMapsApi::V4] {
        let provider = ElectricityMaps::new(&ElectricityMapsConfig { api, ..Default::default() });
        let wanted = ZoneRequest { since: Some(at("2026-01-01T00:00:00Z")), ..zone("DE") };
        let planned = provider.plan(&[wanted], now());
        let version = if api == ElectricityMapsApi::V3 { "/v3/" } else { "/v4/" };
        assert_eq!(planned.len(), 6, "latest, history, forecast and three stretches of the past");
        for question in planned {
            assert!(question.path_and_query.starts_with(version));
            assert!(question.path_and_query.contains("zone=DE&disableCallerLookup=true&emissionFactorType=lifecycle"));
        }
    }
}
