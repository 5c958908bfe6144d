//! A world whose joules are known: nodes of hardware classes with known power curves, pods with known use of CPU, and the
//! pages that measuring programs would write about them, faults included.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use kube_sci_e2e::simulation::{Agent, CpuUse, HardwareClass, Kepler, Program, Reply, SimulatedNode, SimulatedPod};
//!
//! let pod = SimulatedPod::new("shop", "web-0", CpuUse::Constant(8.0));
//! let node = Arc::new(SimulatedNode::new("n1", HardwareClass::efficient()).pod(pod).start());
//! let hour = node.window(Duration::ZERO, Duration::from_hours(1));
//! assert!(hour.joules() > 3_600.0 * 68.0);
//!
//! let mut agent = Agent::new(node, Program::Kepler(Kepler::default()));
//! let Reply::Page(page) = agent.scrape(Duration::from_mins(5)) else { unreachable!() };
//! assert!(page.body.contains("kepler_pod_cpu_joules_total{node_name=\"n1\""));
//! ```
//!
//! Nothing here looks at a clock. Time counts from the start of the simulation; [`SimulationClock`] ties it to real time, and
//! [`AgentServer`] serves the pages.

mod agent;
mod clock;
mod fault;
mod hardware;
mod node;
mod page;
mod push;
pub(crate) mod random;
mod server;
mod workload;

pub use self::agent::{
    Agent, Alumet, AlumetPoint, AlumetVersion, Kepler, KeplerFake, KeplerLegacy, LegacySource, Program, Reply,
    Scaphandre,
};
pub use self::clock::SimulationClock;
pub use self::fault::{Fault, Lie};
pub use self::hardware::{HardwareClass, PlatformMeter, PowerCurve, RAPL_RANGE_JOULES};
pub use self::node::{Domain, IdleJoules, LiveNode, PodUse, Pods, Reboot, SimulatedNode, Window};
pub use self::page::{Page, with_target_labels};
pub use self::push::{AlumetPusher, PushError, export_request, push};
pub use self::server::{AgentServer, Agents};
pub use self::workload::{CpuUse, SimulatedContainer, SimulatedPod};
