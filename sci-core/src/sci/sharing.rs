//! Whose energy was it: a node's joules over a window among its pods, so that nothing is lost and nothing appears.
//!
//! ```text
//! node        = active + idle
//! active      = sum over pods a_i + system
//! idle        = sum over pods idle * q_i + unallocated
//! pod i       = a_i + idle * q_i
//! sum over pods + system + unallocated = node                                       all in J
//! ```
//!
//! | symbol | meaning |
//! | --- | --- |
//! | `a_i` | energy of the pod's work: by its meter, or `node * t_i / (C t)`, CPU time over what the node has |
//! | `active` | `max(node * u, sum a_i)`, at most `node`; without a utilisation `sum a_i` |
//! | `q_i` | what the pod reserves: the larger of its CPU and memory requests over allocatable |
//!
//! ALUMET, Kepler and Scaphandre all attribute `node * t_i / (C t)` to a pod. That sums to `node * u` but for system
//! processes, and the rest of the node's energy is nobody's. The SCI specification v1.1.0, "Energy", wants reserved
//! hardware counted whether it is used or not, so idle energy goes by reservation.
//!
//! [`attribution`](super::attribution) holds the same formulas for watts of one moment.

use crate::quantity::{Joules, Share, Utilization};

/// Energy of a node over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeUse {
    /// All of it.
    pub energy: Joules,
    /// Mean busy share of the node's hardware threads, where it is known. Of system processes as well.
    pub utilization: Option<Utilization>,
}

/// What one pod did and kept reserved over the same window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PodUse {
    /// Its work; `None` where nothing is known of it. Such work ends up in [`SharedEnergy::system`].
    pub work: Option<Work>,
    /// The larger of its CPU and memory requests over what the node can allocate, times the share of the window that
    /// the pod was there.
    pub reserved: Share,
}

/// How much work a pod did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Work {
    /// Energy that a meter attributes to it.
    Measured(Joules),
    /// CPU time that it used, over that of all of the node's hardware threads.
    CpuTime(Share),
}

/// Who answers for idle energy that no pod reserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdlePolicy {
    /// Nobody: it is shown as unallocated.
    #[default]
    Reserved,
    /// The pods, in proportion to what they reserve.
    Attributed,
}

/// Energy of one pod.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PodEnergy {
    /// Of its work.
    pub active: Joules,
    /// Its part of the idle energy.
    pub idle: Joules,
}

/// A node's energy, shared out. Pods, system and unallocated sum to the node's energy.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedEnergy {
    /// One row for each pod, in the order of the input.
    pub pods: Vec<PodEnergy>,
    /// Active energy of no known pod.
    pub system: Joules,
    /// Idle energy that no pod answers for.
    pub unallocated: Joules,
    /// Pods claimed more energy than the node used, and got less: a meter is wrong, or they are of unlike windows.
    pub claims_cut: bool,
    /// Pods reserve more than the node has, and each got less of the idle energy. Not always an overcommitted node:
    /// one pod may reserve its memory and another its CPU.
    pub reservations_cut: bool,
}

/// Hands out parts of a fixed amount, never more than is left.
#[derive(Debug)]
struct Purse {
    left: f64,
}

impl PodEnergy {
    /// Both parts.
    pub fn total(&self) -> Joules {
        self.active + self.idle
    }
}

impl SharedEnergy {
    /// All rows together: the node's energy.
    pub fn total(&self) -> Joules {
        self.pods.iter().map(PodEnergy::total).sum::<Joules>() + self.system + self.unallocated
    }
}

