//! What a `HorizontalPodAutoscaler` would do: the rules of its controller as pure functions.
//!
//! The rules are those of Kubernetes 1.37 with its feature gates as they come (scale to zero and tolerances of one's
//! own are on), read from the controller's source (`pkg/controller/podautoscaler`) and written anew. All values are
//! in thousandths, as the controller computes with them. In short:
//!
//! ```text
//! Object, External, Value         r = value / target                        ceil(r * ready pods), ceil(r) from zero
//! Object, External, AverageValue  r = value / (target * replicas)           ceil(value / target)
//! Pods, Resource                  r = mean of the pods / target             ceil(r * pods that count)
//! 1 - tolerance <= r <= 1 + tolerance                                       no change
//! replicas = max over the metrics; where one failed, no less than there are now
//! ```
//!
//! then the stabilisation windows, the policies of the behaviour or the built-in limit of a doubling, and the bounds.
//! More replicas than allowed are cut to the maximum, and fewer raised to the minimum, before any metric is read.
//!
//! # JSON
//! A [`Situation`] is all that one round of the controller sees; its [`Outcome`] is what that round does. Both are
//! plain JSON, so that rounds of the real controller can be recorded and replayed:
//!
//! ```
//! use sci_core::scaling::hpa::{Outcome, Situation};
//!
//! let situation: Situation = serde_json::from_str(r#"{
//!     "now": "2026-01-01T12:00:00Z",
//!     "spec": {
//!         "minReplicas": 1,
//!         "maxReplicas": 20,
//!         "metrics": [
//!             {"type": "Object", "target": {"averageValueMilli": 100000}},
//!             {"type": "Pods", "averageValueMilli": 127000}
//!         ],
//!         "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}}
//!     },
//!     "scale": {"specReplicas": 4, "statusReplicas": 4},
//!     "pods": [
//!         {"name": "a", "phase": "Running", "ready": {"status": "True", "since": "2026-01-01T11:00:00Z"}},
//!         {"name": "b", "phase": "Running", "ready": {"status": "True", "since": "2026-01-01T11:00:00Z"}},
//!         {"name": "c", "phase": "Running", "ready": {"status": "True", "since": "2026-01-01T11:00:00Z"}},
//!         {"name": "d", "phase": "Pending"}
//!     ],
//!     "readings": [{"value": 960000}, {"failed": "no metrics returned"}]
//! }"#)?;
//! let outcome: Outcome = situation.outcome();
//! // 960 / 100 asks for 10, but only 2 may be added in a minute. That the guard failed blocks no way up.
//! assert_eq!(outcome.replicas, 6);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! `controller` (flags of the controller manager) and `memory` (what the controller remembers of this autoscaler from
//! earlier rounds; [`Memory`]) may be left out. `readings` are in the order of `spec.metrics`.

mod behavior;
mod memory;
mod metric;
mod number;
mod object;
mod pods;
mod situation;
mod spec;
mod step;

pub use self::{
    memory::{Memory, ReplicaChange},
    situation::{Condition, Conditions, MetricReading, Outcome, PodReading, Reason, RescaleReason, Scale, Situation},
    spec::{
        Behavior, ChangePolicy, ConditionStatus, Controller, MetricSpec, Pod, PodPhase, PolicyType, Ready,
        ResourceTarget, Rules, SelectPolicy, Spec, Target,
    },
    step::Autoscaler,
};
