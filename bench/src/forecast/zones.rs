//! Our methods on the zones and years that the goals speak of.

use std::{hint::black_box, path::Path, time::Instant};

use anyhow::Context as _;
use jiff::{Timestamp, civil::date, tz::TimeZone};
use sci_core::{
    forecast::{AnchoredProfile, Forecaster, Hour, HourlyHistory, Method, persistence},
    intensity::{Quality, Signal},
    quantity::{GramsPerKwh, Share},
};

use super::{
    score::{Coverage, HOURS, Score, mean, median},
    trace::Trace,
};
use crate::figure::{Figure, Goal};

/// Flat and steep ones, solar, wind, water and coal.
const ZONES: [&str; 14] = [
    "AU-NSW",
    "BR",
    "BR-CS",
    "CA-ON",
    "DE",
    "ES",
    "GB",
    "IN-WE",
    "JP-TK",
    "SG",
    "US-CAL-CISO",
    "US-MIDA-PJM",
    "US-TEX-ERCO",
    "ZA",
];
/// The years reported.
const YEARS: [i16; 2] = [2022, 2023];
/// The year before them, from which the past of the first day comes.
const WARM_UP_YEAR: i16 = 2021;

/// What is compared.
const CONTENDERS: [&str; 6] = [
    "last value",
    "persistence 24 h",
    "7 d profile",
    "7 d profile + last deviation x 0.93^h",
    "anchored profile",
    PRODUCT,
];
/// The one that is shipped: whatever the scoreboard chooses.
const PRODUCT: &str = "chosen online";

/// One zone in one year.
#[derive(Debug, Clone, Copy, Default)]
struct ZoneYear {
    scores: [Score; CONTENDERS.len()],
    coverage: Coverage,
    /// Hours in which another method than the anchored profile was followed.
    replaced: f64,
    hours: f64,
}

/// The table over all zones and years.
///
/// # Errors
/// When a trace is missing.
pub fn figures(hourly: &Path) -> anyhow::Result<Vec<Figure>> {
    let started = Instant::now();
    let mut rows = Vec::new();
    for zone in ZONES {
        let years = [&[WARM_UP_YEAR], YEARS.as_slice()].concat();
        let trace = Trace::read_zone(hourly, zone, &years)?;
        rows.push(YEARS.iter().map(|year| zone_year(&trace, *year)).collect::<anyhow::Result<Vec<_>>>()?);
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut figures = Vec::new();
    for contender in 0..CONTENDERS.len() {
        figures.extend(contender_figures(contender, &rows.concat())?);
    }
    figures.extend(coverage_figures(&rows));
    figures.push(Figure::new("14 zones, 2 years, 6 contenders: time", seconds, "s"));
    figures.extend(time_figures(hourly)?);
    Ok(figures)
}

/// One forecaster that is full, at work.
fn time_figures(hourly: &Path) -> anyhow::Result<Vec<Figure>> {
    const ROUNDS: u16 = 2_000;
    let trace = Trace::read_zone(hourly, ZONES.first().context("no zone")?, &[WARM_UP_YEAR])?;
    let mut forecaster = Forecaster::new(trace.zone.clone(), Signal::default());
    let microseconds = |started: Instant| started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);

    let started = Instant::now();
    for at in 0..usize::from(ROUNDS) {
        let known = trace.actual.get(at..=at).context("no hour")?;
        forecaster.observe(&trace.series(at, known, Quality::Measured)?, trace.hour(at + 1).start())?;
    }
    let observed = microseconds(started);
    let now = trace.hour(usize::from(ROUNDS)).start();
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(forecaster.forecast(black_box(now), 72)?);
    }
    Ok(vec![
        Figure::new("one hour learned, scored and forecast by all methods: time", observed, "µs"),
        Figure::new("forecast of 72 hours with bounds: time", microseconds(started), "µs"),
    ])
}

/// Every hour of the year as the moment of a forecast whose 24 hours end within the year.
fn zone_year(trace: &Trace, year: i16) -> anyhow::Result<ZoneYear> {
    let (begin, end) = (trace.position(new_year(year)?), trace.position(new_year(year + 1)?));
    let mut forecaster = Forecaster::new(trace.zone.clone(), Signal::default());
    let warm_up = begin.saturating_sub(HourlyHistory::CAPACITY);
    let past = trace.actual.get(warm_up..begin).context("no past")?;
    forecaster.observe(&trace.series(warm_up, past, Quality::Measured)?, trace.hour(begin).start())?;

    let mut row = ZoneYear::default();
    for at in begin..end - HOURS {
        let known = trace.actual.get(at..=at).context("no hour")?;
        let now = trace.hour(at + 1).start();
        forecaster.observe(&trace.series(at, known, Quality::Measured)?, now)?;
        let truth = trace.actual.get(at + 1..=at + HOURS).context("no day")?;
        row.add(&forecaster, now, truth)?;
    }
    Ok(row)
}

