//! Prometheus and whatever speaks its HTTP API: Thanos Query, Mimir, `VictoriaMetrics`.
//!
//! | query | asks for | so that |
//! | --- | --- | --- |
//! | raw series of nodes and of pods over a range | the samples themselves, with the times of their scrapes | deltas are ours: `increase` is wrong at wraps, and for ALUMET's gauges |
//! | sums by pod at steps | power of Scaphandre's processes | there are many processes and only their sum counts |
//!
//! All queries of a round are evaluated at the same instant, a moment ago, when the last scrape is there as a whole.
//! Ranges overlap; what was handed over before is left out. Replicas that answer separately are never mixed: each node
//! has the series of one of them.

pub mod answer;
mod replicas;
mod selectors;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use tokio::time::timeout;

use self::{
    replicas::{Collected, Replicas},
    selectors::Query,
};
use super::{
    EnergyAnswer, EnergySource, EnergySourceError, SampleCounts,
    directory::NodeDirectory,
    fleet::{Fleet, NODES_UNKNOWN},
    window::{Exporter, GapReason, Route},
};
use crate::{
    config::{ConfigError, EnergyConfig, EnergySourceConfig, PrometheusConfig, value},
    http::{HttpLimits, HttpService, Request, Response},
};

/// One answer. A thousand nodes with fifty pods each are a third of this.
const MAX_BODY_BYTES: usize = 128 << 20;
/// Whoever asks gives up after half a minute.
const LONGEST_ROUND: Duration = Duration::from_secs(27);
/// A scrape is in the store as a whole after this, even by remote write.
const SETTLE: Duration = Duration::from_secs(5);
/// Warnings that are told, and the length of each.
const MAX_WARNINGS: usize = 3;
const MAX_WARNING_CHARS: usize = 200;

/// A Prometheus.
#[derive(Debug)]
pub(super) struct PrometheusSource {
    name: String,
    period: Duration,
    scrape_interval: Duration,
    http: HttpService,
    queries: Vec<Query>,
    replicas: Replicas,
    fleet: Fleet,
    answered_at: Option<Timestamp>,
}

/// When the queries of a round are evaluated, and how far back they look.
#[derive(Debug, Clone, Copy)]
struct Span {
    end: Timestamp,
    range: Duration,
}

/// What came of the queries of a round.
#[derive(Debug, Default)]
struct Told {
    counts: SampleCounts,
    problems: Vec<String>,
}

impl PrometheusSource {
    pub(super) fn new(
        config: &EnergyConfig,
        source: &EnergySourceConfig,
        prometheus: &PrometheusConfig,
        directory: &NodeDirectory,
    ) -> Result<Self, ConfigError> {
        let exporters: Vec<Exporter> = source.exporters.iter().map(|&exporter| exporter.into()).collect();
        let limits = HttpLimits {
            max_body_bytes: MAX_BODY_BYTES,
            timeout: prometheus.http.timeout.get(),
            ..HttpLimits::default()
        };
        let http = HttpService::with_limits(&prometheus.http, limits)
            .map_err(|error| value(&format!("energy source {}: prometheus.http", source.name), error.to_string()))?;
        let scrape_interval = prometheus.scrape_interval.get();
        Ok(Self {
            name: source.name.clone(),
            period: source.period.get(),
            scrape_interval,
            http,
            queries: selectors::queries(&exporters, prometheus),
            replicas: Replicas::new(prometheus, &exporters),
            fleet: Fleet::new(config, source, (Route::Prometheus, scrape_interval), directory.clone()),
            answered_at: None,
        })
    }

    async fn round(&mut self, now: Timestamp) -> Result<EnergyAnswer, EnergySourceError> {
        let names = Arc::clone(&self.fleet.directory().load());
        if names.is_empty() {
            return Ok(self.fleet.answer(now, SampleCounts::default(), Some(NODES_UNKNOWN.into()), Vec::new()));
        }
        let span = self.span(now);
        let mut collected = self.replicas.collect();
        let asked = timeout(LONGEST_ROUND, self.ask(span, &mut collected)).await;
        let late = || format!("no answer to all queries within {} seconds", LONGEST_ROUND.as_secs());
        let mut told = asked.unwrap_or_else(|_| Err(late())).map_err(|problem| {
            self.fleet.missed_all(now, GapReason::NoAnswer);
            EnergySourceError::Route(problem)
        })?;
        self.answered_at = Some(now);
        if told.counts.parsed == 0 && told.problems.is_empty() {
            told.problems
                .push("it has no series of the configured exporters; check matchers and scrapeInterval".to_owned());
        }
        let (pages, unplaced) = self.replicas.choose(collected, &names);
        for (node, page) in pages {
            self.fleet.observe(&node, page);
        }
        let partial = (!told.problems.is_empty()).then(|| told.problems.join("; ").into());
        Ok(self.fleet.answer(now, told.counts, partial, unplaced))
    }

