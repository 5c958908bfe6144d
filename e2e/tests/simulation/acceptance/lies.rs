//! Meters that lie: what they say is refused with a reason, or a gap; nothing of it becomes energy.

use std::time::Duration;

use kube_sci_e2e::simulation::{
    Alumet, AlumetVersion, Fault, HardwareClass, Kepler, KeplerFake, KeplerLegacy, LegacySource, Lie, Program,
    Scaphandre, SimulatedNode,
};
use kube_sci_signals::energy::{GapReason, Refusal};

use super::run::{Outcome, Run, elapsed};
use super::{HOUR, MINUTE, Setup, busy};

/// What a lie starts and ends with.
const FROM: Duration = Duration::from_mins(20);
const TO: Duration = Duration::from_mins(40);

/// A lie of a program, and how it must be refused.
struct Case {
    name: &'static str,
    fault: Fault,
    refusal: Option<fn(&Refusal) -> bool>,
}

fn lie(name: &'static str, lie: Lie, refusal: Option<fn(&Refusal) -> bool>) -> Case {
    Case { name, fault: Fault::Lie { from: FROM, to: TO, lie }, refusal }
}

fn hour(setup: &Setup, faults: &[Fault]) -> Outcome {
    Run::new(busy(SimulatedNode::new("n1", setup.class.clone())).start(), setup).faults(faults).hour()
}

fn kepler() -> Setup {
    Setup::new("kepler", Program::Kepler(Kepler::default()), HardwareClass::old())
}

fn setups() -> Vec<Setup> {
    vec![
        kepler(),
        Setup::new("kepler-legacy", Program::KeplerLegacy(KeplerLegacy::default()), HardwareClass::efficient()),
        Setup::new("scaphandre", Program::Scaphandre(Scaphandre::default()), HardwareClass::old()),
        Setup::new("alumet", Program::Alumet(Alumet::raw(AlumetVersion::V0_9_3)), HardwareClass::old()),
    ]
}

#[test]
fn lies_are_refused_and_the_truth_is_believed_again() {
    let cases = [
        lie(
            "a thousand times too much",
            Lie::Factor(1_000.0),
            Some(|refusal| matches!(refusal, Refusal::TooHigh { .. })),
        ),
        lie("nearly nothing", Lie::Factor(1e-6), Some(|refusal| matches!(refusal, Refusal::TooLow { .. }))),
        lie("always the same", Lie::Constant(5_000.0), Some(|refusal| matches!(refusal, Refusal::Frozen { .. }))),
        lie("no numbers", Lie::NotANumber, None),
        lie("negative numbers", Lie::Negative, None),
    ];
    let mut report = Vec::new();
    for setup in setups() {
        for case in &cases {
            let outcome = hour(&setup, &[case.fault]);
            let faults = faults_of(&setup, case, &outcome);
            report.extend(faults.into_iter().map(|fault| format!("{}, {}: {fault}", setup.name, case.name)));
        }
    }
    assert!(report.is_empty(), "{} faults:\n{}", report.len(), report.join("\n"));
}

fn faults_of(setup: &Setup, case: &Case, outcome: &Outcome) -> Vec<String> {
    let mut faults = setup.standard.judge(outcome).node_faults();
    let during: Vec<_> = outcome.refused.iter().filter(|(at, _)| (FROM + MINUTE * 5..TO).contains(at)).collect();
    match case.refusal {
        Some(expected) if during.is_empty() || !during.iter().all(|(_, refused)| expected(&refused.refusal)) => {
            faults.push(format!("refused for {:?}", during.first().map(|(_, refused)| refused.refusal)));
        }
        None if !outcome.gaps.iter().any(|gap| elapsed(gap.start) < TO && elapsed(gap.end) > FROM) => {
            faults.push("neither refused nor a gap".to_owned());
        }
        _ => {}
    }
    let windows = |from: Duration, to: Duration| {
        outcome.windows.iter().filter(|window| elapsed(window.start) >= from && elapsed(window.end) <= to).count()
    };
    if windows(FROM, TO) > 0 {
        faults.push(format!("{} windows out of lies", windows(FROM, TO)));
    }
    if windows(Duration::ZERO, FROM) < 15 || windows(TO, HOUR) < 10 {
        faults.push(format!("{} windows before, {} after", windows(Duration::ZERO, FROM), windows(TO, HOUR)));
    }
    faults
}

#[test]
fn a_page_that_stands_still_is_refused() {
    for setup in setups() {
        let outcome = hour(&setup, &[Fault::Frozen { from: FROM }]);
        let verdict = setup.standard.judge(&outcome);
        assert!(verdict.node_faults().is_empty(), "{}: {verdict}", setup.name);
        let frozen = outcome.refused.iter().any(|(_, refused)| matches!(refused.refusal, Refusal::Frozen { .. }));
        assert!(frozen, "{}: {:?}", setup.name, outcome.refused.first());
        assert!(outcome.windows.iter().all(|window| elapsed(window.start) <= FROM + MINUTE), "{}", setup.name);
    }
}

#[test]
fn a_dead_agent_leaves_gaps() {
    for setup in setups() {
        let outcome = hour(&setup, &[Fault::AgentDead { from: FROM }]);
        let after = |at| elapsed(at) > FROM + MINUTE;
        assert!(!outcome.windows.iter().any(|window| after(window.end)), "{}", setup.name);
        let gap: Duration = outcome
            .gaps
            .iter()
            .filter(|gap| gap.reason == GapReason::NoAnswer)
            .map(|gap| elapsed(gap.end).saturating_sub(elapsed(gap.start)))
            .sum();
        // Until nobody expects it any more.
        assert!(gap >= MINUTE * 25, "{}: {:?}", setup.name, outcome.gaps);
        assert!(outcome.refused.is_empty(), "{}: {:?}", setup.name, outcome.refused.first());
    }
}

#[test]
fn keplers_fake_meter_never_becomes_energy() {
    let setup = Setup::new("fake", Program::KeplerFake(KeplerFake::default()), HardwareClass::efficient());
    let outcome = hour(&setup, &[]);
    assert!(outcome.windows.is_empty(), "{:?}", outcome.windows.first());
    assert!(outcome.refused.len() > 200);
    assert!(outcome.refused.iter().all(|(_, refused)| refused.refusal == Refusal::FakeMeter));
}

#[test]
fn an_overflown_container_of_legacy_kepler_does_not_reach_its_node() {
    let overflown = KeplerLegacy { overflow_from: Some(FROM), ..KeplerLegacy::default() };
    let setup = Setup::new("overflow", Program::KeplerLegacy(overflown), HardwareClass::efficient());
    let outcome = hour(&setup, &[]);
    assert!(setup.standard.judge(&outcome).node_faults().is_empty());
    for window in &outcome.windows {
        let node = window.energy.total().expect("a window has energy").get();
        let pods: f64 = window.pods.iter().map(|pod| pod.energy.get()).sum();
        assert!(pods <= node * 1.01, "{pods} of {node} J");
    }
}

#[test]
fn what_a_model_made_is_marked_as_modelled() {
    let trained = KeplerLegacy { source: LegacySource::TrainedPowerModel, ..KeplerLegacy::default() };
    let setup = Setup::new("modelled", Program::KeplerLegacy(trained), HardwareClass::efficient());
    let outcome = hour(&setup, &[]);
    assert!(outcome.windows.len() > 50);
    assert!(outcome.windows.iter().all(|window| window.modelled));
    assert!(hour(&kepler(), &[]).windows.iter().all(|window| !window.modelled));
}
