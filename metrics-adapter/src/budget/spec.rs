//! `CarbonBudget` as users write it, and what the adapter writes into it.
#![allow(clippy::duplicated_attributes, reason = "printer columns have the same keys")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::CriticalitySpec;

/// Grams of CO2 equivalent that the pods of a namespace may cause in a calendar month (UTC). While it runs out, the
/// namespace's policies tighten: those of `BestEffort` first, `Critical` last, none past its guard. Nothing is ever
/// refused.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kube-sci.dev",
    version = "v1alpha1",
    kind = "CarbonBudget",
    plural = "carbonbudgets",
    shortname = "cbudget",
    category = "kube-sci",
    namespaced,
    status = "CarbonBudgetStatus",
    derive = "PartialEq",
    doc = "Grams of CO2 equivalent that the pods of a namespace may cause in a calendar month.",
    printcolumn(name = "Grams", type_ = "number", json_path = ".spec.gramsPerMonth"),
    printcolumn(name = "Spent", type_ = "number", json_path = ".status.spentGrams"),
    printcolumn(name = "Projected", type_ = "number", json_path = ".status.projectedGrams"),
    printcolumn(name = "Share", type_ = "number", json_path = ".status.share"),
    printcolumn(name = "Month", type_ = "string", json_path = ".status.month"),
    printcolumn(
        name = "Within",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"WithinBudget\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CarbonBudgetSpec {
    /// The budget of one calendar month, in gCO2e: operational and embodied carbon of all pods of the namespace.
    #[schemars(range(max = 1e15), extend("minimum" = 0, "exclusiveMinimum" = true))]
    pub grams_per_month: f64,
    /// Share of the budget from which on policies tighten, above 0 and below 1. What counts is the larger one of the
    /// share that is spent and the share that will be at the end of the month.
    #[serde(default = "default_starts_throttling_at")]
    // The API server compares whole numbers with the whole part of a bound: a least of 0.01 would admit 0.
    #[schemars(range(max = 0.99), extend("minimum" = 0, "exclusiveMinimum" = true))]
    pub starts_throttling_at: f64,
}

/// How the budget stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CarbonBudgetStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How it stands.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The month that the numbers speak of, as `2026-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// Grams spent in it, as far as an adapter watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent_grams: Option<f64>,
    /// Since when in the month an adapter has counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_since: Option<Time>,
    /// Up to when they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_until: Option<Time>,
    /// Grams at the end of the month if it goes on as until now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projected_grams: Option<f64>,
    /// Spent share of the budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What the factor of every policy is multiplied by, by criticality.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["criticality"]))]
    pub factors: Vec<BudgetFactor>,
}

/// What a budget does to policies of one class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetFactor {
    /// The class.
    pub criticality: CriticalitySpec,
    /// What its factors are multiplied by.
    pub factor: f64,
}

const fn default_starts_throttling_at() -> f64 {
    0.8
}
