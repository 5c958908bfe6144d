//! The chain of sources behind every zone.
//!
//! | link | answers where |
//! | --- | --- |
//! | live | a source has a measured or estimated value for a slot that covers the present |
//! | cached | the last such value is not older than `grid.freshFor` |
//! | forecast | a source or the zone's own past says what the hour should be |
//! | cached | the last value is older, up to `grid.staleAfter`: its weight falls |
//! | typical | four weeks of the zone's own past, or an embedded table, say what is usual |
//! | annual | the average of a year is embedded |
//!
//! Among sources the stronger one wins within a link; values of another signal are never used.

mod choice;

use std::sync::Arc;

use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};
use sci_core::{
    forecast::Hour,
    intensity::{Freshness, Quality, Series, Signal, Zone},
    region,
};

use self::choice::choose;
use super::{
    LearnedHistory, ZoneIndex, ZoneState, ZoneTable,
    fallback::{Fallback, FallbackRules},
    learning::{Learner, Lesson},
};
use crate::config::{ForecastConfig, GridConfig};

/// Zones with a place. Far more than there are on Earth: reached only where something invents names without end.
const MAX_ZONES: usize = 4_096;
/// Zones whose past is kept, some hundred kilobytes each.
const MAX_LEARNERS: usize = 512;

/// What the sources said so far, and the table that follows from it. Part of the single writer's state.
#[derive(Debug)]
pub struct Grid {
    signal: Signal,
    freshness: Freshness,
    fallback: FallbackRules,
    usual: bool,
    forecast: ForecastConfig,
    /// By source, strongest first; each replaced as a whole when its source speaks.
    sources: Vec<FxHashMap<Zone, Vec<Series>>>,
    indices: FxHashMap<Zone, ZoneIndex>,
    /// By [`ZoneIndex`], as the states of the table.
    entries: Vec<Entry>,
    learners: usize,
    /// The hour of the last evaluation.
    hour: Option<Hour>,
    learned: LearnedHistory,
    table: Arc<ZoneTable>,
}

/// What is kept of one zone beside its state.
#[derive(Debug, Default)]
struct Entry {
    fallback: Fallback,
    learner: Option<Box<Learner>>,
}

impl Grid {
    /// No zone, no value.
    pub fn new(config: &GridConfig) -> Self {
        Self {
            signal: config.signal(),
            freshness: config.freshness(),
            fallback: FallbackRules::new(config),
            usual: config.typical_fallback,
            forecast: config.forecast.clone(),
            sources: (0..config.source_count()).map(|_| FxHashMap::default()).collect(),
            indices: FxHashMap::default(),
            entries: Vec::new(),
            learners: 0,
            hour: None,
            learned: LearnedHistory::default(),
            table: Arc::default(),
        }
    }

    /// The table as of the last evaluation.
    pub fn table(&self) -> &Arc<ZoneTable> {
        &self.table
    }

    /// What was learned of every zone's past, for whoever keeps it.
    pub fn learned(&self) -> &LearnedHistory {
        &self.learned
    }

    /// The place of a zone under its present name, made if need be and if there is room. A new zone has its value at
    /// once.
    pub fn place(&mut self, zone: &Zone, now: Timestamp) -> (Zone, Option<ZoneIndex>) {
        let zone = region::catalogue().canonical(zone);
        if let Some(&index) = self.indices.get(&zone) {
            return (zone, Some(index));
        }
        let Some(index) = u32::try_from(self.entries.len()).ok().filter(|_| self.entries.len() < MAX_ZONES) else {
            return (zone, None);
        };
        let index = ZoneIndex(index);
        self.entries.push(Entry { fallback: self.fallback.of(&zone), learner: None });
        self.indices.insert(zone.clone(), index);
        self.learn(&zone, now);
        let state = self.state(&zone, self.entries.last(), now);
        Arc::make_mut(&mut self.table).states.push(state);
        (zone, Some(index))
    }

