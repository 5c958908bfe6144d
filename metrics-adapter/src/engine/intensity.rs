//! From where a workload runs to one carbon intensity.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube_sci_cluster::snapshot::{PodRecord, Snapshot};
use kube_sci_signals::grid::{ZoneState, ZoneValue};
use rustc_hash::FxHashMap;
use sci_core::{
    forecast::Point,
    intensity::{Freshness, Quality, Zone},
    node::NeutralReason,
    quantity::{GramsPerKwh, Share},
    region,
    scaling::Carbon,
};

use crate::table::{IntensityProblem, IntensityState, PlacementBasis, ZoneShare};

/// Part of the pods whose intensity has to be known.
const LEAST_KNOWN: f64 = 0.8;

/// Zones by name, and where nodes stand, of one snapshot.
pub(super) struct Zones<'s> {
    snapshot: &'s Snapshot,
    by_name: FxHashMap<&'s Zone, &'s ZoneState>,
    freshness: Freshness,
    now: Timestamp,
    /// Of all nodes.
    nodes: Option<Weights>,
}

/// How much each zone counts. Counted in whole pods or nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Weights {
    zones: BTreeMap<Zone, u32>,
    /// On nodes whose zone is not known.
    unknown: u32,
}

impl Weights {
    /// One zone alone.
    pub(super) fn named(zone: &Zone) -> Self {
        Self { zones: BTreeMap::from([(region::catalogue().canonical(zone), 1)]), unknown: 0 }
    }

    fn add(&mut self, zone: Option<&Zone>) {
        match zone {
            Some(zone) => match self.zones.get_mut(zone) {
                Some(count) => *count += 1,
                None => drop(self.zones.insert(zone.clone(), 1)),
            },
            None => self.unknown += 1,
        }
    }

    fn total(&self) -> u32 {
        self.zones.values().sum::<u32>() + self.unknown
    }

    /// Zones with their part of all that is known.
    pub(super) fn shares(&self) -> impl Iterator<Item = (&Zone, f64)> {
        let known = f64::from(self.total() - self.unknown).max(1.0);
        self.zones.iter().map(move |(zone, count)| (zone, f64::from(*count) / known))
    }
}

/// A zone's part, while it is added up.
struct Part<'s> {
    zone: &'s Zone,
    share: f64,
    value: ZoneValue<'s>,
    age: Duration,
}

