//! Durations as people write them.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time written as text: "1s", "5m", "1h30m", "PT5M".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct TextDuration(Duration);

/// Why text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write {0:?} as a duration like 30s, 5m or 1h30m")]
pub struct DurationError(String);

impl TextDuration {
    /// Whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The duration itself.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for TextDuration {
    type Err = DurationError;
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let refused = || DurationError(text.to_owned());
        let signed: SignedDuration = text.trim().parse().map_err(|_| refused())?;
        Duration::try_from(signed).map(Self).map_err(|_| refused())
    }
}

impl TryFrom<Cow<'_, str>> for TextDuration {
    type Error = DurationError;
    fn try_from(text: Cow<'_, str>) -> Result<Self, DurationError> {
        text.parse()
    }
}

impl fmt::Display for TextDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(signed) => write!(f, "{signed:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl From<TextDuration> for String {
    fn from(duration: TextDuration) -> Self {
        duration.to_string()
    }
}

impl JsonSchema for TextDuration {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_forms_are_read() {
        for (text, seconds) in [("1s", 1), ("5m", 300), ("1h30m", 5_400), ("PT5M", 300), ("1h 30m", 5_400), ("0s", 0)] {
            assert_eq!(text.parse(), Ok(TextDuration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused_with_an_example() {
        for text in ["", "5", "five minutes", "-5m", "1y"] {
            let error = text.parse::<TextDuration>().unwrap_err();
            assert_eq!(error.to_string(), format!("write {text:?} as a duration like 30s, 5m or 1h30m"));
        }
    }

    #[test]
    fn printing_and_reading_agree() {
        for seconds in [0, 1, 90, 3_600, 86_400] {
            let duration = TextDuration::from_secs(seconds);
            assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }
}
