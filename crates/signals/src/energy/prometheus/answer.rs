//! Answers of the HTTP API, read without a copy of what need not be one.
//!
//! Series are handed over one by one: an answer may have a hundred thousand. What was handed over counts only if the
//! answer turns out to be whole.

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// Labels of a series.
pub type Pairs<'b> = [(Cow<'b, str>, Cow<'b, str>)];

/// What `VictoriaMetrics` says in place of a warning.
const PARTIAL: &str = "the answer is partial, some storage nodes did not answer (isPartial)";

/// Warnings that are kept of one answer.
const MAX_WARNINGS: usize = 16;

/// One series of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Series<'s, 'b> {
    /// With `__name__`, where the query left it.
    pub labels: &'s Pairs<'b>,
    /// In the order of the answer. Values may be infinite or not a number.
    pub points: &'s [(Timestamp, f64)],
}

/// What an answer says beside its series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Series that were handed over.
    pub series: u64,
    /// Points whose time or value cannot be read.
    pub malformed: u64,
    /// Why something may be missing. The first of them.
    pub warnings: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It says why itself.
    #[error("the query was refused ({kind}): {message}")]
    Refused {
        /// Its word for the kind of error.
        kind: String,
        /// Its text.
        message: String,
    },
    /// A page for people, a part of an answer, another API.
    #[error("this is no whole answer of the Prometheus API ({0}); check the url and what is between")]
    Unreadable(String),
}

/// Reads an answer to `query` or `query_range` and hands over each of its series.
///
/// # Errors
/// [`AnswerError`] where it has no result; what was handed over until then is to be forgotten.
pub fn read<'b>(body: &'b [u8], mut each: impl FnMut(&Series<'_, 'b>)) -> Result<Outcome, AnswerError> {
    let mut reading = Reading { each: &mut each, labels: Vec::new(), points: Vec::new(), outcome: Outcome::default() };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let unreadable = |error: serde_json::Error| AnswerError::Unreadable(error.to_string());
    let top = Envelope(&mut reading).deserialize(&mut deserializer).map_err(unreadable)?;
    deserializer.end().map_err(unreadable)?;
    match top.status.as_deref() {
        Some("success") if top.has_data => Ok(reading.outcome),
        Some("success") => Err(AnswerError::Unreadable("it has no data".to_owned())),
        Some("error") => Err(AnswerError::Refused {
            kind: top.error_type.unwrap_or_default(),
            message: top.error.unwrap_or_default(),
        }),
        _ => Err(AnswerError::Unreadable("it has no status".to_owned())),
    }
}

/// What all levels of an answer share.
struct Reading<'r, 'b> {
    each: &'r mut dyn FnMut(&Series<'_, 'b>),
    labels: Vec<(Cow<'b, str>, Cow<'b, str>)>,
    points: Vec<(Timestamp, f64)>,
    outcome: Outcome,
}

/// The outermost level.
#[derive(Default)]
struct Top {
    status: Option<String>,
    error_type: Option<String>,
    error: Option<String>,
    has_data: bool,
}

#[derive(Deserialize)]
struct Text<'b>(#[serde(borrow)] Cow<'b, str>);

struct Envelope<'a, 'r, 'b>(&'a mut Reading<'r, 'b>);
struct Data<'a, 'r, 'b>(&'a mut Reading<'r, 'b>);
struct AllSeries<'a, 'r, 'b>(&'a mut Reading<'r, 'b>);
struct OneSeries<'a, 'r, 'b>(&'a mut Reading<'r, 'b>);
struct Metric<'a, 'r, 'b>(&'a mut Reading<'r, 'b>);
struct Points<'a, 'r, 'b>(&'a mut Reading<'r, 'b>);

impl<'b> Reading<'_, 'b> {
    fn point(&mut self, (seconds, value): (f64, Text<'b>)) {
        match (timestamp(seconds), value.0.parse()) {
            (Some(at), Ok(value)) => self.points.push((at, value)),
            _ => self.outcome.malformed += 1,
        }
    }

    fn finish_series(&mut self) {
        self.outcome.series += 1;
        (self.each)(&Series { labels: &self.labels, points: &self.points });
        self.labels.clear();
        self.points.clear();
    }
}

/// A seed that reads a map or a list through its visitor.
macro_rules! seed {
    ($seed:ident, $method:ident, $value:ty) => {
        impl<'b> DeserializeSeed<'b> for $seed<'_, '_, 'b> {
            type Value = $value;
            fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.$method(self)
            }
        }
    };
}

seed!(Envelope, deserialize_map, Top);
// An error has `null` in their place.
seed!(Data, deserialize_any, ());
seed!(AllSeries, deserialize_any, ());
seed!(OneSeries, deserialize_map, ());
seed!(Metric, deserialize_map, ());
seed!(Points, deserialize_seq, ());

impl<'b> Visitor<'b> for Envelope<'_, '_, 'b> {
    type Value = Top;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer with a status")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<Top, A::Error> {
        let mut top = Top::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "status" => top.status = map.next_value()?,
                "errorType" => top.error_type = map.next_value()?,
                "error" => top.error = map.next_value()?,
                "data" => {
                    map.next_value_seed(Data(&mut *self.0))?;
                    top.has_data = true;
                }
                "warnings" => {
                    let warnings: Option<Vec<String>> = map.next_value()?;
                    self.0.outcome.warnings.extend(warnings.unwrap_or_default().into_iter().take(MAX_WARNINGS));
                }
                "isPartial" => {
                    let partial: Option<bool> = map.next_value()?;
                    self.0.outcome.warnings.extend(partial.filter(|&partial| partial).map(|_| PARTIAL.to_owned()));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(top)
    }
}

impl<'b> Visitor<'b> for Data<'_, '_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("data with a result")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "result" => map.next_value_seed(AllSeries(&mut *self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<'b> Visitor<'b> for AllSeries<'_, '_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(OneSeries(&mut *self.0))?.is_some() {
            self.0.finish_series();
        }
        Ok(())
    }
}

impl<'b> Visitor<'b> for OneSeries<'_, '_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "metric" => map.next_value_seed(Metric(&mut *self.0))?,
                "values" => map.next_value_seed(Points(&mut *self.0))?,
                "value" => {
                    let point = map.next_value()?;
                    self.0.point(point);
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<'b> Visitor<'b> for Metric<'_, '_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(name), Text(value))) = map.next_entry()? {
            self.0.labels.push((name, value));
        }
        Ok(())
    }
}

impl<'b> Visitor<'b> for Points<'_, '_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("points")
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(point) = list.next_element()? {
            self.0.point(point);
        }
        Ok(())
    }
}

/// Prometheus keeps milliseconds.
fn timestamp(seconds: f64) -> Option<Timestamp> {
    let millis = (seconds * 1e3).round();
    #[expect(clippy::cast_possible_truncation, reason = "bounded before")]
    (millis.abs() < 1e15).then(|| Timestamp::from_millisecond(millis as i64).ok())?
}

#[cfg(test)]
mod tests;
