//! Bytes from outside: JSON, instants, names in addresses.

use std::fmt::Write;

use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::ProviderError;

/// JSON of an expected shape.
///
/// # Errors
/// [`ProviderError::Malformed`]; never quotes the text, which may hold anything.
pub(super) fn json<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, ProviderError> {
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(ProviderError::malformed("it is a web page or XML, not JSON"));
    }
    serde_json::from_slice(body).map_err(|error| ProviderError::malformed(place(&error)))
}

/// One row of an answer, so that a broken one does not spoil the others.
pub(super) fn row<'b, T: Deserialize<'b>>(raw: &'b RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|error| format!("the row is not of this API, {}", place(&error)))
}

/// Where a JSON text is wrong, without the text.
fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Io => "unreadable text",
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Data => "a field that is missing or of another type",
        serde_json::error::Category::Eof => "cut off",
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

/// RFC 3339, and the same without seconds.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "the time is not of the form 2026-01-31T14:00Z".to_owned())
}

/// An instant in UTC by a `strftime` pattern.
pub(super) fn in_utc(instant: Timestamp, pattern: &str) -> String {
    instant.to_zoned(TimeZone::UTC).strftime(pattern).to_string()
}

/// The last multiple of `seconds` since 1970.
pub(super) fn floor(instant: Timestamp, seconds: i64) -> Timestamp {
    let second = instant.as_second();
    Timestamp::from_second(second - second.rem_euclid(seconds)).unwrap_or(instant)
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub(super) fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            // Writing into a String cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
        encoded
    })
}
