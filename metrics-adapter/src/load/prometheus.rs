//! One instant query of Prometheus, or of what speaks its API.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kube_sci_signals::http::{HttpService, Request, Response};
use sci_core::scaling::LoadSample;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{DEFAULT_PROMETHEUS, LoadFault, checked, shortened};
use crate::{policy::PrometheusSpec, table::LoadReading};

const PATH: &str = "/api/v1/query";

/// A query of one service.
pub(super) struct PrometheusSource {
    name: Arc<str>,
    service: Option<HttpService>,
    query: String,
}

/// The envelope of the HTTP API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    status: String,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    #[serde(default)]
    is_partial: Option<bool>,
    #[serde(default, borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    result_type: String,
    #[serde(borrow)]
    result: &'a RawValue,
}

/// One series of a vector. A native histogram has `histogram` in place of `value`.
#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    value: Option<Point>,
}

/// Seconds since 1970, and the value as text.
#[derive(Deserialize)]
struct Point(f64, String);

impl PrometheusSource {
    pub(super) fn new(services: &BTreeMap<String, HttpService>, spec: &PrometheusSpec) -> Self {
        let name = spec.source.as_deref().unwrap_or(DEFAULT_PROMETHEUS);
        Self { name: name.into(), service: services.get(name).cloned(), query: spec.query.clone() }
    }

    pub(super) async fn read(&mut self, now: Timestamp) -> Result<LoadReading, LoadFault> {
        let service = self.service.as_ref().ok_or_else(|| LoadFault::NoSuchSource(self.name.to_string()))?;
        let request = Request::get(PATH).query("query", &self.query).accept("application/json");
        // Every policy has a query of its own, and Prometheus marks no answer: there is nothing to share or to keep.
        let response = service.get_once(&request).await.map_err(|error| LoadFault::of_http(&error))?;
        let (sample, warning) = answer(&response, now).map_err(|fault| match fault {
            // An answer may repeat what was sent.
            LoadFault::Refused(text) => LoadFault::Refused(service.redact(&text)),
            LoadFault::Malformed(text) => LoadFault::Malformed(service.redact(&text)),
            other => other,
        })?;
        checked(LoadReading {
            sample,
            source: format!("prometheus/{}", self.name).into(),
            warning: warning.map(|warning| service.redact(&warning).into()),
        })
    }
}

fn answer(response: &Response, now: Timestamp) -> Result<(LoadSample, Option<String>), LoadFault> {
    let read: Result<Envelope<'_>, _> = serde_json::from_slice(&response.body);
    let envelope = match read {
        Ok(envelope) => envelope,
        Err(_) if !response.is_success() => {
            return Err(LoadFault::Refused(format!("the query was answered with status {}", response.status.as_u16())));
        }
        Err(error) => return Err(LoadFault::Malformed(shortened(&error.to_string()))),
    };
    if envelope.status != "success" {
        let kind = envelope.error_type.unwrap_or_else(|| "error".to_owned());
        let text = format!("{kind}: {}", envelope.error.unwrap_or_default());
        return Err(LoadFault::Refused(shortened(&text)));
    }
    let data = envelope.data.ok_or_else(|| LoadFault::Malformed("it has no data".to_owned()))?;
    let sample = sample(&data, now)?;
    let partial = envelope.is_partial == Some(true);
    let warning = envelope.warnings.and_then(|warnings| warnings.into_iter().next());
    let warning = warning.or_else(|| partial.then(|| "the answer is partial (isPartial)".to_owned()));
    Ok((sample, warning.map(|warning| shortened(&warning))))
}

fn sample(data: &Data<'_>, now: Timestamp) -> Result<LoadSample, LoadFault> {
    let malformed = |error: serde_json::Error| LoadFault::Malformed(shortened(&error.to_string()));
    let point = match data.result_type.as_str() {
        "scalar" => serde_json::from_str(data.result.get()).map_err(malformed)?,
        "vector" => {
            let mut all: Vec<Series> = serde_json::from_str(data.result.get()).map_err(malformed)?;
            match (all.pop(), all.len()) {
                (None, _) => return Err(LoadFault::Nothing("the query has no result: no series matches".to_owned())),
                (Some(series), 0) => {
                    series.value.ok_or_else(|| LoadFault::Malformed("a histogram is no number".to_owned()))?
                }
                (Some(_), others) => return Err(LoadFault::Ambiguous(others + 1)),
            }
        }
        other => {
            let text = format!("the query gives a {other}, write it so that it gives one number");
            return Err(LoadFault::Refused(shortened(&text)));
        }
    };
    let Point(seconds, text) = point;
    let value = text.parse().map_err(|_| LoadFault::Malformed(format!("{:?} is no number", shortened(&text))))?;
    // A server whose clock is ahead does not know the future.
    let at = timestamp(seconds).ok_or_else(|| LoadFault::Malformed("its time is none".to_owned()))?.min(now);
    Ok(LoadSample { value, at })
}

