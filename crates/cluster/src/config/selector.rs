//! Label selectors with Kubernetes' own shape and meaning.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Selects nodes by their labels. All conditions must hold; a selector without conditions selects every node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions.
    pub match_expressions: Vec<LabelExpression>,
}

/// One condition of a [`LabelSelector`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelExpression {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: LabelOperator,
    /// What `In` and `NotIn` compare with; empty for the others.
    #[serde(default)]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether all conditions hold for `labels`.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.matches(labels))
    }

    /// What is wrong with it, if anything.
    pub(super) fn problem(&self) -> Option<&'static str> {
        self.match_expressions.iter().find_map(LabelExpression::problem)
    }
}

impl LabelExpression {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            LabelOperator::In => value.is_some_and(|value| self.values.contains(value)),
            LabelOperator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        }
    }

    fn problem(&self) -> Option<&'static str> {
        if self.key.is_empty() {
            return Some("give the expression a key");
        }
        match self.operator {
            LabelOperator::In | LabelOperator::NotIn if self.values.is_empty() => {
                Some("give In and NotIn at least one value")
            }
            LabelOperator::Exists | LabelOperator::DoesNotExist if !self.values.is_empty() => {
                Some("remove the values of Exists and DoesNotExist")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn matches(selector: Value, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        serde_json::from_value::<LabelSelector>(selector).unwrap().matches(&labels)
    }

    fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
        json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] })
    }

    #[test]
    fn an_empty_selector_selects_everything() {
        assert!(matches(json!({}), &[]));
    }

    #[test]
    fn operators_mean_what_they_mean_in_kubernetes() {
        let rack = [("rack", "a")];
        assert!(matches(json!({ "matchLabels": { "rack": "a" } }), &rack));
        assert!(!matches(json!({ "matchLabels": { "rack": "b" } }), &rack));
        assert!(matches(expression("rack", "In", &["a", "b"]), &rack));
        assert!(!matches(expression("row", "In", &["a"]), &rack));
        assert!(matches(expression("row", "NotIn", &["a"]), &rack));
        assert!(!matches(expression("rack", "NotIn", &["a"]), &rack));
        assert!(matches(expression("rack", "Exists", &[]), &rack));
        assert!(matches(expression("row", "DoesNotExist", &[]), &rack));
    }

    #[test]
    fn expressions_that_cannot_hold_are_named() {
        let problem = |value: Value| serde_json::from_value::<LabelSelector>(value).unwrap().problem();
        assert!(problem(expression("rack", "In", &[])).is_some());
        assert!(problem(expression("rack", "Exists", &["a"])).is_some());
        assert!(problem(expression("", "Exists", &[])).is_some());
        assert!(problem(expression("rack", "Exists", &[])).is_none());
    }
}
