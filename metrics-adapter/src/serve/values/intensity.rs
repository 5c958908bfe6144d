//! Intensity of the electricity that an object runs on.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use kube_sci_signals::grid::{ChainLink, ZoneState, ZoneValue};
use sci_core::node::NeutralReason;

use super::{Absent, Object, Raw, View};
use crate::serve::rates::Rate;

/// Pods whose intensity has to be known, of all.
const KNOWN_SHARE: f64 = 0.8;

impl<'a> View<'a> {
    pub(super) fn intensity(&self, object: Object<'a>) -> Result<Raw<'a>, Absent> {
        match object {
            Object::Node(name) => self.of_node(name),
            Object::Pod(_, pod) => self.of_node(&pod.node),
            Object::Workload(workload) => self.of_pods(self.rates.workload(workload.key())),
            Object::Namespace(name) => self.of_pods(self.rates.namespace(name)),
            Object::Policy(_) => Err(Absent::NoObject),
        }
    }

    fn of_node(&self, name: &str) -> Result<Raw<'a>, Absent> {
        let (zone, value) = self.zone_of(name)?;
        Ok(Raw {
            number: value.reading.value.get(),
            at: value.reading.start,
            window: Some(value.reading.duration),
            labels: labels(zone.zone.as_str().into(), value.link.as_str(), value.reading.quality.as_str()),
        })
    }

    /// The zone of a node and what is known of it.
    pub(super) fn zone_of(&self, node: &str) -> Result<(&'a ZoneState, ZoneValue<'a>), Absent> {
        let node = self.snapshot.node_named(node).ok_or(Absent::NoObject)?;
        let zone = node.identity.zone_index.and_then(|index| self.snapshot.zone(index));
        let zone = zone.ok_or_else(|| Absent::Cause(format!("the grid zone of node {} is not known", node.name)))?;
        Ok((zone, self.zone_value(zone)?))
    }

    /// What is known of a zone.
    pub(crate) fn zone_value(&self, zone: &'a ZoneState) -> Result<ZoneValue<'a>, Absent> {
        let name = &zone.zone;
        zone.at(self.now, &self.limits.freshness).map_err(|reason| {
            Absent::Cause(match (reason, self.silence(zone)) {
                (NeutralReason::IntensityStale, Some(age)) => format!(
                    "the carbon intensity of zone {name} is {} s old, {} s are too old",
                    age.as_secs(),
                    self.limits.freshness.stale_after.as_secs()
                ),
                (reason, _) => format!("the carbon intensity of zone {name} is not known: {}", reason.as_str()),
            })
        })
    }

    /// For how long no source has spoken of a zone.
    fn silence(&self, zone: &ZoneState) -> Option<Duration> {
        let since = zone.silent_since.map(|since| self.now.duration_since(since).unsigned_abs());
        zone.value.as_ref().map_or(since, |chosen| Some(chosen.reading.age(self.now)))
    }

    /// The mean over the nodes of some pods.
    fn of_pods(&self, rate: Option<&Rate>) -> Result<Raw<'a>, Absent> {
        let rate = rate.ok_or(Absent::NoObject)?;
        let mut known = Mean::default();
        for (node, pods) in &rate.nodes {
            if let Ok((zone, value)) = self.zone_of(node) {
                known.add(zone, &value, *pods);
            }
        }
        let (pods, of) = (known.pods, f64::from(rate.pods));
        if pods < KNOWN_SHARE * of {
            return Err(Absent::Cause(format!(
                "the carbon intensity is known where {pods} of its {of} pods run, eight of ten are needed"
            )));
        }
        known.finished().ok_or_else(|| Absent::cause("it has no running pods"))
    }
}

#[derive(Default)]
struct Mean {
    pods: f64,
    sum: f64,
    zones: BTreeMap<String, f64>,
    worst: Option<(ChainLink, &'static str)>,
    oldest: Option<(Timestamp, Duration)>,
}

impl Mean {
    fn add(&mut self, zone: &ZoneState, value: &ZoneValue<'_>, pods: u32) {
        let (pods, reading) = (f64::from(pods), value.reading);
        self.pods += pods;
        self.sum += pods * reading.value.get();
        *self.zones.entry(zone.zone.to_string()).or_default() += pods;
        if self.worst.is_none_or(|(link, _)| rank(value.link) > rank(link)) {
            self.worst = Some((value.link, reading.quality.as_str()));
        }
        if self.oldest.is_none_or(|(start, _)| reading.start < start) {
            self.oldest = Some((reading.start, reading.duration));
        }
    }

    fn finished<'a>(self) -> Option<Raw<'a>> {
        let ((link, quality), (at, window)) = (self.worst?, self.oldest?);
        let mut zones: Vec<(String, f64)> = self.zones.into_iter().collect();
        zones.sort_by(|a, b| b.1.total_cmp(&a.1));
        let zones: Vec<String> = zones.into_iter().map(|(zone, _)| zone).collect();
        Some(Raw {
            number: self.sum / self.pods,
            at,
            window: Some(window),
            labels: labels(zones.join(",").into(), link.as_str(), quality),
        })
    }
}

fn labels<'a>(zone: Cow<'a, str>, link: &'static str, quality: &'static str) -> super::MetricLabels<'a> {
    vec![("zone", zone), ("link", link.into()), ("quality", quality.into())]
}

fn rank(link: ChainLink) -> usize {
    ChainLink::ALL.iter().position(|&known| known == link).unwrap_or(ChainLink::ALL.len())
}
