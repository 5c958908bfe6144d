//! No bytes make a reader panic, and nothing absurd comes out.

use kube_sci_signals::grid::providers::{
    CarbonAwareSdk, CarbonAwareSdkConfig, Eia, EiaConfig, ElectricityMaps, ElectricityMapsConfig, EntsoE, EntsoEConfig,
    ExporterRoute, GridIntensityExporter, GridIntensityExporterConfig, PrometheusQuery, PrometheusQueryConfig,
    UkCarbonIntensity, UkCarbonIntensityConfig, WattTime, WattTimeConfig,
};
use proptest::prelude::*;

use super::{recorded::MARGINAL_DIRECT, *};

/// Every provider, with a zone that it serves.
pub(super) fn all() -> Vec<(Box<dyn Provider>, ZoneRequest)> {
    let exporter = |route| {
        GridIntensityExporter::new(&GridIntensityExporterConfig { route, ..GridIntensityExporterConfig::default() })
    };
    let query = serde_json::from_str::<PrometheusQueryConfig>(r#"{"query": "grid"}"#).unwrap();
    vec![
        (Box::new(ElectricityMaps::new(&ElectricityMapsConfig::default())), zone("DE")),
        (Box::new(WattTime::new(&WattTimeConfig::default())), zone_as("US-CAL-CISO", "CAISO_NORTH")),
        (Box::new(UkCarbonIntensity::new(&UkCarbonIntensityConfig::default())), zone_as("GB", "13")),
        (Box::new(EntsoE::new(&EntsoEConfig::default())), zone_as("DE", "10Y1001A1001A83F")),
        (Box::new(Eia::new(&EiaConfig::default())), zone_as("US-MIDA-PJM", "PJM")),
        (
            Box::new(CarbonAwareSdk::new(&CarbonAwareSdkConfig { signal: MARGINAL_DIRECT })),
            zone_as("IE", "northeurope"),
        ),
        (Box::new(exporter(ExporterRoute::Page)), zone("GB")),
        (Box::new(exporter(ExporterRoute::Prometheus)), zone("GB")),
        (Box::new(PrometheusQuery::new(&query)), zone("DE")),
    ]
}

const PURPOSES: [Purpose; 4] = [Purpose::Latest, Purpose::History, Purpose::Backfill, Purpose::Forecast];

/// Reads `body` in every way; whatever comes out is in order.
fn read_by_all(status: u16, body: &[u8]) -> Result<(), TestCaseError> {
    for (provider, zone) in all() {
        for purpose in PURPOSES {
            let question = question(provider.as_ref(), &zone, purpose, now());
            if let Ok(answer) = provider.read(&question, status, body, now()) {
                for series in &answer.series {
                    prop_assert_eq!(series.zone(), &zone.zone);
                    prop_assert!(series.slots().iter().all(|slot| (0.0..=5_000.0).contains(&slot.value.get())));
                }
            }
        }
        let _ = provider.read_login(status, body, now());
    }
    Ok(())
}

/// Recorded answers with a few bytes replaced, or cut.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let files = [
        "electricitymaps_latest.json",
        "electricitymaps_history.json",
        "watttime_forecast.json",
        "uk_regional.json",
        "entsoe_a75_mixed.xml",
        "eia_fuel_type_data.json",
        "casdk_forecasts_current.json",
        "grid_intensity_metrics.prom",
        "prometheus_query.json",
    ];
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(files.to_vec()), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(file, changes, end, cut)| {
            let mut body = sample(file);
            for (place, byte) in changes {
                let place = place.index(body.len());
                body[place] = byte;
            }
            if cut {
                body.truncate(end.index(body.len()));
            }
            body
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_a_reader_panic(body in any::<Vec<u8>>(), status in prop::sample::select(vec![200u16, 400, 401, 500])) {
        read_by_all(status, &body)?;
    }

    #[test]
    fn no_damaged_answer_makes_a_reader_panic(body in damaged()) {
        read_by_all(200, &body)?;
    }

    #[test]
    fn whatever_number_comes_only_an_intensity_is_taken(number in prop_oneof![any::<f64>().prop_map(|n| n.to_string()),
        Just("1e999".to_owned()), Just("-0.0".to_owned()), Just("null".to_owned()), Just("\"NaN\"".to_owned())]) {
        let body = format!(r#"{{"zone": "DE", "carbonIntensity": {number}, "datetime": "2026-01-31T12:00:00Z", "data": [],
            "status": "success", "response": {{"data": []}}}}"#);
        read_by_all(200, body.as_bytes())?;
    }

    #[test]
    fn whatever_time_comes_no_value_lies_far_ahead(seconds in -377_705_116_800i64..253_402_207_200) {
        let time = Timestamp::from_second(seconds).unwrap();
        let body = format!(r#"{{"zone": "DE", "carbonIntensity": 300, "datetime": "{time}"}}"#);
        let (provider, zone) = all().remove(0);
        if let Ok(answer) = read(provider.as_ref(), &zone, Purpose::Latest, body, now()) {
            prop_assert!(answer.series[0].slots()[0].start <= at("2026-01-31T14:00:00Z"));
        }
    }
}
