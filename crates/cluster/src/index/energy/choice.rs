//! Which meter answers for a node: the strongest that is believed and fresh. Meters are alternatives, never added.

use std::time::Duration;

use jiff::Timestamp;
use kube_sci_signals::{
    config::{EnergyConfig, EnergySourceConfig},
    energy::{Exporter, NodeWindow},
};
use sci_core::quantity::Share;

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
        let exporters =
            |source: &EnergySourceConfig| source.exporters.iter().map(|&exporter| Exporter::from(exporter)).collect();
        Self {
            exporters: config.sources.iter().map(exporters).collect(),
            stale_after: config.sources.iter().map(|source| config.patience(source)).collect(),
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
