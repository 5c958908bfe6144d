//! Series of several replicas, kept apart, and the one replica that answers for a node.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{answer::Series, selectors::Query};
use crate::{
    config::PrometheusConfig,
    energy::{
        SampleCounts,
        directory::NodeNames,
        readers::{self, PageReader, ReaderOptions, Unplaced},
        reading::{NodePage, Reading},
        window::{Exporter, Route},
    },
    exposition::{Labels, Sample, SampleKind},
};

const NAME: &str = "__name__";
/// More are not replicas of one another.
const MAX_REPLICAS: usize = 8;

/// Which replica answers for which node, and up to when it was heard.
#[derive(Debug)]
pub(super) struct Replicas {
    labels: Vec<String>,
    exporters: Vec<Exporter>,
    options: ReaderOptions,
    scrape_interval: Duration,
    chosen: BTreeMap<Arc<str>, Arc<str>>,
    handed_over: BTreeMap<(Arc<str>, Exporter), Timestamp>,
}

/// The series of one round.
#[derive(Debug)]
pub(super) struct Collected {
    labels: Vec<String>,
    exporters: Vec<Exporter>,
    options: ReaderOptions,
    replicas: Vec<Replica>,
}

/// The series of one replica: samples at their own times, and sums at the times of steps.
#[derive(Debug)]
struct Replica {
    key: Arc<str>,
    samples: PageReader,
    steps: PageReader,
}

/// What a replica says of a node.
#[derive(Debug, Default)]
struct Candidate {
    key: Arc<str>,
    samples: NodePage,
    steps: NodePage,
}

/// Points, and the newest of them.
type Merit = (usize, Option<Timestamp>);

impl Replicas {
    pub(super) fn new(config: &PrometheusConfig, exporters: &[Exporter]) -> Self {
        Self {
            labels: config.replica_labels.clone(),
            exporters: exporters.to_vec(),
            options: ReaderOptions { route: Route::Prometheus, node_label: config.node_label.clone() },
            scrape_interval: config.scrape_interval.get(),
            chosen: BTreeMap::new(),
            handed_over: BTreeMap::new(),
        }
    }

    /// For a new round.
    pub(super) fn collect(&self) -> Collected {
        Collected {
            labels: self.labels.clone(),
            exporters: self.exporters.clone(),
            options: self.options.clone(),
            replicas: Vec::new(),
        }
    }

    /// What is new of each node, by its replica; and the samples that are of no node, as the first that has any says.
    pub(super) fn choose(
        &mut self,
        collected: Collected,
        names: &NodeNames,
    ) -> (Vec<(Arc<str>, NodePage)>, Vec<Unplaced>) {
        let mut candidates: BTreeMap<Arc<str>, Vec<Candidate>> = BTreeMap::new();
        let mut unplaced = Vec::new();
        for Replica { key, samples, steps } in collected.replicas {
            let (samples, nowhere) = samples.finish_by_node(names);
            if unplaced.is_empty() {
                unplaced = nowhere;
            }
            let (steps, _) = steps.finish_by_node(names);
            let mut steps: BTreeMap<_, _> = steps.into_iter().collect();
            for (node, samples) in samples {
                let steps = steps.remove(&node).unwrap_or_default();
                candidates.entry(node).or_default().push(Candidate { key: Arc::clone(&key), samples, steps });
            }
        }
        self.chosen.retain(|node, _| names.named(node).is_some());
        self.handed_over.retain(|(node, _), _| names.named(node).is_some());
        let pages = candidates.into_iter().filter_map(|(node, candidates)| {
            let chosen = self.choose_one(&node, candidates)?;
            let page = self.news(&node, chosen.merge(self.scrape_interval));
            (!page.is_empty()).then_some((node, page))
        });
        (pages.collect(), unplaced)
    }

    /// The one of before, unless another has clearly more: changing costs the step between two observations.
    fn choose_one(&mut self, node: &Arc<str>, mut candidates: Vec<Candidate>) -> Option<Candidate> {
        candidates.sort_by(|one, other| other.merit().cmp(&one.merit()).then_with(|| one.key.cmp(&other.key)));
        let (most, newest) = candidates.first()?.merit();
        let before = self.chosen.get(node);
        let late = |at: Option<Timestamp>| {
            let behind = newest.zip(at).and_then(|(newest, at)| Duration::try_from(newest.duration_since(at)).ok());
            behind.is_none_or(|behind| behind > self.scrape_interval.saturating_mul(3) / 2)
        };
        let stays = candidates.iter().position(|candidate| {
            let (points, at) = candidate.merit();
            before == Some(&candidate.key) && points.saturating_mul(2) >= most && !late(at)
        });
        let chosen = candidates.swap_remove(stays.unwrap_or(0));
        self.chosen.insert(Arc::clone(node), Arc::clone(&chosen.key));
        Some(chosen)
    }

