use kube_sci_cluster::objects::{PodUid, WorkloadKey};
use sci_core::node::NeutralReason;

use super::{
    ledger::{Binding, Ledger, SHOWN_CANDIDATES},
    *,
};

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn pod(name: &str) -> PodKey {
    PodKey { namespace: "ns".into(), name: name.into() }
}

/// A candidate that costs this many grams per hour, all of it operational.
fn costs(node: &str, grams: f32) -> Candidate {
    let terms = Terms {
        grams_per_kwh: 100.0,
        marginal_watts: 10.0,
        activation_watts: 0.0,
        operational_grams_per_hour: grams,
        embodied_grams_per_hour: 0.0,
        grams_per_core_hour: grams,
    };
    Candidate { node: node.into(), score: 5, terms: Ok(terms) }
}

fn unknown(node: &str) -> Candidate {
    Candidate { node: node.into(), score: 5, terms: Err(NeutralReason::ZoneUnknown) }
}

fn decision(name: &str, uid: &str, candidates: Vec<Candidate>) -> Decision {
    Decision {
        pod: pod(name),
        uid: uid.into(),
        at: AT,
        generation: 1,
        mode: Mode::Enforce,
        demand: PodDemand::default(),
        workload: WorkloadKey::of("default", "p", None),
        candidates,
    }
}

fn bind(ledger: &mut Ledger, name: &str, uid: &str, node: &str) -> Binding {
    ledger.bind(&pod(name), PodUid::new(uid), &node.into(), AT)
}

#[test]
fn the_best_node_reads_as_best() {
    let candidates = vec![costs("n1", 11.8), costs("n3", 4.1), costs("n2", 30.0)];
    let report = BoundReport::new(&decision("p", "u", candidates), "n3", AT).unwrap();
    assert_eq!(report.to_string(), "bound to n3: 4.1 g/h, best of 3; median candidate 11.8 g/h");
    assert!(report.regret_share.abs() < 1e-9);
}

#[test]
fn another_node_reads_with_its_rank_and_regret() {
    let candidates = vec![costs("n1", 8.0), costs("n3", 4.0), costs("n2", 0.02), unknown("n4")];
    let report = BoundReport::new(&decision("p", "u", candidates), "n1", AT).unwrap();
    assert_eq!(report.to_string(), "bound to n1: 8.0 g/h, rank 3 of 3, best 0.0200 g/h; median candidate 4.0 g/h");
    assert!((report.regret_share - (1.0 - 0.02 / 8.0)).abs() < 1e-6);
}

#[test]
fn nodes_within_the_tie_share_a_rank() {
    let candidates = vec![costs("n1", 100.0), costs("n2", 101.0)];
    let report = BoundReport::new(&decision("p", "u", candidates), "n2", AT).unwrap();
    assert_eq!(report.rank, 1);
}

#[test]
fn an_unranked_node_gives_no_report() {
    let decision = decision("p", "u", vec![costs("n1", 1.0), unknown("n2")]);
    assert_eq!(BoundReport::new(&decision, "n2", AT), None);
    assert_eq!(BoundReport::new(&decision, "elsewhere", AT), None);
}

#[test]
fn the_newest_decision_about_a_pod_is_held() {
    let mut ledger = Ledger::new(1_000);
    ledger.insert(decision("p", "u1", vec![costs("n1", 1.0)]));
    ledger.insert(decision("p", "u2", vec![costs("n1", 1.0), costs("n2", 2.0)]));
    assert_eq!(ledger.len(), 1);
    assert_eq!(&*ledger.get(&pod("p")).unwrap().decision.uid, "u2");
    assert_eq!(ledger.get(&pod("q")).map(|entry| entry.offered), None);
}

#[test]
fn the_oldest_decision_leaves_first() {
    let mut ledger = Ledger::new(25);
    for name in ["a", "b", "c"] {
        ledger.insert(decision(name, name, (0..6).map(|i| costs(&i.to_string(), 1.0)).collect()));
    }
    assert!(ledger.get(&pod("a")).is_none());
    assert!(ledger.get(&pod("b")).is_some() && ledger.get(&pod("c")).is_some());
    assert!(ledger.weight() <= 25);
}

#[test]
fn a_pod_that_is_retried_for_ever_does_not_fill_the_ledger() {
    let mut ledger = Ledger::new(50);
    ledger.insert(decision("old", "u", vec![costs("n", 1.0)]));
    for _ in 0..1_000 {
        ledger.insert(decision("retried", "u", vec![costs("n", 1.0)]));
        assert!(ledger.weight() <= 50);
    }
    assert_eq!(ledger.len(), 1, "the old decision gave way");
    assert_eq!(ledger.get(&pod("retried")).unwrap().offered, 1);
}

#[test]
fn a_decision_larger_than_the_ledger_is_still_the_newest() {
    let mut ledger = Ledger::new(2);
    ledger.insert(decision("p", "u", (0..9).map(|i| costs(&i.to_string(), 1.0)).collect()));
    assert!(ledger.get(&pod("p")).is_some());
}

#[test]
fn a_bound_decision_keeps_its_best_and_its_own_node() {
    let mut ledger = Ledger::new(10_000);
    let candidates: Vec<_> = (0..100u8).map(|i| costs(&format!("n{i}"), f32::from(i) + 1.0)).collect();
    ledger.insert(decision("p", "u", candidates));
    let Binding::Ranked(report) = bind(&mut ledger, "p", "u", "n99") else { panic!("not ranked") };
    // 99 g is within two percent of 100 g, so only 98 are cheaper.
    assert_eq!((report.rank, report.known), (99, 100));
    let entry = ledger.get(&pod("p")).unwrap();
    let nodes: Vec<&str> = entry.decision.candidates.iter().map(|candidate| &*candidate.node).collect();
    assert_eq!(nodes.len(), SHOWN_CANDIDATES + 1);
    assert_eq!((nodes[0], nodes[SHOWN_CANDIDATES]), ("n0", "n99"));
    assert_eq!(entry.offered, 100);
}

#[test]
fn a_binding_counts_once_and_only_for_the_same_pod() {
    let mut ledger = Ledger::new(100);
    ledger.insert(decision("p", "u", vec![costs("n1", 1.0), unknown("n2")]));
    assert_eq!(bind(&mut ledger, "p", "another", "n1"), Binding::NoDecision);
    assert_eq!(bind(&mut ledger, "q", "u", "n1"), Binding::NoDecision);
    assert_eq!(bind(&mut ledger, "p", "u", "n2"), Binding::NotRanked);
    assert_eq!(bind(&mut ledger, "p", "u", "n1"), Binding::Repeated);
}

#[test]
fn candidates_stay_small() {
    assert!(size_of::<Candidate>() <= 48, "{}", size_of::<Candidate>());
}
