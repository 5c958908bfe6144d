//! What happens around every request: early refusal of bodies that are too large, a span, and one record per request
//! that reaches the scraped and the pushed metrics alike.

use std::{cell::RefCell, collections::HashMap, future::Future, rc::Rc, time::Instant};

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::{BodySize, MessageBody as _},
    dev::{Service, ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap},
    },
};
use opentelemetry::{
    KeyValue,
    propagation::{Extractor, TextMapPropagator as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};
use tracing::{Instrument, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{HttpError, error::explain_method};
use crate::{
    metrics::{MetricsRegistry, Spec, Unit},
    telemetry::{METER, REQUEST_TARGET, Telemetry},
};

/// Upper bounds in seconds: fine below the scheduler's budget of some milliseconds, coarse above.
const DURATION_BUCKETS: [f64; 13] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Route of requests that match none.
const UNMATCHED: &str = "unmatched";

/// Request metrics of the process.
#[derive(Clone, Debug)]
pub(super) struct RequestMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    pushed: Option<opentelemetry::metrics::Histogram<f64>>,
}

/// Request metrics of one worker thread.
pub(super) struct Observer {
    metrics: Rc<RequestMetrics>,
    /// By pattern, so there are no more than the program has routes.
    routes: RefCell<HashMap<String, Rc<Route>>>,
    unmatched: Rc<Route>,
    max_body_bytes: usize,
    reads_trace_context: bool,
}

/// The series of one route. After the first request with an outcome the next costs neither allocation nor hashing of
/// labels.
struct Route {
    pattern: String,
    series: RefCell<Vec<Rc<Series>>>,
}

/// Where one request is recorded.
struct Series {
    method: &'static str,
    outcome: &'static str,
    requests: Counter,
    duration: Histogram,
    pushed: Option<(opentelemetry::metrics::Histogram<f64>, [KeyValue; 3])>,
}

/// A request in progress. It is recorded when dropped, so that one whose client went away counts too.
struct Recording {
    metrics: Rc<RequestMetrics>,
    route: Rc<Route>,
    method: &'static str,
    started: Instant,
    status: Option<StatusCode>,
}

struct Headers<'a>(&'a HeaderMap);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    route: String,
    method: &'static str,
}

impl RequestMetrics {
    pub(super) fn new(registry: &MetricsRegistry, telemetry: &Telemetry) -> Self {
        let pushed = telemetry.meter(METER).map(|meter| {
            meter
                .f64_histogram("http.server.request.duration")
                .with_unit("s")
                .with_boundaries(DURATION_BUCKETS.to_vec())
                .build()
        });
        let this = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            in_flight: Gauge::default(),
            pushed,
        };
        let requests = Spec {
            name: "kube_sci_http_requests",
            unit: None,
            labels: &["route", "method", "outcome"],
            help: "HTTP requests by route, method and class of the answer's status; aborted if the client left first",
        };
        let durations = Spec {
            name: "kube_sci_http_request_duration",
            unit: Some(Unit::Seconds),
            labels: &["route", "method"],
            help: "Time from the head of a request to the head of its answer",
        };
        let in_flight = Spec {
            name: "kube_sci_http_requests_in_flight",
            unit: None,
            labels: &[],
            help: "HTTP requests being answered",
        };
        registry.register(requests, this.requests.clone());
        registry.register(durations, this.durations.clone());
        registry.register(in_flight, this.in_flight.clone());
        this
    }

    pub(super) fn in_flight(&self) -> Gauge {
        self.in_flight.clone()
    }

    fn series(&self, route: &str, method: &'static str, outcome: &'static str) -> Series {
        let labels = RequestLabels { route: route.to_owned(), method, outcome };
        let pushed = self.pushed.clone().map(|histogram| {
            let attributes = [
                KeyValue::new("http.route", route.to_owned()),
                KeyValue::new("http.request.method", method),
                KeyValue::new("http.response.status_class", outcome),
            ];
            (histogram, attributes)
        });
        Series {
            method,
            outcome,
            requests: self.requests.get_or_create_owned(&labels),
            duration: self.durations.get_or_create_owned(&DurationLabels { route: labels.route, method }),
            pushed,
        }
    }
}