impl ZoneYear {
    fn add(&mut self, forecaster: &Forecaster, now: Timestamp, truth: &[GramsPerKwh]) -> anyhow::Result<()> {
        let history = forecaster.history();
        let first = Hour::containing(now);
        let (_, last) = history.last().context("no history")?;
        let chosen = forecaster.forecast(now, HOURS)?;
        self.coverage.add(&chosen, truth);
        self.hours += 1.0;
        self.replaced += f64::from(u8::from(chosen.method != Method::AnchoredProfile));
        let predicted = [
            vec![last; HOURS],
            persistence(history, first, HOURS)?,
            AnchoredProfile::week(Share::NONE).predict(history, first, HOURS)?,
            AnchoredProfile::week(Share::new(0.93)?).predict(history, first, HOURS)?,
            AnchoredProfile::default().predict(history, first, HOURS)?,
            chosen.points.iter().map(|point| point.value).collect(),
        ];
        for (score, predicted) in self.scores.iter_mut().zip(&predicted) {
            score.add(predicted, truth);
        }
        Ok(())
    }
}

fn contender_figures(contender: usize, rows: &[ZoneYear]) -> anyhow::Result<Vec<Figure>> {
    let name = CONTENDERS.get(contender).context("no such contender")?;
    let over = |value: &dyn Fn(&Score) -> f64| {
        let of = |at: usize| mean(rows.iter().filter_map(|row| row.scores.get(at)).map(value));
        (of(contender), of(1))
    };
    let figure = |what: &str, unit, (value, peer): (f64, f64), goal| {
        let figure = Figure::new(format!("{name}: {what}"), value, unit).beside("persistence 24 h", peer);
        if *name == PRODUCT { goal_of(figure, goal) } else { figure }
    };
    let middle = median(rows.iter().filter_map(|row| row.scores.get(contender)).map(Score::percent));
    Ok(vec![
        figure("MAPE 24 h ahead, mean", "%", over(&Score::percent), Some(Goal::AtMost(10.1))),
        Figure::new(format!("{name}: MAPE 24 h ahead, median"), middle, "%"),
        figure("MAPE 1 h ahead", "%", over(&Score::percent_first), None),
        figure("MAE 24 h ahead", "gCO2e/kWh", over(&Score::error), None),
        figure("share of the oracle's saving, 1 h job", "%", over(&|s| first(s.captured())), Some(Goal::AtLeast(81.0))),
        figure(
            "share of the oracle's saving, 4 h job",
            "%",
            over(&|s| second(s.captured())),
            Some(Goal::AtLeast(85.0)),
        ),
    ])
}

fn coverage_figures(rows: &[Vec<ZoneYear>]) -> Vec<Figure> {
    let zones: Vec<_> = rows.iter().map(|years| mean(years.iter().map(|row| row.coverage.percent()))).collect();
    let all = || rows.iter().flatten();
    let text = |what: &str| format!("{PRODUCT}: {what}");
    vec![
        Figure::new(text("truth within 90 % bounds"), mean(zones.iter().copied()), "%").goal(Goal::Within(88.0, 92.0)),
        Figure::new(
            text("truth within 90 % bounds, least of the zones"),
            zones.iter().copied().fold(100.0, f64::min),
            "%",
        ),
        Figure::new(
            text("truth within 90 % bounds, most of the zones"),
            zones.iter().copied().fold(0.0, f64::max),
            "%",
        ),
        Figure::new(text("mean width of the bounds"), mean(all().map(|row| row.coverage.width())), "gCO2e/kWh"),
        Figure::new(
            text("hours not by the anchored profile"),
            mean(all().map(|row| 100.0 * row.replaced / row.hours)),
            "%",
        ),
    ]
}

fn goal_of(figure: Figure, goal: Option<Goal>) -> Figure {
    match goal {
        Some(goal) => figure.goal(goal),
        None => figure,
    }
}

fn first([value, _]: [f64; 2]) -> f64 {
    value
}

fn second([_, value]: [f64; 2]) -> f64 {
    value
}

fn new_year(year: i16) -> anyhow::Result<Timestamp> {
    Ok(date(year, 1, 1).to_zoned(TimeZone::UTC)?.timestamp())
}
