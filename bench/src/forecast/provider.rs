//! A provider's forecasts, good and poor, beside our own.

use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use sci_core::{
    forecast::{Forecast, Forecaster, Method},
    intensity::{Quality, Signal},
    quantity::GramsPerKwh,
};

use super::{
    score::{Coverage, HOURS, Score, mean},
    trace::{Trace, tables},
};
use crate::figure::{Figure, Goal};

/// Hours at the start of a table that teach and are not reported.
const WARM_UP_HOURS: usize = 35 * 24;
/// The zone of the tables; any name would do.
const ZONE: &str = "US-CAL-CISO";

/// What is compared; none is the method chosen online.
const CONTENDERS: [Option<Method>; 4] =
    [Some(Method::Persistence), Some(Method::AnchoredProfile), Some(Method::Provider), None];

#[derive(Debug, Clone, Copy, Default)]
struct Row {
    score: Score,
    coverage: Coverage,
    by_provider: f64,
    hours: f64,
}

/// One block of rows per table.
///
/// # Errors
/// When a table cannot be read.
pub fn figures(folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for file in tables(folder)? {
        let name = file.file_name().context("no name")?.to_string_lossy().replace(".csv.gz", "");
        let pieces = Trace::read_pieces(ZONE, &file)?;
        let rows = table(&pieces).with_context(|| name.clone())?;
        for (contender, row) in CONTENDERS.iter().zip(rows) {
            figures.extend(row_figures(&name, *contender, &row));
        }
        figures.extend(claimed(&name, &pieces));
    }
    Ok(figures)
}

/// All pieces to one forecaster, which bridges what is missing between them.
fn table(pieces: &[Trace]) -> anyhow::Result<[Row; CONTENDERS.len()]> {
    let first = pieces.first().context("no rows")?;
    let mut forecaster = Forecaster::new(first.zone.clone(), Signal::default());
    let mut rows = [Row::default(); CONTENDERS.len()];
    let report_from = first.hour(WARM_UP_HOURS);
    for piece in pieces {
        for at in 0..piece.actual.len().saturating_sub(HOURS) {
            let now = feed(&mut forecaster, piece, at)?;
            let speaks = forecaster.forecast_by(Method::Provider, now, HOURS).is_ok();
            if piece.hour(at) < report_from || !speaks {
                continue;
            }
            let truth = piece.actual.get(at + 1..=at + HOURS).context("no day")?;
            for (contender, row) in CONTENDERS.iter().zip(&mut rows) {
                row.add(&forecast(&forecaster, *contender, now)?, truth);
            }
        }
    }
    Ok(rows)
}

/// One hour that came. At midnight the provider speaks of the day that begins.
fn feed(forecaster: &mut Forecaster, piece: &Trace, at: usize) -> anyhow::Result<Timestamp> {
    let now = piece.hour(at + 1).start();
    if piece.hour(at + 1).of_day() == 0 {
        let said = piece.forecast.get(at + 1..=at + HOURS).context("no forecast")?;
        forecaster.provide(&piece.series(at + 1, said, Quality::Forecast)?, now)?;
    }
    let known = piece.actual.get(at..=at).context("no hour")?;
    forecaster.observe(&piece.series(at, known, Quality::Measured)?, now)?;
    Ok(now)
}

fn forecast(forecaster: &Forecaster, contender: Option<Method>, now: Timestamp) -> anyhow::Result<Forecast> {
    Ok(match contender {
        Some(method) => forecaster.forecast_by(method, now, HOURS)?,
        None => forecaster.forecast(now, HOURS)?,
    })
}

impl Row {
    fn add(&mut self, forecast: &Forecast, truth: &[GramsPerKwh]) {
        let predicted: Vec<_> = forecast.points.iter().map(|point| point.value).collect();
        self.score.add(&predicted, truth);
        self.coverage.add(forecast, truth);
        self.hours += 1.0;
        self.by_provider += f64::from(u8::from(forecast.method == Method::Provider));
    }
}

fn row_figures(table: &str, contender: Option<Method>, row: &Row) -> Vec<Figure> {
    let name = contender.map_or("chosen online", Method::as_str);
    let text = |what: &str| format!("{table}, {name}: {what}");
    let [captured_1, captured_4] = row.score.captured();
    let mut figures = vec![
        Figure::new(text("MAPE 24 h ahead"), row.score.percent(), "%"),
        Figure::new(text("share of the oracle's saving, 1 h job"), captured_1, "%"),
        Figure::new(text("share of the oracle's saving, 4 h job"), captured_4, "%"),
        Figure::new(text("truth within 90 % bounds"), row.coverage.percent(), "%").goal(Goal::Within(88.0, 92.0)),
    ];
    if contender.is_none() {
        figures.push(Figure::new(text("hours by the provider"), 100.0 * row.by_provider / row.hours, "%"));
    }
    figures
}

/// How often the truth lay within what the provider itself called its 90 % bounds.
fn claimed(table: &str, pieces: &[Trace]) -> Option<Figure> {
    let held: Vec<_> = pieces
        .iter()
        .flat_map(|piece| piece.claimed.iter().zip(&piece.actual))
        .map(|(bounds, actual)| 100.0 * f64::from(u8::from(bounds.contains(&actual.get()))))
        .collect();
    let figure =
        || Figure::new(format!("{table}, provider: truth within its own 90 % bounds"), mean(held.iter().copied()), "%");
    (!held.is_empty()).then(figure)
}
