//! What the extender promises, each promise on a real kube-scheduler with the extender as it is shipped.
//!
//! Scenarios share one control plane, except those that disturb it; see [`stage`].

mod apiserver;
mod burst;
mod explain;
mod failures;
mod full_nodes;
mod grid;
mod limits;
mod ranking;
mod replicas;
mod shadow;
mod shutdown;
mod stage;
mod tls;
