//! Answers of Prometheus' API.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};

/// One series of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Series {
    /// Its labels; the name of the metric is called `__name__`.
    #[serde(rename = "metric", default)]
    pub labels: BTreeMap<String, String>,
    /// One point, or several for a range.
    #[serde(alias = "value", alias = "values", deserialize_with = "points")]
    pub points: Vec<Point>,
}

/// A value at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Point {
    pub at: Timestamp,
    pub value: f64,
}

/// What became of the last scrape of a target.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TargetHealth {
    /// Its labels after relabelling.
    pub labels: BTreeMap<String, String>,
    pub scrape_url: String,
    /// `up`, `down`, or `unknown` before the first scrape.
    pub health: String,
    /// Why it is down; else empty.
    pub last_error: String,
}

/// A recording rule or an alert.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Rule {
    pub name: String,
    /// `recording` or `alerting`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `ok`, `err`, or `unknown` before the first evaluation.
    pub health: String,
    #[serde(default)]
    pub last_error: String,
    /// `inactive`, `pending` or `firing`; empty for recording rules.
    #[serde(default)]
    pub state: String,
}

/// Everything answers in this form.
#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<T>,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum QueryResult {
    Vector(Vec<Series>),
    Matrix(Vec<Series>),
    Scalar(Pair),
}

#[derive(Deserialize)]
struct Targets {
    #[serde(rename = "activeTargets")]
    active: Vec<TargetHealth>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// Seconds and a number in quotes, because JSON knows no NaN.
#[derive(Deserialize)]
struct Pair(f64, String);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Pair),
    Many(Vec<Pair>),
}

impl Series {
    /// The value of the last point.
    pub fn value(&self) -> Option<f64> {
        self.points.last().map(|point| point.value)
    }

    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

type Read<T> = Result<Result<T, String>, serde_json::Error>;

pub(super) fn series(text: &str) -> Read<Vec<Series>> {
    Ok(read::<QueryResult>(text)?.and_then(|result| match result {
        QueryResult::Vector(series) | QueryResult::Matrix(series) => Ok(series),
        QueryResult::Scalar(pair) => Ok(vec![Series { labels: BTreeMap::new(), points: vec![pair.point()?] }]),
    }))
}

pub(super) fn targets(text: &str) -> Read<Vec<TargetHealth>> {
    Ok(read::<Targets>(text)?.map(|targets| targets.active))
}

pub(super) fn rules(text: &str) -> Read<Vec<Rule>> {
    Ok(read::<Groups>(text)?.map(|groups| groups.groups.into_iter().flat_map(|group| group.rules).collect()))
}

/// The data, or what Prometheus has against the question.
fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Read<T> {
    let Envelope { data, error } = serde_json::from_str::<Envelope<T>>(text)?;
    Ok(data.ok_or(error))
}

fn points<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Point>, D::Error> {
    let pairs = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(pair) => vec![pair],
        OneOrMany::Many(pairs) => pairs,
    };
    pairs.into_iter().map(Pair::point).collect::<Result<_, _>>().map_err(de::Error::custom)
}

impl Pair {
    fn point(self) -> Result<Point, String> {
        let Self(seconds, number) = self;
        let since_epoch = jiff::SignedDuration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
        let at = Timestamp::from_duration(since_epoch).map_err(|error| error.to_string())?;
        let value = number.parse().map_err(|_not_a_number| format!("{number:?} is no number"))?;
        Ok(Point { at, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_matrices_and_scalars_become_series() {
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":
            [{"metric":{"__name__":"up","node":"n1"},"value":[1700000000.5,"NaN"]}]}}"#;
        let found = series(vector).unwrap().unwrap();
        assert_eq!(found[0].label("node"), Some("n1"));
        assert_eq!(found[0].points[0].at, "2023-11-14T22:13:20.5Z".parse().unwrap());
        assert!(found[0].value().unwrap().is_nan());

        let matrix = r#"{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"],[3,"+Inf"]]}]}}"#;
        let found = series(matrix).unwrap().unwrap();
        assert_eq!(found[0].points.len(), 2);
        assert_eq!(found[0].value(), Some(f64::INFINITY));

        let scalar = r#"{"data":{"resultType":"scalar","result":[1,"2.5"]}}"#;
        assert_eq!(series(scalar).unwrap().unwrap()[0].value(), Some(2.5));
    }

    #[test]
    fn a_refused_question_says_why() {
        let text = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        assert_eq!(series(text).unwrap(), Err("parse error".to_owned()));
    }
}
