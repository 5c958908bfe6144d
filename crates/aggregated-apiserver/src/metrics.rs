//! Figures of the server itself.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Metric, Registry},
};

/// What a metric is called and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// Name, with its unit as suffix and without `_total`, which encoders append to counters.
    pub name: &'static str,
    /// Label keys.
    pub labels: &'static [&'static str],
    /// One sentence without its full stop, which encoders append.
    pub help: &'static str,
}

/// Takes metrics over, whatever kind of registry is behind it.
pub trait MetricSink {
    /// Takes one metric.
    fn register<M: Metric + Clone>(&mut self, spec: MetricSpec, metric: M);
}

type HistogramFamily<L> = Family<L, Histogram, fn() -> Histogram>;

/// Metrics of a server. Clones share the same figures.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: HistogramFamily<DurationLabels>,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
    refusals: Family<ReasonLabel, Counter>,
    handshakes: Family<ResultLabel, Counter>,
    authentications: Family<AuthenticationLabels, Counter>,
    authorisations: Family<AuthorisationLabels, Counter>,
    reviews: HistogramFamily<ReviewLabels>,
    lookups: Family<LookupLabels, Counter>,
    configuration: Family<ResultLabel, Counter>,
    not_after: Family<CertificateLabel, Gauge>,
    reloads: Family<ResultLabel, Counter>,
    rotations: Family<RotationLabels, Counter>,
    freshness: HistogramFamily<GroupLabel>,
}

/// The two kinds of question put to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Review {
    Token,
    Access,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    group: Cow<'static, str>,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    verb: &'static str,
    group: Cow<'static, str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthenticationLabels {
    method: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthorisationLabels {
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    review: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabels {
    review: &'static str,
    cache: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabel {
    certificate: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RotationLabels {
    step: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupLabel {
    group: Cow<'static, str>,
}

/// Half a millisecond to eight seconds.
fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 15))
}

/// One second to an hour.
fn age() -> Histogram {
    Histogram::new([1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0])
}

impl Default for ServerMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(latency),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            refusals: Family::default(),
            handshakes: Family::default(),
            authentications: Family::default(),
            authorisations: Family::default(),
            reviews: Family::new_with_constructor(latency),
            lookups: Family::default(),
            configuration: Family::default(),
            not_after: Family::default(),
            reloads: Family::default(),
            rotations: Family::default(),
            freshness: Family::new_with_constructor(age),
        }
    }
}

