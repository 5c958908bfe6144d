//! As much of Prometheus as the queries need: selectors, ranges, sums at steps.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

/// How long a sample stands for its series at a step.
const LOOKBACK_MILLIS: i64 = 300_000;

type Labels = BTreeMap<String, String>;
/// Milliseconds and values.
type Points = Vec<(i64, f64)>;

/// Its series; samples are added while it runs.
#[derive(Clone, Default)]
pub struct FakePrometheus {
    series: Arc<Mutex<BTreeMap<Labels, Points>>>,
    warnings: Vec<String>,
    /// As `VictoriaMetrics` says it.
    partial: Option<bool>,
}

impl FakePrometheus {
    pub fn calling_itself_partial(partial: bool) -> Self {
        Self { partial: Some(partial), ..Self::default() }
    }

    pub fn with_warnings(warnings: &[&str]) -> Self {
        Self { warnings: warnings.iter().map(|text| (*text).to_owned()).collect(), ..Self::default() }
    }

    pub fn add(&self, labels: &[(&str, &str)], at: Timestamp, value: f64) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.series.lock().unwrap().entry(labels).or_default().push((at.as_millisecond(), value));
    }

    pub async fn serve(&self) -> MockServer {
        let server = MockServer::start().await;
        self.mount(&server).await;
        server
    }

    pub async fn mount(&self, server: &MockServer) {
        Mock::given(method("POST")).respond_with(self.clone()).mount(server).await;
    }

    fn samples(&self, selector: &str, (start, end): (i64, i64)) -> Vec<(Labels, Points)> {
        let regex = Regex::new(&format!("^(?:{})$", between(selector, "__name__=~\"", "\""))).unwrap();
        let of_machine = selector.contains("resource_kind=\"local_machine\"");
        let series = self.series.lock().unwrap();
        let matching = series.iter().filter(|(labels, _)| {
            let machine = labels.get("resource_kind").is_some_and(|kind| kind == "local_machine");
            regex.is_match(&labels["__name__"]) && (machine || !of_machine)
        });
        let within = |(at, _): &&(i64, f64)| start < *at && *at <= end;
        let samples =
            matching.map(|(labels, points)| (labels.clone(), points.iter().filter(within).copied().collect()));
        samples.filter(|(_, points): &(_, Vec<_>)| !points.is_empty()).collect()
    }

    fn query(&self, form: &Labels) -> Vec<Value> {
        let (selector, range) = form["query"].rsplit_once('[').unwrap();
        let range: i64 = range.strip_suffix("ms]").unwrap().parse().unwrap();
        let end = millis(&form["time"]);
        let samples = self.samples(selector, (end - range, end));
        samples.iter().map(|(labels, points)| series(labels, points)).collect()
    }

    fn query_range(&self, form: &Labels) -> Vec<Value> {
        let groups: Vec<&str> = between(&form["query"], "sum by (", ")").split(", ").collect();
        let (selector, end) = (&form["query"], millis(&form["end"]));
        let (mut at, step) = (millis(&form["start"]), millis(&form["step"]));
        let mut sums: BTreeMap<Labels, Points> = BTreeMap::new();
        while at <= end {
            let mut now: BTreeMap<Labels, f64> = BTreeMap::new();
            for (labels, points) in self.samples(selector, (at - LOOKBACK_MILLIS, at)) {
                let group = labels.into_iter().filter(|(name, _)| groups.contains(&name.as_str())).collect();
                *now.entry(group).or_default() += points.last().unwrap().1;
            }
            for (group, sum) in now {
                sums.entry(group).or_default().push((at, sum));
            }
            at += step;
        }
        sums.iter().map(|(labels, points)| series(labels, points)).collect()
    }
}

impl Respond for FakePrometheus {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body = String::from_utf8(request.body.clone()).unwrap();
        let form: Labels =
            reqwest::Url::parse(&format!("http://form/?{body}")).unwrap().query_pairs().into_owned().collect();
        assert_eq!((form["dedup"].as_str(), form["partial_response"].as_str()), ("true", "true"));
        let result = match request.url.path() {
            "/api/v1/query" => self.query(&form),
            "/api/v1/query_range" => self.query_range(&form),
            _ => return ResponseTemplate::new(404),
        };
        let data = json!({ "resultType": "matrix", "result": result });
        let mut answer = json!({ "status": "success", "data": data });
        if let Some(partial) = self.partial {
            answer["isPartial"] = json!(partial);
        }
        if !self.warnings.is_empty() {
            answer["warnings"] = json!(self.warnings);
        }
        ResponseTemplate::new(200).set_body_json(answer)
    }
}

fn series(labels: &Labels, points: &[(i64, f64)]) -> Value {
    let seconds =
        |at: i64| Timestamp::from_millisecond(at).unwrap().duration_since(Timestamp::UNIX_EPOCH).as_secs_f64();
    let point = |(at, value): &(i64, f64)| json!([seconds(*at), value.to_string()]);
    json!({ "metric": labels, "values": points.iter().map(point).collect::<Vec<_>>() })
}

fn millis(seconds: &str) -> i64 {
    let seconds: SignedDuration = SignedDuration::try_from_secs_f64(seconds.parse().unwrap()).unwrap();
    i64::try_from(seconds.round(jiff::Unit::Millisecond).unwrap().as_millis()).unwrap()
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}
