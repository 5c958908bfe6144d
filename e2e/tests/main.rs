//! Everything that runs on a real control plane, in one binary.

mod build;
mod control_plane;
mod local_cluster;
mod manifests;
mod process;
mod scenarios;
mod support;
