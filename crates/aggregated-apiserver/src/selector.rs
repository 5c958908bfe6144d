//! Label and field selectors as clients write them in queries.

mod field;
mod label;

use std::fmt;

/// A parsed label selector: all of its requirements must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    /// The requirements; none select everything.
    pub requirements: Vec<Requirement>,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// Label key, with its prefix if it has one.
    pub key: String,
    /// How the value is compared.
    pub operator: Operator,
    /// With what, in order and without repetition: none for existence, one for comparison, one or more for sets.
    pub values: Vec<String>,
}

/// How the value of a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// One of the values (`=`, `==`, `in`).
    In,
    /// None of the values, or no such label (`!=`, `notin`).
    NotIn,
    /// There is such a label.
    Exists,
    /// There is no such label (`!`).
    DoesNotExist,
    /// Greater than the value, as whole numbers (`>`).
    GreaterThan,
    /// Less than the value, as whole numbers (`<`).
    LessThan,
}

/// A parsed field selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    /// The requirements; none select everything.
    pub requirements: Vec<FieldRequirement>,
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldRequirement {
    /// Path of the field, for instance `metadata.name`.
    pub field: String,
    /// True for `=` and `==`, false for `!=`.
    pub equal: bool,
    /// The value, unescaped.
    pub value: String,
}

/// A selector that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {position}")]
pub struct SelectorError {
    /// Byte offset in the text.
    pub position: usize,
    /// What was expected or is wrong.
    pub message: String,
}

impl LabelSelector {
    /// Parses the text of a `labelSelector` parameter: `=`, `==`, `!=`, `in`, `notin`, existence, `!`, `<`, `>`, joined
    /// by commas. The empty text selects everything.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        label::parse(text)
    }

    /// True if all requirements hold for the labels that `label` looks up.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(label(&requirement.key)))
    }
}

impl Requirement {
    /// True if it holds for a label of this value, or for none.
    pub fn matches(&self, value: Option<&str>) -> bool {
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.iter().any(|wanted| wanted == value)),
            Operator::NotIn => value.is_none_or(|value| self.values.iter().all(|unwanted| unwanted != value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.compares(value, |value, bound| value > bound),
            Operator::LessThan => self.compares(value, |value, bound| value < bound),
        }
    }

    fn compares(&self, value: Option<&str>, holds: impl Fn(i64, i64) -> bool) -> bool {
        let value = value.and_then(|value| value.parse().ok());
        let bound = self.values.first().and_then(|bound| bound.parse().ok());
        matches!((value, bound), (Some(value), Some(bound)) if holds(value, bound))
    }
}

impl FieldSelector {
    /// Parses the text of a `fieldSelector` parameter: `=`, `==`, `!=`, joined by commas, with `\` before a comma, an
    /// equals sign or another `\` that belongs to a value. The empty text selects everything.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        field::parse(text)
    }

    /// The value that a field must have, if the selector says so.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.requirements
            .iter()
            .find(|requirement| requirement.equal && requirement.field == field)
            .map(|requirement| requirement.value.as_str())
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, operator, values } = self;
        let joined = values.join(",");
        match (operator, values.len()) {
            (Operator::In, 1) => write!(f, "{key}={joined}"),
            (Operator::In, _) => write!(f, "{key} in ({joined})"),
            (Operator::NotIn, 1) => write!(f, "{key}!={joined}"),
            (Operator::NotIn, _) => write!(f, "{key} notin ({joined})"),
            (Operator::Exists, _) => f.write_str(key),
            (Operator::DoesNotExist, _) => write!(f, "!{key}"),
            (Operator::GreaterThan, _) => write!(f, "{key}>{joined}"),
            (Operator::LessThan, _) => write!(f, "{key}<{joined}"),
        }
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            let sign = if requirement.equal { "=" } else { "!=" };
            write!(f, "{}{sign}{}", requirement.field, field::escape(&requirement.value))?;
        }
        Ok(())
    }
}

impl SelectorError {
    fn new(position: usize, message: impl Into<String>) -> Self {
        Self { position, message: message.into() }
    }
}
