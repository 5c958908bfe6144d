//! Who reads a policy: its autoscaler, and whether it is set up as it should be.
//!
//! [`lint`] is a pure function over the autoscalers of a namespace and one policy. It finds what no schema can: a
//! target that does not match, a guard that is missing, a metric that makes the policy void.

mod lint;
mod report;
mod view;

pub use self::{
    lint::{Linted, lint},
    report::{AutoscalerReport, Finding, FindingKind, Severity},
    view::{Autoscaler, Described, Metric, MetricTarget},
};
