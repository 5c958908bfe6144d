#![allow(clippy::float_cmp, reason = "whole numbers are exact; everything else is compared by difference")]

use proptest::prelude::*;
use sci_core::quantity::{Bytes, Cores};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn start() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn slot(index: u32) -> Slot {
    Slot { index, epoch: 1 }
}

fn uid(number: u32) -> PodUid {
    PodUid::new(&format!("00000000-0000-4000-8000-{number:012x}"))
}

fn demand(cores: f64) -> PodDemand {
    PodDemand { cpu: Cores::new(cores).unwrap(), memory: Bytes::new(1e9).unwrap() }
}

fn cpu_on(assumptions: &Assumptions, place: Slot, except: PodUid) -> f64 {
    assumptions.load().load_for(place, except).map_or(0.0, |load| load.requested.cpu.get())
}

const OTHER: u32 = 999_999;

#[test]
fn a_pod_counts_where_it_may_land_by_weight() {
    let assumptions = Assumptions::new(MINUTE);
    assert!(assumptions.assume(uid(1), &demand(2.0), &[(slot(3), 0.25), (slot(4), 0.75)], start()));
    let load = assumptions.load().load_for(slot(3), uid(OTHER)).unwrap();
    assert!((load.requested.cpu.get() - 0.5).abs() < 1e-6);
    assert!((load.requested.memory.get() - 0.25e9).abs() < 1.0);
    assert!((load.workload_pods - 0.25).abs() < 1e-6);
    assert!((cpu_on(&assumptions, slot(4), uid(OTHER)) - 1.5).abs() < 1e-6);
    assert_eq!(assumptions.load().load_for(slot(5), uid(OTHER)), None);
}

#[test]
fn a_pod_does_not_compete_with_itself() {
    let assumptions = Assumptions::new(MINUTE);
    assumptions.assume(uid(1), &demand(2.0), &[(slot(3), 1.0)], start());
    assumptions.assume(uid(2), &demand(1.0), &[(slot(3), 1.0)], start());
    assert_eq!(cpu_on(&assumptions, slot(3), uid(1)), 1.0);
    assert_eq!(cpu_on(&assumptions, slot(3), uid(2)), 2.0);
}

#[test]
fn deciding_again_replaces_the_decision() {
    let assumptions = Assumptions::new(MINUTE);
    assumptions.assume(uid(1), &demand(2.0), &[(slot(3), 1.0)], start());
    assumptions.assume(uid(1), &demand(2.0), &[(slot(4), 1.0)], start());
    assert_eq!(cpu_on(&assumptions, slot(3), uid(OTHER)), 0.0);
    assert_eq!(cpu_on(&assumptions, slot(4), uid(OTHER)), 2.0);
    assert_eq!(assumptions.load().len(), 1);
    assumptions.assume(uid(1), &demand(2.0), &[], start());
    assert!(assumptions.load().is_empty());
}

#[test]
fn being_seen_ends_the_assumption_and_tells_whether_it_held() {
    let assumptions = Assumptions::new(MINUTE);
    assumptions.assume(uid(1), &demand(2.0), &[(slot(3), 0.5), (slot(4), 0.5)], start());
    assumptions.assume(uid(2), &demand(2.0), &[(slot(3), 1.0)], start());
    assert_eq!(assumptions.confirm(uid(1), slot(4)), Confirmation::AsAssumed);
    assert_eq!(assumptions.confirm(uid(2), slot(4)), Confirmation::Elsewhere);
    assert_eq!(assumptions.confirm(uid(2), slot(4)), Confirmation::Unknown);
    assert!(assumptions.load().is_empty());
    assert_eq!(cpu_on(&assumptions, slot(3), uid(OTHER)), 0.0);
}