    /// Without what was handed over in a round before.
    fn news(&mut self, node: &Arc<str>, mut page: NodePage) -> NodePage {
        let handed_over = |exporter: Exporter| self.handed_over.get(&(Arc::clone(node), exporter)).copied();
        let known = Exporter::ALL.map(handed_over);
        let until = |exporter: Exporter| Exporter::ALL.iter().zip(known).find(|(of, _)| **of == exporter)?.1;
        page.readings.retain(|reading| until(reading.exporter).is_none_or(|until| reading.at > until));
        for reading in &page.readings {
            let newest = self.handed_over.entry((Arc::clone(node), reading.exporter)).or_insert(reading.at);
            *newest = reading.at.max(*newest);
        }
        page
    }
}

impl Collected {
    /// Takes a series of an answer.
    pub(super) fn take(&mut self, query: &Query, series: &Series<'_, '_>, counts: &mut SampleCounts) {
        let points = u64::try_from(series.points.len()).unwrap_or(u64::MAX);
        let get = |name: &str| series.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
        let name = get(NAME);
        if !readers::wanted(&self.exporters, name) {
            counts.skipped += points;
            return;
        }
        let key = self.labels.iter().map(|label| get(label)).collect::<Vec<_>>().join("/");
        let Some(replica) = self.replica(&key) else {
            counts.malformed += points;
            return;
        };
        let reader = if query.by_steps() { &mut replica.steps } else { &mut replica.samples };
        let labels = Labels::from_pairs(series.labels);
        for (at, value) in series.points {
            let sample = Sample { name, labels, value: *value, at: Some(*at), kind: SampleKind::Untyped };
            // The range that was asked for bounds their age.
            reader.sample(&sample, *at);
        }
        counts.parsed += points;
    }

    fn replica(&mut self, key: &str) -> Option<&mut Replica> {
        let known = self.replicas.iter().position(|replica| *replica.key == *key);
        let index = known.unwrap_or(self.replicas.len());
        if index >= MAX_REPLICAS {
            return None;
        }
        if known.is_none() {
            let reader = || PageReader::new(&self.exporters, self.options.clone());
            self.replicas.push(Replica { key: key.into(), samples: reader(), steps: reader() });
        }
        self.replicas.get_mut(index)
    }
}

impl Candidate {
    fn merit(&self) -> Merit {
        let newest = self.samples.readings.iter().map(|reading| reading.at).max();
        (self.samples.readings.len(), newest)
    }

    /// One page: sums at steps become values of the scrape before the step, and what is not there as a whole waits for
    /// the next round.
    fn merge(self, scrape_interval: Duration) -> NodePage {
        let mut page = self.samples;
        if let Some(last) = self.steps.readings.iter().map(|reading| reading.at).max() {
            page.readings.retain(|reading| reading.exporter != Exporter::Scaphandre || reading.at <= last);
            align(&mut page.readings, self.steps.readings, scrape_interval);
        }
        page.counts += self.steps.counts;
        for exporter in Exporter::ALL {
            let energy = page.readings.iter().filter(|reading| reading.exporter == exporter && is_of_node(reading));
            if let Some(newest) = energy.map(|reading| reading.at).max() {
                page.readings.retain(|reading| reading.exporter != exporter || reading.at <= newest);
            }
        }
        page
    }
}

/// Gives values at steps the time of the last scrape before. Of several steps after one scrape, the first counts.
fn align(readings: &mut Vec<Reading>, steps: Vec<Reading>, scrape_interval: Duration) {
    let energy = readings.iter().filter(|reading| reading.exporter == Exporter::Scaphandre && is_of_node(reading));
    let scrapes: BTreeSet<Timestamp> = energy.map(|reading| reading.at).collect();
    let steps_at: BTreeSet<Timestamp> = steps.iter().map(|reading| reading.at).collect();
    let mut scrape_of: BTreeMap<Timestamp, Timestamp> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for step in steps_at {
        let scrape = scrapes.range(..=step).next_back().copied();
        let age = scrape.and_then(|scrape| Duration::try_from(step.duration_since(scrape)).ok());
        if let Some(scrape) = scrape.filter(|_| age.is_some_and(|age| age <= scrape_interval.saturating_mul(2)))
            && used.insert(scrape)
        {
            scrape_of.insert(step, scrape);
        }
    }
    readings.extend(
        steps.into_iter().filter_map(|reading| scrape_of.get(&reading.at).map(|&at| Reading { at, ..reading })),
    );
}

fn is_of_node(reading: &Reading) -> bool {
    reading.pod.is_none() && reading.measure.domain().is_some()
}
