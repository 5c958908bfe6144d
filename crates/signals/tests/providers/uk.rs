use kube_sci_signals::grid::providers::{UkCarbonIntensity, UkCarbonIntensityConfig};

use super::*;

fn provider() -> UkCarbonIntensity {
    UkCarbonIntensity::new(&UkCarbonIntensityConfig::default())
}

fn paths(zone: &ZoneRequest) -> Vec<String> {
    let planned = provider().plan(std::slice::from_ref(zone), at("2026-01-31T12:10:00Z"));
    planned.into_iter().map(|question| question.path_and_query).collect()
}

#[test]
fn the_country_and_its_regions_have_paths_of_their_own() {
    assert_eq!(
        paths(&zone("GB")),
        ["/intensity", "/intensity/2026-01-31T12%3A00Z/pt24h", "/intensity/2026-01-31T12%3A00Z/fw48h"]
    );
    assert_eq!(paths(&zone_as("GB", "13"))[2], "/regional/intensity/2026-01-31T12%3A00Z/fw48h/regionid/13");
    assert_eq!(paths(&zone_as("GB-LON", "13"))[0], "/regional/regionid/13");
}

#[test]
fn only_the_outward_code_of_a_postcode_is_sent() {
    for postcode in ["RG10", "rg10 9NY", "RG109NY", " RG10 "] {
        assert_eq!(paths(&zone_as("GB", postcode))[0], "/regional/postcode/RG10", "{postcode}");
    }
    for wrong in ["", "../RG10", "X", "RG10/../.."] {
        assert!(!provider().serves(&zone_as("GB", wrong)), "{wrong}");
    }
    assert!(!provider().serves(&zone("DE")));
}

#[test]
fn what_was_measured_comes_before_what_was_expected() {
    let body = r#"{"data": [
        {"from": "2026-01-31T11:00Z", "to": "2026-01-31T11:30Z", "intensity": {"forecast": 100, "actual": 110, "index": "low"}},
        {"from": "2026-01-31T11:30Z", "to": "2026-01-31T12:00Z", "intensity": {"forecast": 120, "actual": null, "index": "low"}},
        {"from": "2026-01-31T12:00Z", "to": "2026-01-31T12:30Z", "intensity": {"forecast": null, "actual": null}}]}"#;
    let answer = read(&provider(), &zone("GB"), Purpose::History, body, now()).unwrap();
    let expected = [
        ("2026-01-31T11:00:00Z / 1800".to_owned(), 110.0, "measured"),
        ("2026-01-31T11:30:00Z / 1800".to_owned(), 120.0, "forecast"),
    ];
    assert_eq!(slots(&answer), expected);
    assert_eq!(answer.refused_rows, 1);
    assert_eq!(signals(&answer), ["average direct", "average direct"]);
}

#[test]
fn a_region_may_come_in_a_list_or_alone() {
    let period =
        r#"{"from": "2026-01-31T12:00Z", "to": "2026-01-31T12:30Z", "intensity": {"forecast": 90, "index": "low"}}"#;
    for data in [
        format!(r#"[{{"regionid": 3, "data": [{period}]}}]"#),
        format!(r#"{{"regionid": 3, "data": [{period}]}}"#),
        format!(r#"{{"regionid": 3, "postcode": "RG10", "data": [{period}]}}"#),
    ] {
        let answer = read(&provider(), &zone_as("GB", "3"), Purpose::Latest, format!(r#"{{"data": {data}}}"#), now());
        assert_eq!(slots(&answer.unwrap())[0].1, 90.0);
    }
    let other = format!(r#"{{"data": [{{"regionid": 4, "data": [{period}]}}]}}"#);
    assert_eq!(read(&provider(), &zone_as("GB", "3"), Purpose::Latest, &other, now()).unwrap_err().kind(), "absurd");
    let other = format!(r#"{{"data": [{{"regionid": 4, "postcode": "SW1", "data": [{period}]}}]}}"#);
    assert!(read(&provider(), &zone_as("GB", "RG10"), Purpose::Latest, &other, now()).is_err());
    assert!(read(&provider(), &zone("GB"), Purpose::Latest, &other, now()).is_err(), "a region is not the country");
}

#[test]
fn null_for_a_full_postcode_is_no_data() {
    let answer = read(&provider(), &zone_as("GB", "RG10"), Purpose::Latest, r#"{"data": null}"#, now());
    assert_eq!(answer.unwrap_err(), ProviderError::NoData);
}

#[test]
fn a_refused_question_is_quoted() {
    let error = read_status(&provider(), &zone("GB"), 400, sample("uk_error_400.json")).unwrap_err();
    assert!(error.to_string().contains("400 Bad Request"), "{error}");
}
