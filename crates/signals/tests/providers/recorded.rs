//! Every recorded answer is read, or refused as what it is.

use std::{collections::BTreeSet, fs, path::Path};

use k8s_openapi::api::core::v1::ConfigMap;
use kube_sci_signals::{
    config::{ScopeConfig, SignalConfig, SignalKindConfig},
    grid::providers::{
        AzureConfigMapConfig, CarbonAwareSdk, CarbonAwareSdkConfig, Eia, EiaConfig, ElectricityMaps,
        ElectricityMapsConfig, EntsoE, EntsoEConfig, ExporterRoute, GridIntensityExporter, GridIntensityExporterConfig,
        UkCarbonIntensity, UkCarbonIntensityConfig, WattTime, WattTimeConfig, azure_config_map,
    },
};

use super::*;

pub(super) const MARGINAL_DIRECT: SignalConfig =
    SignalConfig { kind: SignalKindConfig::Marginal, scope: ScopeConfig::Direct };

/// File, provider, zone and its name there, purpose, status, time.
type Case = (&'static str, Box<dyn Provider>, ZoneRequest, Purpose, u16, &'static str);

fn electricity_maps() -> Box<dyn Provider> {
    Box::new(ElectricityMaps::new(&ElectricityMapsConfig::default()))
}

fn exporter(route: ExporterRoute) -> Box<dyn Provider> {
    let config = GridIntensityExporterConfig { route, ..GridIntensityExporterConfig::default() };
    Box::new(GridIntensityExporter::new(&config))
}

/// What every answer says, on one line.
fn outcome((file, provider, zone, purpose, status, time): &Case) -> String {
    let question = question(provider.as_ref(), zone, *purpose, at(time));
    match provider.read(&question, *status, &sample(file), at(time)) {
        Ok(answer) => {
            let values: Vec<String> = slots(&answer)
                .into_iter()
                .map(|(slot, value, quality)| format!("{slot} {value:.3} {quality}"))
                .collect();
            format!("{} {}", signals(&answer).join(","), values.join(", "))
        }
        Err(error) => error.kind().to_owned(),
    }
}

