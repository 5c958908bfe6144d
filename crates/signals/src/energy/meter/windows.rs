//! Windows of the node, from the first joule to being handed over.

use super::{
    grid::{Grid, Micros, Part, bin, seconds},
    node::{DomainJoules, NodeEnergy},
};
use crate::energy::window::{GapReason, SCALE_FROM};

/// The open windows of one exporter on one node.
#[derive(Debug)]
pub(super) struct Windows {
    pub grid: Grid,
    length_seconds: f64,
    bins: Vec<(i64, Bin)>,
}

/// Sums of one window.
#[derive(Debug, Clone, Default)]
pub(super) struct Bin {
    pub joules: DomainJoules,
    pub covered_seconds: f64,
    busy: f64,
    busy_seconds: f64,
    pub sampled: bool,
    pub modelled: bool,
    hole: Option<Hole>,
    missed: Option<GapReason>,
}

/// Time without a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hole {
    pub start: Micros,
    pub end: Micros,
    pub reason: GapReason,
}

/// What became of a window, or of several without any value.
#[derive(Debug)]
pub(super) enum Closed {
    /// Enough of it is covered; with what is missing.
    Window(i64, Bin, Option<Hole>),
    /// No value.
    Gap(Hole),
}

impl Windows {
    pub(super) fn new(anchor: Micros, length: Micros) -> Self {
        Self { grid: Grid::new(anchor, length), length_seconds: seconds(0, length.max(1)), bins: Vec::new() }
    }

    /// Spreads a step over the windows that it touches.
    pub(super) fn add(&mut self, energy: &NodeEnergy, end: Micros) {
        self.each(energy.start, end, |bin, part| {
            bin.covered_seconds += part.seconds;
            bin.sampled |= energy.sampled;
            bin.modelled |= energy.modelled;
            for (sum, joules) in bin.joules.iter_mut().zip(energy.joules) {
                if let Some(joules) = joules {
                    *sum = Some(sum.unwrap_or(0.0) + joules * part.share);
                }
            }
        });
    }

    /// Time in which pods were watched, but not the node.
    pub(super) fn add_time(&mut self, start: Micros, end: Micros) {
        self.each(start, end, |bin, part| bin.covered_seconds += part.seconds);
    }

    pub(super) fn add_utilization(&mut self, start: Micros, end: Micros, busy: f64) {
        self.each(start, end, |bin, part| {
            bin.busy += busy * part.seconds;
            bin.busy_seconds += part.seconds;
        });
    }

    /// Time without a value. Of several holes in one window the first gives the reason.
    pub(super) fn add_hole(&mut self, hole: Hole) {
        let latest = self.grid.start(self.grid.next).max(hole.start);
        let hole = match hole.reason {
            // The time is there twice, and its windows may be handed over: told all the same.
            GapReason::Clock => Hole { start: latest, end: hole.end.max(latest), ..hole },
            _ if hole.end <= latest => return,
            _ => hole,
        };
        // A hole of any length ends up in two windows: what lies between is a gap anyway.
        for (start, end) in [(latest, latest.saturating_add(1)), (hole.end.saturating_sub(1), hole.end)] {
            self.each(start, end, |bin, _| {
                let first = bin.hole.unwrap_or(hole);
                bin.hole = Some(Hole { start: first.start.min(hole.start), end: first.end.max(hole.end), ..first });
            });
        }
    }

    /// An observation at this time failed.
    pub(super) fn missed(&mut self, at: Micros, reason: GapReason) {
        self.each(at, at.saturating_add(1), |bin, _| bin.missed = Some(reason));
    }

    /// Throws away everything before this window.
    pub(super) fn skip(&mut self, until: i64) {
        self.bins.retain(|(window, _)| *window >= until);
        self.grid.next = self.grid.next.max(until);
    }

    /// Hands over all windows before this one, oldest first.
    pub(super) fn close(&mut self, until: i64) -> Vec<Closed> {
        let (mut ripe, open): (Vec<_>, Vec<_>) = self.bins.drain(..).partition(|(window, _)| *window < until);
        self.bins = open;
        ripe.sort_by_key(|(window, _)| *window);
        let mut closed = Vec::with_capacity(ripe.len());
        let mut next = self.grid.next;
        for (window, bin) in ripe {
            self.close_empty(next, window, &mut closed);
            closed.push(self.close_one(window, bin));
            next = window + 1;
        }
        self.close_empty(next, until, &mut closed);
        self.grid.next = self.grid.next.max(until);
        closed
    }

    fn close_one(&self, window: i64, bin: Bin) -> Closed {
        let (start, end) = (self.grid.start(window), self.grid.start(window + 1));
        // Sums of parts of a second are not exact.
        if bin.covered_seconds >= self.length_seconds * SCALE_FROM - 1e-6 {
            let hole = bin.hole.map(|hole| Hole { start: hole.start.max(start), end: hole.end.min(end), ..hole });
            return Closed::Window(window, bin, hole);
        }
        let reason = bin.hole.map(|hole| hole.reason).or(bin.missed).unwrap_or(GapReason::Coverage);
        Closed::Gap(Hole { start, end, reason })
    }

    fn close_empty(&self, from: i64, until: i64, closed: &mut Vec<Closed>) {
        if from < until {
            let (start, end) = (self.grid.start(from), self.grid.start(until));
            closed.push(Closed::Gap(Hole { start, end, reason: GapReason::Coverage }));
        }
    }

    fn each(&mut self, start: Micros, end: Micros, mut each: impl FnMut(&mut Bin, Part)) {
        for part in self.grid.parts(start, end) {
            if let Some(bin) = bin(&mut self.bins, part.window) {
                each(bin, part);
            }
        }
    }
}

impl Bin {
    /// Mean busy share of the node, where it is known.
    pub(super) fn utilization(&self) -> Option<f64> {
        (self.busy_seconds > 0.0).then(|| self.busy / self.busy_seconds)
    }
}
