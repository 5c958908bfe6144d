//! Which meter answers for a node: the strongest that is believed and fresh. Meters are alternatives, never added.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube_sci_signals::{
    config::EnergyConfig,
    energy::{Exporter, Gap, GapReason, MeterId, NodeWindow, RefusedMeter},
};
use sci_core::quantity::{Share, Utilization, Watts};

/// How a node's power is known at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PowerQuality {
    /// A meter counts all of it.
    Measured,
    /// A meter was looked at now and then: ALUMET's page without aggregation.
    Sampled,
    /// The exporter's own model.
    Estimated,
    /// The node's power curve at its load: no meter.
    Modelled,
}

impl PowerQuality {
    /// Every quality, best first.
    pub const ALL: [Self; 4] = [Self::Measured, Self::Sampled, Self::Estimated, Self::Modelled];

    /// As in metrics and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Sampled => "sampled",
            Self::Estimated => "estimated",
            Self::Modelled => "modelled",
        }
    }

    fn of(window: &NodeWindow) -> Self {
        match (window.modelled, window.sampled) {
            (true, _) => Self::Estimated,
            (false, true) => Self::Sampled,
            (false, false) => Self::Measured,
        }
    }
}

/// What a meter said last of one node.
#[derive(Debug, Clone, PartialEq)]
pub struct MeteredPower {
    /// Which meter.
    pub meter: MeterId,
    /// How well it knows.
    pub quality: PowerQuality,
    /// Since when it answers without a break.
    pub since: Timestamp,
    /// The window.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// Covered part of it.
    pub coverage: Share,
    /// Mean power over the covered part.
    pub power: Watts,
    /// Busy share of the node, where it is known.
    pub utilization: Option<Utilization>,
    /// Mean power of the pods' work.
    pub pods: Watts,
    /// Mean power of work that belongs to no known pod.
    pub system: Watts,
    /// Mean idle power that nobody reserved.
    pub unallocated: Watts,
}

/// Everything that meters said of one node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeMeters {
    /// The answer in force; `None`: the node is modelled.
    pub power: Option<MeteredPower>,
    /// Since when no meter answers, if one ever did.
    pub silent_since: Option<Timestamp>,
    /// Meters that are not believed.
    pub refused: Vec<RefusedMeter>,
    /// Gaps since start, by reason.
    pub gaps: BTreeMap<GapReason, u64>,
    /// The newest gap.
    pub last_gap: Option<Gap>,
}

/// Strength of a meter: position of its source, then of its exporter within the source. Lower is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    source: usize,
    exporter: usize,
}

/// Ranks and limits, by configuration.
#[derive(Debug)]
pub(super) struct Choice {
    exporters: Vec<Vec<Exporter>>,
    stale_after: Vec<Duration>,
}

/// The meters of one node.
#[derive(Debug, Default)]
pub(super) struct Board {
    heard: Vec<Heard>,
    /// Energy up to here is in the accounts.
    accounted_until: Option<Timestamp>,
}

/// One meter, as of its last window.
#[derive(Debug)]
struct Heard {
    rank: Rank,
    since: Timestamp,
    end: Timestamp,
}

impl Choice {
    pub(super) fn new(config: &EnergyConfig) -> Self {
        let exporters = |source: &kube_sci_signals::config::EnergySourceConfig| {
            source.exporters.iter().map(|&exporter| Exporter::from(exporter)).collect()
        };
        let patience = |source: &kube_sci_signals::config::EnergySourceConfig| {
            let asked = source.period.get().max(config.window.get());
            config.stale_after.get().max(asked * 3)
        };
        Self {
            exporters: config.sources.iter().map(exporters).collect(),
            stale_after: config.sources.iter().map(patience).collect(),
        }
    }

    pub(super) fn rank(&self, source: usize, exporter: Exporter) -> Rank {
        let order = self.exporters.get(source).map(Vec::as_slice).unwrap_or_default();
        Rank { source, exporter: order.iter().position(|&known| known == exporter).unwrap_or(order.len()) }
    }

    fn is_fresh(&self, heard: &Heard, now: Timestamp) -> bool {
        let age: Duration = now.duration_since(heard.end).try_into().unwrap_or(Duration::ZERO);
        self.stale_after.get(heard.rank.source).is_none_or(|&limit| age <= limit)
    }
}

impl Board {
    /// A window has come. Returns whether its meter is the one that answers.
    pub(super) fn hear(&mut self, choice: &Choice, rank: Rank, window: &NodeWindow, now: Timestamp) -> bool {
        match self.heard.iter_mut().find(|heard| heard.rank == rank) {
            Some(heard) if window.end <= heard.end => return false,
            Some(heard) => {
                let broke = !choice.is_fresh(heard, window.start);
                heard.end = window.end;
                if broke {
                    heard.since = window.start;
                }
            }
            None => self.heard.push(Heard { rank, since: window.start, end: window.end }),
        }
        self.chosen(choice, now) == Some(rank)
    }

    /// A meter that is refused does not answer, whatever it said before.
    pub(super) fn refuse(&mut self, rank: Rank) {
        self.heard.retain(|heard| heard.rank != rank);
    }

    /// The strongest fresh meter.
    pub(super) fn chosen(&self, choice: &Choice, now: Timestamp) -> Option<Rank> {
        self.heard.iter().filter(|heard| choice.is_fresh(heard, now)).map(|heard| heard.rank).min()
    }

    /// Since when a meter answers without a break.
    pub(super) fn since(&self, rank: Rank) -> Option<Timestamp> {
        self.heard.iter().find(|heard| heard.rank == rank).map(|heard| heard.since)
    }

    /// The part of a window that is in no account yet, 0 to 1; from now on it is.
    pub(super) fn take_unaccounted(&mut self, start: Timestamp, end: Timestamp) -> Share {
        let begin = self.accounted_until.map_or(start, |until| until.max(start));
        let length = end.duration_since(start).as_secs_f64();
        let left = end.duration_since(begin).as_secs_f64();
        self.accounted_until = Some(self.accounted_until.map_or(end, |until| until.max(end)));
        Share::of(left.max(0.0), length).unwrap_or(Share::NONE)
    }
}

impl NodeMeters {
    pub(super) fn add_gap(&mut self, gap: Gap) {
        *self.gaps.entry(gap.reason).or_default() += 1;
        self.last_gap = Some(gap);
    }
}

impl MeteredPower {
    pub(super) fn quality_of(window: &NodeWindow) -> PowerQuality {
        PowerQuality::of(window)
    }
}

/// One handle for the names of nodes in maps.
pub(super) type NodeName = Arc<str>;
