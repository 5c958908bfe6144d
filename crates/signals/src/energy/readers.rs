//! What exporters say, in one form.
//!
//! A [`PageReader`] takes the samples of one observation (a page, the results of the queries of one round, the points
//! pushed since the last round), knows every name and label that the exporters use, and leaves out what overlaps.

mod alumet;
mod kepler;
mod kepler_legacy;
mod labels;
mod places;
mod scaphandre;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustc_hash::FxHashMap;

use self::{
    alumet::Families,
    labels::PodTable,
    places::{PlaceId, Places},
};
use super::{
    directory::NodeNames,
    reading::{Measure, NodePage, ReadCounts, Reading},
    window::{Exporter, Route},
};
use crate::exposition::Sample;

/// A sample whose own time is further off than this has a wrong clock.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What a reader has to know beside the samples.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// The way on which the samples come.
    pub route: Route,
    /// Label with the node's name, asked before the exporters' own.
    pub node_label: Option<String>,
}

/// Collects the samples of one observation.
#[derive(Debug)]
pub struct PageReader {
    exporters: Vec<Exporter>,
    options: ReaderOptions,
    readings: Vec<Placed>,
    counts: ReadCounts,
    context: Context,
    places: Places,
}

/// Samples that name no node of the cluster. They are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    /// Whose samples.
    pub exporter: Exporter,
    /// What they say about their node; empty where they say nothing.
    pub instance: Arc<str>,
    /// How many.
    pub samples: u64,
}

/// What the readers of the exporters share.
#[derive(Debug, Default)]
struct Context {
    pods: PodTable,
    families: Families,
}

/// A reading and where it may be of.
#[derive(Debug)]
struct Placed {
    reading: Reading,
    place: PlaceId,
    /// ALUMET's formula or metric, for a page that has several.
    family: u32,
}

/// What a reader of an exporter makes of a sample.
#[derive(Debug)]
struct Found {
    value: f64,
    measure: Measure,
    pod: Option<Arc<super::reading::Pod>>,
    part: u64,
    modelled: bool,
    terminated: bool,
    family: u32,
}

/// Whether a reader of one of `exporters` uses samples of this name.
pub fn wanted(exporters: &[Exporter], name: &str) -> bool {
    exporters.iter().any(|exporter| match exporter {
        Exporter::Alumet => alumet::family(name).is_some(),
        Exporter::Kepler => kepler::wanted(name),
        Exporter::KeplerLegacy => kepler_legacy::wanted(name),
        Exporter::Scaphandre => scaphandre::wanted(name),
    })
}

impl PageReader {
    /// A reader of these exporters.
    pub fn new(exporters: &[Exporter], options: ReaderOptions) -> Self {
        Self {
            exporters: exporters.to_vec(),
            options,
            readings: Vec::new(),
            counts: ReadCounts::default(),
            context: Context::default(),
            places: Places::default(),
        }
    }

    /// Takes a sample that was received at this time.
    pub fn sample(&mut self, sample: &Sample<'_>, received_at: Timestamp) {
        let context = &mut self.context;
        let found = self.exporters.iter().find_map(|&exporter| {
            let found = match exporter {
                Exporter::Alumet => alumet::read(sample, context),
                Exporter::Kepler => kepler::read(sample, context),
                Exporter::KeplerLegacy => kepler_legacy::read(sample, context),
                Exporter::Scaphandre => scaphandre::read(sample, context),
            };
            found.map(|found| (exporter, found))
        });
        let Some((exporter, found)) = found else { return };
        if !found.value.is_finite() || found.value < 0.0 {
            self.counts.impossible += 1;
            return;
        }
        let Some(at) = self.time_of(sample, received_at) else { return };
        let place = match self.options.route {
            Route::Scrape => self.places.by_pod_only(exporter, &sample.labels),
            Route::Prometheus | Route::Otlp => {
                self.places.of(exporter, &sample.labels, self.options.node_label.as_deref())
            }
        };
        let Found { value, measure, pod, part, modelled, terminated, family } = found;
        let reading = Reading { exporter, at, value, measure, pod, part, modelled, terminated };
        self.readings.push(Placed { reading, place, family });
    }

    /// All samples are of one node.
    pub fn finish(self) -> NodePage {
        let Self { mut readings, counts, context, places, .. } = self;
        let mut page = NodePage { counts, ..NodePage::default() };
        if places.several_nodes(readings.iter().map(|placed| placed.place)) {
            leave_out_mixed(&mut readings, &mut page);
        }
        page.readings = settle(readings, &context.families);
        page
    }

    /// The samples say which node they are of: by the configured label, the exporters' own labels, `instance`.
    pub fn finish_by_node(self, nodes: &NodeNames) -> (Vec<(Arc<str>, NodePage)>, Vec<Unplaced>) {
        let Self { readings, counts, context, places, .. } = self;
        let resolved = places.resolve(nodes);
        let mut by_node: FxHashMap<Arc<str>, Vec<Placed>> = FxHashMap::default();
        let mut unplaced: FxHashMap<(Exporter, PlaceId), u64> = FxHashMap::default();
        for placed in readings {
            let of_node = placed.reading.pod.is_none();
            match resolved.node(placed.place, placed.reading.exporter, of_node) {
                Some(node) => by_node.entry(Arc::clone(node)).or_default().push(placed),
                None => *unplaced.entry((placed.reading.exporter, placed.place)).or_default() += 1,
            }
        }
        let mut counts = Some(counts);
        let mut pages: Vec<_> = by_node
            .into_iter()
            .map(|(node, readings)| {
                // Nobody knows of which node they would have been.
                let counts = counts.take().unwrap_or_default();
                (node, NodePage { readings: settle(readings, &context.families), counts, mixed: Vec::new() })
            })
            .collect();
        pages.sort_by(|(one, _), (other, _)| one.cmp(other));
        (pages, places.unplaced(unplaced))
    }

    fn time_of(&mut self, sample: &Sample<'_>, received_at: Timestamp) -> Option<Timestamp> {
        let Some(at) = sample.at else { return Some(received_at) };
        if at.duration_since(received_at).abs() <= CLOCK_TOLERANCE {
            return Some(at);
        }
        self.counts.clock += 1;
        // A page has one point for each series and the time of receipt is a good one; of pushed points nobody knows
        // the order then.
        (self.options.route != Route::Otlp).then_some(received_at)
    }
}

impl Found {
    const fn node(value: f64, measure: Measure, part: u64) -> Self {
        Self { value, measure, pod: None, part, modelled: false, terminated: false, family: 0 }
    }
}

/// A page of an ALUMET relay: pods of several nodes, and for each domain the value of whichever node came last.
fn leave_out_mixed(readings: &mut Vec<Placed>, page: &mut NodePage) {
    let last = readings.iter().filter(|placed| placed.reading.exporter == Exporter::Alumet);
    if let Some(at) = last.map(|placed| placed.reading.at).max() {
        page.mixed.push((Exporter::Alumet, at));
    }
    readings.retain(|placed| placed.reading.exporter != Exporter::Alumet);
}

/// Leaves out what overlaps.
fn settle(mut readings: Vec<Placed>, families: &Families) -> Vec<Reading> {
    alumet::settle(&mut readings, families);
    scaphandre::settle(&mut readings);
    kepler::settle(&mut readings);
    readings.into_iter().map(|placed| placed.reading).collect()
}

#[cfg(test)]
mod tests;