impl<'s> Zones<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, freshness: Freshness, now: Timestamp) -> Self {
        let by_name = snapshot.zones().iter().map(|state| (&state.zone, state)).collect();
        Self { snapshot, by_name, freshness, now, nodes: None }
    }

    /// Where pods run; `None` without pods.
    pub(super) fn of_pods(&self, pods: &[Arc<PodRecord>]) -> Option<Weights> {
        let mut weights = Weights::default();
        for pod in pods {
            weights.add(self.snapshot.node_named(&pod.node).and_then(|node| node.identity.zone.as_ref()));
        }
        (!pods.is_empty()).then_some(weights)
    }

    /// Where nodes stand; counted once.
    pub(super) fn of_nodes(&mut self) -> &Weights {
        let snapshot = self.snapshot;
        self.nodes.get_or_insert_with(|| {
            let mut weights = Weights::default();
            snapshot.nodes().for_each(|(_, node)| weights.add(node.identity.zone.as_ref()));
            weights
        })
    }

    /// The mean over zones. What is not known is not guessed from what is: beyond a fifth of the pods there is no mean.
    pub(super) fn mean(&self, weights: &Weights, basis: PlacementBasis) -> Result<IntensityState, IntensityProblem> {
        if weights.zones.is_empty() {
            return Err(IntensityProblem::ZoneUnknown);
        }
        let total = f64::from(weights.total());
        let (mut parts, mut problem): (Vec<Part<'_>>, _) = (Vec::new(), IntensityProblem::TooFewKnown);
        for (zone, &count) in &weights.zones {
            let value = match self.by_name.get(zone) {
                Some(state) => state.at(self.now, &self.freshness),
                None => Err(NeutralReason::IntensityMissing),
            };
            match value {
                Ok(value) => {
                    let age = value.reading.age(self.now);
                    parts.push(Part { zone, share: f64::from(count) / total, value, age });
                }
                Err(NeutralReason::IntensityStale) => problem = IntensityProblem::Stale,
                Err(_) => problem = IntensityProblem::Missing,
            }
        }
        let known: f64 = parts.iter().map(|part| part.share).sum();
        if known < LEAST_KNOWN {
            return Err(problem);
        }
        Ok(self.add_up(&mut parts, known, basis))
    }

    fn add_up(&self, parts: &mut [Part<'_>], known: f64, basis: PlacementBasis) -> IntensityState {
        parts.sort_by(|one, other| other.share.total_cmp(&one.share).then_with(|| one.zone.cmp(other.zone)));
        let mean = parts.iter().map(|part| part.value.reading.value.get() * part.share).sum::<f64>() / known;
        // A link that does not age speaks of no hour.
        let age = |part: &Part<'_>| if part.value.link.ages() { part.age } else { Duration::ZERO };
        let carbon = Carbon {
            intensity: GramsPerKwh::clamped(mean),
            quality: parts.iter().map(|part| part.value.reading.quality).max().unwrap_or(Quality::Default),
            confidence: parts
                .iter()
                .map(|part| part.value.confidence)
                .fold(Share::ALL, |least, share| if share < least { share } else { least }),
            age: parts.iter().map(age).max().unwrap_or_default(),
        };
        let zones = parts.iter().map(|part| ZoneShare {
            zone: part.zone.clone(),
            share: Share::clamped(part.share / known),
            intensity: part.value.reading.value,
            link: part.value.link.as_str(),
            quality: part.value.reading.quality.as_str(),
            source: Arc::clone(&part.value.reading.source),
            age: part.age,
        });
        let zones: Vec<ZoneShare> = zones.collect();
        let forecast_min = self.least_forecast(&zones);
        IntensityState { carbon, zones, basis, forecast_min }
    }

    fn least_forecast(&self, zones: &[ZoneShare]) -> Option<(Timestamp, GramsPerKwh)> {
        let least = |best: Option<(Timestamp, GramsPerKwh)>, (start, value): (Timestamp, GramsPerKwh)| match best {
            Some((_, known)) if known <= value => best,
            _ => Some((start, value)),
        };
        match zones {
            [one] => self.points(&one.zone)?.iter().map(|point| (point.start, point.value)).fold(None, least),
            several => self.forecast(several).iter().map(|point| (point.start, point.value)).fold(None, least),
        }
    }

    /// Hours to come of these zones, by start; of several the mean of the hours that all of them have.
    pub(super) fn forecast(&self, zones: &[ZoneShare]) -> Vec<Point> {
        let Some((first, others)) = zones.split_first() else { return Vec::new() };
        let mut points: Vec<Point> = self.points(&first.zone).unwrap_or_default().to_vec();
        if others.is_empty() {
            return points;
        }
        let scaled = |value: GramsPerKwh, share: Share| value.get() * share.get();
        for point in &mut points {
            point.value = GramsPerKwh::clamped(scaled(point.value, first.share));
        }
        for zone in others {
            let theirs = self.points(&zone.zone).unwrap_or_default();
            points.retain_mut(|point| {
                let Ok(place) = theirs.binary_search_by_key(&point.start, |other| other.start) else { return false };
                let value = theirs.get(place).map_or(0.0, |other| scaled(other.value, zone.share));
                point.value = GramsPerKwh::clamped(point.value.get() + value);
                true
            });
        }
        for point in &mut points {
            (point.lower, point.upper) = (point.value, point.value);
        }
        points
    }

    /// Hours of a zone that are not over.
    fn points(&self, zone: &Zone) -> Option<&'s [Point]> {
        let forecast = self.by_name.get(zone)?.forecast.as_ref()?;
        let points = &forecast.forecast.points;
        let hour = sci_core::forecast::Hour::containing(self.now).start();
        points.get(points.partition_point(|point| point.start < hour)..)
    }
}
