//! JSON: `[{ "zone", "signal", "scope", "unit", "slots": [{ "start", "durationSeconds", "value" }] }]`.

use std::time::Duration;

use jiff::Timestamp;
use sci_core::intensity::{Quality, Scope, SignalKind, Zone};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Answer, ParseContext, Row, RowProblem, Rows};

/// The one unit that is accepted: a file in another one must say so and be refused.
const UNIT: &str = "gCO2eq/kWh";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SeriesText<'a> {
    #[serde(default)]
    zone: Option<Zone>,
    #[serde(default)]
    signal: Option<SignalKind>,
    #[serde(default)]
    scope: Option<Scope>,
    #[serde(default)]
    quality: Option<Quality>,
    #[serde(default)]
    unit: Option<String>,
    /// Kept as text, so that a slot that cannot be read is left out under its line and the others stay.
    #[serde(borrow)]
    slots: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SlotText {
    start: Timestamp,
    #[serde(default)]
    duration_seconds: Option<u64>,
    value: f64,
}

/// Reads a whole JSON file.
///
/// # Errors
/// The text is no JSON of this shape, a unit is not gCO2eq/kWh, or no slot can be used; with the line.
pub fn parse_json(content: &[u8], context: &ParseContext, now: Timestamp) -> Result<Answer, RowProblem> {
    let text = std::str::from_utf8(content).map_err(|error| RowProblem {
        line: 1 + content.get(..error.valid_up_to()).map_or(0, newlines),
        problem: "save the file as UTF-8".to_owned(),
    })?;
    let all: Vec<SeriesText<'_>> = serde_json::from_str(text).map_err(|error| RowProblem {
        line: u64::try_from(error.line()).unwrap_or(1).max(1),
        problem: format!("correct the JSON: {error}"),
    })?;
    let mut rows = Rows::default();
    let mut lines = Lines { text, offset: 0, line: 1 };
    for series in &all {
        let first_line = series.slots.first().map_or(lines.line, |slot| lines.of(slot.get()));
        let problem = |problem: String| RowProblem { line: first_line, problem };
        if let Some(unit) = series.unit.as_deref().filter(|&unit| unit != UNIT) {
            return Err(problem(format!("convert the values to {UNIT}, they are in {unit:?}")));
        }
        let zone = series.zone.clone().or_else(|| context.zone.clone());
        let zone = zone.ok_or_else(|| problem("name the zone of the series".to_owned()))?;
        for slot in &series.slots {
            rows.add(row(slot.get(), lines.of(slot.get()), series, &zone, context), now);
        }
    }
    rows.finish(&context.source)
}

fn row(slot: &str, line: u64, series: &SeriesText<'_>, zone: &Zone, context: &ParseContext) -> Result<Row, RowProblem> {
    let SlotText { start, duration_seconds, value } = serde_json::from_str(slot)
        .map_err(|error| RowProblem { line, problem: format!("correct the slot: {error}") })?;
    let mut signal = context.signal;
    signal.kind = series.signal.unwrap_or(signal.kind);
    signal.scope = series.scope.unwrap_or(signal.scope);
    Ok(Row {
        line,
        zone: zone.clone(),
        signal,
        quality: series.quality.unwrap_or(context.quality),
        start,
        duration: duration_seconds.map(Duration::from_secs),
        value,
    })
}

/// Counts lines while walking through the text once: slots come in the order of the text.
struct Lines<'t> {
    text: &'t str,
    offset: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which `part`, a slice of the text at or behind the last one asked for, begins.
    fn of(&mut self, part: &str) -> u64 {
        let offset = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        if let Some(between) = self.text.as_bytes().get(self.offset..offset) {
            self.line += newlines(between);
            self.offset = offset;
        }
        self.line
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}
