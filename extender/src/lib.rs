//! HTTP scheduler extender: filters and scores nodes by marginal SCI.
//!
//! kube-scheduler posts a pod and its candidate nodes and gets limits enforced ([`filter`]) and scores from 0 to 10
//! ([`prioritize`]). A request reads one immutable snapshot of the cluster; it waits for nothing and locks nothing.
//! What was decided goes to a recorder ([`decisions`]), which holds it against what was really bound, for metrics,
//! for [`explain`] and for [`events`] on pods.
//!
//! An answer never blocks scheduling: where data are missing it is neutral, and counted.
#![warn(missing_docs)]

pub mod cli;
pub mod config;
pub mod decisions;
pub mod events;
pub mod explain;
pub mod filter;
pub mod limits;
pub mod metrics;
pub mod pod;
pub mod prioritize;
pub mod routes;
pub mod state;
pub mod wire;

mod call;
mod run;

pub use self::run::{SERVICE_NAME, run};
