//! A real Kubernetes control plane as local processes, and the helpers that scenarios on it are written with.
//!
//! A scenario is short:
//!
//! ```no_run
//! # async fn scenario() -> anyhow::Result<()> {
//! use kube_sci_e2e::testing;
//! use kube_sci_e2e::control_plane::SchedulerOptions;
//! use kube_sci_e2e::world::{node, pod};
//!
//! let plane = testing::control_plane().await?;
//! let world = plane.world();
//! world.create_nodes([node("n1").aws("eu-north-1", "m5.xlarge"), node("n2").aws("us-east-1", "m5.xlarge")]).await?;
//! let _scheduler = plane.start_scheduler(SchedulerOptions::plain("plain")).await?;
//! world.create_pod(pod("p1").cpu("500m").scheduler("plain")).await?;
//! let node = world.wait_bound("p1").await?;
//! assert!(["n1", "n2"].contains(&node.as_str()));
//! # Ok(())
//! # }
//! ```

pub mod adapter_manifests;
pub mod adapter_process;
pub mod aggregation;
pub mod balancer;
pub mod binaries;
pub mod build;
pub mod control_plane;
pub mod day;
pub mod extender_process;
pub mod folder;
pub mod grid_api;
pub mod grid_file;
pub mod hpa_recorder;
pub mod http_server;
pub mod load_world;
pub mod local_cluster;
pub mod manifests;
pub mod metrics_client;
pub mod metrics_text;
pub mod misbehaving;
pub mod own_program;
pub mod pki;
pub mod ports;
pub mod process;
pub mod programs;
pub mod prometheus;
pub mod scaphandre;
pub mod scripted_metrics;
pub mod simulation;
pub mod testing;
pub mod thanos_like;
pub mod wait;
pub mod world;
