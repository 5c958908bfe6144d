//! Direct scrape: the pages of the agents, found through the API server.
//!
//! | step | bound |
//! | --- | --- |
//! | which pods are agents | a watch that is read when the source is asked |
//! | ask every agent | so many at a time, spread over a tenth of the period; those that failed last come last |
//! | read a page | straight into the readings of its node; freed before the next one of the same slot |
//!
//! A round ends in time for the next: agents whose turn did not come have not answered.

mod agents;
mod page;
mod pod;

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::{
    agents::{Agent, Agents},
    page::{Page, PageError},
};
use super::{
    EnergyAnswer, EnergySource, EnergySourceError, SampleCounts,
    directory::NodeDirectory,
    fleet::Fleet,
    window::{Exporter, GapReason, Route},
};
use crate::{
    config::{EnergyConfig, EnergySourceConfig, ScrapeConfig},
    http::{HttpLimits, HttpService},
};

/// Whoever asks gives up after half a minute; what was read until then is to count.
const LONGEST_ROUND: Duration = Duration::from_secs(24);
/// Agents are asked within this part of a period, not all at once.
const SPREAD: u32 = 10;
/// The problem of one agent, in the words of a library.
const MAX_PROBLEM_CHARS: usize = 200;

/// The pages of agents.
pub(super) struct ScrapeSource {
    name: String,
    period: Duration,
    exporters: Arc<[Exporter]>,
    concurrency: usize,
    agents: Agents,
    http: HttpService,
    fleet: Fleet,
    /// Nodes whose agent failed in the last round.
    failed: BTreeSet<Arc<str>>,
}

/// What became of a round.
#[derive(Debug, Default)]
struct Round {
    counts: SampleCounts,
    asked: usize,
    failed: BTreeSet<Arc<str>>,
    failures: usize,
    first: Option<(Arc<str>, String)>,
}

impl ScrapeSource {
    pub(super) fn new(
        config: &EnergyConfig,
        source: &EnergySourceConfig,
        scrape: &ScrapeConfig,
        client: &kube::Client,
        directory: &NodeDirectory,
    ) -> Self {
        let exporters: Arc<[Exporter]> = source.exporters.iter().map(|&exporter| exporter.into()).collect();
        let period = source.period.get();
        let limits = HttpLimits {
            max_body_bytes: usize::try_from(scrape.max_page_bytes).unwrap_or(usize::MAX),
            concurrency: scrape.concurrency,
            timeout: scrape.timeout.get(),
        };
        let http = match &scrape.ca_file {
            Some(authorities) => HttpService::anywhere_trusting(authorities, limits),
            None => HttpService::anywhere(limits),
        };
        Self {
            name: source.name.clone(),
            period,
            concurrency: scrape.concurrency,
            agents: Agents::new(client.clone(), scrape, &exporters),
            exporters,
            http,
            fleet: Fleet::new(config, source, (Route::Scrape, period), directory.clone()),
            failed: BTreeSet::new(),
        }
    }

    async fn round(&mut self, now: Timestamp) -> Result<EnergyAnswer, EnergySourceError> {
        let started = Instant::now();
        self.agents.follow().await.map_err(EnergySourceError::Route)?;
        let agents = self.agents.on(&self.fleet.directory().load());
        let round = self.ask(agents, (now, started)).await;
        let partial = partial(&round, self.agents.problem());
        self.failed = round.failed;
        let now = later(now, started.elapsed());
        Ok(self.fleet.answer(now, round.counts, partial, Vec::new()))
    }

    /// Asks every agent and hands each page on as soon as it is there.
    async fn ask(&mut self, agents: Vec<Agent>, (now, started): (Timestamp, Instant)) -> Round {
        let turn = |agent: Agent| (self.failed.contains(&agent.node), delay(&agent.node, self.period), agent);
        let mut turns: Vec<_> = agents.into_iter().map(turn).collect();
        turns.sort_by_key(|(failed, delay, _)| (*failed, *delay));
        let deadline = started + LONGEST_ROUND.min(self.period.max(Duration::from_secs(5)));
        let (http, exporters) = (&self.http, &self.exporters);
        let mut pages = stream::iter(turns)
            .map(|(_, delay, agent)| async move {
                let asked = async {
                    sleep_until(started + delay).await;
                    page::fetch(http, &agent, exporters, || later(now, started.elapsed())).await
                };
                let asked = timeout_at(deadline, asked).await.unwrap_or(Err(PageError::NoTime));
                (agent.node, asked)
            })
            .buffer_unordered(self.concurrency);
        let mut round = Round::default();
        while let Some((node, asked)) = pages.next().await {
            round.asked += 1;
            match asked {
                Ok(Page { page, counts }) => {
                    round.counts += counts;
                    self.fleet.observe(&node, page);
                }
                Err(error) => {
                    self.fleet.missed(&node, later(now, started.elapsed()), GapReason::NoAnswer);
                    round.fail(node, &error);
                }
            }
        }
        round
    }
}

impl EnergySource for ScrapeSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn period(&self) -> Duration {
        self.period
    }

    fn poll(&mut self, now: Timestamp) -> BoxFuture<'_, Result<EnergyAnswer, EnergySourceError>> {
        self.round(now).boxed()
    }
}

impl Round {
    fn fail(&mut self, node: Arc<str>, error: &PageError) {
        self.failures += 1;
        self.failed.insert(Arc::clone(&node));
        // By name, so that the same failures always give the same text.
        if self.first.as_ref().is_none_or(|(first, _)| node < *first) {
            let problem = error.to_string().chars().take(MAX_PROBLEM_CHARS).collect();
            self.first = Some((node, problem));
        }
    }
}

/// Why nodes may be missing from an answer.
fn partial(round: &Round, problem: Option<String>) -> Option<Arc<str>> {
    let mut texts = Vec::new();
    if let Some((node, problem)) = &round.first {
        texts.push(format!("{} of {} agents did not answer, first: {node}: {problem}", round.failures, round.asked));
    }
    texts.extend(problem);
    (!texts.is_empty()).then(|| texts.join("; ").into())
}

/// Up to a tenth of the period, the same for a node every time.
fn delay(node: &str, period: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    node.hash(&mut hasher);
    let part = u32::try_from(hasher.finish() % 1_000).unwrap_or(0);
    period / SPREAD * part / 1_000
}

fn later(now: Timestamp, elapsed: Duration) -> Timestamp {
    now.checked_add(elapsed).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_asked_within_a_tenth_of_the_period_each_at_its_own_time() {
        let period = Duration::from_secs(15);
        let delays: Vec<_> = (0..100).map(|node| delay(&format!("node-{node}"), period)).collect();
        assert!(delays.iter().all(|delay| *delay < period / 10));
        assert!(delays.iter().filter(|delay| **delay < period / 20).count().abs_diff(50) < 25);
        assert_eq!(delay("node-7", period), delays[7]);
    }
}
