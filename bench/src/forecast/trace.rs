//! Compressed tables of hourly values.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use flate2::read::GzDecoder;
use jiff::Timestamp;
use sci_core::{
    forecast::Hour,
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
};

/// Hours of one zone, none missing.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Where.
    pub zone: Zone,
    /// The first hour.
    pub first: Hour,
    /// What happened, by hour.
    pub actual: Vec<GramsPerKwh>,
    /// What a provider had said, by hour; empty where the table has no such column.
    pub forecast: Vec<GramsPerKwh>,
    /// Where the provider had said the truth would lie nine times of ten; empty where the table has no such columns.
    pub claimed: Vec<RangeInclusive<f64>>,
}

impl Trace {
    /// The years of a zone, one after the other.
    ///
    /// # Errors
    /// When a file cannot be read or hours are missing.
    pub fn read_zone(folder: &Path, zone: &str, years: &[i16]) -> anyhow::Result<Self> {
        let mut pieces = Vec::new();
        for year in years {
            append(&mut pieces, zone, &folder.join(zone).join(format!("{year}.csv.gz")))?;
        }
        ensure!(pieces.len() <= 1, "hours of {zone} are missing");
        pieces.pop().with_context(|| format!("{zone} has no rows"))
    }

    /// One table, cut where hours are missing.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_pieces(zone: &str, file: &Path) -> anyhow::Result<Vec<Self>> {
        let mut pieces = Vec::new();
        append(&mut pieces, zone, file)?;
        Ok(pieces)
    }

    /// The hour at a position.
    pub fn hour(&self, at: usize) -> Hour {
        self.first.plus(i64::try_from(at).unwrap_or(i64::MAX))
    }

    /// Where an instant is; the end where it lies behind.
    pub fn position(&self, instant: Timestamp) -> usize {
        let ahead = Hour::containing(instant).since(self.first);
        usize::try_from(ahead).unwrap_or(0).min(self.actual.len())
    }

    /// Hours from `at` on as a series.
    ///
    /// # Errors
    /// When there is none.
    pub fn series(&self, at: usize, values: &[GramsPerKwh], quality: Quality) -> anyhow::Result<Series> {
        let slots = (at..).zip(values).map(|(at, value)| slot(self.hour(at), *value)).collect();
        Ok(Series::new(self.zone.clone(), Signal::default(), quality, "trace", slots)?)
    }
}

fn slot(hour: Hour, value: GramsPerKwh) -> Slot {
    Slot { start: hour.start(), duration: Duration::from_hours(1), value }
}

/// Adds rows to the last piece, or to a new one where they do not follow it.
fn append(pieces: &mut Vec<Trace>, zone: &str, file: &Path) -> anyhow::Result<()> {
    let opened = File::open(file).with_context(|| format!("open {}", file.display()))?;
    for line in BufReader::new(GzDecoder::new(opened)).lines().skip(1) {
        let line = line.with_context(|| format!("read {}", file.display()))?;
        append_row(pieces, zone, &line).with_context(|| format!("{}: {line}", file.display()))?;
    }
    Ok(())
}

fn append_row(pieces: &mut Vec<Trace>, zone: &str, row: &str) -> anyhow::Result<()> {
    let mut fields = row.split(',');
    let start: Timestamp = fields.next().context("a row without timestamp")?.parse()?;
    let value = |text: &str| anyhow::Ok(GramsPerKwh::new(text.parse()?)?);
    let actual = value(fields.next().context("a row without value")?)?;
    let hour = Hour::containing(start);
    if pieces.last().is_none_or(|piece| piece.hour(piece.actual.len()) != hour) {
        pieces.push(Trace {
            zone: Zone::new(zone)?,
            first: hour,
            actual: Vec::new(),
            forecast: Vec::new(),
            claimed: Vec::new(),
        });
    }
    if let Some(piece) = pieces.last_mut() {
        piece.actual.push(actual);
        piece.forecast.extend(fields.next().map(value).transpose()?);
        if let (Some(lower), Some(upper)) = (fields.next(), fields.next()) {
            piece.claimed.push(lower.parse()?..=upper.parse()?);
        }
    }
    Ok(())
}

/// Files of a folder whose names end alike, by name.
///
/// # Errors
/// When the folder cannot be listed.
pub fn tables(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    files.retain(|file| file.to_string_lossy().ends_with(".csv.gz"));
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn write(file: &Path, text: &str) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut encoder = GzEncoder::new(File::create(file).unwrap(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
    }

    #[test]
    fn years_join_and_holes_cut() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("XX/2021.csv.gz"), "timestamp,g\n2021-12-31T22:00:00Z,1\n2021-12-31T23:00:00Z,2\n");
        write(&folder.path().join("XX/2022.csv.gz"), "timestamp,g\n2022-01-01T00:00:00Z,3\n");
        let trace = Trace::read_zone(folder.path(), "XX", &[2021, 2022]).unwrap();
        assert_eq!(trace.actual.iter().map(|value| value.get()).sum::<f64>().to_string(), "6");
        assert_eq!(trace.position("2022-01-01T00:30:00Z".parse().unwrap()), 2);

        let file = folder.path().join("said.csv.gz");
        write(&file, "t,actual,forecast,lo,hi\n2022-01-01T00:00:00Z,1,2,-1,3\n2022-01-01T02:00:00Z,1,2,0,3\n");
        let pieces = Trace::read_pieces("XX", &file).unwrap();
        assert_eq!(pieces.iter().map(|piece| piece.claimed.len()).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(tables(folder.path()).unwrap(), [file]);
        assert!(Trace::read_zone(folder.path(), "XX", &[2020]).is_err());
    }
}
