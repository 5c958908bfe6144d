//! Generation of U.S. balancing authorities.

use kube_sci_signals::grid::providers::{Eia, EiaConfig};
use sci_core::region;

use super::*;

fn provider() -> Eia {
    Eia::new(&EiaConfig::default())
}

fn rows(total: &str, rows: &[(&str, &str, &str, &str)]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|(period, respondent, fuel, value)| {
            format!(r#"{{"period": "{period}", "respondent": "{respondent}", "fueltype": "{fuel}", "value": {value}, "value-units": "megawatthours"}}"#)
        })
        .collect();
    format!(r#"{{"response": {{"total": {total}, "data": [{}]}}}}"#, rows.join(","))
}

fn history(body: String) -> Result<Answer, ProviderError> {
    read(&provider(), &zone("US-MIDA-PJM"), Purpose::History, body, now())
}

#[test]
fn stamps_name_the_end_of_the_hour() {
    let answer = history(rows("1", &[("2026-01-31T00", "PJM", "NG", "\"100\"")])).unwrap();
    assert_eq!(slots(&answer), [("2026-01-30T23:00:00Z / 3600".to_owned(), 490.0, "measured")]);
}

#[test]
fn a_cut_answer_loses_its_oldest_hour() {
    let three = [
        ("2026-01-31T11", "PJM", "NG", "\"100\""),
        ("2026-01-31T10", "PJM", "NG", "\"100\""),
        ("2026-01-31T09", "PJM", "NG", "\"100\""),
    ];
    assert_eq!(slots(&history(rows("3", &three)).unwrap()).len(), 3);
    let cut = history(rows("\"9000\"", &three)).unwrap();
    assert_eq!(slots(&cut).iter().map(|slot| &slot.0[..13]).collect::<Vec<_>>(), ["2026-01-31T09", "2026-01-31T10"]);
    assert_eq!((cut.refused_rows, flags(&cut).as_str()), (1, "the answer is cut: its oldest hour is left out"));
}

#[test]
fn rows_that_cannot_be_meant_are_counted() {
    let answer = history(rows(
        "7",
        &[
            ("2026-01-31T11", "PJM", "NG", "\"100\""),
            ("2026-01-31T11", "PJM", "NG", "\"100\""),
            ("2026-01-31T11", "MISO", "COL", "\"100\""),
            ("2026-01-31T11", "PJM", "COL", "null"),
            ("2026-01-31T11", "PJM", "OIL", "\"much\""),
            ("2026-01-31T25", "PJM", "COL", "\"1\""),
            ("2026-01-31T11", "PJM", "XYZ", "\"1\""),
        ],
    ));
    let answer = answer.unwrap();
    assert_eq!((slots(&answer)[0].1, answer.refused_rows), (490.0, 6));
}

#[test]
fn an_hour_without_its_largest_fuels_has_no_value() {
    let answer = history(rows(
        "3",
        &[
            ("2026-01-31T11", "PJM", "NUC", "\"100\""),
            ("2026-01-31T10", "PJM", "NUC", "\"100\""),
            ("2026-01-31T10", "PJM", "NG", "\"300\""),
        ],
    ));
    let answer = answer.unwrap();
    // (100 * 12 + 300 * 490) / 400
    assert_eq!(slots(&answer).iter().map(|slot| slot.1).collect::<Vec<_>>(), [370.5]);
    assert_eq!(problems(&answer), ["75 % of the generation is not reported yet".into()]);
}

#[test]
fn every_zone_of_the_united_states_is_a_balancing_authority() {
    let zones = region::catalogue().regions().iter().filter(|region| region.iso_country == "US");
    let expected =
        ["AZPS", "BPAT", "CISO", "ERCO", "GCPD", "LDWP", "MISO", "NEVP", "PACE", "PJM", "SC", "SOCO", "SWPP", "WACM"];
    let mut respondents: Vec<String> = zones
        .map(|region| {
            let planned = provider().plan(&[zone(region.zone.as_str())], now()).remove(0);
            let (_, rest) = planned.path_and_query.split_once("respondent%5D%5B0%5D=").unwrap();
            rest.split('&').next().unwrap().to_owned()
        })
        .collect();
    respondents.sort();
    respondents.dedup();
    assert_eq!(respondents, expected);
    for unknown in ["US", "DE", "US-CAL", "CA-ON-X"] {
        assert!(!provider().serves(&zone(unknown)), "{unknown}");
    }
    assert!(provider().serves(&zone_as("mine", "TVA")) && !provider().serves(&zone_as("mine", "T&x=1")));
}
