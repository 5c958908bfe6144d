//! A file with intensities that programs watch, as a mounted `ConfigMap` would be.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

/// How far back values begin that hold now.
const HOUR: Duration = Duration::from_hours(1);

/// The file. It stays when this value is dropped.
#[derive(Debug, Clone)]
pub struct GridFile {
    path: PathBuf,
}

impl GridFile {
    /// Writes `FOLDER/NAME.csv` with one value in gCO2e/kWh for each zone, for all of today.
    pub fn create(folder: &Path, name: &str, zones: &[(&str, f64)]) -> io::Result<Self> {
        let file = Self { path: folder.join(format!("{name}.csv")) };
        file.set(zones)?;
        Ok(file)
    }

    /// Replaces all values, the way a mounted `ConfigMap` or an editor does: by another file under the same name.
    pub fn set(&self, zones: &[(&str, f64)]) -> io::Result<()> {
        let hour_ago = Timestamp::now() - HOUR;
        self.write(zones.iter().map(|&(zone, value)| (zone, value, hour_ago)))
    }

    /// As [`Self::set`], with the start of each value's slot; slots last a day.
    pub fn write<'z>(&self, rows: impl IntoIterator<Item = (&'z str, f64, Timestamp)>) -> io::Result<()> {
        let mut text = "zone,start,duration,value\n".to_owned();
        for (zone, value, start) in rows {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{zone},{start},24h,{value}");
        }
        let fresh = self.path.with_extension("new");
        std::fs::write(&fresh, text)?;
        std::fs::rename(&fresh, &self.path)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key `grid` of a configuration, as it would be shipped.
    pub fn config(&self) -> String {
        format!("grid:\n  files:\n    - path: {}\n", self.path.display())
    }

    /// The same, looked at as often as the configuration allows.
    pub fn quick_config(&self) -> String {
        format!("grid:\n  pollInterval: 100ms\n  files:\n    - path: {}\n", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = GridFile::create(folder.path(), "grid", &[("DE", 400.0)]).unwrap();
        file.write([("FR", 45.5, Timestamp::UNIX_EPOCH)]).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "zone,start,duration,value\nFR,1970-01-01T00:00:00Z,24h,45.5\n");
        assert!(file.quick_config().contains("pollInterval: 100ms"));
    }
}