/// Shares out the energy of a node, by the formulas at the head of this module.
///
/// ```
/// use sci_core::{
///     quantity::{Joules, Share, Utilization},
///     sci::sharing::{IdlePolicy, NodeUse, PodUse, Work, share_out},
/// };
///
/// // 1,000 J at 40 % load. Pods worked for 200 J and 100 J, and reserve 50 % and 25 %.
/// let node = NodeUse { energy: Joules::new(1_000.0)?, utilization: Some(Utilization::new(0.4)?) };
/// let pod = |joules, reserved| {
///     Ok::<_, sci_core::quantity::QuantityError>(PodUse {
///         work: Some(Work::Measured(Joules::new(joules)?)),
///         reserved: Share::new(reserved)?,
///     })
/// };
/// let shared = share_out(&node, &[pod(200.0, 0.5)?, pod(100.0, 0.25)?], IdlePolicy::Reserved);
/// assert_eq!(shared.pods[0].total().get(), 200.0 + 600.0 * 0.5);
/// assert_eq!(shared.pods[1].total().get(), 100.0 + 600.0 * 0.25);
/// assert_eq!(shared.system.get(), 1_000.0 * 0.4 - 300.0);
/// assert_eq!(shared.unallocated.get(), 600.0 * 0.25);
/// # Ok::<(), sci_core::quantity::QuantityError>(())
/// ```
pub fn share_out(node: &NodeUse, pods: &[PodUse], policy: IdlePolicy) -> SharedEnergy {
    let energy = node.energy.get();
    let claims = || pods.iter().map(|pod| claim(pod, energy));
    let claimed: f64 = claims().sum();
    let busy = node.utilization.map_or(0.0, |utilization| energy * utilization.get());
    let active = claimed.max(busy).min(energy);
    let claims_cut = claimed > energy;

    let reserved: f64 = pods.iter().map(|pod| pod.reserved.get()).sum();
    let whole = match policy {
        IdlePolicy::Reserved => reserved.max(1.0),
        IdlePolicy::Attributed => reserved,
    };
    let (mut work, mut idle) = (Purse { left: active }, Purse { left: energy - active });
    let idle_energy = idle.left;
    let rows = claims().zip(pods).map(|(claim, pod)| PodEnergy {
        // A factor of at most 1, so that rounding gives nobody more than it claims, however small the claim.
        active: work.take(if claims_cut { energy / claimed * claim } else { claim }),
        idle: idle.take(if whole > 0.0 { pod.reserved.get() / whole * idle_energy } else { 0.0 }),
    });
    let pods = rows.collect();
    SharedEnergy {
        pods,
        system: work.rest(),
        unallocated: idle.rest(),
        claims_cut,
        reservations_cut: reserved > 1.0 + f64::EPSILON * 16.0,
    }
}

/// Joules that the pod's work took, as far as it alone is asked.
fn claim(pod: &PodUse, node_joules: f64) -> f64 {
    match pod.work {
        Some(Work::Measured(energy)) => energy.get(),
        Some(Work::CpuTime(share)) => node_joules * share.get(),
        None => 0.0,
    }
}

impl Purse {
    fn take(&mut self, part: f64) -> Joules {
        let part = part.min(self.left);
        self.left -= part;
        Joules::clamped(part)
    }

