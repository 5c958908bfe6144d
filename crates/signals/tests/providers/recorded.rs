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

/// A recorded answer and what it says.
struct Case {
    file: &'static str,
    provider: &'static str,
    /// Name of the zone, and the API's own; empty where they are the same.
    zone: (&'static str, &'static str),
    purpose: Purpose,
    status: u16,
    time: &'static str,
    /// Signals, then every slot; or the kind of the failure.
    says: &'static str,
}

/// Every answer, and what it says on one line.
const CASES: &[Case] = &[
    Case {
        file: "electricitymaps_latest.json",
        provider: "electricity-maps",
        zone: ("AT", ""),
        purpose: Purpose::Latest,
        status: 200,
        time: "2025-10-17T10:40:00Z",
        says: "average lifecycle 2025-10-17T11:00:00Z / 3600 245.000 estimated",
    },
    Case {
        file: "electricitymaps_latest_v3_docs.json",
        provider: "electricity-maps",
        zone: ("DE", ""),
        purpose: Purpose::Latest,
        status: 200,
        time: "2018-04-25T18:10:00Z",
        says: "average lifecycle 2018-04-25T18:07:00.35Z / 3600 302.000 estimated",
    },
    Case {
        file: "electricitymaps_history.json",
        provider: "electricity-maps",
        zone: ("DE", ""),
        purpose: Purpose::History,
        status: 200,
        time: "2021-08-19T09:00:00Z",
        says: "average lifecycle 2021-08-18T13:00:00Z / 3600 413.000 measured",
    },
    Case {
        file: "electricitymaps_history_null.json",
        provider: "electricity-maps",
        zone: ("NL", ""),
        purpose: Purpose::History,
        status: 200,
        time: "2099-01-01T01:00:00Z",
        says: "absurd",
    },
    Case {
        file: "electricitymaps_forecast.json",
        provider: "electricity-maps",
        zone: ("NL", ""),
        purpose: Purpose::Forecast,
        status: 200,
        time: "2098-12-31T23:00:00Z",
        says: "average lifecycle 2099-01-01T00:00:00Z / 3600 999.000 forecast",
    },
    Case {
        file: "electricitymaps_home_assistant.json",
        provider: "electricity-maps",
        zone: ("DE", ""),
        purpose: Purpose::Latest,
        status: 200,
        time: "2026-01-31T12:20:00Z",
        says: "average lifecycle 2026-01-31T12:00:00Z / 3600 302.000 estimated",
    },
    Case {
        file: "electricitymaps_error_401.json",
        provider: "electricity-maps",
        zone: ("DE", ""),
        purpose: Purpose::Latest,
        status: 401,
        time: "2026-01-31T12:00:00Z",
        says: "unauthorized",
    },
    Case {
        file: "electricitymaps_error_404.json",
        provider: "electricity-maps",
        zone: ("XX", ""),
        purpose: Purpose::Latest,
        status: 404,
        time: "2026-01-31T12:00:00Z",
        says: "no_data",
    },
    Case {
        file: "watttime_forecast.json",
        provider: "watttime",
        zone: ("US-CAL-CISO", "CAISO_NORTH"),
        purpose: Purpose::Forecast,
        status: 200,
        time: "2022-07-15T00:01:00Z",
        says: "marginal direct 2022-07-15T00:00:00Z / 300 475.552 forecast, \
               2022-07-15T00:05:00Z / 300 476.766 forecast",
    },
    Case {
        file: "watttime_forecast_historical.json",
        provider: "watttime",
        zone: ("US-CAL-CISO", "CAISO_NORTH"),
        purpose: Purpose::Forecast,
        status: 200,
        time: "2022-07-15T00:01:00Z",
        says: "marginal direct 2022-07-15T00:00:00Z / 300 394.625 forecast, \
               2022-07-15T00:05:00Z / 300 394.625 forecast, 2022-07-15T00:10:00Z / 300 394.625 forecast",
    },
    Case {
        file: "uk_intensity.json",
        provider: "uk",
        zone: ("GB", ""),
        purpose: Purpose::Latest,
        status: 200,
        time: "2022-07-14T14:40:00Z",
        says: "average direct 2022-07-14T14:30:00Z / 1800 194.000 measured",
    },
    Case {
        file: "uk_intensity_future.json",
        provider: "uk",
        zone: ("GB", ""),
        purpose: Purpose::Latest,
        status: 200,
        time: "2022-07-14T14:40:00Z",
        says: "average direct 2022-07-14T15:00:00Z / 1800 190.000 forecast",
    },
    Case {
        file: "uk_regional.json",
        provider: "uk",
        zone: ("GB-LON", "13"),
        purpose: Purpose::Latest,
        status: 200,
        time: "2022-07-14T14:40:00Z",
        says: "average direct 2022-07-14T14:30:00Z / 1800 184.000 forecast",
    },
    Case {
        file: "uk_error_400.json",
        provider: "uk",
        zone: ("GB", ""),
        purpose: Purpose::Latest,
        status: 400,
        time: "2022-07-14T14:40:00Z",
        says: "rejected",
    },
    Case {
        file: "entsoe_a75_generation.xml",
        provider: "entso-e",
        zone: ("IE", "10Y1001A1001A59C"),
        purpose: Purpose::History,
        status: 200,
        time: "2023-01-01T03:00:00Z",
        // Gas alone, whatever its power.
        says: "average lifecycle 2023-01-01T00:00:00Z / 3600 490.000 measured, \
               2023-01-01T01:00:00Z / 3600 490.000 measured",
    },
    Case {
        file: "entsoe_a75_mixed.xml",
        provider: "entso-e",
        zone: ("DE", ""),
        purpose: Purpose::Backfill,
        status: 200,
        time: "2026-01-31T12:00:00Z",
        // (10000 * 820 + 10000 * 11 + 0 * 24) / 20000, then (10000 * 820 + 30000 * 11 + 2000 * 24) / 42000.
        says: "average lifecycle 2026-01-31T08:00:00Z / 3600 415.500 measured, \
               2026-01-31T09:00:00Z / 3600 204.238 measured",
    },
    Case {
        file: "entsoe_ack_nodata_999.xml",
        provider: "entso-e",
        zone: ("DE", ""),
        purpose: Purpose::History,
        status: 200,
        time: "2023-01-01T03:00:00Z",
        says: "no_data",
    },
    Case {
        file: "eia_fuel_type_data.json",
        provider: "eia",
        zone: ("US-MIDA-PJM", ""),
        purpose: Purpose::History,
        status: 200,
        time: "2026-01-31T12:00:00Z",
        // (20 * 820 + 40 * 490 + 30 * 12) / 90, then (20 * 820 + 50 * 490 + 30 * 12) / 100; stamps name ends.
        says: "average lifecycle 2026-01-31T09:00:00Z / 3600 404.000 measured, \
               2026-01-31T10:00:00Z / 3600 412.600 measured",
    },
    Case {
        file: "eia_error_403.json",
        provider: "eia",
        zone: ("US-MIDA-PJM", ""),
        purpose: Purpose::History,
        status: 403,
        time: "2026-01-31T12:00:00Z",
        says: "unauthorized",
    },
    Case {
        file: "casdk_emissions_bylocation.json",
        provider: "sdk",
        zone: ("US-MIDA-PJM", "eastus"),
        purpose: Purpose::Latest,
        status: 200,
        time: "2022-05-17T21:00:00Z",
        says: "marginal direct 2022-05-17T20:45:11.5092741Z / 3600 70.000 estimated",
    },
    Case {
        file: "casdk_forecasts_current.json",
        provider: "sdk",
        zone: ("IE", "northeurope"),
        purpose: Purpose::Forecast,
        status: 200,
        time: "2022-07-19T13:40:00Z",
        says: "marginal direct 2022-07-19T14:00:00Z / 600 532.023 forecast, \
               2022-07-20T04:25:00Z / 600 535.732 forecast",
    },
    Case {
        file: "grid_intensity_metrics.prom",
        provider: "page",
        zone: ("GB", ""),
        purpose: Purpose::Latest,
        status: 200,
        time: "2026-01-31T12:00:00Z",
        says: "average lifecycle 2026-01-31T12:00:00Z / 1800 201.000 annual",
    },
    Case {
        file: "grid_intensity_metrics_old.prom",
        provider: "page",
        zone: ("FR", ""),
        purpose: Purpose::Latest,
        status: 200,
        time: "2026-01-31T12:00:00Z",
        says: "average lifecycle 2026-01-31T12:00:00Z / 1800 67.781 annual",
    },
    Case {
        file: "prometheus_query.json",
        provider: "query",
        zone: ("FR", ""),
        purpose: Purpose::Latest,
        status: 200,
        time: "2026-01-31T12:00:00Z",
        says: "average lifecycle 2026-01-31T12:00:00.123Z / 1800 67.781 measured",
    },
];

