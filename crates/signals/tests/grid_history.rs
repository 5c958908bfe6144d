//! What was learned survives a restart; a broken file does no harm.

use std::{fs, time::Duration};

use jiff::Timestamp;
use kube_sci_signals::{
    config::GridConfig,
    grid::{ChainLink, Grid, HistoryFile, IntensitySource},
};
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
};

const HOUR: Duration = Duration::from_hours(1);

fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn week() -> Series {
    let start = noon() - HOUR * 24 * 7;
    let slot = |hour: u32| Slot {
        start: start + HOUR * hour,
        duration: HOUR,
        value: GramsPerKwh::new(f64::from(100 + hour % 24)).unwrap(),
    };
    let zone = Zone::new("HQ").unwrap();
    Series::new(zone, Signal::default(), Quality::Measured, "api", (0..24 * 7).map(slot).collect()).unwrap()
}

#[tokio::test]
async fn a_restart_does_not_forget() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.json");
    let zone = Zone::new("HQ").unwrap();
    let mut grid = Grid::new(&GridConfig::default());
    grid.place(&zone, noon());
    grid.replace(0, vec![week()], noon());
    let mut file = HistoryFile::new(&path, grid.learned().clone());
    assert_eq!(file.poll(noon()).await.unwrap(), None, "there is none yet");
    assert_eq!(file.poll(noon()).await.unwrap(), None);
    let written = fs::read_to_string(&path).unwrap();
    assert!(!folder.path().join("history.tmp").exists());

    let later = noon() + 2 * HOUR;
    let mut grid = Grid::new(&GridConfig::default());
    let (_, index) = grid.place(&zone, later);
    let mut file = HistoryFile::new(&path, grid.learned().clone());
    let answer = file.poll(later).await.unwrap().unwrap();
    grid.replace(0, answer.series, later);
    grid.evaluate(later);
    let state = grid.table().get(index.unwrap()).unwrap();
    assert_eq!(state.link(), ChainLink::Forecast);
    let forecast = state.forecast.as_ref().unwrap();
    assert_eq!((forecast.known_hours, &*forecast.learned_from), (24 * 7, "history"));
    file.poll(later).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), written, "what was read is what was written");
}

#[tokio::test]
async fn a_broken_file_is_ignored_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.json");
    fs::write(&path, "[{\"zone\": \"HQ\", \"slots\": [{\"start\"").unwrap();
    let mut grid = Grid::new(&GridConfig::default());
    grid.place(&Zone::new("HQ").unwrap(), noon());
    let mut file = HistoryFile::new(&path, grid.learned().clone());
    assert_eq!(file.poll(noon()).await.unwrap(), None);
    grid.replace(0, vec![week()], noon());
    file.poll(noon()).await.unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("[{"));
    let mut again = HistoryFile::new(&path, grid.learned().clone());
    assert_eq!(again.poll(noon()).await.unwrap().unwrap().series[0].slots().len(), 24 * 7);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("history.json");
    let mut grid = Grid::new(&GridConfig::default());
    grid.place(&Zone::new("HQ").unwrap(), noon());
    grid.replace(0, vec![week()], noon());
    let mut file = HistoryFile::new(&path, grid.learned().clone());
    file.poll(noon()).await.unwrap();
    let error = file.poll(noon()).await.unwrap_err().to_string();
    assert!(error.starts_with("write ") && error.ends_with("entity not found"), "{error}");
}
