//! What a zone's past teaches: the hours to come, and what is usual.

mod recent;

use std::sync::Arc;

use jiff::Timestamp;
use sci_core::{
    forecast::{Forecaster, Hour, HourlyHistory, Method, Point},
    intensity::{Quality, Reading, Series, Signal, Slot, Zone},
    quantity::{GramsPerKwh, Share},
    region::TypicalIntensity,
};

use self::recent::Recent;
use super::table::{LearnedForecast, ZoneForecast};

/// Hours of the past that a usual day takes: nine tenths of four weeks, as answers have holes.
const USUAL_HOURS: usize = 28 * 24 * 9 / 10;
/// A past that ended longer ago speaks of another season.
const USUAL_FOR_HOURS: i64 = 60 * 24;
/// A past that reaches back so far is complete.
const FULL_HOURS: i64 = 34 * 24;
/// Less of the past than this, given late, is not worth learning all again.
const WORTH_HOURS: usize = 24;

/// Methods of our own are not believed on less of the past than three days.
const BELIEVED_HOURS: usize = 3 * 24;

/// One zone's past and what follows from it.
#[derive(Debug, Clone)]
pub(super) struct Learner {
    forecaster: Forecaster,
    recent: Recent,
    typical: Option<TypicalIntensity>,
    learned_from: Arc<str>,
    provided_by: Arc<str>,
    /// What is usual at each hour of the day.
    usual: Option<[GramsPerKwh; 24]>,
    forecast: Option<ZoneForecast>,
    /// Name of the present forecast as the source of a reading.
    named: Arc<str>,
}

/// Values of one zone that matter to its learner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lesson<'s> {
    /// What happened, by the strongest source that knows.
    pub(super) observed: &'s [&'s Series],
    /// What was said in advance, by the strongest source that does.
    pub(super) provided: &'s [&'s Series],
}

impl Learner {
    pub(super) fn new(zone: Zone, signal: Signal, typical: Option<&TypicalIntensity>) -> Self {
        Self {
            forecaster: forecaster(zone, signal, typical),
            recent: Recent::default(),
            typical: typical.cloned(),
            learned_from: "".into(),
            provided_by: "".into(),
            usual: None,
            forecast: None,
            named: "".into(),
        }
    }

    /// Learns, and forecasts again.
    pub(super) fn learn(&mut self, lesson: Lesson<'_>, now: Timestamp, hours: usize) {
        // What was said in advance comes first, so that what happened can be compared with it.
        for series in lesson.provided {
            // Series of another zone or signal do not come here.
            let _ = self.forecaster.provide(series, now);
            self.provided_by = Arc::clone(series.source());
        }
        self.learn_recent(lesson, now);
        self.begin_again_where_worth_it(lesson, now);
        for series in lesson.observed {
            let _ = self.forecaster.observe(series, now);
            self.learned_from = Arc::clone(series.source());
        }
        self.usual = usual(self.forecaster.history(), now);
        self.renew(now, hours);
    }

    /// The hour of `now` as forecast, with the share to which its bounds let it be trusted. Usual values are none:
    /// they are a link of their own. Nor is what follows from a day or two.
    pub(super) fn present(&self, now: Timestamp) -> Option<(&Point, Share)> {
        let hour = Hour::containing(now).start();
        let points = &self.forecast.as_ref()?.forecast.points;
        let place = points.binary_search_by_key(&hour, |point| point.start).ok()?;
        let point = points.get(place).filter(|point| self.believes(point.method))?;
        Some((point, certainty(point)))
    }

    fn believes(&self, method: Method) -> bool {
        match method {
            Method::Provider => true,
            Method::AnchoredProfile | Method::Persistence => self.history().known() >= BELIEVED_HOURS,
            Method::Climatology => false,
        }
    }

    /// The hour of `now` as forecast, as a reading.
    pub(super) fn reading(&self, point: &Point, zone: &Zone, signal: Signal) -> Reading {
        let source = if point.method == Method::Provider { &self.provided_by } else { &self.named };
        reading(zone, signal, point.start, point.value, Quality::Forecast, Arc::clone(source))
    }

    /// What is usual at this hour of the day, out of the zone's own past.
    pub(super) fn usual(&self, zone: &Zone, signal: Signal, now: Timestamp) -> Option<Reading> {
        let hour = Hour::containing(now);
        let value = *self.usual.as_ref()?.get(usize::from(hour.of_day()))?;
        let source = format!("mean of the hour over the last weeks of {}", self.learned_from);
        Some(reading(zone, signal, hour.start(), value, Quality::Typical, source.into()))
    }

    pub(super) fn forecast(&self) -> Option<&ZoneForecast> {
        self.forecast.as_ref()
    }

