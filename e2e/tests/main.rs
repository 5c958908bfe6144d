//! Everything that runs on a real control plane, in one binary.

mod build;
mod control_plane;
mod grid_api;
mod hpa_recorder;
mod local_cluster;
mod manifests;
mod metrics_api;
mod process;
mod prometheus;
mod scaling;
mod scaphandre;
mod scenarios;
mod simulation;
mod support;