/// Declares name, labels and meaning in one line each.
const fn spec(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricSpec {
    MetricSpec { name, labels, help }
}

impl ServerMetrics {
    /// Hands every metric to a registry.
    #[rustfmt::skip]
    pub fn register(&self, sink: &mut impl MetricSink) {
        sink.register(spec("aggregated_apiserver_requests", &["verb", "group", "code"],
            "Requests answered, by verb, served API group (empty for paths outside of groups) and HTTP code"), self.requests.clone());
        sink.register(spec("aggregated_apiserver_request_duration_seconds", &["verb", "group"],
            "Time from the headers of a request to its answer, by verb and API group"), self.duration.clone());
        sink.register(spec("aggregated_apiserver_requests_in_flight", &[],
            "Requests being answered"), self.in_flight.clone());
        sink.register(spec("aggregated_apiserver_connections", &[],
            "Open connections"), self.connections.clone());
        sink.register(spec("aggregated_apiserver_refusals", &["reason"],
            "Requests refused before anybody was asked about them, by reason"), self.refusals.clone());
        sink.register(spec("aggregated_apiserver_handshakes", &["result"],
            "TLS handshakes, by result (ok, failed, timeout)"), self.handshakes.clone());
        sink.register(spec("aggregated_apiserver_authentications", &["method", "result"],
            "Requests authenticated, by the method that decided (header, certificate, token, anonymous) and result (ok, failed)"), self.authentications.clone());
        sink.register(spec("aggregated_apiserver_authorisations", &["decision"],
            "Requests authorised, by decision (always, allowed, denied, error)"), self.authorisations.clone());
        sink.register(spec("aggregated_apiserver_review_duration_seconds", &["review", "result"],
            "Time the API server took for reviews of tokens and of access, by result (ok, error, timeout)"), self.reviews.clone());
        sink.register(spec("aggregated_apiserver_review_lookups", &["review", "cache"],
            "Looks for the answer of an earlier review, by outcome (hit, miss, bypass)"), self.lookups.clone());
        sink.register(spec("aggregated_apiserver_authentication_configuration", &["result"],
            "Changes of the cluster's authentication configuration, by result (applied, refused, gone)"), self.configuration.clone());
        sink.register(spec("aggregated_apiserver_certificate_not_after_seconds", &["certificate"],
            "End of validity of the certificate in use, seconds since 1970 (serving, authority, client_authority, proxy_authority)"), self.not_after.clone());
        sink.register(spec("aggregated_apiserver_certificate_reloads", &["result"],
            "Changed serving certificates, by result (success, failure)"), self.reloads.clone());
        sink.register(spec("aggregated_apiserver_authority_steps", &["step", "result"],
            "Steps of the built-in certificate authority (create, adopt, announce, promote, retire, issue, publish), by result (success, failure)"), self.rotations.clone());
        sink.register(spec("metrics_apiserver_metric_freshness_seconds", &["group"],
            "Age of metric values when they were served, by API group"), self.freshness.clone());
    }

    /// Records how old a value was when it was served. The name of the histogram is the one that custom metrics API
    /// servers share.
    pub fn observe_freshness(&self, group: impl Into<Cow<'static, str>>, age: Duration) {
        self.freshness.get_or_create(&GroupLabel { group: group.into() }).observe(age.as_secs_f64());
    }

    pub(crate) fn count_request(&self, verb: &'static str, group: Cow<'static, str>, code: u16, took: Duration) {
        self.duration.get_or_create(&DurationLabels { verb, group: group.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { verb, group, code }).inc();
    }

    pub(crate) fn count_refusal(&self, reason: &'static str) {
        self.refusals.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn count_handshake(&self, result: &'static str) {
        self.handshakes.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn count_authentication(&self, method: &'static str, result: &'static str) {
        self.authentications.get_or_create(&AuthenticationLabels { method, result }).inc();
    }

    pub(crate) fn count_authorisation(&self, decision: &'static str) {
        self.authorisations.get_or_create(&AuthorisationLabels { decision }).inc();
    }

    pub(crate) fn observe_review(&self, review: Review, result: &'static str, took: Duration) {
        self.reviews.get_or_create(&ReviewLabels { review: review.name(), result }).observe(took.as_secs_f64());
    }

    pub(crate) fn count_lookup(&self, review: Review, cache: &'static str) {
        self.lookups.get_or_create(&LookupLabels { review: review.name(), cache }).inc();
    }

    pub(crate) fn count_configuration(&self, result: &'static str) {
        self.configuration.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn set_not_after(&self, certificate: &'static str, not_after: SystemTime) {
        let seconds = not_after.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let gauge = self.not_after.get_or_create(&CertificateLabel { certificate });
        gauge.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    pub(crate) fn count_reload(&self, result: &'static str) {
        self.reloads.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn count_rotation(&self, step: &'static str, result: &'static str) {
        self.rotations.get_or_create(&RotationLabels { step, result }).inc();
    }
}

impl Review {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Access => "access",
        }
    }
}

impl MetricSink for Registry {
    fn register<M: Metric + Clone>(&mut self, spec: MetricSpec, metric: M) {
        Self::register(self, spec.name, spec.help, metric);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_declared_as_they_are_written() {
        struct Declared(Vec<MetricSpec>, Registry);
        impl MetricSink for Declared {
            fn register<M: Metric + Clone>(&mut self, spec: MetricSpec, metric: M) {
                self.0.push(spec);
                self.1.register(spec.name, spec.help, metric);
            }
        }
        let metrics = ServerMetrics::default();
        let mut declared = Declared(Vec::new(), Registry::default());
        metrics.register(&mut declared);
        metrics.count_request("get", "g".into(), 200, Duration::from_millis(1));
        metrics.count_refusal("path");
        metrics.count_handshake("ok");
        metrics.count_authentication("token", "ok");
        metrics.count_authorisation("allowed");
        metrics.observe_review(Review::Token, "ok", Duration::from_millis(1));
        metrics.count_lookup(Review::Access, "hit");
        metrics.count_configuration("applied");
        metrics.set_not_after("serving", SystemTime::now());
        metrics.count_reload("success");
        metrics.count_rotation("create", "success");
        metrics.observe_freshness("g", Duration::from_secs(1));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &declared.1).unwrap();
        for spec in declared.0 {
            let sample = page.lines().find(|line| line.starts_with(spec.name)).expect(spec.name);
            for label in spec.labels {
                assert!(sample.contains(&format!("{label}=\"")), "{sample} lacks {label}");
            }
        }
    }
}
