//! The grid API server, and our own readers on it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails is to fail the test that called it; clippy.toml only covers the tests themselves"
)]

mod faults;
mod fetched;

use std::time::Duration;

use jiff::Timestamp;
use kube_sci_e2e::grid_api::{Api, Curve, GridApi, GridApiOptions};
use kube_sci_signals::config::GridConfig;
use kube_sci_signals::grid::{self, Answer, DemandedZone, IntensitySource, SourceError, ZoneDemand};
use sci_core::intensity::{Quality, Series, Zone};
use tempfile::TempDir;

/// Zones of the table; every API knows at least one of them.
const ZONES: [&str; 5] = ["DE", "GB", "IE", "US-CAL-CISO", "US-MIDA-PJM"];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A server whose clock stands still, with a day and a night in every zone.
async fn grid(https: bool) -> GridApi {
    let options = GridApiOptions { now: at("2026-01-31T12:10:00Z"), speed: 0, https };
    let grid = GridApi::start(options).await.expect("a server");
    for (hour, zone) in (0_u8..).zip(ZONES) {
        grid.set_curve(zone, Curve { mean: 350.0, swing: 120.0, peak_hour: f64::from(hour) });
    }
    grid.name(Api::WattTime, "CAISO_NORTH", "US-CAL-CISO");
    grid.name(Api::EntsoE, "10Y1001A1001A83F", "DE");
    grid.name(Api::Eia, "PJM", "US-MIDA-PJM");
    grid.name(Api::CarbonAwareSdk, "northeurope", "IE");
    grid.name(Api::Uk, "13", "GB");
    grid
}

/// Every API with its part of the configuration, a zone, and the signal of its values.
fn apis() -> [(Api, &'static str, &'static str, &'static str); 9] {
    let sdk = "carbonAwareSdk: { signal: { kind: marginal, scope: direct } }\n  zoneIds: { IE: northeurope }";
    [
        (Api::ElectricityMaps, "electricityMaps: {}", "DE", "average lifecycle"),
        (Api::ElectricityMaps, "electricityMaps: { api: v4 }", "DE", "average lifecycle"),
        (Api::WattTime, "wattTime: {}\n  zoneIds: { US-CAL-CISO: CAISO_NORTH }", "US-CAL-CISO", "marginal direct"),
        (Api::Uk, "ukCarbonIntensity: {}", "GB", "average direct"),
        (Api::EntsoE, "entsoE: {}", "DE", "average lifecycle"),
        (Api::Eia, "eia: {}", "US-MIDA-PJM", "average lifecycle"),
        (Api::CarbonAwareSdk, sdk, "IE", "marginal direct"),
        (Api::Exporter, "gridIntensityExporter: {}", "GB", "average lifecycle"),
        (Api::Prometheus, "prometheus: { query: grid_intensity }", "GB", "average lifecycle"),
    ]
}

/// Files with secrets.
fn secrets(token: &str, password: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), token).unwrap();
    std::fs::write(folder.path().join("password"), password).unwrap();
    folder
}

/// One source for one zone.
fn source(grid: &GridApi, api: Api, part: &str, zone: &str, secrets: &TempDir) -> Box<dyn IntensitySource> {
    let file = |name: &str| secrets.path().join(name).display().to_string();
    let credentials = match api {
        Api::WattTime => format!("  basicAuth: {{ username: green, passwordFile: {} }}\n", file("password")),
        Api::ElectricityMaps | Api::EntsoE | Api::Eia => format!("  tokenFile: {}\n", file("token")),
        _ => String::new(),
    };
    let ca = grid.ca_file().map(|ca| format!(", caFile: {}", ca.display())).unwrap_or_default();
    let yaml =
        format!("sources:\n- name: played\n  http: {{ url: \"{}\"{ca} }}\n{credentials}  {part}\n", grid.url(api));
    let config: GridConfig = serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    config.validate().unwrap();
    let demand = ZoneDemand::default();
    demand.set([DemandedZone::new(Zone::new(zone).unwrap())]);
    grid::sources(&config, &demand, &grid::LearnedHistory::default(), None).unwrap().remove(0)
}

/// Asks until all that is due has been asked; everything that was said on the way, the past is said once only.
async fn poll(source: &mut dyn IntensitySource, grid: &GridApi) -> Result<Answer, SourceError> {
    let mut all = Answer::default();
    for _ in 0..20 {
        let Some(answer) = source.poll(grid.now()).await? else { return Ok(all) };
        all.series.extend(answer.series);
        all.refused_rows += answer.refused_rows;
        all.unanswered.extend(answer.unanswered);
    }
    panic!("the source does not come to rest");
}

/// How far the worst value of an answer is from the table, in g/kWh.
fn worst(grid: &GridApi, series: &[Series]) -> f64 {
    let slots = series.iter().flat_map(|series| series.slots().iter().map(move |slot| (series, slot)));
    slots
        .map(|(series, slot)| {
            let exact = grid.value(series.zone().as_str(), slot.start).unwrap();
            (slot.value.get() - exact).abs()
        })
        .fold(0.0, f64::max)
}

fn has(series: &[Series], quality: Quality) -> bool {
    series.iter().any(|series| series.quality() == quality)
}

fn span(series: &[Series]) -> Duration {
    let slots = || series.iter().flat_map(Series::slots);
    let (first, last) = (slots().map(|slot| slot.start).min(), slots().map(sci_core::intensity::Slot::end).max());
    first.zip(last).and_then(|(first, last)| last.duration_since(first).try_into().ok()).unwrap_or_default()
}