#[test]
fn every_recorded_answer_is_read() {
    use Purpose::{Backfill, Forecast, History, Latest};
    let uk = || Box::new(UkCarbonIntensity::new(&UkCarbonIntensityConfig::default()));
    let watt_time = || Box::new(WattTime::new(&WattTimeConfig::default()));
    let entso_e = || Box::new(EntsoE::new(&EntsoEConfig::default()));
    let eia = || Box::new(Eia::new(&EiaConfig::default()));
    let sdk = || Box::new(CarbonAwareSdk::new(&CarbonAwareSdkConfig { signal: MARGINAL_DIRECT }));
    let cases: Vec<(Case, &str)> = vec![
        (
            ("electricitymaps_latest.json", electricity_maps(), zone("AT"), Latest, 200, "2025-10-17T10:40:00Z"),
            "average lifecycle 2025-10-17T11:00:00Z / 3600 245.000 estimated",
        ),
        (
            (
                "electricitymaps_latest_v3_docs.json",
                electricity_maps(),
                zone("DE"),
                Latest,
                200,
                "2018-04-25T18:10:00Z",
            ),
            "average lifecycle 2018-04-25T18:07:00.35Z / 3600 302.000 estimated",
        ),
        (
            ("electricitymaps_history.json", electricity_maps(), zone("DE"), History, 200, "2021-08-19T09:00:00Z"),
            "average lifecycle 2021-08-18T13:00:00Z / 3600 413.000 measured",
        ),
        (
            ("electricitymaps_history_null.json", electricity_maps(), zone("NL"), History, 200, "2099-01-01T01:00:00Z"),
            "absurd",
        ),
        (
            ("electricitymaps_forecast.json", electricity_maps(), zone("NL"), Forecast, 200, "2098-12-31T23:00:00Z"),
            "average lifecycle 2099-01-01T00:00:00Z / 3600 999.000 forecast",
        ),
        (
            (
                "electricitymaps_home_assistant.json",
                electricity_maps(),
                zone("DE"),
                Latest,
                200,
                "2026-01-31T12:20:00Z",
            ),
            "average lifecycle 2026-01-31T12:00:00Z / 3600 302.000 estimated",
        ),
        (
            ("electricitymaps_error_401.json", electricity_maps(), zone("DE"), Latest, 401, "2026-01-31T12:00:00Z"),
            "unauthorized",
        ),
        (
            ("electricitymaps_error_404.json", electricity_maps(), zone("XX"), Latest, 404, "2026-01-31T12:00:00Z"),
            "no_data",
        ),
        (
            (
                "watttime_forecast.json",
                watt_time(),
                zone_as("US-CAL-CISO", "CAISO_NORTH"),
                Forecast,
                200,
                "2022-07-15T00:01:00Z",
            ),
            "marginal direct 2022-07-15T00:00:00Z / 300 475.552 forecast, 2022-07-15T00:05:00Z / 300 476.766 forecast",
        ),
        (
            (
                "watttime_forecast_historical.json",
                watt_time(),
                zone_as("US-CAL-CISO", "CAISO_NORTH"),
                Forecast,
                200,
                "2022-07-15T00:01:00Z",
            ),
            "marginal direct 2022-07-15T00:00:00Z / 300 394.625 forecast, 2022-07-15T00:05:00Z / 300 394.625 forecast, \
             2022-07-15T00:10:00Z / 300 394.625 forecast",
        ),
        (
            ("uk_intensity.json", uk(), zone("GB"), Latest, 200, "2022-07-14T14:40:00Z"),
            "average direct 2022-07-14T14:30:00Z / 1800 194.000 measured",
        ),
        (
            ("uk_intensity_future.json", uk(), zone("GB"), Latest, 200, "2022-07-14T14:40:00Z"),
            "average direct 2022-07-14T15:00:00Z / 1800 190.000 forecast",
        ),
        (
            ("uk_regional.json", uk(), zone_as("GB-LON", "13"), Latest, 200, "2022-07-14T14:40:00Z"),
            "average direct 2022-07-14T14:30:00Z / 1800 184.000 forecast",
        ),
        (("uk_error_400.json", uk(), zone("GB"), Latest, 400, "2022-07-14T14:40:00Z"), "rejected"),
        (
            (
                "entsoe_a75_generation.xml",
                entso_e(),
                zone_as("IE", "10Y1001A1001A59C"),
                History,
                200,
                "2023-01-01T03:00:00Z",
            ),
            // Gas alone, whatever its power.
            "average lifecycle 2023-01-01T00:00:00Z / 3600 490.000 measured, 2023-01-01T01:00:00Z / 3600 490.000 measured",
        ),
        (
            ("entsoe_a75_mixed.xml", entso_e(), zone("DE"), Backfill, 200, "2026-01-31T12:00:00Z"),
            // (10000 * 820 + 10000 * 11 + 0 * 24) / 20000, then (10000 * 820 + 30000 * 11 + 2000 * 24) / 42000.
            "average lifecycle 2026-01-31T08:00:00Z / 3600 415.500 measured, 2026-01-31T09:00:00Z / 3600 204.238 measured",
        ),
        (("entsoe_ack_nodata_999.xml", entso_e(), zone("DE"), History, 200, "2023-01-01T03:00:00Z"), "no_data"),
        (
            ("eia_fuel_type_data.json", eia(), zone("US-MIDA-PJM"), History, 200, "2026-01-31T12:00:00Z"),
            // (20 * 820 + 40 * 490 + 30 * 12) / 90, then (20 * 820 + 50 * 490 + 30 * 12) / 100; stamps name ends.
            "average lifecycle 2026-01-31T09:00:00Z / 3600 404.000 measured, 2026-01-31T10:00:00Z / 3600 412.600 measured",
        ),
        (("eia_error_403.json", eia(), zone("US-MIDA-PJM"), History, 403, "2026-01-31T12:00:00Z"), "unauthorized"),
        (
            (
                "casdk_emissions_bylocation.json",
                sdk(),
                zone_as("US-MIDA-PJM", "eastus"),
                Latest,
                200,
                "2022-05-17T21:00:00Z",
            ),
            "marginal direct 2022-05-17T20:45:11.5092741Z / 3600 70.000 estimated",
        ),
        (
            (
                "casdk_forecasts_current.json",
                sdk(),
                zone_as("IE", "northeurope"),
                Forecast,
                200,
                "2022-07-19T13:40:00Z",
            ),
            "marginal direct 2022-07-19T14:00:00Z / 600 532.023 forecast, 2022-07-20T04:25:00Z / 600 535.732 forecast",
        ),
        (
            (
                "grid_intensity_metrics.prom",
                exporter(ExporterRoute::Page),
                zone("GB"),
                Latest,
                200,
                "2026-01-31T12:00:00Z",
            ),
            "average lifecycle 2026-01-31T12:00:00Z / 1800 201.000 annual",
        ),
        (
            (
                "grid_intensity_metrics_old.prom",
                exporter(ExporterRoute::Page),
                zone("FR"),
                Latest,
                200,
                "2026-01-31T12:00:00Z",
            ),
            "average lifecycle 2026-01-31T12:00:00Z / 1800 67.781 annual",
        ),
        (
            (
                "prometheus_query.json",
                exporter(ExporterRoute::Prometheus),
                zone("FR"),
                Latest,
                200,
                "2026-01-31T12:00:00Z",
            ),
            "average lifecycle 2026-01-31T12:00:00.123Z / 1800 67.781 measured",
        ),
    ];
    // No values: requests, tokens, lists of places; the map is an object of Kubernetes, see below.
    let others = [
        "README.md",
        "azure_carbon_intensity_configmap.yaml",
        "casdk_average.json",
        "casdk_forecasts_batch_request.json",
        "electricitymaps_optimizer_request.json",
        "electricitymaps_zones.json",
        "watttime_login.json",
        "watttime_my_access.json",
        "watttime_region_from_loc.json",
    ];
    for (case, expected) in &cases {
        assert_eq!(outcome(case), *expected, "{}", case.0);
    }
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api")).unwrap();
    let files: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let named: BTreeSet<String> = cases.iter().map(|(case, _)| case.0).chain(others).map(str::to_owned).collect();
    assert_eq!(files, named);
}