    /// Takes what source number `source` says now, instead of all that it said before.
    pub fn replace(&mut self, source: usize, series: Vec<Series>, now: Timestamp) {
        if self.sources.len() <= source {
            self.sources.resize_with(source + 1, FxHashMap::default);
        }
        let mut by_zone: FxHashMap<Zone, Vec<Series>> = FxHashMap::default();
        for series in series {
            by_zone.entry(region::catalogue().canonical(series.zone())).or_default().push(series);
        }
        let Some(place) = self.sources.get_mut(source) else { return };
        let differs = |zone: &&Zone| place.get(*zone) != by_zone.get(*zone);
        let touched: FxHashSet<Zone> = place.keys().chain(by_zone.keys()).filter(differs).cloned().collect();
        *place = by_zone;
        let before = self.known_hours();
        for zone in &touched {
            self.learn(zone, now);
        }
        if self.known_hours() != before {
            self.publish_history();
        }
    }

    /// Chooses every zone's value again; whether any changed.
    pub fn evaluate(&mut self, now: Timestamp) -> bool {
        let hour = Hour::containing(now);
        if self.hour.replace(hour) != Some(hour) {
            self.learn_all(now);
        }
        let entries = self.entries.iter().map(Some);
        let states = self.table.iter().zip(entries);
        let states = states.map(|(state, entry)| self.state(&state.zone, entry, now).following(state, now));
        let states: Vec<ZoneState> = states.collect();
        let changed = states != self.table.states;
        if changed {
            self.table = Arc::new(ZoneTable { states });
        }
        changed
    }

    fn state(&self, zone: &Zone, entry: Option<&Entry>, now: Timestamp) -> ZoneState {
        let forecast = entry.and_then(|entry| entry.learner.as_ref()?.forecast().cloned());
        let value = choose(self, zone, entry, now);
        ZoneState { zone: zone.clone(), value, since: now, silent_since: None, forecast }
    }

    /// Everything that sources say of a zone, strongest first.
    fn series<'g>(&'g self, zone: &'g Zone) -> impl Iterator<Item = &'g Series> {
        self.sources.iter().filter_map(move |source| source.get(zone)).flatten()
    }

    fn learn_all(&mut self, now: Timestamp) {
        let zones: Vec<Zone> = self.table.iter().map(|state| state.zone.clone()).collect();
        for zone in &zones {
            self.learn(zone, now);
        }
        self.publish_history();
    }

    fn learn(&mut self, zone: &Zone, now: Timestamp) {
        let Self { sources, entries, indices, signal, forecast, .. } = self;
        if !forecast.enabled {
            return;
        }
        let place = indices.get(zone).and_then(|index| usize::try_from(index.0).ok());
        let Some(entry) = place.and_then(|place| entries.get_mut(place)) else { return };
        let observed = strongest(sources, zone, *signal, is_observed);
        let provided = strongest(sources, zone, *signal, |quality| quality == Quality::Forecast);
        if entry.learner.is_none() {
            if (observed.is_empty() && provided.is_empty()) || self.learners >= MAX_LEARNERS {
                return;
            }
            self.learners += 1;
            entry.learner = Some(Box::new(Learner::new(zone.clone(), *signal, entry.fallback.table())));
        }
        if let Some(learner) = &mut entry.learner {
            learner.learn(Lesson { observed: &observed, provided: &provided }, now, forecast.horizon_hours);
        }
    }

    fn known_hours(&self) -> usize {
        self.entries.iter().filter_map(|entry| entry.learner.as_ref()).map(|learner| learner.history().known()).sum()
    }

    fn publish_history(&self) {
        let learned = self.table.iter().zip(&self.entries).filter_map(|(state, entry)| {
            let history = entry.learner.as_ref()?.history();
            Some((state.zone.clone(), history.hours().collect()))
        });
        self.learned.publish(self.signal, learned.collect());
    }
}

/// What the strongest source that speaks of a zone in this way says of it. Sources are not mixed: each has its own
/// bias.
fn strongest<'s>(
    sources: &'s [FxHashMap<Zone, Vec<Series>>],
    zone: &Zone,
    signal: Signal,
    wanted: impl Fn(Quality) -> bool,
) -> Vec<&'s Series> {
    let fits = |series: &&Series| series.signal() == signal && wanted(series.quality());
    let mut told = sources.iter().filter_map(|source| source.get(zone));
    told.find_map(|told| Some(told.iter().filter(fits).collect()).filter(|told: &Vec<_>| !told.is_empty()))
        .unwrap_or_default()
}

/// Whether a value says what happened.
fn is_observed(quality: Quality) -> bool {
    matches!(quality, Quality::Measured | Quality::Estimated | Quality::Modelled)
}

#[cfg(test)]
mod tests;
