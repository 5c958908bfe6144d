//! What is wrong with a configuration, and the checks that say so.

use sci_core::{intensity::Zone, power::PowerError, quantity::QuantityError};

/// Why a configuration cannot work, with the place.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number outside its range.
    #[error("{field}: {problem}")]
    Number {
        /// Path of the field.
        field: String,
        /// What is wrong.
        problem: QuantityError,
    },
    /// Points that make no power curve.
    #[error("{field}: {problem}")]
    Curve {
        /// Path of the field.
        field: String,
        /// What is wrong.
        problem: PowerError,
    },
    /// Anything else.
    #[error("{field}: {problem}")]
    Value {
        /// Path of the field.
        field: String,
        /// What to do.
        problem: String,
    },
}

/// [`ConfigError::Value`] at `field`.
pub fn value(field: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value { field: field.to_owned(), problem: problem.into() }
}

/// The checked quantity, or [`ConfigError::Number`] at `field`.
///
/// # Errors
/// What `check` refuses.
pub fn number<T>(
    field: &str,
    number: f64,
    check: impl FnOnce(f64) -> Result<T, QuantityError>,
) -> Result<T, ConfigError> {
    check(number).map_err(|problem| ConfigError::Number { field: field.to_owned(), problem })
}

/// Refuses what is no name of a grid zone.
///
/// # Errors
/// [`ConfigError::Value`] at `field`.
pub fn zone(field: &str, name: &str) -> Result<(), ConfigError> {
    Zone::new(name).map(drop).map_err(|problem| value(field, problem.to_string()))
}
