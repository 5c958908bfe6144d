//! Answers of grid APIs. The first two bytes choose provider and purpose.
#![no_main]

use jiff::Timestamp;
use kube_sci_signals::{
    config::{QualityConfig, ScopeConfig, SignalConfig, SignalKindConfig, TextDuration},
    grid::providers::{
        CarbonAwareSdk, CarbonAwareSdkConfig, Eia, EiaConfig, ElectricityMaps, ElectricityMapsConfig, EntsoE,
        EntsoEConfig, ExporterRoute, GridIntensityExporter, GridIntensityExporterConfig, PlannedRequest,
        PrometheusQuery, PrometheusQueryConfig, Provider, Purpose, UkCarbonIntensity, UkCarbonIntensityConfig, UnitConfig, WattTime, WattTimeConfig, ZoneRequest,
    },
};
use libfuzzer_sys::fuzz_target;
use sci_core::intensity::Zone;

fn provider(choice: u8) -> (Box<dyn Provider>, &'static str) {
    let marginal = SignalConfig { kind: SignalKindConfig::Marginal, scope: ScopeConfig::Direct };
    let exporter = |route| {
        let config = GridIntensityExporterConfig { route, ..GridIntensityExporterConfig::default() };
        Box::new(GridIntensityExporter::new(&config))
    };
    match choice % 9 {
        0 => (Box::new(ElectricityMaps::new(&ElectricityMapsConfig::default())), "DE"),
        1 => (Box::new(WattTime::new(&WattTimeConfig::default())), "CAISO_NORTH"),
        2 => (Box::new(UkCarbonIntensity::new(&UkCarbonIntensityConfig::default())), "13"),
        3 => (Box::new(EntsoE::new(&EntsoEConfig::default())), "10Y1001A1001A83F"),
        4 => (Box::new(Eia::new(&EiaConfig::default())), "PJM"),
        5 => (Box::new(CarbonAwareSdk::new(&CarbonAwareSdkConfig { signal: marginal })), "northeurope"),
        6 => (exporter(ExporterRoute::Page), "GBR"),
        7 => (exporter(ExporterRoute::Prometheus), "GBR"),
        _ => (Box::new(PrometheusQuery::new(&query())), "DE"),
    }
}

/// In a unit that has to be converted.
fn query() -> PrometheusQueryConfig {
    PrometheusQueryConfig {
        query: "grid_co2".to_owned(),
        zone_label: "zone".to_owned(),
        unit: UnitConfig::KilogramsPerMwh,
        signal: SignalConfig::default(),
        quality: QualityConfig::Measured,
        slot: TextDuration::from_secs(900),
    }
}

fuzz_target!(|content: &[u8]| {
    let [choice, purpose, body @ ..] = content else { return };
    let (provider, id) = provider(*choice);
    let Ok(zone) = Zone::new("DE") else { return };
    let zone = ZoneRequest { id: Some(id.into()), forecast: true, ..ZoneRequest::new(zone) };
    let now = Timestamp::UNIX_EPOCH;
    let purpose = Purpose::ALL[usize::from(*purpose) % Purpose::ALL.len()];
    for planned in provider.plan(&[zone], now).into_iter().take(1) {
        let question = PlannedRequest { purpose, ..planned };
        if let Ok(answer) = provider.read(&question, 200, body, now) {
            for slot in answer.series.iter().flat_map(|series| series.slots()) {
                assert!((0.0..=5_000.0).contains(&slot.value.get()));
            }
        }
    }
    let _ = provider.read_login(200, body, now);
});
