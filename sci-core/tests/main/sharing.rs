//! Nothing is lost and nothing appears when a node's energy is shared out.

use proptest::prelude::*;
use sci_core::{
    quantity::{Joules, Share, Utilization},
    sci::sharing::{IdlePolicy, NodeUse, PodUse, Work, share_out},
};

/// From nothing over subnormal numbers to the largest there is.
fn joules() -> impl Strategy<Value = Joules> {
    let value = prop_oneof![
        Just(0.0),
        Just(5e-324),
        Just(Joules::MAX.get()),
        0.0..1e-300,
        0.0..1.0f64,
        0.0..1e5f64,
        0.0..1e18f64,
    ];
    value.prop_map(|value| Joules::new(value).unwrap())
}

fn share() -> impl Strategy<Value = Share> {
    prop_oneof![Just(0.0), Just(1.0), 0.0..1e-12, 0.0..=1.0f64].prop_map(|value| Share::new(value).unwrap())
}

fn pod() -> impl Strategy<Value = PodUse> {
    let work = prop_oneof![joules().prop_map(Work::Measured), share().prop_map(Work::CpuTime)];
    (prop::option::of(work), share()).prop_map(|(work, reserved)| PodUse { work, reserved })
}

fn node() -> impl Strategy<Value = NodeUse> {
    let utilization = prop::option::of(share().prop_map(|share| Utilization::new(share.get()).unwrap()));
    (joules(), utilization).prop_map(|(energy, utilization)| NodeUse { energy, utilization })
}

fn policy() -> impl Strategy<Value = IdlePolicy> {
    prop_oneof![Just(IdlePolicy::Reserved), Just(IdlePolicy::Attributed)]
}

proptest! {
    #[test]
    fn pods_system_and_unallocated_sum_to_the_node(
        node in node(), pods in prop::collection::vec(pod(), 0..60), policy in policy(),
    ) {
        let shared = share_out(&node, &pods, policy);
        let off = (shared.total().get() - node.energy.get()).abs();
        prop_assert!(off <= 1e-9 * node.energy.get(), "{} for {}", shared.total(), node.energy);
        prop_assert_eq!(shared.pods.len(), pods.len());
    }

    #[test]
    fn no_pod_answers_for_more_work_than_it_claims(
        node in node(), pods in prop::collection::vec(pod(), 0..60), policy in policy(),
    ) {
        let shared = share_out(&node, &pods, policy);
        for (row, pod) in shared.pods.iter().zip(&pods) {
            let claim = match pod.work {
                Some(Work::Measured(energy)) => energy.get(),
                Some(Work::CpuTime(share)) => node.energy.get() * share.get(),
                None => 0.0,
            };
            prop_assert!(row.active.get() <= claim.max(f64::MIN_POSITIVE) * (1.0 + 1e-9));
            prop_assert!(shared.claims_cut || row.active.get() >= claim - 1e-9 * node.energy.get());
        }
    }

    #[test]
    fn who_reserves_nothing_gets_no_idle_energy(node in node(), pods in prop::collection::vec(pod(), 1..20)) {
        let mut pods = pods;
        pods[0].reserved = Share::NONE;
        for policy in [IdlePolicy::Reserved, IdlePolicy::Attributed] {
            prop_assert_eq!(share_out(&node, &pods, policy).pods[0].idle, Joules::ZERO);
        }
    }
}