/// Prometheus keeps milliseconds.
fn timestamp(seconds: f64) -> Option<Timestamp> {
    let duration = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(duration).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    fn read(status: u16, body: &str) -> Result<(LoadSample, Option<String>), LoadFault> {
        let response = Response {
            status: status.try_into().unwrap(),
            body: body.to_owned().into(),
            content_type: None,
            etag: None,
            retry_after: None,
            from_cache: false,
        };
        answer(&response, now())
    }

    fn result(kind: &str, result: &str) -> Result<(LoadSample, Option<String>), LoadFault> {
        read(200, &format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#))
    }

    #[test]
    fn scalars_and_vectors_of_one_are_loads() {
        let (sample, warning) = result("scalar", r#"[1769860790.5,"812.25"]"#).unwrap();
        assert_eq!((sample.value.to_bits(), warning), (812.25_f64.to_bits(), None));
        assert_eq!(sample.at.to_string(), "2026-01-31T11:59:50.5Z");
        let (sample, _) = result("vector", r#"[{"metric":{"app":"web"},"value":[1769860790,"0"]}]"#).unwrap();
        assert_eq!(sample.value.to_bits(), 0f64.to_bits(), "a zero that was measured is a zero");
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_know_the_future() {
        assert_eq!(result("scalar", r#"[1769869999,"1"]"#).unwrap().0.at, now());
    }

    #[test]
    fn what_is_not_one_number_is_refused() {
        for (kind, body, expected) in [
            ("vector", "[]", "no series matches"),
            ("vector", r#"[{"metric":{},"value":[1,"1"]},{"metric":{"a":"b"},"value":[1,"2"]}]"#, "2 results"),
            ("vector", r#"[{"metric":{},"histogram":[1,{"count":"1"}]}]"#, "histogram"),
            ("matrix", r#"[{"metric":{},"values":[[1,"1"]]}]"#, "gives a matrix"),
            ("string", r#"[1,"a"]"#, "gives a string"),
            ("scalar", r#"[1,"many"]"#, "is no number"),
            ("scalar", r#"[1e300,"1"]"#, "its time is none"),
            ("scalar", "[1]", "cannot be read"),
        ] {
            let problem = result(kind, body).unwrap_err().to_string();
            assert!(problem.contains(expected), "{kind} {body}: {problem}");
        }
    }

    #[test]
    fn errors_and_warnings_are_passed_on() {
        let error = r#"{"status":"error","errorType":"bad_data","error":"1:5: parse error"}"#;
        assert_eq!(read(400, error).unwrap_err().to_string(), "bad_data: 1:5: parse error");
        assert_eq!(read(502, "<html>").unwrap_err().to_string(), "the query was answered with status 502");
        assert!(matches!(read(200, "<html>"), Err(LoadFault::Malformed(_))));
        let warned =
            r#"{"status":"success","warnings":["store a is gone"],"data":{"resultType":"scalar","result":[1,"1"]}}"#;
        assert_eq!(read(200, warned).unwrap().1.as_deref(), Some("store a is gone"));
        let partial = r#"{"status":"success","isPartial":true,"data":{"resultType":"scalar","result":[1,"1"]}}"#;
        assert!(read(200, partial).unwrap().1.is_some());
    }

    #[test]
    fn odd_numbers_are_no_loads() {
        for value in ["NaN", "+Inf", "-Inf", "-1", "1e18"] {
            let (sample, _) = result("scalar", &format!(r#"[1769860790,"{value}"]"#)).unwrap();
            let reading = LoadReading { sample, source: "p".into(), warning: None };
            assert!(matches!(checked(reading), Err(LoadFault::NoLoad(_))), "{value}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(body in "[\\[\\]{}\":,a-z0-9.\\-]{0,200}") {
            let _ = read(200, &body);
            let _ = result("vector", &body);
        }
    }
}
