//! The chain of sources behind every zone: current slot, latest slot, annual average, nothing.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};
use rustc_hash::FxHashMap;
use sci_core::{
    intensity::{Freshness, Quality, Reading, Series, Signal, Zone},
    node::NeutralReason,
    quantity::Share,
    region,
};

use super::{ChainLink, ChosenReading, ZoneIndex, ZoneState, ZoneTable};
use crate::config::GridConfig;

/// Zones with a place. Far more than there are on Earth: reached only where something invents names without end.
const MAX_ZONES: usize = 4_096;

/// What the sources said so far, and the table that follows from it. Part of the single writer's state.
#[derive(Debug)]
pub struct Grid {
    signal: Signal,
    freshness: Freshness,
    annual_fallback: bool,
    /// By source, strongest first; each replaced as a whole when its source speaks.
    sources: Vec<FxHashMap<Zone, Vec<Series>>>,
    indices: FxHashMap<Zone, ZoneIndex>,
    annual: Vec<Option<Reading>>,
    table: Arc<ZoneTable>,
}

impl Grid {
    /// No zone, no value.
    pub fn new(config: &GridConfig) -> Self {
        Self {
            signal: config.signal(),
            freshness: config.freshness(),
            annual_fallback: config.annual_fallback,
            sources: config.files.iter().map(|_| FxHashMap::default()).collect(),
            indices: FxHashMap::default(),
            annual: Vec::new(),
            table: Arc::default(),
        }
    }

    /// The table as of the last evaluation.
    pub fn table(&self) -> &Arc<ZoneTable> {
        &self.table
    }

    /// The place of a zone under its present name, made if need be and if there is room. A new zone has its value at
    /// once.
    pub fn place(&mut self, zone: &Zone, now: Timestamp) -> (Zone, Option<ZoneIndex>) {
        let zone = region::catalogue().canonical(zone);
        if let Some(&index) = self.indices.get(&zone) {
            return (zone, Some(index));
        }
        let Some(index) = u32::try_from(self.annual.len()).ok().filter(|_| self.annual.len() < MAX_ZONES) else {
            return (zone, None);
        };
        let index = ZoneIndex(index);
        let annual = self.annual_reading(&zone);
        let state = ZoneState { zone: zone.clone(), value: self.choose(&zone, annual.as_ref(), now) };
        self.annual.push(annual);
        self.indices.insert(zone.clone(), index);
        Arc::make_mut(&mut self.table).states.push(state);
        (zone, Some(index))
    }

    /// Takes what source number `source` says now, instead of all that it said before.
    pub fn replace(&mut self, source: usize, series: Vec<Series>) {
        if self.sources.len() <= source {
            self.sources.resize_with(source + 1, FxHashMap::default);
        }
        let mut by_zone: FxHashMap<Zone, Vec<Series>> = FxHashMap::default();
        for series in series {
            by_zone.entry(region::catalogue().canonical(series.zone())).or_default().push(series);
        }
        if let Some(place) = self.sources.get_mut(source) {
            *place = by_zone;
        }
    }

    /// Chooses every zone's value again; whether any changed.
    pub fn evaluate(&mut self, now: Timestamp) -> bool {
        let states: Vec<ZoneState> = self
            .table
            .iter()
            .zip(&self.annual)
            .map(|(state, annual)| ZoneState {
                zone: state.zone.clone(),
                value: self.choose(&state.zone, annual.as_ref(), now),
            })
            .collect();
        let changed = states != self.table.states;
        if changed {
            self.table = Arc::new(ZoneTable { states });
        }
        changed
    }

    fn choose(&self, zone: &Zone, annual: Option<&Reading>, now: Timestamp) -> Result<ChosenReading, NeutralReason> {
        let mut reason = NeutralReason::IntensityMissing;
        let mut latest: Option<Reading> = None;
        for series in self.sources.iter().filter_map(|source| source.get(zone)).flatten() {
            if series.signal() != self.signal {
                reason = stronger(reason, NeutralReason::UnlikeSignal);
                continue;
            }
            let Some(reading) = series.latest_at(now) else { continue };
            if reading.covers(now) {
                return Ok(ChosenReading { reading, link: ChainLink::Current });
            }
            reason = NeutralReason::IntensityStale;
            if latest.as_ref().is_none_or(|best| reading.age(now) < best.age(now)) {
                latest = Some(reading);
            }
        }
        if let Some(reading) = latest.filter(|reading| self.freshness.confidence(reading.age(now)) > Share::NONE) {
            return Ok(ChosenReading { reading, link: ChainLink::Latest });
        }
        match annual {
            Some(reading) => Ok(ChosenReading { reading: reading.clone(), link: ChainLink::Annual }),
            None => Err(reason),
        }
    }

    fn annual_reading(&self, zone: &Zone) -> Option<Reading> {
        if !self.annual_fallback || self.signal != Signal::default() {
            return None;
        }
        let annual = region::catalogue().annual(zone)?;
        let (start, duration) = year(annual.year)?;
        Some(Reading {
            value: annual.value,
            signal: Signal::default(),
            zone: annual.zone,
            start,
            duration,
            quality: Quality::Annual,
            source: annual.source.into(),
        })
    }
}

/// Why there is no value: a stale value says more than one of another kind, and that more than none.
fn stronger(known: NeutralReason, found: NeutralReason) -> NeutralReason {
    if known == NeutralReason::IntensityStale { known } else { found }
}

/// A calendar year in UTC.
fn year(year: i16) -> Option<(Timestamp, Duration)> {
    let first = civil::Date::new(year, 1, 1).ok()?;
    let start = first.to_zoned(TimeZone::UTC).ok()?;
    let end = start.checked_add(1.year()).ok()?;
    let duration = end.timestamp().duration_since(start.timestamp()).try_into().ok()?;
    Some((start.timestamp(), duration))
}

#[cfg(test)]
mod tests;