    fn rest(self) -> Joules {
        Joules::clamped(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joules(value: f64) -> Joules {
        Joules::new(value).unwrap()
    }

    fn node(energy: f64, utilization: Option<f64>) -> NodeUse {
        NodeUse { energy: joules(energy), utilization: utilization.map(|u| Utilization::new(u).unwrap()) }
    }

    fn pod(work: Option<Work>, reserved: f64) -> PodUse {
        PodUse { work, reserved: Share::new(reserved).unwrap() }
    }

    fn measured(energy: f64, reserved: f64) -> PodUse {
        pod(Some(Work::Measured(joules(energy))), reserved)
    }

    fn rows(shared: &SharedEnergy) -> Vec<(f64, f64)> {
        shared.pods.iter().map(|row| (row.active.get(), row.idle.get())).collect()
    }

    #[test]
    fn cpu_time_is_a_part_of_the_whole_node() {
        // 1,000 J; the pod used 10 % of all threads, everything together 30 %.
        let by_time = pod(Some(Work::CpuTime(Share::new(0.1).unwrap())), 0.2);
        let shared = share_out(&node(1_000.0, Some(0.3)), &[by_time], IdlePolicy::Reserved);
        assert_eq!(rows(&shared), [(100.0, 700.0 * 0.2)]);
        assert!((shared.system.get() - 200.0).abs() < 1e-9);
        assert!((shared.unallocated.get() - 560.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_utilisation_only_pods_are_active() {
        let shared = share_out(&node(1_000.0, None), &[measured(300.0, 0.5)], IdlePolicy::Reserved);
        assert_eq!(rows(&shared), [(300.0, 350.0)]);
        assert_eq!((shared.system, shared.unallocated), (Joules::ZERO, joules(350.0)));
    }

    #[test]
    fn pods_that_measure_more_than_the_busy_share_are_believed() {
        let shared = share_out(&node(1_000.0, Some(0.2)), &[measured(300.0, 1.0)], IdlePolicy::Reserved);
        assert_eq!(rows(&shared), [(300.0, 700.0)]);
        assert_eq!((shared.system, shared.claims_cut), (Joules::ZERO, false));
    }

    #[test]
    fn a_tiny_claim_beside_a_huge_one_is_not_rounded_up() {
        let tiny = 5.156_688_807_573_305e-301;
        let pods = [measured(tiny, 0.0), measured(2.000_000_000_1e17, 0.0)];
        let shared = share_out(&node(2e17, None), &pods, IdlePolicy::Reserved);
        assert!(shared.claims_cut);
        assert!(shared.pods[0].active.get() <= tiny, "{:e}", shared.pods[0].active.get());
    }

    #[test]
    fn pods_that_claim_more_than_the_node_are_cut_in_proportion() {
        let pods = [measured(3_000.0, 0.1), measured(1_000.0, 0.1)];
        let shared = share_out(&node(1_000.0, Some(0.5)), &pods, IdlePolicy::Reserved);
        assert_eq!(rows(&shared), [(750.0, 0.0), (250.0, 0.0)]);
        assert!(shared.claims_cut && !shared.reservations_cut);
    }

    #[test]
    fn reservations_beyond_the_node_are_cut_in_proportion() {
        let pods = [measured(0.0, 0.9), measured(0.0, 0.6)];
        let shared = share_out(&node(1_000.0, None), &pods, IdlePolicy::Reserved);
        assert!((shared.pods[0].idle.get() - 600.0).abs() < 1e-9 && (shared.pods[1].idle.get() - 400.0).abs() < 1e-9);
        assert!(shared.reservations_cut);
        assert!(shared.unallocated.get() < 1e-9);
    }

    #[test]
    fn everything_can_be_attributed_to_the_pods() {
        let pods = [measured(100.0, 0.3), measured(0.0, 0.1)];
        let shared = share_out(&node(1_000.0, Some(0.2)), &pods, IdlePolicy::Attributed);
        assert!((shared.pods[0].idle.get() - 600.0).abs() < 1e-9 && (shared.pods[1].idle.get() - 200.0).abs() < 1e-9);
        assert_eq!(shared.system, joules(100.0));
        assert!(shared.unallocated.get() < 1e-9 && !shared.reservations_cut);
    }

    #[test]
    fn nobody_there_leaves_everything_to_system_and_unallocated() {
        for policy in [IdlePolicy::Reserved, IdlePolicy::Attributed] {
            let shared = share_out(&node(1_000.0, Some(0.25)), &[], policy);
            assert_eq!((shared.system, shared.unallocated), (joules(250.0), joules(750.0)));
        }
    }

    #[test]
    fn work_that_nobody_knows_of_is_the_systems() {
        let shared = share_out(&node(1_000.0, Some(0.25)), &[pod(None, 0.4)], IdlePolicy::Reserved);
        assert_eq!(rows(&shared), [(0.0, 300.0)]);
        assert_eq!(shared.system, joules(250.0));
    }

    #[test]
    fn a_node_without_energy_shares_nothing() {
        let shared = share_out(&node(0.0, Some(1.0)), &[measured(5.0, 0.4)], IdlePolicy::Reserved);
        assert_eq!(shared.total(), Joules::ZERO);
        assert!(shared.claims_cut);
    }
}
