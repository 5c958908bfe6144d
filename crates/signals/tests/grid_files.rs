//! Files of intensities that are replaced, broken and repaired while they are watched.

use std::{fs, os::unix::fs::symlink, path::Path};

use jiff::Timestamp;
use kube_sci_signals::{
    config::{FileSourceConfig, GridConfig, QualityConfig},
    grid::{Answer, FileSource, IntensitySource, SourceError},
};

fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn source(path: &Path) -> FileSource {
    let file = FileSourceConfig { path: path.to_owned(), zone: None, signal: None, quality: QualityConfig::Measured };
    FileSource::new(&file, &GridConfig::default())
}

fn csv(value: u32) -> String {
    format!("zone,start,value\nDE,2026-01-31T12:00:00Z,{value}\n")
}

fn value(answer: Option<Answer>) -> f64 {
    answer.unwrap().series[0].reading_at(noon()).unwrap().value.get()
}

#[tokio::test]
async fn a_file_speaks_when_its_content_changes_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.csv");
    fs::write(&path, csv(100)).unwrap();
    let mut source = source(&path);
    assert_eq!(value(source.poll(noon()).await.unwrap()), 100.0);
    assert_eq!(source.poll(noon()).await.unwrap(), None);
    fs::write(&path, csv(100)).unwrap();
    assert_eq!(source.poll(noon()).await.unwrap(), None, "written again, not changed");
    fs::write(&path, csv(200)).unwrap();
    assert_eq!(value(source.poll(noon()).await.unwrap()), 200.0);
}

#[tokio::test]
async fn what_lies_too_far_ahead_is_read_when_its_time_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.csv");
    fs::write(&path, csv(100) + "DE,2026-01-31T18:00:00Z,200\n").unwrap();
    let mut source = source(&path);
    let early = source.poll(noon()).await.unwrap().unwrap();
    assert_eq!((early.refused_rows, early.early_rows), (1, 1));
    let mut now = noon();
    let mut heard = Vec::new();
    for _ in 0..6 * 60 {
        now += std::time::Duration::from_mins(1);
        heard.extend(source.poll(now).await.unwrap().map(|answer| (now, answer.refused_rows)));
    }
    let (last, refused) = *heard.last().unwrap();
    assert_eq!((last, refused), ("2026-01-31T16:00:00Z".parse().unwrap(), 0), "{heard:?}");
    assert_eq!(heard.len(), 4, "once an hour, and not at all once nothing waits");
}

#[tokio::test]
async fn a_mounted_config_map_is_followed_through_its_link() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, intensity) in [("v1", 100), ("v2", 200)] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("grid.csv"), csv(intensity)).unwrap();
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/grid.csv", at("grid.csv")).unwrap();
    let mut source = source(&at("grid.csv"));
    assert_eq!(value(source.poll(noon()).await.unwrap()), 100.0);
    symlink("v2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    assert_eq!(value(source.poll(noon()).await.unwrap()), 200.0);
}

#[tokio::test]
async fn a_broken_file_is_named_with_its_line_until_it_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.json");
    fs::write(&path, "[\n{\"zone\":").unwrap();
    let mut source = source(&path);
    for look in ["first", "second"] {
        let error = source.poll(noon()).await.unwrap_err();
        assert!(matches!(error, SourceError::Malformed { line: 2, .. }), "{look}: {error}");
    }
    let slot = "{\"start\":\"2026-01-31T12:00:00Z\",\"durationSeconds\":3600,\"value\":50}";
    fs::write(&path, format!("[{{\"zone\":\"DE\",\"slots\":[{slot}]}}]")).unwrap();
    assert_eq!(value(source.poll(noon()).await.unwrap()), 50.0);
}

#[tokio::test]
async fn a_file_that_is_missing_may_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.csv");
    let mut source = source(&path);
    assert!(matches!(source.poll(noon()).await, Err(SourceError::Read { .. })));
    fs::write(&path, csv(100)).unwrap();
    assert_eq!(value(source.poll(noon()).await.unwrap()), 100.0);
    fs::remove_file(&path).unwrap();
    assert!(source.poll(noon()).await.is_err());
    fs::write(&path, csv(100)).unwrap();
    assert_eq!(value(source.poll(noon()).await.unwrap()), 100.0, "back with the same content");
}

#[tokio::test]
async fn a_huge_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.csv");
    fs::File::create(&path).unwrap().set_len(33 << 20).unwrap();
    assert!(matches!(source(&path).poll(noon()).await, Err(SourceError::TooLarge { .. })));
}