    pub(super) fn history(&self) -> &HourlyHistory {
        self.forecaster.history()
    }

    /// Keeps what a source says of now where it says nothing of the past: it would be gone when its hour is over.
    fn learn_recent(&mut self, lesson: Lesson<'_>, now: Timestamp) {
        let over = |series: &&Series| series.slots().first().is_some_and(|slot| slot.end() <= now);
        if lesson.observed.iter().copied().any(|series| over(&series)) {
            return;
        }
        for series in lesson.observed {
            self.recent.keep(series, now);
        }
        let recent = lesson.observed.first().and_then(|series| self.recent.series(series));
        if let Some(series) = recent {
            // Of this zone and signal, and observed, as what it is made of.
            let _ = self.forecaster.observe(&series, now);
        }
    }

    /// A past that is told after the present teaches nothing about errors: with enough of it everything is told
    /// again in order.
    fn begin_again_where_worth_it(&mut self, lesson: Lesson<'_>, now: Timestamp) {
        let known = self.forecaster.history();
        let Some((first, _)) = known.hours().next() else { return };
        if Hour::containing(now).since(first) >= FULL_HOURS {
            return;
        }
        let earlier = |series: &&&Series| series.slots().first().is_some_and(|slot| slot.start < first.start());
        if lesson.observed.iter().find(earlier).is_none() {
            return;
        }
        let mut all = known.clone();
        lesson.observed.iter().for_each(|series| all.record(series, now));
        if all.known() < known.known() + WORTH_HOURS {
            return;
        }
        let Some(series) = lesson.observed.first().and_then(|series| in_order(&all, series)) else { return };
        let mut fresh = forecaster(series.zone().clone(), series.signal(), self.typical.as_ref());
        lesson.provided.iter().for_each(|series| {
            let _ = fresh.provide(series, now);
        });
        if fresh.observe(&series, now).is_ok() {
            self.forecaster = fresh;
        }
    }

    fn renew(&mut self, now: Timestamp, hours: usize) {
        let Ok(forecast) = self.forecaster.forecast(now, hours) else {
            self.forecast = None;
            return;
        };
        self.named = format!("forecast/{} from {}", forecast.method, self.learned_from).into();
        self.forecast = Some(ZoneForecast(Arc::new(LearnedForecast {
            forecast,
            learned_from: Arc::clone(&self.learned_from),
            known_hours: self.forecaster.history().known(),
            scores: self.forecaster.scoreboard().clone(),
        })));
    }
}

fn forecaster(zone: Zone, signal: Signal, typical: Option<&TypicalIntensity>) -> Forecaster {
    let forecaster = Forecaster::new(zone, signal);
    match typical {
        Some(typical) => forecaster.with_climatology(typical.values.clone()),
        None => forecaster,
    }
}

/// How far a forecast is trusted: `value / (value + half the width of its bounds)`. Bounds of plus and minus ten
/// percent leave nine tenths of the weight, bounds as wide as the value itself half of it.
fn certainty(point: &Point) -> Share {
    let half_width = (point.upper.get() - point.lower.get()) / 2.0;
    let value = point.value.get().max(1.0);
    Share::clamped(value / (value + half_width))
}

/// The mean of each hour of the day; `None` where less than four weeks are known, or they are long over.
fn usual(history: &HourlyHistory, now: Timestamp) -> Option<[GramsPerKwh; 24]> {
    let (last, _) = history.last()?;
    if history.known() < USUAL_HOURS || Hour::containing(now).since(last) > USUAL_FOR_HOURS {
        return None;
    }
    let mut sums = [(0.0, 0.0); 24];
    for (hour, value) in history.hours() {
        if let Some((sum, count)) = sums.get_mut(usize::from(hour.of_day())) {
            *sum += value.get();
            *count += 1.0;
        }
    }
    let complete = sums.iter().all(|(_, count)| *count > 0.0);
    complete.then(|| sums.map(|(sum, count)| GramsPerKwh::clamped(sum / count)))
}

fn in_order(history: &HourlyHistory, like: &Series) -> Option<Series> {
    let slots = history.hours().map(|(hour, value)| Slot { start: hour.start(), duration: Hour::LENGTH, value });
    let source = Arc::clone(like.source());
    Series::new(like.zone().clone(), like.signal(), like.quality(), source, slots.collect()).ok()
}

pub(super) fn reading(
    zone: &Zone,
    signal: Signal,
    start: Timestamp,
    value: GramsPerKwh,
    quality: Quality,
    source: Arc<str>,
) -> Reading {
    Reading { value, signal, zone: zone.clone(), start, duration: Hour::LENGTH, quality, source }
}