#[test]
fn time_ends_what_nobody_confirms() {
    let assumptions = Assumptions::new(MINUTE);
    assumptions.assume(uid(1), &demand(2.0), &[(slot(3), 1.0)], start());
    assumptions.assume(uid(2), &demand(1.0), &[(slot(3), 1.0)], start() + MINUTE / 2);
    assert_eq!(assumptions.expire(start() + MINUTE), 1);
    assert_eq!(cpu_on(&assumptions, slot(3), uid(OTHER)), 1.0);
    assert_eq!(assumptions.expire(start() + MINUTE * 2), 1);
    assert_eq!(assumptions.expired(), 2);
}

#[test]
fn a_node_that_took_over_a_place_inherits_nothing() {
    let assumptions = Assumptions::new(MINUTE);
    let (before, after) = (slot(3), Slot { index: 3, epoch: 2 });
    assumptions.assume(uid(1), &demand(2.0), &[(before, 1.0)], start());
    assert_eq!(cpu_on(&assumptions, after, uid(OTHER)), 0.0);
    assumptions.assume(uid(2), &demand(1.0), &[(after, 1.0)], start());
    assert_eq!(assumptions.confirm(uid(1), after), Confirmation::Elsewhere, "another node of the same place");
    assert_eq!(cpu_on(&assumptions, after, uid(OTHER)), 1.0, "the old pod's part is not taken from the new node");
}

#[test]
fn memory_is_bounded_and_what_does_not_fit_is_counted() {
    let assumptions = Assumptions::new(MINUTE);
    for number in 0..u32::try_from(MAX_PODS).unwrap() {
        assert!(assumptions.assume(uid(number), &demand(1.0), &[(slot(1), 1.0)], start()));
    }
    assert!(!assumptions.assume(uid(OTHER), &demand(1.0), &[(slot(1), 1.0)], start()));
    assert_eq!(assumptions.refused(), 1);
    let many: Vec<(Slot, f64)> = (0..9).map(|index| (slot(index), 0.1)).collect();
    assert!(!assumptions.assume(uid(0), &demand(1.0), &many, start()), "spreads by itself");
    assert_eq!(assumptions.load().len(), MAX_PODS - 1, "and what was assumed before is gone");
}

#[test]
fn readers_keep_what_they_loaded() {
    let assumptions = Assumptions::new(MINUTE);
    assumptions.assume(uid(1), &demand(2.0), &[(slot(3), 1.0)], start());
    let held = assumptions.load();
    assumptions.forget(uid(1));
    assert!(held.load_for(slot(3), uid(OTHER)).is_some());
    assert!(assumptions.load().load_for(slot(3), uid(OTHER)).is_none());
}

#[test]
fn concurrent_bursts_lose_nothing() {
    let assumptions = Assumptions::new(MINUTE);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let assumptions = &assumptions;
            scope.spawn(move || {
                for number in 0..100 {
                    assumptions.assume(uid(thread * 100 + number), &demand(1.0), &[(slot(number % 7), 1.0)], start());
                }
            });
        }
    });
    let total: f64 = (0..7).map(|index| cpu_on(&assumptions, slot(index), uid(OTHER))).sum();
    assert!((total - 400.0).abs() < 1e-9);
}

proptest! {
    #[test]
    fn nothing_is_left_when_every_pod_is_gone(
        steps in proptest::collection::vec((0u32..20, 0.0f64..64.0, proptest::collection::vec((0u32..200, 0.0f64..1.0), 1..8)), 0..60),
    ) {
        let assumptions = Assumptions::new(MINUTE);
        for (pod, cores, nodes) in steps {
            let nodes: Vec<(Slot, f64)> = nodes.into_iter().map(|(index, weight)| (slot(index), weight)).collect();
            assumptions.assume(uid(pod), &demand(cores), &nodes, start());
        }
        (0..20).for_each(|pod| assumptions.forget(uid(pod)));
        let ledger = assumptions.load();
        prop_assert!(ledger.is_empty());
        for index in 0..200 {
            prop_assert_eq!(ledger.load_for(slot(index), uid(OTHER)), None);
        }
    }
}
