//! Sources of one's own: exporters, Prometheus, Carbon Aware SDK.

use kube_sci_signals::{
    config::{QualityConfig, SignalConfig, TextDuration},
    grid::providers::{
        CarbonAwareSdk, CarbonAwareSdkConfig, CloudRegion, ExporterRoute, GridIntensityExporter,
        GridIntensityExporterConfig, PrometheusQuery, PrometheusQueryConfig, UnitConfig,
    },
};
use sci_core::region;

use super::{recorded::MARGINAL_DIRECT, *};

fn page(lines: &str, zones: &[&str]) -> Result<Answer, ProviderError> {
    let provider = GridIntensityExporter::new(&GridIntensityExporterConfig::default());
    let zones: Vec<ZoneRequest> = zones.iter().map(|name| zone(name)).collect();
    let question = provider.plan(&zones, now()).remove(0);
    assert_eq!(question.path_and_query, "/metrics");
    provider.read(&question, 200, lines.as_bytes(), now())
}

#[test]
fn the_region_of_the_node_is_not_the_place_on_the_grid() {
    let answer = page(
        "grid_intensity_carbon_average{location=\"FRA\",node=\"n\",provider=\"Ember\",region=\"DE\",units=\"gCO2e per kWh\"} 56\n",
        &["DE", "FR"],
    );
    let answer = answer.unwrap();
    assert_eq!((answer.series.len(), answer.series[0].zone().as_str()), (1, "FR"));
}

#[test]
fn the_provider_says_what_a_gauge_means() {
    for (provider, metric, units, value, expected) in [
        ("Ember", "average", "gCO2e per kWh", 201.0, "average lifecycle annual 201"),
        ("ElectricityMap", "average", "gCO2e per kWh", 201.0, "average lifecycle measured 201"),
        ("CarbonIntensityOrgUK", "average", "gCO2e per kWh", 201.0, "average direct estimated 201"),
        ("WattTime", "marginal", "lbCO2e per MWh", 1_000.0, "marginal direct modelled 453.59237"),
        ("carbonintensity.org.uk", "actual", "gCO2 per kWh", 150.0, "average direct estimated 150"),
    ] {
        let line = format!(
            "grid_intensity_carbon_{metric}{{location=\"GBR\",provider=\"{provider}\",units=\"{units}\"}} {value}\n"
        );
        let answer = page(&line, &["GB"]).unwrap();
        let (_, value, quality) = slots(&answer).remove(0);
        assert_eq!(format!("{} {quality} {value}", signals(&answer)[0]), expected);
    }
}

#[test]
fn an_index_and_an_unknown_provider_are_refused() {
    let relative = "grid_intensity_carbon_relative{location=\"GBR\",provider=\"WattTime\",units=\"percent\"} 43\n";
    let error = page(relative, &["GB"]).unwrap_err();
    assert!(error.to_string().contains("an index from 0 to 100 is no intensity"), "{error}");
    let percent = "grid_intensity_carbon_average{location=\"GBR\",provider=\"Ember\",units=\"percent\"} 43\n";
    assert!(page(percent, &["GB"]).unwrap_err().to_string().contains("its unit is no intensity"));
    let unknown = "grid_intensity_carbon_average{location=\"GBR\",provider=\"Oracle of Delphi\"} 200\n";
    assert!(page(unknown, &["GB"]).unwrap_err().to_string().contains("configure what its values mean"));
}

#[test]
fn replicas_agree_or_the_second_is_refused() {
    let line = |node: &str, value: f64| {
        format!("grid_intensity_carbon_average{{location=\"GBR\",node=\"{node}\",provider=\"Ember\"}} {value}\n")
    };
    let same = page(&(line("a", 201.0) + &line("b", 201.0)), &["GB"]).unwrap();
    assert_eq!((slots(&same).len(), same.refused_rows), (1, 0));
    let contradiction = page(&(line("a", 201.0) + &line("b", 301.0)), &["GB"]).unwrap();
    assert_eq!(problems(&contradiction), ["two exporters contradict each other".into()]);
}