    /// From before the last answer, so that a round that failed loses nothing.
    fn span(&self, now: Timestamp) -> Span {
        let since: Duration = self
            .answered_at
            .and_then(|answered_at| now.duration_since(answered_at).try_into().ok())
            .unwrap_or(self.period);
        let since = since.clamp(self.period, self.fleet.stale_after().max(self.period));
        let settle = SETTLE.min(self.scrape_interval);
        Span {
            end: now.checked_sub(settle).unwrap_or(now),
            range: since.saturating_add(self.scrape_interval.saturating_mul(2)),
        }
    }

    /// Puts all queries. Without the nodes there is no answer; without the rest it is partial.
    async fn ask(&self, span: Span, collected: &mut Collected) -> Result<Told, String> {
        let mut told = Told::default();
        for query in &self.queries {
            let answered = match self.http.get_once(&self.request(query, span)).await {
                Ok(response) => self.read(query, &response, collected),
                Err(error) => Err(error.to_string()),
            };
            match answered {
                Ok(one) => {
                    told.counts += one.counts;
                    told.problems.extend(one.problems);
                }
                Err(problem) if query.is_essential() => return Err(problem),
                Err(problem) => told.problems.push(format!("{} are missing: {problem}", query.subject())),
            }
        }
        told.problems.sort();
        told.problems.dedup();
        told.problems.truncate(MAX_WARNINGS);
        Ok(told)
    }

    fn request(&self, query: &Query, span: Span) -> Request {
        let mut form = vec![
            // Thanos: one series of each replica, and whatever of the stores can be reached.
            ("dedup".to_owned(), "true".to_owned()),
            ("partial_response".to_owned(), "true".to_owned()),
        ];
        if query.by_steps() {
            let steps = span.range.as_millis().div_ceil(self.scrape_interval.as_millis().max(1));
            let steps = u32::try_from(steps).unwrap_or(u32::MAX);
            let start = span.end.checked_sub(self.scrape_interval.saturating_mul(steps)).unwrap_or(span.end);
            form.extend([
                ("query".to_owned(), query.expression(span.range)),
                ("start".to_owned(), seconds(start)),
                ("end".to_owned(), seconds(span.end)),
                ("step".to_owned(), format!("{}", self.scrape_interval.as_secs_f64())),
            ]);
            return Request::post_form("/api/v1/query_range", form);
        }
        form.extend([("query".to_owned(), query.expression(span.range)), ("time".to_owned(), seconds(span.end))]);
        Request::post_form("/api/v1/query", form)
    }

    /// Hands over the series of an answer.
    fn read(&self, query: &Query, response: &Response, collected: &mut Collected) -> Result<Told, String> {
        let mut counts = SampleCounts::default();
        let each = |series: &answer::Series<'_, '_>| collected.take(query, series, &mut counts);
        let read = answer::read(&response.body, each);
        let status = response.status.as_u16();
        let worded = |problem: String| self.short(&problem);
        match read {
            Ok(outcome) if response.is_success() => {
                counts.malformed += outcome.malformed;
                let problems = outcome.warnings.into_iter().take(MAX_WARNINGS).map(worded).collect();
                Ok(Told { counts, problems })
            }
            Err(refused @ answer::AnswerError::Refused { .. }) => Err(worded(refused.to_string())),
            _ if matches!(status, 401 | 403) => {
                Err(format!("status {status}; check bearerTokenFile, basicAuth or the client certificate"))
            }
            Ok(_) => Err(format!("status {status}; check the url")),
            Err(error) if response.is_success() => Err(worded(error.to_string())),
            Err(_) => Err(format!("status {status} without a word of the Prometheus API; check the url")),
        }
    }

    /// Text of somebody else's: without secrets, and not endless.
    fn short(&self, text: &str) -> String {
        self.http.redact(text).chars().take(MAX_WARNING_CHARS).collect()
    }
}

impl EnergySource for PrometheusSource {
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

/// As the API takes instants.
fn seconds(at: Timestamp) -> String {
    let millis = at.as_millisecond();
    format!("{}.{:03}", millis.div_euclid(1_000), millis.rem_euclid(1_000))
}
