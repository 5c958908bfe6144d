//! What was found out about the autoscaler of a policy.

use std::{fmt, sync::Arc};

use crate::policy::condition;

/// What was found out about the autoscaler of a policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AutoscalerReport {
    /// Names of the autoscalers of the target, the one that reads the policy first.
    pub names: Vec<Arc<str>>,
    /// Whether one of them reads `carbon_adjusted_load` of the policy.
    pub reads_policy: bool,
    /// Whether it has a guard beside it.
    pub guarded: bool,
    /// Its least and most replicas.
    pub limits: Option<(u32, u32)>,
    /// Replicas by its status.
    pub current_replicas: Option<u32>,
    /// Replicas that it wants, by its status.
    pub desired_replicas: Option<u32>,
    /// What is wrong or odd, worst first.
    pub findings: Vec<Finding>,
}

/// Something that is wrong or odd with an autoscaler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// In words, with numbers.
    pub text: Arc<str>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy does not do what it says.
    Error,
    /// It works, less well than it could.
    Warning,
}

impl Severity {
    /// As in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What can be wrong or odd with an autoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// No autoscaler reads the policy.
    NoAutoscaler,
    /// It scales something else than the policy's target.
    OtherTarget,
    /// Several autoscalers scale one target.
    SeveralAutoscalers,
    /// It has `Value` where `AverageValue` is meant.
    ValueTarget,
    /// Its `averageValue` is not T.
    TargetMismatch,
    /// It scales by how dirty electricity is.
    RawIntensity,
    /// It has no guard.
    GuardMissing,
    /// Its guard is not above T.
    GuardNotAboveTarget,
    /// Its guard is within its tolerance of T.
    GuardWithinTolerance,
    /// A plain metric asks for as many replicas as the plain load would.
    PlainMetricAtTarget,
    /// It can neither add nor remove replicas.
    NoRange,
    /// Its guard comes from the adapter too.
    GuardFromHere,
    /// Its guard is not S.
    GuardMismatch,
    /// Its most replicas are fewer than a batch's plan counts on.
    BatchLimit,
    /// The load is how busy replicas are, which saturates.
    LoadSaturates,
    /// The autoscaler reads through KEDA.
    ThroughKeda,
    /// The curve does not do what it seems to.
    CurveShape,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::NoAutoscaler,
        Self::OtherTarget,
        Self::SeveralAutoscalers,
        Self::ValueTarget,
        Self::TargetMismatch,
        Self::RawIntensity,
        Self::GuardMissing,
        Self::GuardNotAboveTarget,
        Self::GuardWithinTolerance,
        Self::PlainMetricAtTarget,
        Self::NoRange,
        Self::GuardFromHere,
        Self::GuardMismatch,
        Self::BatchLimit,
        Self::LoadSaturates,
        Self::ThroughKeda,
        Self::CurveShape,
    ];

    /// As the reason of a condition and of an event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAutoscaler => "NoAutoscaler",
            Self::OtherTarget => "OtherTarget",
            Self::SeveralAutoscalers => "SeveralAutoscalers",
            Self::ValueTarget => "ValueTarget",
            Self::TargetMismatch => "TargetMismatch",
            Self::RawIntensity => "RawIntensity",
            Self::GuardMissing => "GuardMissing",
            Self::GuardNotAboveTarget => "GuardNotAboveTarget",
            Self::GuardWithinTolerance => "GuardWithinTolerance",
            Self::PlainMetricAtTarget => "PlainMetricAtTarget",
            Self::NoRange => "NoRange",
            Self::GuardFromHere => "GuardFromHere",
            Self::GuardMismatch => "GuardMismatch",
            Self::BatchLimit => "BatchLimit",
            Self::LoadSaturates => "LoadSaturates",
            Self::ThroughKeda => "ThroughKeda",
            Self::CurveShape => "CurveShape",
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::GuardFromHere
            | Self::GuardMismatch
            | Self::BatchLimit
            | Self::LoadSaturates
            | Self::NoRange
            | Self::ThroughKeda
            | Self::CurveShape => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Whether it is about the guard.
    pub const fn is_about_guard(self) -> bool {
        matches!(
            self,
            Self::GuardMissing
                | Self::GuardNotAboveTarget
                | Self::GuardWithinTolerance
                | Self::GuardFromHere
                | Self::GuardMismatch
        )
    }
}

impl FindingKind {
    /// The condition of a policy whose reason it is.
    pub const fn condition(self) -> &'static str {
        if self.is_about_guard() { condition::GUARD_PRESENT } else { condition::AUTOSCALER_SOUND }
    }

    /// Why it is one, and what to do.
    pub const fn explained(self) -> (&'static str, &'static str) {
        match self {
            Self::NoAutoscaler => ("nobody reads the policy", "add the metric to the autoscaler"),
            Self::OtherTarget => {
                ("the load is that of another workload", "make `targetRef` and `scaleTargetRef` the same")
            }
            Self::SeveralAutoscalers => ("they undo each other", "keep one"),
            Self::ValueTarget => (
                "with `Value` the load does not fall when replicas are added: it runs to the maximum",
                "`AverageValue`",
            ),
            Self::TargetMismatch => {
                ("the formula holds for `averageValue` = T only", "T, or `ratePerReplica` of a batch")
            }
            Self::RawIntensity => (
                "replicas grow with the metric and do not change the grid: it runs to the maximum or the minimum",
                "the adjusted load",
            ),
            Self::GuardMissing => ("nothing holds replicas up when the adapter is wrong or away", "a metric at S"),
            Self::GuardNotAboveTarget => ("the guard always wins: carbon has no effect", "S above T"),
            Self::GuardWithinTolerance => (
                "the guard always wins within the autoscaler's tolerance: carbon has no effect",
                "S above T times 1 and the tolerance, usually 1.1 T",
            ),
            Self::PlainMetricAtTarget => {
                ("the autoscaler takes the larger one: carbon has no effect", "remove it, or raise it to S as a guard")
            }
            Self::NoRange => ("`minReplicas` is `maxReplicas`", "give it room, if it is to scale"),
            Self::GuardFromHere => ("it does not hold when the adapter is not there", "a metric from elsewhere"),
            Self::GuardMismatch => ("replicas stop at another place than the policy says", "S"),
            Self::BatchLimit => ("the plan counts on replicas that it will not get", "raise `maxReplicas`"),
            Self::LoadSaturates => ("full replicas all look alike", "demand, not use"),
            Self::ThroughKeda => (
                "the autoscaler is KEDA's, and a trigger cannot be looked into",
                "compare [by hand](../guides/green-hpa-keda.md)",
            ),
            Self::CurveShape => (
                "steps within the autoscaler's tolerance, or a factor below `T/S`",
                "[choose other steps](../guides/green-hpa-choosing.md#the-curve)",
            ),
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AutoscalerReport {
    /// The worst finding.
    pub fn worst(&self) -> Option<&Finding> {
        self.findings.first()
    }

    /// The worst finding that keeps the policy from doing what it says, the guard aside.
    pub fn error(&self) -> Option<&Finding> {
        let is_error = |finding: &&Finding| finding.kind.severity() == Severity::Error;
        self.findings.iter().filter(is_error).find(|finding| !finding.kind.is_about_guard())
    }
}