/// No values: requests, tokens, lists of places.
const OTHERS: [&str; 7] = [
    "casdk_average.json",
    "casdk_forecasts_batch_request.json",
    "electricitymaps_optimizer_request.json",
    "electricitymaps_zones.json",
    "watttime_login.json",
    "watttime_my_access.json",
    "watttime_region_from_loc.json",
];
/// The map is an object of Kubernetes, see below.
const NO_ANSWERS: [&str; 2] = ["README.md", "azure_carbon_intensity_configmap.yaml"];

fn provider(name: &str) -> Box<dyn Provider> {
    let exporter = |route| GridIntensityExporter::new(&GridIntensityExporterConfig { route, ..Default::default() });
    match name {
        "electricity-maps" => Box::new(ElectricityMaps::new(&ElectricityMapsConfig::default())),
        "watttime" => Box::new(WattTime::new(&WattTimeConfig::default())),
        "uk" => Box::new(UkCarbonIntensity::new(&UkCarbonIntensityConfig::default())),
        "entso-e" => Box::new(EntsoE::new(&EntsoEConfig::default())),
        "eia" => Box::new(Eia::new(&EiaConfig::default())),
        "sdk" => Box::new(CarbonAwareSdk::new(&CarbonAwareSdkConfig { signal: MARGINAL_DIRECT })),
        "page" => Box::new(exporter(ExporterRoute::Page)),
        _ => Box::new(exporter(ExporterRoute::Prometheus)),
    }
}

fn outcome(case: &Case) -> String {
    let provider = provider(case.provider);
    let (name, id) = case.zone;
    let zone = if id.is_empty() { zone(name) } else { zone_as(name, id) };
    let question = question(provider.as_ref(), &zone, case.purpose, at(case.time));
    match provider.read(&question, case.status, &sample(case.file), at(case.time)) {
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
    for case in CASES {
        assert_eq!(outcome(case), case.says, "{}", case.file);
    }
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api")).unwrap();
    let files: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let named = CASES.iter().map(|case| case.file).chain(OTHERS).chain(NO_ANSWERS);
    assert_eq!(files, named.map(str::to_owned).collect());
}

#[test]
fn answers_to_other_questions_are_no_intensities() {
    for file in OTHERS {
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
