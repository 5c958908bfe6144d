//! What users write: the two kinds of `kube-sci.dev/v1alpha1`.
//!
//! | kind | says |
//! | --- | --- |
//! | [`GreenScalingPolicy`] | how much load a replica takes, and how far carbon may move it between two limits |
//! | [`CarbonBudget`] | how many grams a namespace may spend in a month before its policies tighten |
//!
//! Everything that a schema or a CEL rule can refuse is refused by the API server; what only the cluster can tell is a
//! condition of the object. The types here are the wire's; [`Plan`] is what the engine works with.

mod crds;
mod curve;
mod limits;
mod load;
mod plan;

mod quantity;
mod reference;
mod spec;
mod status;

pub use self::{
    crds::{budget_resource, crds, policy_resource},
    curve::{CurveSpec, LinearSpec, QuantileSpec, StepSpec},
    load::{
        CounterKind, DescribedObject, LoadSpec, MetricSpec, MetricType, PodsSpec, PrometheusSpec, QueueSpec, Scheme,
        SourceSpec,
    },
    plan::{BatchPlan, Due, LoadPlan, Plan, PlanError, Work},
    quantity::{PerReplica, PerReplicaError},
    reference::reference,
    spec::{
        BatchSpec, CriticalitySpec, DaySpec, GreenScalingPolicy, GreenScalingPolicySpec, HysteresisSpec, ModeSpec,
        StepLimitSpec, TargetRef, WindowSpec, ZoneSpec,
    },
    status::{
        GovernorStatus, IntensityStatus, LoadStatus, PolicyStatus, ReplicaStatus, SavedStatus, condition, reason,
    },
};
pub use crate::budget::{CarbonBudget, CarbonBudgetSpec, CarbonBudgetStatus};

/// API group of the kinds.
pub const GROUP: &str = "kube-sci.dev";
/// Resource of [`GreenScalingPolicy`], as in paths and rights.
pub const POLICIES: &str = "greenscalingpolicies";
/// Its version.
pub const VERSION: &str = "v1alpha1";
