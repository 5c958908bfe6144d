//! One measured number, what it was compared with, and whether it meets its goal.

use std::{fmt::Write as _, fs, io, path::Path};

use serde::Serialize;

/// What a figure has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// The value itself must not be above.
    AtMost(f64),
    /// The value itself must not be below.
    AtLeast(f64),
    /// The value itself must lie between.
    Within(f64, f64),
    /// The ratio to the peer must not be above.
    RatioAtMost(f64),
    /// The ratio to the peer must not be below.
    RatioAtLeast(f64),
}

/// A row of the table and of `target/bench/NAME.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub figure: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it was measured beside.
    pub peer: Option<String>,
    /// `value / value of the peer`.
    pub ratio: Option<f64>,
    /// The goal in words.
    pub goal: Option<String>,
    /// Whether it was met; absent where there is no goal.
    pub met: Option<bool>,
}

impl Figure {
    /// A number without goal or peer.
    pub fn new(figure: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { figure: figure.into(), value, unit, peer: None, ratio: None, goal: None, met: None }
    }

    /// Names the peer and takes the ratio to its value.
    #[must_use]
    pub fn beside(mut self, peer: impl Into<String>, peer_value: f64) -> Self {
        self.peer = Some(peer.into());
        self.ratio = (peer_value > 0.0).then(|| self.value / peer_value);
        self
    }

    /// Names the peer and gives the ratio, where it is a median of pairs.
    #[must_use]
    pub fn with_ratio(mut self, peer: impl Into<String>, ratio: f64) -> Self {
        self.peer = Some(peer.into());
        self.ratio = Some(ratio);
        self
    }

    /// Sets the goal. A ratio that could not be taken is a goal that was missed.
    #[must_use]
    pub fn goal(mut self, goal: Goal) -> Self {
        let (text, met) = match goal {
            Goal::AtMost(limit) => (format!("<= {limit} {}", self.unit), self.value <= limit),
            Goal::AtLeast(limit) => (format!(">= {limit} {}", self.unit), self.value >= limit),
            Goal::Within(low, high) => (format!("{low} to {high} {}", self.unit), (low..=high).contains(&self.value)),
            Goal::RatioAtMost(limit) => (format!("ratio <= {limit}"), self.ratio.is_some_and(|r| r <= limit)),
            Goal::RatioAtLeast(limit) => (format!("ratio >= {limit}"), self.ratio.is_some_and(|r| r >= limit)),
        };
        self.goal = Some(text);
        self.met = Some(met);
        self
    }
}

/// The figures as an aligned table.
pub fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.figure.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  {:>12} {:14} {:>7}  {:18} met\n", "figure", "value", "unit", "ratio", "goal");
    for figure in figures {
        let ratio = figure.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        let met = match figure.met {
            Some(true) => "yes",
            Some(false) => "MISSED",
            None => "-",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:width$}  {:>12.3} {:14} {ratio:>7}  {:18} {met}",
            figure.figure,
            figure.value,
            figure.unit,
            figure.goal.as_deref().unwrap_or("-"),
        );
    }
    text
}

/// Writes the figures as a JSON list, with the folder if need be.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn write_json(path: &Path, figures: &[Figure]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut text = serde_json::to_string_pretty(figures)?;
    text.push('\n');
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_is_reported_as_missed() {
        let slow = Figure::new("p50", 0.5, "ms").goal(Goal::AtMost(0.3));
        assert_eq!(slow.met, Some(false));
        assert!(table(&[slow]).contains("MISSED"));
    }

    #[test]
    fn a_ratio_without_peer_misses_its_goal() {
        assert_eq!(Figure::new("x", 1.0, "s").goal(Goal::RatioAtMost(2.0)).met, Some(false));
        assert_eq!(Figure::new("x", 1.0, "s").beside("peer", 2.0).goal(Goal::RatioAtMost(1.0)).met, Some(true));
    }
}
