//! Readings of one exporter, in the order of their time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::grid::Micros;
use crate::energy::reading::Reading;

/// All readings of one instant.
pub(super) type Observation = (Timestamp, Vec<Reading>);

/// Groups readings of pages: all series of a page, or of a scrape that Prometheus did, have the same time.
pub(super) fn by_time(mut readings: Vec<Reading>) -> Vec<Observation> {
    let Some(first) = readings.first().map(|reading| reading.at) else { return Vec::new() };
    if readings.iter().all(|reading| reading.at == first) {
        return vec![(first, readings)];
    }
    readings.sort_by_key(|reading| reading.at);
    let mut observations: Vec<Observation> = Vec::new();
    for reading in readings {
        match observations.last_mut() {
            Some((at, group)) if *at == reading.at => group.push(reading),
            _ => observations.push((reading.at, vec![reading])),
        }
    }
    observations
}

/// Groups pushed points: each source of an agent measures at its own time, some milliseconds apart, and belongs to
/// the nearest measurement of the node's energy, if there is one within `reach`.
pub(super) fn by_nearest(readings: Vec<Reading>, reach: Micros) -> Vec<Observation> {
    let is_anchor = |reading: &Reading| reading.pod.is_none() && reading.measure.domain().is_some();
    let mut anchors: Vec<Timestamp> = readings.iter().filter(|reading| is_anchor(reading)).map(|one| one.at).collect();
    anchors.sort_unstable();
    // Several sockets, or memory, a moment later.
    anchors.dedup_by(|later, earlier| micros(*later) - micros(*earlier) < reach / 4);
    let mut groups: BTreeMap<Timestamp, Vec<Reading>> = BTreeMap::new();
    for reading in readings {
        let at = nearest(&anchors, reading.at, reach).unwrap_or(reading.at);
        groups.entry(at).or_default().push(reading);
    }
    groups.into_iter().collect()
}

fn nearest(anchors: &[Timestamp], at: Timestamp, reach: Micros) -> Option<Timestamp> {
    let next = anchors.partition_point(|anchor| *anchor < at);
    let around = [next.checked_sub(1), Some(next)].into_iter().flatten();
    let distance = |anchor: Timestamp| micros(anchor).abs_diff(micros(at));
    let closest = around.filter_map(|index| anchors.get(index).copied()).min_by_key(|anchor| distance(*anchor))?;
    (distance(closest) <= reach.unsigned_abs()).then_some(closest)
}

fn micros(at: Timestamp) -> Micros {
    at.as_microsecond()
}