#[test]
fn answers_to_other_questions_are_no_intensities() {
    let others = [
        "casdk_average.json",
        "casdk_forecasts_batch_request.json",
        "electricitymaps_optimizer_request.json",
        "electricitymaps_zones.json",
        "watttime_login.json",
        "watttime_my_access.json",
        "watttime_region_from_loc.json",
    ];
    for file in others {
        for (provider, zone) in super::robustness::all() {
            let question = question(provider.as_ref(), &zone, Purpose::Latest, now());
            let answer = provider.read(&question, 200, &sample(file), now());
            assert!(answer.is_err(), "{file} as {}: {answer:?}", provider.name());
        }
    }
}

#[test]
fn a_config_map_of_azure_is_read_in_spite_of_its_habits() {
    let map: ConfigMap =
        serde_saphyr::from_slice(&sample("azure_carbon_intensity_configmap.yaml")).expect("an object of Kubernetes");
    let config = AzureConfigMapConfig {
        namespace: "kube-system".to_owned(),
        name: "carbonintensity".to_owned(),
        signal: MARGINAL_DIRECT,
    };
    let now = at("2023-03-30T23:58:00Z");
    let answer = azure_config_map::read(&map, &config, &[zone_as("US-MIDA-PJM", "PJM_ROANOKE")], now).unwrap();
    assert_eq!(signals(&answer), ["marginal direct"]);
    let slots = slots(&answer);
    assert_eq!(slots.len(), 3);
    assert_eq!(slots[0].0, "2023-03-31T00:00:00Z / 300");
    assert!((slots[0].1 - 550.985_329_480_579_8).abs() < 1e-9);
    assert_eq!(flags(&answer), "it holds 3 records and speaks of 288");
    assert_eq!(azure_config_map::heartbeat(&map), Some(at("2023-03-30T23:57:26.041158869Z")));

    let unknown = azure_config_map::read(&map, &config, &[zone("DE")], now).unwrap_err();
    assert_eq!(unknown.to_string(), "asked for zone DE, answered for PJM_ROANOKE: name the zone as the provider does");
    let empty = azure_config_map::read(&ConfigMap::default(), &config, &[zone("DE")], now);
    assert_eq!(empty, Err(ProviderError::NoData));
}
