//! `GreenScalingPolicy` as users write it.
#![allow(clippy::duplicated_attributes, reason = "printer columns have the same keys")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use kube_sci_signals::config::TextDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CurveSpec, LoadSpec, PerReplica, PolicyStatus, limits::MAX_WINDOWS};

/// Lets a plain `HorizontalPodAutoscaler` follow carbon intensity: the adapter serves the metric
/// `carbon_adjusted_load` on this object, which is the load times a factor that falls while electricity is dirty, but
/// never so far that a replica would have to carry more than the guard.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kube-sci.dev",
    version = "v1alpha1",
    kind = "GreenScalingPolicy",
    plural = "greenscalingpolicies",
    shortname = "gsp",
    category = "kube-sci",
    namespaced,
    status = "PolicyStatus",
    derive = "PartialEq",
    doc = "Lets a plain HorizontalPodAutoscaler follow carbon intensity.",
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.targetRef.name"),
    printcolumn(name = "Load", type_ = "string", json_path = ".status.load.text"),
    printcolumn(name = "Intensity", type_ = "number", json_path = ".status.intensity.gramsPerKwh"),
    printcolumn(name = "Factor", type_ = "number", json_path = ".status.effectiveFactor"),
    printcolumn(name = "Plain", type_ = "integer", json_path = ".status.replicas.plain"),
    printcolumn(name = "Green", type_ = "integer", json_path = ".status.replicas.green"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Why", type_ = "string", json_path = ".status.explanation", priority = "1")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.batch) != has(self.targetPerReplica)",
        "message": "give targetPerReplica, or batch with a ratePerReplica",
    },
    {
        "rule": "has(self.batch) || has(self.sloGuardPerReplica) != has(self.hardLimitPerReplica)",
        "message": "give exactly one of sloGuardPerReplica and hardLimitPerReplica",
    },
    { "rule": "has(self.batch) != has(self.curve)", "message": "give a curve, or batch, which plans on the forecast" },
    {
        "rule": "!has(self.batch) || (!has(self.sloGuardPerReplica) && !has(self.hardLimitPerReplica))",
        "message": "a batch has a deadline in place of a guard",
    },
    { "rule": "!has(self.batch) || has(self.load.queue)", "message": "the load of a batch is a queue" },
    {
        "rule": "!has(self.targetPerReplica) || !has(self.sloGuardPerReplica) || \
                 quantity(string(self.sloGuardPerReplica)).asApproximateFloat() > \
                 quantity(string(self.targetPerReplica)).asApproximateFloat() * 1.1",
        "message": "make sloGuardPerReplica more than 1.1 times targetPerReplica: within its tolerance of 10 % the \
                    autoscaler does not tell them apart",
    },
    {
        "rule": "!has(self.targetPerReplica) || !has(self.hardLimitPerReplica) || \
                 quantity(string(self.hardLimitPerReplica)).asApproximateFloat() > \
                 quantity(string(self.targetPerReplica)).asApproximateFloat() * 1.21",
        "message": "make hardLimitPerReplica more than 1.21 times targetPerReplica: the guard is a tenth below it, and \
                    has to be a tenth above the target",
    },
]))]
pub struct GreenScalingPolicySpec {
    /// The workload whose replicas follow; the same as in the autoscaler's `scaleTargetRef`.
    pub target_ref: TargetRef,
    /// What it has to do.
    pub load: LoadSpec,
    /// T: load that one replica carries comfortably, in the unit of the load. The `averageValue` of the autoscaler's
    /// metric `carbon_adjusted_load` is this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_per_replica: Option<PerReplica>,
    /// S: the `averageValue` of the guard, the second metric of the autoscaler, in the unit of the load. Carbon never
    /// asks for less than load / S replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo_guard_per_replica: Option<PerReplica>,
    /// H: load that one replica must never exceed. In place of `sloGuardPerReplica`: the guard is then H / 1.1, as an
    /// autoscaler tolerates a tenth above its target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_limit_per_replica: Option<PerReplica>,
    /// How much of the load counts at which carbon intensity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<CurveSpec>,
    /// Whose electricity counts; absent: the grid zones where the workload's pods run, weighted by pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneSpec>,
    /// An intensity this far from the present is not used: the factor is 1, and the autoscaler does what it would do
    /// without carbon.
    #[serde(default = "default_carbon_stale_after")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self >= duration('1s') && self <= duration('24h')",
        "message": "make carbonStaleAfter 1s to 24h",
    }]))]
    pub carbon_stale_after: TextDuration,
    /// How the factor is kept from moving to and fro.
    #[serde(default)]
    pub hysteresis: HysteresisSpec,
    /// How fast the factor may fall and rise; absent: at once. Missing carbon and the guard are never held up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_step: Option<StepLimitSpec>,
    /// When carbon has no say: the factor is 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_WINDOWS), extend("x-kubernetes-list-type" = "atomic"))]
    pub never_throttle: Vec<WindowSpec>,
    /// Whether the factor is applied, or only shown.
    #[serde(default)]
    pub mode: ModeSpec,
    /// Which policies a carbon budget tightens first.
    #[serde(default)]
    pub criticality: CriticalitySpec,
    /// Works off a queue by a deadline, when electricity is cleanest, in place of following the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchSpec>,
}

