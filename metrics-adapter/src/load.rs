//! Loads of workloads: who is asked, how often, and what is believed.
//!
//! | source | asks | adds up |
//! | --- | --- | --- |
//! | `prometheus` | one instant query | nothing: a scalar, or exactly one sample |
//! | `metric` | `metrics.k8s.io`, `custom.metrics.k8s.io` or `external.metrics.k8s.io` through the API server | its items |
//! | `pods` | the pages of the workload's own pods | rates of counters, or gauges |
//!
//! Every policy has a task of its own that asks at the policy's pace and tells the engine what came of it. What is no
//! load (NaN, negative, absurd, absent, or of too few pods) is a [`LoadFault`], never 0; the engine uses the last load
//! until it is stale.

mod counters;
mod metric;
mod pods;
mod pollers;
mod prometheus;
mod target;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::Client;
use kube_sci_signals::{
    config::HttpConfig,
    http::{HttpError, HttpErrorKind, HttpLimits, HttpService},
};
use sci_core::scaling::Load;

pub use self::pollers::{LoadReport, Pollers};
use self::{metric::MetricSource, pods::PodsSource, prometheus::PrometheusSource};
use crate::{
    policy::{GreenScalingPolicySpec, LoadPlan, SourceSpec},
    table::LoadReading,
};

/// The source of policies that name none.
pub const DEFAULT_PROMETHEUS: &str = "default";

/// Part of a workload's pods that has to answer.
const LEAST_COVERAGE: f64 = 0.8;
/// A page of a pod that is longer is refused.
const MAX_PAGE_BYTES: usize = 16 << 20;
/// An answer of Prometheus that is longer holds more than one number.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Pages asked for at the same time.
const PAGES_AT_ONCE: usize = 64;
/// Answers waited for at the same time, of one Prometheus.
const QUERIES_AT_ONCE: usize = 16;
/// Longest part of somebody else's text that is passed on.
const MAX_TEXT: usize = 300;

/// How loads are asked for; shared by all policies.
#[derive(Clone)]
pub struct LoadClients {
    inner: Arc<Inner>,
}

struct Inner {
    kube: Client,
    prometheus: BTreeMap<String, HttpService>,
    pages: HttpService,
    secure_pages: HttpService,
}

/// Why there is no load.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadFault {
    /// The policy names a source that the adapter does not have.
    #[error("no Prometheus is configured as {0:?}")]
    NoSuchSource(String),
    /// Nobody answers.
    #[error("{0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// Somebody answers, but not what was asked.
    #[error("{0}")]
    Refused(String),
    /// The answer cannot be read.
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
    /// There is nothing to add up.
    #[error("{0}")]
    Nothing(String),
    /// More than one number where one was meant.
    #[error("the query has {0} results, write it so that it adds up to one")]
    Ambiguous(usize),
    /// Too few pods answer.
    #[error("{answered} of {expected} pods answer, eight of ten are needed{first}")]
    Partial {
        /// Pods that did.
        answered: usize,
        /// Pods there are.
        expected: usize,
        /// Why the first of the others did not, if it said.
        first: String,
    },
    /// A rate takes two readings.
    #[error("the first reading was taken, a rate takes two")]
    FirstReading,
    /// A number that is no load.
    #[error(transparent)]
    NoLoad(#[from] sci_core::scaling::LoadError),
    /// The target of the policy cannot be found.
    #[error("{0}")]
    Target(String),
}

/// Something that can be asked for one load.
enum Source {
    Prometheus(PrometheusSource),
    Metric(MetricSource),
    Pods(PodsSource),
}

impl LoadClients {
    /// With the configured services of Prometheus by name, and the authorities for `https` pages of pods.
    ///
    /// # Errors
    /// [`HttpError`] where an address cannot be used.
    pub fn new(
        kube: Client,
        prometheus: &BTreeMap<String, HttpConfig>,
        pod_ca_file: Option<&PathBuf>,
    ) -> Result<Self, HttpError> {
        let limits = |bytes, concurrency, timeout| HttpLimits { max_body_bytes: bytes, concurrency, timeout };
        let service = |config: &HttpConfig| {
            HttpService::with_limits(config, limits(MAX_ANSWER_BYTES, QUERIES_AT_ONCE, config.timeout.get()))
        };
        let prometheus = prometheus.iter().map(|(name, config)| Ok((name.clone(), service(config)?)));
        let pages = limits(MAX_PAGE_BYTES, PAGES_AT_ONCE, Duration::from_secs(5));
        let plain = HttpService::anywhere(pages);
        Ok(Self {
            inner: Arc::new(Inner {
                kube,
                prometheus: prometheus.collect::<Result<_, HttpError>>()?,
                secure_pages: pod_ca_file
                    .map_or_else(|| plain.clone(), |file| HttpService::anywhere_trusting(file, pages)),
                pages: plain,
            }),
        })
    }
}

impl std::fmt::Debug for LoadClients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadClients").field("prometheus", &self.inner.prometheus.keys()).finish_non_exhaustive()
    }
}

impl LoadFault {
    /// A fixed word for metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoSuchSource(_) => "no_such_source",
            Self::Unreachable(_) => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::Refused(_) => "refused",
            Self::Malformed(_) => "malformed",
            Self::Nothing(_) => "nothing",
            Self::Ambiguous(_) => "ambiguous",
            Self::Partial { .. } => "partial",
            Self::FirstReading => "first_reading",
            Self::NoLoad(error) => error.as_str(),
            Self::Target(_) => "target",
        }
    }

    /// Every word of [`kind`](Self::kind), for metrics.
    pub const KINDS: [&'static str; 15] = [
        "no_such_source",
        "unreachable",
        "timeout",
        "refused",
        "malformed",
        "nothing",
        "ambiguous",
        "partial",
        "first_reading",
        "missing",
        "not_finite",
        "negative",
        "too_large",
        "stale",
        "target",
    ];

    fn of_http(error: &HttpError) -> Self {
        match error.kind {
            HttpErrorKind::Timeout { limit } => Self::Timeout(limit),
            _ => Self::Unreachable(shortened(&error.to_string())),
        }
    }

    fn of_kube(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(shortened(&status.message)),
            other => Self::Unreachable(shortened(&other.to_string())),
        }
    }
}

impl Source {
    fn new(clients: &LoadClients, namespace: &str, spec: &GreenScalingPolicySpec, plan: &LoadPlan) -> Self {
        match &plan.source {
            SourceSpec::Prometheus(prometheus) => {
                Self::Prometheus(PrometheusSource::new(&clients.inner.prometheus, prometheus))
            }
            SourceSpec::Metric(metric) => {
                Self::Metric(MetricSource::new(clients.inner.kube.clone(), namespace, &spec.target_ref, metric))
            }
            SourceSpec::Pods(pods) => {
                Self::Pods(PodsSource::new(&clients.inner, namespace, (&spec.target_ref, pods), plan.stale_after))
            }
        }
    }

    fn read(&mut self, now: Timestamp) -> BoxFuture<'_, Result<LoadReading, LoadFault>> {
        match self {
            Self::Prometheus(source) => Box::pin(source.read(now)),
            Self::Metric(source) => Box::pin(source.read(now)),
            Self::Pods(source) => Box::pin(source.read(now)),
        }
    }
}

/// A reading whose value can be a load.
fn checked(reading: LoadReading) -> Result<LoadReading, LoadFault> {
    Load::new(reading.sample.value)?;
    Ok(reading)
}

/// Somebody else's text, of bearable length and in one line.
fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests;