impl Observer {
    pub(super) fn new(metrics: Rc<RequestMetrics>, max_body_bytes: usize, reads_trace_context: bool) -> Self {
        let unmatched = Rc::new(Route::new(UNMATCHED.to_owned()));
        Self { metrics, routes: RefCell::default(), unmatched, max_body_bytes, reads_trace_context }
    }

    /// Wraps `next`, the rest of the application.
    pub(super) fn observe<S>(
        &self,
        request: ServiceRequest,
        next: &S,
    ) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
    where
        S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
    {
        let recording = self.start(&request);
        let span = self.span(&request, &recording);
        let work = match self.refusal(&request) {
            Some(refusal) => Err(request.into_response(refusal)),
            None => Ok(next.call(request)),
        };
        async move {
            let answer = match work {
                Ok(work) => work.instrument(span.clone()).await.map(explained),
                Err(refused) => Ok(refused),
            };
            let status = match &answer {
                Ok(response) => response.status(),
                Err(error) => error.as_response_error().status_code(),
            };
            recording.end(status);
            span.record("http.response.status_code", status.as_u16());
            if status.is_server_error() {
                span.record("otel.status_code", "ERROR");
            }
            answer
        }
    }

    fn start(&self, request: &ServiceRequest) -> Recording {
        self.metrics.in_flight.inc();
        Recording {
            metrics: Rc::clone(&self.metrics),
            route: self.route(request),
            method: method_label(request.method()),
            started: Instant::now(),
            status: None,
        }
    }

    /// A request that announces too large a body is refused before a byte of it is read.
    fn refusal(&self, request: &ServiceRequest) -> Option<HttpResponse> {
        let announced = request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse::<usize>().ok()?;
        (announced > self.max_body_bytes).then(|| HttpError::too_large(self.max_body_bytes).error_response())
    }

    fn route(&self, request: &ServiceRequest) -> Rc<Route> {
        // The path of a route without parameters is its pattern.
        if let Some(known) = self.routes.borrow().get(request.path()) {
            return Rc::clone(known);
        }
        let Some(pattern) = request.match_pattern() else { return Rc::clone(&self.unmatched) };
        let mut routes = self.routes.borrow_mut();
        Rc::clone(routes.entry(pattern).or_insert_with_key(|pattern| Rc::new(Route::new(pattern.clone()))))
    }

    fn span(&self, request: &ServiceRequest, recording: &Recording) -> Span {
        let (method, route) = (recording.method, recording.route.pattern.as_str());
        let span = tracing::debug_span!(
            target: REQUEST_TARGET,
            "request",
            otel.name = %format_args!("{method} {route}"),
            otel.kind = "server",
            otel.status_code = field::Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = field::Empty,
        );
        if self.reads_trace_context && !span.is_disabled() {
            let parent = TraceContextPropagator::new().extract(&Headers(request.headers()));
            // An error means that no exporting layer saw the span: nothing to attach a parent to.
            let _ = span.set_parent(parent);
        }
        span
    }
}

impl Route {
    fn new(pattern: String) -> Self {
        Self { pattern, series: RefCell::default() }
    }

    fn series(&self, metrics: &RequestMetrics, method: &'static str, outcome: &'static str) -> Rc<Series> {
        let mut known = self.series.borrow_mut();
        if let Some(series) = known.iter().find(|series| series.method == method && series.outcome == outcome) {
            return Rc::clone(series);
        }
        let series = Rc::new(metrics.series(&self.pattern, method, outcome));
        known.push(Rc::clone(&series));
        series
    }
}

impl Series {
    fn record(&self, seconds: f64) {
        self.requests.inc();
        self.duration.observe(seconds);
        if let Some((histogram, attributes)) = &self.pushed {
            histogram.record(seconds, attributes);
        }
    }
}

impl Recording {
    /// By value, so that the future that answers owns all of it until then.
    fn end(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        let outcome = self.status.map_or("aborted", outcome_label);
        self.route.series(&self.metrics, self.method, outcome).record(self.started.elapsed().as_secs_f64());
    }
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(header::HeaderName::as_str).collect()
    }
}

/// The router's answer to a wrong method has no body yet.
fn explained(response: ServiceResponse) -> ServiceResponse {
    let is_bare = || matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0));
    if response.status() != StatusCode::METHOD_NOT_ALLOWED || !is_bare() {
        return response;
    }
    let (request, bare) = response.into_parts();
    ServiceResponse::new(request, explain_method(&bare))
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn outcome_label(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