/// A workload with a scale subresource, in the namespace of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetRef {
    /// Group and version.
    #[serde(default = "default_api_version")]
    #[schemars(length(min = 1, max = 253))]
    pub api_version: String,
    /// Kind.
    #[serde(default = "default_kind")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A grid zone by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneSpec {
    /// Name of the zone, such as `DE` or `US-CAL-CISO`.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_.-]+$"))]
    pub name: String,
}

/// How the factor is kept from moving to and fro.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HysteresisSpec {
    /// Intensity has to move this far before the factor moves, in gCO2e/kWh.
    #[schemars(range(min = 0, max = 1000))]
    pub band: f64,
    /// The factor stays at least this long where it is. Missing carbon and the guard are never held up.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self >= duration('0s') && self <= duration('24h')",
        "message": "make minDwell 0s to 24h",
    }]))]
    pub min_dwell: TextDuration,
    /// Along lines the factor takes the levels 1, 1 - quantum, 1 - 2 quanta and so on, always the next one above; 0:
    /// any. Steps are levels themselves.
    #[schemars(range(min = 0, max = 0.5))]
    pub quantum: f64,
}

/// How fast the factor may change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepLimitSpec {
    /// Most change of the factor per step, above 0 and at most 1.
    #[schemars(range(max = 1), extend("minimum" = 0, "exclusiveMinimum" = true))]
    pub factor: f64,
    /// Time between two steps.
    #[serde(default = "default_step_every")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self >= duration('1s') && self <= duration('24h')",
        "message": "make every 1s to 24h",
    }]))]
    pub every: TextDuration,
}

/// A time of the week in which carbon has no say. From later than to: it ends on the day after; equal: a whole day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowSpec {
    /// Days on which it begins; absent: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7), extend("x-kubernetes-list-type" = "set"))]
    pub days: Vec<DaySpec>,
    /// When it begins, as `08:00`.
    #[schemars(length(max = 5), regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub from: String,
    /// When it ends, as `18:30`.
    #[schemars(length(max = 5), regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub to: String,
    /// Time zone of both, by its IANA name such as `Europe/Berlin`.
    #[serde(default = "default_time_zone")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_+/-]+$"))]
    pub time_zone: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DaySpec {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// Whether the factor is applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ModeSpec {
    /// `carbon_adjusted_load` is the load times the factor.
    #[default]
    Enforce,
    /// `carbon_adjusted_load` is the plain load; status and metrics show what the factor would be.
    Shadow,
}

/// How much a workload matters to its users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum CriticalitySpec {
    /// A carbon budget tightens it last.
    Critical,
    /// A carbon budget tightens it second.
    #[default]
    Standard,
    /// A carbon budget tightens it first.
    BestEffort,
}

/// Works off a queue by a deadline: exactly one of `deadline`, `dailyBy` and `maxAge`. Where it is missed, work goes on
/// as fast as it can until the queue is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.deadline), has(self.dailyBy), has(self.maxAge)].filter(given, given).size() == 1",
    "message": "give exactly one of deadline, dailyBy and maxAge",
}]))]
pub struct BatchSpec {
    /// By when everything has to be done: a time stamp such as `2026-01-31T06:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// By when everything has to be done on every day: a time of the day in UTC, as `06:00`. The first one after the
    /// queue began to fill counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5), regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub daily_by: Option<String>,
    /// How long after it began to fill the queue has to be empty again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self >= duration('1m') && self <= duration('168h')",
        "message": "make maxAge 1m to 168h",
    }]))]
    pub max_age: Option<TextDuration>,
    /// What one replica works off per second, in the unit of the queue. The `averageValue` of the autoscaler's metric
    /// `carbon_adjusted_load` is this number.
    pub rate_per_replica: PerReplica,
    /// Most replicas that the plan counts on; the `maxReplicas` of the autoscaler should not be less.
    #[schemars(range(min = 1, max = 10000))]
    pub max_replicas: u32,
    /// Time before the deadline that is kept free: pods start, machines fail, rates are guesses.
    #[serde(default = "default_margin")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self >= duration('0s') && self <= duration('24h')",
        "message": "make margin 0s to 24h",
    }]))]
    pub margin: TextDuration,
}

impl Default for HysteresisSpec {
    fn default() -> Self {
        Self { band: 10.0, min_dwell: TextDuration::from_secs(600), quantum: 0.05 }
    }
}

impl DaySpec {
    /// The whole week.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];
}

impl ModeSpec {
    /// As in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

impl CriticalitySpec {
    /// Every class, the one that is tightened last first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Standard, Self::BestEffort];

    /// As in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::Standard => "Standard",
            Self::BestEffort => "BestEffort",
        }
    }
}

fn default_api_version() -> String {
    "apps/v1".to_owned()
}

fn default_kind() -> String {
    "Deployment".to_owned()
}

fn default_time_zone() -> String {
    "UTC".to_owned()
}

const fn default_step_every() -> TextDuration {
    TextDuration::from_secs(60)
}

const fn default_margin() -> TextDuration {
    TextDuration::from_secs(300)
}

const fn default_carbon_stale_after() -> TextDuration {
    TextDuration::from_secs(2 * 3_600)
}
