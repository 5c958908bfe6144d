//! What one more pod on one node costs, and how nodes compare.
//!
//! The **marginal footprint** of pod `p` on node `n` is what the planet pays for that decision, per hour and per
//! core-hour of work (ARCHITECTURE.md, "Node score"):
//!
//! ```text
//! operational = I_zone * PUE * [ f * (P(u + du) - P(u)) + activation ] / 1000      gCO2e/h
//! embodied    = weight * TE_node / EL * share                                      gCO2e/h
//! cost        = (operational + embodied) / (cpu * relative performance)            gCO2e per core-hour of work
//! ```
//!
//! | symbol | meaning | unit |
//! | --- | --- | --- |
//! | `I_zone` | carbon intensity of the node's grid zone | gCO2e/kWh |
//! | `P` | power curve of the node | W |
//! | `u`, `du` | cores requested on the node, and by the pod, over the node's cores | 1 |
//! | `f` | what the pod's workload draws on this class of hardware, over what its requests let expect; 1 where nothing was learned ([`workload`](crate::workload)) | 1 |
//! | `activation` | idle power of a node that nothing else uses, times `share` | W |
//! | `share` | the larger of the pod's CPU and memory shares of what the node can allocate | 1 |
//! | `TE_node`, `EL` | embodied carbon of the node and its expected lifetime | gCO2e, h |
//!
//! Within one grid zone the intensity is the same for every node: there energy and embodied carbon rank them.
//! Embodied carbon is sunk once a machine is bought, so charging it is a choice: see [`EmbodiedWeight`].
//!
//! `P` may be off by the hardware's error band ([`Footprint::range`]). That does not move the score: nodes from one
//! table share their error, and learned power leans on the table by itself where it is uncertain (ADR 10).

mod reason;
mod score;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    reason::{NeutralReason, RejectReason},
    score::{Cost, NEUTRAL_WITHOUT_COMPARISON, Ranking, SCORE_MAX, Score, ScoreScratch, TIE_FRACTION, score},
};
use crate::{
    power::Hardware,
    quantity::{
        Bytes, Cores, GramsCo2e, GramsPerCoreHour, GramsPerHour, GramsPerKwh, Pue, QuantityError, Share, Utilization,
        Watts, WorkloadFactor,
    },
    sci::EmbodiedCarbon,
};

const HOUR: Duration = Duration::from_hours(1);

/// CPU and memory, asked for or available.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Resources {
    /// Hardware threads.
    pub cpu: Cores,
    /// Memory.
    pub memory: Bytes,
}

impl std::ops::Add for Resources {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, memory: self.memory + other.memory }
    }
}

impl Resources {
    /// Component by component, never below zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(other.cpu), memory: self.memory.saturating_sub(other.memory) }
    }

    /// Component by component.
    #[must_use]
    pub fn scaled(self, share: Share) -> Self {
        Self { cpu: self.cpu * share, memory: self.memory * share }
    }
}

/// What a pod asks for; a pod without requests is given the configured default before it comes here.
pub type PodDemand = Resources;

/// A pod as one node sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PodInput {
    /// What it asks for.
    pub demand: PodDemand,
    /// What its workload draws on the node's class of hardware, over what its requests let expect.
    pub workload_factor: WorkloadFactor,
}

impl From<PodDemand> for PodInput {
    /// A pod of which nothing but its requests is known.
    fn from(demand: PodDemand) -> Self {
        Self { demand, workload_factor: WorkloadFactor::EXPECTED }
    }
}

/// What already runs on a node.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct NodeLoad {
    /// Sum of all requests, of `DaemonSet` and mirror pods too.
    pub requested: Resources,
    /// Pods that keep the node from being idle: `DaemonSet` and mirror pods are not among them. A fraction is a
    /// pod that may have been decided for this node but was not seen there yet.
    pub workload_pods: f64,
}

impl NodeLoad {
    /// Below this many pods a node counts as empty: one pod that is as likely here as elsewhere fills it.
    pub const EMPTY_BELOW: f64 = 0.5;

