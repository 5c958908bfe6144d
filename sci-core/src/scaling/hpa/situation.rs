//! One round of the controller: what it sees, what it does.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Autoscaler, ConditionStatus, Controller, Memory, Pod, Spec};

/// All that one round sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Situation {
    /// When the round is.
    pub now: Timestamp,
    /// Flags of the controller.
    #[serde(default)]
    pub controller: Controller,
    /// The autoscaler.
    pub spec: Spec,
    /// The target's replicas.
    pub scale: Scale,
    /// The target's pods.
    #[serde(default)]
    pub pods: Vec<Pod>,
    /// What each metric answers, in the order of the spec.
    pub readings: Vec<MetricReading>,
    /// What the controller remembers.
    #[serde(default)]
    pub memory: Memory,
}

/// Replicas of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scale {
    /// Asked for.
    pub spec_replicas: i32,
    /// Seen.
    pub status_replicas: i32,
}

/// What a metric answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MetricReading {
    /// One number, in thousandths: Object.
    Value(i64),
    /// Any numbers, in thousandths: External.
    Values(Vec<i64>),
    /// One number per pod: Pods and Resource.
    Pods(BTreeMap<Arc<str>, PodReading>),
    /// No answer, and why.
    Failed(String),
}

/// Number of one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodReading {
    /// In thousandths.
    pub milli: i64,
    /// When it was so; only `cpu` asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Over which time it was taken; only `cpu` asks.
    #[serde(default = "minute")]
    pub window_seconds: u32,
}

/// What one round does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outcome {
    /// What the target is asked for after the round.
    pub replicas: i32,
    /// Whether the round asked for another number than before.
    pub rescaled: bool,
    /// Why, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescale_reason: Option<RescaleReason>,
    /// What the metrics asked for, before windows, policies and bounds; `None` where none was read or all was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<i32>,
    /// Which metric asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<usize>,
    /// Metrics that failed, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<(usize, String)>,
    /// Conditions that the round set.
    pub conditions: Conditions,
}

/// Why the number of replicas changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RescaleReason {
    /// There were more than allowed.
    AboveMaximum,
    /// There were fewer than allowed.
    BelowMinimum,
    /// A metric is above its target.
    MetricAboveTarget,
    /// All metrics are below their targets.
    MetricsBelowTarget,
}

/// Conditions that a round sets; the last word on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Conditions {
    /// `AbleToScale`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub able_to_scale: Option<Condition>,
    /// `ScalingActive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling_active: Option<Condition>,
    /// `ScalingLimited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling_limited: Option<Condition>,
    /// `ScaledToZero`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaled_to_zero: Option<Condition>,
}

/// A condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The controller's word for why.
    pub reason: Reason,
}

impl Condition {
    pub(super) const fn yes(reason: Reason) -> Self {
        Self { status: ConditionStatus::True, reason }
    }

    pub(super) const fn no(reason: Reason) -> Self {
        Self { status: ConditionStatus::False, reason }
    }
}

/// Reasons of conditions, as the controller writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reason {
    /// The target's scale was read.
    SucceededGetScale,
    /// The target's scale was written.
    SucceededRescale,
    /// No window holds anything back.
    ReadyForNewScale,
    /// Earlier, lower recommendations hold back.
    ScaleUpStabilized,
    /// Earlier, higher recommendations hold back.
    ScaleDownStabilized,
    /// A number came out of the metrics.
    ValidMetricFound,
    /// The target has no replicas, and not because of this autoscaler.
    ScalingDisabled,
    /// An Object metric failed.
    FailedGetObjectMetric,
    /// An External metric failed.
    FailedGetExternalMetric,
    /// A Pods metric failed.
    FailedGetPodsMetric,
    /// A Resource metric failed.
    FailedGetResourceMetric,
    /// A metric of a container's resource failed.
    FailedGetContainerResourceMetric,
    /// No bound or policy matters.
    DesiredWithinRange,
    /// Fewer than the minimum were asked for.
    TooFewReplicas,
    /// More than the maximum were asked for.
    TooManyReplicas,
    /// More at once than allowed.
    ScaleUpLimit,
    /// Fewer at once than allowed.
    ScaleDownLimit,
    /// This autoscaler took the last replica.
    ScaledToZero,
    /// It did not.
    NotScaledToZero,
}

impl Situation {
    /// What a round does about it.
    pub fn outcome(&self) -> Outcome {
        let mut autoscaler = Autoscaler::new(self.spec.clone(), self.controller);
        autoscaler.memory = self.memory.clone();
        autoscaler.step(self.now, self.scale, &self.pods, &self.readings)
    }
}

const fn minute() -> u32 {
    60
}
