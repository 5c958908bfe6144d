//! What the extender promises, each promise on a real kube-scheduler with the extender as it is shipped.
//!
//! Scenarios share one control plane, except those that disturb it; see [`stage`].

mod apiserver;
mod burst;
mod energy;
mod explain;
mod failures;
mod full_nodes;
mod grid;
mod grid_sources;
mod limits;
mod ranking;
mod replicas;
mod shadow;
mod shutdown;
mod signals_stage;
mod stage;
mod tls;