#[test]
fn a_partial_answer_is_flagged_by_warning_and_by_mark() {
    let config = serde_json::from_str::<PrometheusQueryConfig>(r#"{"query": "x"}"#).unwrap();
    let flagged = |mark: &str| {
        let result = r#"[{"metric": {"zone": "DE"}, "value": [1769860800, "300"]}]"#;
        let body = format!(r#"{{"status":"success",{mark}"data":{{"resultType":"vector","result":{result}}}}}"#);
        let answer = read(&PrometheusQuery::new(&config), &zone("DE"), Purpose::Latest, body, now()).unwrap();
        assert_eq!(answer.series.len(), 1, "what is there is taken");
        answer.flagged.into_iter().map(|problem| problem.problem).collect::<Vec<_>>()
    };
    assert_eq!(flagged(r#""warnings":["no store"],"#), ["the server warns: no store"]);
    assert_eq!(flagged(r#""isPartial":true,"#), ["the server warns: the answer is partial (isPartial)"]);
    assert!(flagged(r#""isPartial":false,"#).is_empty() && flagged("").is_empty());
}

#[test]
fn a_page_of_something_else_is_no_data() {
    assert_eq!(page("up 1\n", &["GB"]).unwrap_err(), ProviderError::NoData);
    assert_eq!(page("<html><body>404</body></html>", &["GB"]).unwrap_err().kind(), "malformed");
}

fn query(unit: UnitConfig) -> PrometheusQuery {
    PrometheusQuery::new(&PrometheusQueryConfig {
        query: "avg by (zone) (grid{unit=\"x\"})".to_owned(),
        zone_label: "zone".to_owned(),
        unit,
        signal: SignalConfig::default(),
        quality: QualityConfig::Estimated,
        slot: TextDuration::from_secs(900),
    })
}

fn vector(samples: &str) -> String {
    format!(r#"{{"status": "success", "data": {{"resultType": "vector", "result": [{samples}]}}}}"#)
}

#[test]
fn a_query_is_encoded_and_its_samples_are_zones() {
    let provider = query(UnitConfig::KilogramsPerKwh);
    let question = provider.plan(&[zone("DE"), zone_as("FR", "france")], now()).remove(0);
    assert_eq!(question.path_and_query, "/api/v1/query?query=avg%20by%20%28zone%29%20%28grid%7Bunit%3D%22x%22%7D%29");
    let samples = r#"{"metric": {"zone": "DE"}, "value": [1769860800, "0.4"]},
        {"metric": {"zone": "france"}, "value": [1769860800.5, "0.05"]},
        {"metric": {"zone": "PL"}, "value": [1769860800, "0.7"]},
        {"metric": {}, "value": [1769860800, "0.7"]},
        {"metric": {"zone": "DE"}, "value": [1769860800, "NaN"]}"#;
    let answer = provider.read(&question, 200, vector(samples).as_bytes(), now()).unwrap();
    let expected = [
        ("2026-01-31T12:00:00Z / 900".to_owned(), 400.0, "estimated"),
        ("2026-01-31T12:00:00.5Z / 900".to_owned(), 50.0, "estimated"),
    ];
    assert_eq!(slots(&answer), expected);
    assert_eq!(answer.refused_rows, 2, "no label, no number; Poland is not wanted");
}

#[test]
fn a_query_that_yields_something_else_is_refused() {
    let provider = query(UnitConfig::GramsPerKwh);
    for (status, body, kind) in [
        (200, r#"{"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}}"#, "malformed"),
        (200, r#"{"status": "error", "errorType": "execution", "error": "too many samples"}"#, "rejected"),
        (400, r#"{"status": "error", "errorType": "bad_data", "error": "parse error"}"#, "rejected"),
        (200, r#"{"status": "success", "data": {"resultType": "vector", "result": []}}"#, "no_data"),
        (403, "", "unauthorized"),
        (503, "", "unavailable"),
    ] {
        assert_eq!(read_status(&provider, &zone("DE"), status, body).unwrap_err().kind(), kind, "{body}");
    }
}

#[test]
fn a_partial_answer_is_flagged_and_both_routes_read_the_same_gauges() {
    let config = GridIntensityExporterConfig { route: ExporterRoute::Prometheus, ..Default::default() };
    let provider = GridIntensityExporter::new(&config);
    let question = provider.plan(&[zone("GB"), zone("FR"), zone("DE")], now()).remove(0);
    let answer = provider.read(&question, 200, &sample("prometheus_query.json"), now()).unwrap();
    assert_eq!(answer.series.iter().map(|series| series.zone().to_string()).collect::<Vec<_>>(), ["FR", "GB"]);
    assert_eq!(problems(&answer), ["an index from 0 to 100 is no intensity".into()]);
    assert_eq!(flags(&answer), "the server warns: fetching from a store failed: partial response");
}

fn sdk() -> CarbonAwareSdk {
    CarbonAwareSdk::new(&CarbonAwareSdkConfig { signal: MARGINAL_DIRECT })
}

#[test]
fn ratings_that_stand_for_unknown_are_refused() {
    let body = r#"[{"location": "eastus", "time": "2026-01-31T10:00:00Z", "rating": -1},
        {"location": "eastus", "time": "2026-01-31T10:30:00Z", "rating": 0},
        {"location": "eastus", "time": "2026-01-31T11:00:00Z", "rating": 420, "duration": "00:30:00"},
        {"location": "eastus", "time": "2026-01-31T11:30:00Z", "rating": 430}]"#;
    let answer = read(&sdk(), &zone_as("US-MIDA-PJM", "eastus"), Purpose::Latest, body, now()).unwrap();
    let expected = [
        ("2026-01-31T11:00:00Z / 1800".to_owned(), 420.0, "estimated"),
        ("2026-01-31T11:30:00Z / 3600".to_owned(), 430.0, "estimated"),
    ];
    assert_eq!(slots(&answer), expected);
    assert_eq!(answer.refused_rows, 2);
}

#[test]
fn rolling_means_are_cut_to_where_the_next_begins() {
    let body = r#"[{"location": "northeurope", "windowSize": 30, "forecastData": [
        {"location": "IE", "timestamp": "2026-01-31T12:00:00Z", "duration": 30, "value": 300},
        {"location": "IE", "timestamp": "2026-01-31T12:05:00Z", "duration": 30, "value": 310}]}]"#;
    let answer = read(&sdk(), &zone_as("IE", "NorthEurope"), Purpose::Forecast, body, now()).unwrap();
    let starts: Vec<String> = slots(&answer).into_iter().map(|slot| slot.0).collect();
    assert_eq!(starts, ["2026-01-31T12:00:00Z / 300", "2026-01-31T12:05:00Z / 1800"]);
    assert_eq!(flags(&answer), "values are rolling means of 30 minutes, cut to where the next begins");
    let other = read(&sdk(), &zone_as("IE", "westeurope"), Purpose::Forecast, body, now()).unwrap_err();
    assert_eq!(other.kind(), "other_zone");
}

#[test]
fn a_location_is_named_by_the_configuration_or_by_the_region() {
    let region = CloudRegion { provider: region::Provider::Azure, name: "northeurope".into() };
    let by_region = ZoneRequest { region: Some(region), ..zone("IE") };
    let planned = sdk().plan(&[by_region, zone_as("DE", "on prem"), zone("FR")], now());
    let locations: Vec<&str> =
        planned.iter().map(|question| question.path_and_query.split(['=', '&']).nth(1).unwrap()).collect();
    assert_eq!(locations, ["northeurope", "on%20prem", "northeurope", "on%20prem"]);
}
