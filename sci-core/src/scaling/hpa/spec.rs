//! What stands in the objects: the autoscaler, its pods, and the flags of its controller.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Spec of an autoscaler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Fewest replicas; 0 needs an Object or External metric.
    #[serde(default = "one")]
    pub min_replicas: i32,
    /// Most replicas.
    pub max_replicas: i32,
    /// Its metrics.
    pub metrics: Vec<MetricSpec>,
    /// Its behaviour; without one the controller's older rules hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<Behavior>,
}

/// One metric with its target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum MetricSpec {
    /// A number of one object.
    Object {
        /// What it is compared with.
        target: Target,
    },
    /// A sum of numbers from outside.
    External {
        /// What it is compared with.
        target: Target,
    },
    /// A mean over the pods.
    Pods {
        /// What the mean is compared with, in thousandths.
        average_value_milli: i64,
    },
    /// CPU or memory of the pods.
    Resource {
        /// `cpu`, `memory` and so on. Only `cpu` asks when a pod became ready.
        name: Arc<str>,
        /// What it is compared with.
        target: ResourceTarget,
    },
    /// CPU or memory of one container of each pod; readings and requests are that container's.
    ContainerResource {
        /// As of a resource.
        name: Arc<str>,
        /// What it is compared with.
        target: ResourceTarget,
    },
}

impl MetricSpec {
    /// Whether it has a value while there are no pods.
    pub(super) fn outlives_pods(&self) -> bool {
        matches!(self, Self::Object { .. } | Self::External { .. })
    }
}

/// Target of a number that is not one of pods, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// The number itself should be this.
    ValueMilli(i64),
    /// The number by replicas should be this.
    AverageValueMilli(i64),
}

/// Target of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResourceTarget {
    /// Use over requests, in percent.
    AverageUtilization(i32),
    /// Mean use, in thousandths.
    AverageValueMilli(i64),
}

/// How fast to follow the metrics.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Behavior {
    /// Upwards.
    pub scale_up: Rules,
    /// Downwards.
    pub scale_down: Rules,
}

/// Rules of one direction; what is absent is as Kubernetes defaults it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Rules {
    /// How long earlier recommendations hold back. Up: 0. Down: the controller's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stabilization_window_seconds: Option<u32>,
    /// Which policy counts. The one that changes most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select_policy: Option<SelectPolicy>,
    /// Up: 4 pods or 100 % in 15 s. Down: 100 % in 15 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<ChangePolicy>>,
    /// The controller's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
}

/// Which of several policies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// No change in this direction.
    Disabled,
}

/// So much in such a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePolicy {
    /// Of what.
    #[serde(rename = "type")]
    pub kind: PolicyType,
    /// How much.
    pub value: i32,
    /// In which time.
    pub period_seconds: u32,
}

/// Unit of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyType {
    /// Pods.
    Pods,
    /// Percent of the replicas at the period's start.
    Percent,
}

/// Flags of the controller manager.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Controller {
    /// `--horizontal-pod-autoscaler-tolerance`.
    pub tolerance: f64,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`.
    pub downscale_stabilization_seconds: u32,
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`.
    pub cpu_initialization_period_seconds: u32,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`.
    pub initial_readiness_delay_seconds: u32,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            tolerance: 0.1,
            downscale_stabilization_seconds: 300,
            cpu_initialization_period_seconds: 300,
            initial_readiness_delay_seconds: 30,
        }
    }
}

/// A pod that the target's selector selects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pod {
    /// Its name.
    pub name: Arc<str>,
    /// Its phase.
    pub phase: PodPhase,
    /// Whether it has a deletion timestamp.
    #[serde(default)]
    pub deleting: bool,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Its `Ready` condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// What it requests of the metric's resource, in thousandths; only targets in percent look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_milli: Option<i64>,
}

impl Pod {
    /// Whether it runs and is ready.
    pub(super) fn serves(&self) -> bool {
        self.phase == PodPhase::Running && self.ready.is_some_and(|ready| ready.status == ConditionStatus::True)
    }
}

/// Phase of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodPhase {
    /// Not all containers have started.
    Pending,
    /// It runs.
    Running,
    /// It is done.
    Succeeded,
    /// It failed.
    Failed,
    /// Its node does not tell.
    Unknown,
}

/// A `Ready` condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// Whether it is.
    pub status: ConditionStatus,
    /// Since when.
    pub since: Timestamp,
}

/// Status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// Yes.
    True,
    /// No.
    False,
    /// Nobody knows.
    Unknown,
}

const fn one() -> i32 {
    1
}