    /// Nothing but `DaemonSet` and mirror pods runs here.
    pub fn is_empty(&self) -> bool {
        self.workload_pods < Self::EMPTY_BELOW
    }
}

/// How much of the hardware's embodied carbon a decision is charged with: 0 (only energy counts) to 10.
///
/// The default is 1, the "M" of the SCI equation in full: efficient use of hardware counts as much as energy. With
/// 0 a score is purely marginal, since embodied carbon is sunk unless a machine is added. In a clean grid this
/// knob decides the ranking; in a dirty one it hardly matters.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct EmbodiedWeight(f64);

impl EmbodiedWeight {
    /// Largest accepted weight.
    pub const MAX: f64 = 10.0;

    /// Checks the range.
    ///
    /// # Errors
    /// [`QuantityError`] for a value that is not within 0 to 10.
    pub fn new(weight: f64) -> Result<Self, QuantityError> {
        if weight.is_finite() && (0.0..=Self::MAX).contains(&weight) {
            return Ok(Self(weight));
        }
        Err(QuantityError::OutOfRange { quantity: "EmbodiedWeight", value: weight, min: 0.0, max: Self::MAX, unit: "" })
    }

    /// The bare factor.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Default for EmbodiedWeight {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for EmbodiedWeight {
    type Error = QuantityError;
    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<EmbodiedWeight> for f64 {
    fn from(value: EmbodiedWeight) -> f64 {
        value.0
    }
}

/// Everything about a node that its footprint depends on.
#[derive(Debug, Clone, Copy)]
pub struct NodeInput<'a> {
    /// Power curve, embodied carbon and performance.
    pub hardware: &'a Hardware,
    /// What the machine has.
    pub capacity: Resources,
    /// What pods may request of it.
    pub allocatable: Resources,
    /// What already runs there.
    pub load: NodeLoad,
    /// Intensity of its grid zone.
    pub intensity: GramsPerKwh,
    /// Overhead of its site.
    pub pue: Pue,
}

/// The marginal footprint of one pod on one node, term by term.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Footprint {
    /// Busy share of the node before the pod.
    pub utilization: Utilization,
    /// Share of the node's cores that the pod adds; above 1 where it cannot fit.
    pub delta_utilization: f64,
    /// The larger of the pod's shares of allocatable CPU and memory.
    pub resource_share: Share,
    /// The factor on marginal power that was learned of the pod's workload.
    pub workload_factor: WorkloadFactor,
    /// `f * (P(u + du) - P(u))`.
    pub marginal_power: Watts,
    /// Idle power charged because nothing else uses the node.
    pub activation_power: Watts,
    /// Energy's part.
    pub operational: GramsPerHour,
    /// The hardware's part, after [`EmbodiedWeight`].
    pub embodied: GramsPerHour,
    /// Both.
    pub total: GramsPerHour,
    /// Total over the work that the pod gets done per hour: what nodes are compared by.
    pub per_core_hour: GramsPerCoreHour,
}

impl Footprint {
    /// Between what rates the total lies, given the factors between which the true watts lie
    /// ([`Hardware::error_band`]): `operational * low + embodied` and `operational * high + embodied`.
    pub fn range(&self, error_band: (f64, f64)) -> (GramsPerHour, GramsPerHour) {
        let (low, high) = error_band;
        let at = |factor: f64| GramsPerHour::clamped(self.operational.get() * factor) + self.embodied;
        (at(low), at(high))
    }
}

