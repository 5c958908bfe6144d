//! Pages of agents on a full node: our reader beside `prometheus-parse` alone, on the same bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    hint::black_box,
    io,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use kube_sci_signals::{
    energy::{Exporter, readers},
    exposition,
};
use prometheus_parse::Scrape;

use crate::{
    figure::{Figure, Goal},
    samples::median,
};

/// Pods of the one node that a page speaks of.
const PODS: usize = 1_000;
const ROUNDS: usize = 7;
/// Readings of ours in one round, to be long enough for the clock.
const READINGS: u32 = 20;

/// A recorded page, and one pod on it that stands for all.
#[derive(Debug, Clone, Copy)]
pub struct Recorded {
    /// The agent, as in the figures.
    pub agent: &'static str,
    text: &'static str,
    /// Name of the pod.
    name: &'static str,
    /// End of its UID.
    uid: &'static str,
}

/// The pages that are read.
pub const PAGES: [Recorded; 2] = [
    Recorded {
        agent: "Kepler",
        text: include_str!("../../../crates/signals/tests/pages/kepler-0.11-reconstructed-t0.txt"),
        name: "batch-0",
        uid: "000000000002",
    },
    Recorded {
        agent: "ALUMET",
        text: include_str!("../../../crates/signals/tests/pages/alumet-agent-0.9.5.txt"),
        name: "batch-0",
        uid: "555555555502",
    },
];

/// What a page holds, whoever reads it: how often each sample is there, by a hash of name, labels and value.
#[derive(Debug, Default, PartialEq, Eq)]
struct Content {
    samples: BTreeMap<u64, u64>,
}

/// Throughput of both, and what is lost.
///
/// # Errors
/// When a page is refused or holds no pods.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for page in PAGES {
        let text = page.with_pods(PODS);
        let name = |what: &str| format!("exposition: {} page of {PODS} pods, {what}", page.agent);
        let (expected, read) = (reference(&text)?, ours(&text)?);
        ensure!(expected.len() > u64::try_from(PODS)?, "the page has no pods: nothing is measured");
        ensure!(read.len() <= expected.len(), "samples are read that are not there");
        let lost = f64::from(u32::try_from(read.lost(&expected))?);
        let (throughput, ratio) = compare(&text)?;
        figures.push(
            Figure::new(name("read"), throughput, "MB/s")
                .with_ratio("prometheus-parse", ratio)
                .goal(Goal::RatioAtLeast(10.0)),
        );
        figures.push(Figure::new(name("lost"), lost, "samples").goal(Goal::AtMost(0.0)));
    }
    Ok(figures)
}

/// What a source without further configuration asks for.
fn wanted(name: &str) -> bool {
    readers::wanted(&Exporter::ALL, name)
}

impl Recorded {
    /// The page with so many pods in the place of one.
    pub fn with_pods(&self, pods: usize) -> String {
        let mut text = String::new();
        for line in self.text.lines() {
            let copies = if line.contains(self.name) { pods } else { 1 };
            for number in 0..copies {
                let name = format!("batch-{number}");
                text.push_str(&line.replace(self.uid, &format!("{number:012}")).replace(self.name, &name));
                text.push('\n');
            }
        }
        text
    }
}

impl Content {
    /// In no order of samples or labels.
    fn add(&mut self, name: &str, labels: &BTreeSet<(&str, &str)>, value: f64) {
        let mut hasher = DefaultHasher::new();
        (name, labels, value.to_bits()).hash(&mut hasher);
        *self.samples.entry(hasher.finish()).or_default() += 1;
    }

    fn len(&self) -> u64 {
        self.samples.values().sum()
    }

    /// Samples of `expected` that are not here, or not as they were.
    fn lost(&self, expected: &Self) -> u64 {
        let here = |sample| self.samples.get(sample).copied().unwrap_or(0);
        expected.samples.iter().map(|(sample, count)| count.saturating_sub(here(sample))).sum()
    }
}

fn ours(text: &str) -> anyhow::Result<Content> {
    let mut content = Content::default();
    let counts = exposition::parse(text.as_bytes(), wanted, |sample| {
        content.add(sample.name, &sample.labels.iter().collect(), sample.value);
    })?;
    ensure!(counts.malformed == 0 && counts.parsed == content.len(), "lines are malformed: {counts:?}");
    Ok(content)
}

/// The same by plain splitting, which these pages allow: no value on them has a quote, an escape or a brace.
fn reference(text: &str) -> anyhow::Result<Content> {
    let mut content = Content::default();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, value) = line.rsplit_once(' ').context("a line without value")?;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        if wanted(name) {
            let labels = labels.trim_end_matches('}').split_terminator(',');
            let labels: Option<_> = labels.map(|label| label.strip_suffix('"')?.split_once("=\"")).collect();
            content.add(name, &labels.context("a label without value")?, value.parse()?);
        }
    }
    Ok(content)
}

/// Our megabytes in a second, and how often that of the peer; medians over rounds in which both took turns.
fn compare(text: &str) -> anyhow::Result<(f64, f64)> {
    let (mut throughputs, mut ratios) = (Vec::new(), Vec::new());
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    let megabytes = text.len() as f64 / 1e6;
    for _ in 0..ROUNDS {
        let own = own_time(text)?.as_secs_f64();
        let peer = peer_time(text)?.as_secs_f64();
        throughputs.push(megabytes / own);
        ratios.push(peer / own);
    }
    Ok((median(&mut throughputs), median(&mut ratios)))
}

fn own_time(text: &str) -> anyhow::Result<Duration> {
    let started = Instant::now();
    for _ in 0..READINGS {
        exposition::parse(text.as_bytes(), wanted, |sample| {
            black_box(sample);
        })?;
    }
    Ok(started.elapsed() / READINGS)
}

fn peer_time(text: &str) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let scrape = Scrape::parse(text.lines().map(|line| io::Result::Ok(line.to_owned())))?;
    ensure!(!black_box(scrape).samples.is_empty(), "the peer read nothing");
    Ok(started.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pod_has_a_name_and_uid_of_its_own() {
        for page in PAGES {
            let text = page.with_pods(3);
            for number in 0..3 {
                assert!(text.contains(&format!("\"batch-{number}\"")), "{}", page.agent);
                assert!(text.contains(&format!("{number:012}")), "{}", page.agent);
            }
        }
    }

    #[test]
    fn nothing_is_lost_on_the_pages() {
        for page in PAGES {
            let text = page.with_pods(20);
            assert_eq!(ours(&text).unwrap(), reference(&text).unwrap(), "{}", page.agent);
        }
    }

    #[test]
    fn a_changed_label_is_a_loss() {
        let text = PAGES[0].with_pods(20);
        let read = ours(&text.replacen("batch-7", "batch-8", 1)).unwrap();
        assert_eq!(read.lost(&reference(&text).unwrap()), 1);
    }
}
