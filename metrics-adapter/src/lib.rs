//! Green HPA: carbon-aware scaling for a plain `HorizontalPodAutoscaler`.
//!
//! An aggregated API server for `custom.metrics.k8s.io` and `external.metrics.k8s.io`. A `GreenScalingPolicy` says how
//! much load a replica takes comfortably (T), how much at most (S), and how far carbon may push it from one to the
//! other; the adapter serves the load times that factor, and the autoscaler does the rest.
#![warn(missing_docs)]

pub mod autoscaler;
pub mod budget;
pub mod catalogue;
pub mod certificates;
pub mod cli;
pub mod config;
pub mod engine;
pub mod explain;
pub mod keda;
pub mod lease;
pub mod load;
pub mod metrics;
pub mod names;
pub mod ownership;
pub mod policy;
pub mod routes;
pub mod serve;
pub mod status;
pub mod table;

#[cfg(test)]
mod fake_api;
mod run;

pub use self::run::{SERVICE_NAME, register_metrics, run};