/// The marginal footprint of `pod` on `node`.
///
/// The equation and its symbols stand at the head of this module.
///
/// # Errors
/// [`NeutralReason::NoCapacity`] for a node without CPU or memory to allocate, [`NeutralReason::NoDemand`] for a
/// pod that asks for no CPU: nothing can be said per core-hour of work.
///
/// ```
/// use sci_core::{
///     node::{EmbodiedWeight, NodeInput, NodeLoad, Resources, marginal_footprint},
///     power::{default_for, PowerCurve},
///     quantity::{Bytes, Cores, GramsPerKwh, Pue, Watts},
/// };
///
/// let all = Resources { cpu: Cores::new(10.0)?, memory: Bytes::new(40e9)? };
/// let mut hardware = default_for(all.cpu, all.memory);
/// hardware.curve = PowerCurve::linear(Watts::new(100.0)?, Watts::new(300.0)?)?;
/// let busy = NodeLoad { requested: Resources { cpu: Cores::new(5.0)?, ..Resources::default() }, workload_pods: 5.0 };
/// let node = NodeInput {
///     hardware: &hardware,
///     capacity: all,
///     allocatable: all,
///     load: busy,
///     intensity: GramsPerKwh::new(500.0)?,
///     pue: Pue::new(1.2)?,
/// };
/// let pod = Resources { cpu: Cores::new(1.0)?, memory: Bytes::new(1e9)? };
/// let footprint = marginal_footprint(&pod.into(), &node, EmbodiedWeight::new(0.0)?)?;
/// // One of ten cores adds 20 W; 20 W * 1.2 * 500 g/kWh / 1000 = 12 g/h.
/// assert!((footprint.operational.get() - 12.0).abs() < 1e-9);
/// assert_eq!(footprint.activation_power.get(), 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn marginal_footprint(
    pod: &PodInput,
    node: &NodeInput<'_>,
    embodied_weight: EmbodiedWeight,
) -> Result<Footprint, NeutralReason> {
    let PodInput { demand: pod, workload_factor } = pod;
    if pod.cpu <= Cores::ZERO {
        return Err(NeutralReason::NoDemand);
    }
    let utilization = Utilization::of(node.load.requested.cpu, node.capacity.cpu).ok_or(NeutralReason::NoCapacity)?;
    let delta_utilization = pod.cpu.get() / node.capacity.cpu.get();
    let resource_share = resource_share(pod, &node.allocatable).ok_or(NeutralReason::NoCapacity)?;

    let by_requests = node.hardware.curve.marginal(utilization, delta_utilization);
    let marginal_power = Watts::clamped(by_requests.get() * workload_factor.get());
    let activation_power = activation_power(node, resource_share);
    let operational = (marginal_power + activation_power) * node.pue * node.intensity;
    let embodied = embodied_rate(node.hardware, resource_share, embodied_weight);
    let total = operational + embodied;
    let work_per_hour = pod.cpu.get() * node.hardware.relative_performance.get();
    Ok(Footprint {
        utilization,
        delta_utilization,
        resource_share,
        workload_factor: *workload_factor,
        marginal_power,
        activation_power,
        operational,
        embodied,
        total,
        per_core_hour: GramsPerCoreHour::clamped(total.get() / work_per_hour),
    })
}

/// The larger of the pod's shares of CPU and memory; `None` where the node has none of either to give.
fn resource_share(pod: &PodDemand, allocatable: &Resources) -> Option<Share> {
    let cpu = Share::of(pod.cpu.get(), allocatable.cpu.get())?;
    let memory = Share::of(pod.memory.get(), allocatable.memory.get())?;
    Some(if cpu >= memory { cpu } else { memory })
}

/// An empty node could be switched off or left off: whoever wakes it pays its idle power by the share it takes.
fn activation_power(node: &NodeInput<'_>, share: Share) -> Watts {
    if node.load.is_empty() { node.hardware.curve.idle() * share } else { Watts::ZERO }
}

/// `weight * TE / EL * share`: the SCI specification's M for one hour, of the share that the pod reserves.
fn embodied_rate(hardware: &Hardware, share: Share, weight: EmbodiedWeight) -> GramsPerHour {
    // Hardware without a lifetime has no embodied carbon to spread.
    let in_one_hour = EmbodiedCarbon::new(hardware.embodied, hardware.lifetime)
        .map_or(GramsCo2e::ZERO, |embodied| embodied.charge(HOUR, share));
    GramsPerHour::clamped(in_one_hour.get() * weight.get())
}

#[cfg(test)]
mod tests;
