use std::time::Duration;

use jiff::{
    Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};

use super::{factor, grams, inputs, measured, minutes, noon, per_replica, policy, share, steps, thresholds};
use crate::{
    intensity::Quality,
    scaling::{
        Carbon,
        ClampReason::{self, Dwell, GuardFloor, Hysteresis, None as Unclamped, Quantum},
        Criticality, Curve, Damping, Decision, Governor, GovernorState, Inputs, LoadError, LoadSample, MaxStep, Mode,
        NoCarbon, Phase, Policy, Stage, Thresholds, Tightening, Tolerance, Window, Windows,
        number::whole,
    },
};

fn damped(band: f64, dwell: u64) -> Damping {
    Damping { band: grams(band), min_dwell: minutes(dwell), ..Damping::NONE }
}

/// Decides at one intensity after the other, a minute apart.
fn follow(governor: &mut Governor, policy: &Policy, from: Timestamp, intensities: &[f64]) -> Vec<Decision> {
    intensities
        .iter()
        .zip(0..)
        .map(|(intensity, minute)| governor.decide(policy, &inputs(from + minutes(minute), *intensity)))
        .collect()
}

/// The factor in thousandths.
fn served(decision: &Decision) -> u64 {
    whole((decision.effective.get() * 1e3).round())
}

fn factors(decisions: &[Decision]) -> Vec<u64> {
    decisions.iter().map(served).collect()
}

fn clamps(decisions: &[Decision]) -> Vec<ClampReason> {
    decisions.iter().map(|decision| decision.clamp).collect()
}

#[test]
fn undamped_the_factor_is_the_curves_but_for_the_floor() {
    let line = Curve::linear(grams(200.0), grams(600.0), factor(0.5)).unwrap();
    let decisions = follow(&mut Governor::new(), &policy(line, Damping::NONE), noon(), &[100.0, 300.0, 600.0]);
    assert_eq!(factors(&decisions), [1000, 875, 625]);
    assert_eq!(clamps(&decisions), [ClampReason::None, ClampReason::None, ClampReason::GuardFloor]);
    let last = decisions.last().unwrap();
    assert!((last.raw.unwrap().factor.get() - 0.5).abs() < 1e-12);
    assert_eq!(last.stages, [Stage { by: ClampReason::GuardFloor, factor: factor(0.625) }]);
    let demand = last.demand.unwrap();
    assert!((demand.adjusted.get() - 625.0).abs() < 1e-9);
    assert_eq!((demand.replicas.plain, demand.replicas.green, demand.replicas.floor), (10, 7, 7));
}

#[test]
fn within_the_band_the_level_stays() {
    let policy = policy(steps(), damped(20.0, 0));
    let mut governor = Governor::new();
    let decisions = follow(&mut governor, &policy, noon(), &[250.0, 310.0, 319.0, 321.0, 290.0, 281.0, 279.0, 310.0]);
    assert_eq!(factors(&decisions), [1000, 1000, 1000, 800, 800, 800, 1000, 1000]);
    assert_eq!(
        clamps(&decisions),
        [Unclamped, Hysteresis, Hysteresis, Unclamped, Hysteresis, Hysteresis, Unclamped, Hysteresis]
    );
}

#[test]
fn the_first_decision_has_no_level_to_stay_at() {
    let decisions = follow(&mut Governor::new(), &policy(steps(), damped(20.0, 60)), noon(), &[310.0]);
    assert_eq!(factors(&decisions), [800]);
}

#[test]
fn a_young_level_is_kept_in_both_directions() {
    let policy = policy(steps(), damped(0.0, 3));
    let intensities = [250.0, 350.0, 350.0, 350.0, 250.0, 250.0, 250.0];
    let decisions = follow(&mut Governor::new(), &policy, noon(), &intensities);
    assert_eq!(factors(&decisions), [1000, 1000, 1000, 800, 800, 800, 1000]);
    assert_eq!(clamps(&decisions), [Unclamped, Dwell, Dwell, Unclamped, Dwell, Dwell, Unclamped]);
}

#[test]
fn the_factor_walks_to_its_level() {
    let max_step = Some(MaxStep { step: share(0.1), every: minutes(2) });
    let policy = policy(steps(), Damping { max_step, ..Damping::NONE });
    let intensities = [600.0, 600.0, 600.0, 600.0, 600.0, 600.0, 600.0, 600.0, 100.0, 100.0];
    let decisions = follow(&mut Governor::new(), &policy, noon(), &intensities);
    assert_eq!(factors(&decisions), [900, 900, 800, 800, 700, 700, 650, 650, 750, 750]);
    assert_eq!(decisions[5].clamp, ClampReason::MaxStep);
    assert_eq!(decisions[7].clamp, ClampReason::None);
    assert_eq!(decisions[9].clamp, ClampReason::MaxStep);
    assert!((decisions[9].state.level.get() - 1.0).abs() < 1e-12);
}

#[test]
fn levels_are_rounded_up() {
    let line = Curve::linear(grams(200.0), grams(600.0), factor(0.6)).unwrap();
    let policy = policy(line, Damping { quantum: share(0.1), ..Damping::NONE });
    // 0.95, 0.9, 0.81, 0.6 and a floor of 0.625.
    let decisions = follow(&mut Governor::new(), &policy, noon(), &[250.0, 300.0, 390.0, 600.0]);
    assert_eq!(factors(&decisions), [1000, 900, 900, 625]);
    assert_eq!(clamps(&decisions), [Quantum, Unclamped, Quantum, GuardFloor]);
}

fn stale() -> Carbon {
    Carbon { age: minutes(121), ..measured(600.0) }
}

#[test]
fn without_an_intensity_the_factor_is_one_at_once() {
    let max_step = Some(MaxStep { step: share(0.05), every: minutes(10) });
    let policy = policy(steps(), Damping { max_step, ..damped(50.0, 60) });
    let causes: [(Result<Carbon, NoCarbon>, &str); 5] = [
        (Err(NoCarbon::Missing), "missing"),
        (Ok(stale()), "stale"),
        (Ok(Carbon { quality: Quality::Annual, ..measured(600.0) }), "poor_quality"),
        (Ok(Carbon { confidence: share(0.0), ..measured(600.0) }), "low_confidence"),
        (Err(NoCarbon::Stale { age: minutes(500), max_age: minutes(120) }), "stale"),
    ];
    for (carbon, cause) in causes {
        let mut governor = Governor::resume(GovernorState::at(factor(0.65), noon()));
        let decision = governor.decide(&policy, &Inputs { carbon, ..inputs(noon() + minutes(1), 600.0) });
        assert_eq!(served(&decision), 1000);
        assert_eq!(decision.carbon.unwrap_err().as_str(), cause);
        assert_eq!((decision.clamp, decision.phase), (ClampReason::CarbonUnknown, Phase::CarbonUnknown));
        assert_eq!(decision.left, Some(Phase::Throttled));
        assert_eq!(decision.raw, None);
    }
}

#[test]
fn an_intensity_that_comes_and_goes_throttles_no_more_often_than_the_dwell() {
    let policy = policy(steps(), damped(0.0, 10));
    let mut governor = Governor::resume(GovernorState::at(factor(0.8), noon() - minutes(60)));
    let mut changes = 0;
    let mut last = 0.8;
    for minute in 0..60 {
        let carbon = Ok(if minute % 2 == 0 { stale() } else { measured(400.0) });
        let decision = governor.decide(&policy, &Inputs { carbon, ..inputs(noon() + minutes(minute), 400.0) });
        changes += u32::from((decision.effective.get() - last).abs() > 1e-12);
        last = decision.effective.get();
    }
    // To 1 in the first minute, then down and up again at most once in ten.
    assert!(changes <= 1 + 2 * 6, "{changes}");
    assert!(changes >= 3, "it throttles again at all");
}

#[test]
fn a_window_sets_the_factor_to_one_and_back() {
    let time = |hour| Time::new(hour, 0, 0, 0).unwrap();
    // 2026-01-01 is a Thursday.
    let window = Window::new([Weekday::Thursday], time(12), time(13), TimeZone::UTC).unwrap();
    let policy = Policy { never_throttle: Windows::from(vec![window]), ..policy(steps(), damped(20.0, 30)) };
    let mut governor = Governor::new();
    let at = |governor: &mut Governor, minute: i64| {
        let now = noon() + jiff::SignedDuration::from_mins(minute);
        governor.decide(&policy, &inputs(now, 600.0))
    };
    assert_eq!(factors(&[at(&mut governor, -1)]), [650]);
    let within = at(&mut governor, 0);
    assert_eq!(
        (within.clamp, within.phase, within.window),
        (ClampReason::NeverThrottle, Phase::NeverThrottle, Some(0))
    );
    assert_eq!(served(&within), 1000);
    assert!((within.raw.unwrap().factor.get() - 0.65).abs() < 1e-12, "the curve is still told");
    assert_eq!(factors(&[at(&mut governor, 59), at(&mut governor, 60)]), [1000, 650]);
}

#[test]
fn shadow_computes_all_and_serves_one() {
    let enforce = policy(steps(), damped(20.0, 0));
    let shadow = Policy { mode: Mode::Shadow, ..enforce.clone() };
    let (mut one, mut other) = (Governor::new(), Governor::new());
    let intensities = [250.0, 350.0, 600.0, 290.0];
    let enforced = follow(&mut one, &enforce, noon(), &intensities);
    let shadowed = follow(&mut other, &shadow, noon(), &intensities);
    assert_eq!(factors(&shadowed), [1000; 4]);
    for (enforced, shadowed) in enforced.iter().zip(&shadowed) {
        assert_eq!((enforced.computed, enforced.phase), (shadowed.computed, shadowed.phase));
        assert_eq!(enforced.demand.unwrap().replicas, shadowed.demand.unwrap().replicas);
        assert!((shadowed.demand.unwrap().adjusted.get() - 1_000.0).abs() < 1e-12);
        assert_eq!(shadowed.clamp == ClampReason::Shadow, shadowed.computed.throttles());
    }
}

#[test]
fn a_budget_multiplies_by_criticality() {
    let tightening = Tightening { best_effort: factor(0.7), standard: factor(0.9), critical: factor(1.0) };
    let of = |criticality, intensity| {
        let policy = Policy { criticality, ..policy(steps(), Damping::NONE) };
        let decision = Governor::new().decide(&policy, &Inputs { tightening, ..inputs(noon(), intensity) });
        (served(&decision), decision.clamp)
    };
    assert_eq!(of(Criticality::Standard, 350.0), (720, ClampReason::Budget));
    assert_eq!(of(Criticality::Critical, 350.0), (800, ClampReason::None));
    // 0.56 is below the floor; a clean hour is throttled too.
    assert_eq!(of(Criticality::BestEffort, 350.0), (625, ClampReason::GuardFloor));
    assert_eq!(of(Criticality::BestEffort, 100.0), (700, ClampReason::Budget));
}

#[test]
fn without_a_load_nothing_is_served_and_the_factor_goes_on() {
    let policy = policy(steps(), Damping::NONE);
    let mut governor = Governor::new();
    let stale = LoadSample { value: 1_000.0, at: noon() - minutes(3) };
    for (load, cause) in [
        (Err(LoadError::Missing), "missing"),
        (Ok(stale), "stale"),
        (Ok(LoadSample { value: f64::NAN, at: noon() }), "not_finite"),
        (Ok(LoadSample { value: -1.0, at: noon() }), "negative"),
        (Ok(LoadSample { value: 1e18, at: noon() }), "too_large"),
        (Ok(LoadSample { value: 1e15, at: noon() }), "too_many_replicas"),
    ] {
        let decision = governor.decide(&policy, &Inputs { load, ..inputs(noon(), 350.0) });
        assert_eq!(decision.demand.unwrap_err().as_str(), cause);
        assert_eq!(decision.effective, factor(0.8));
    }
    let idle = LoadSample { value: 0.0, at: noon() };
    let decision = governor.decide(&policy, &Inputs { load: Ok(idle), ..inputs(noon(), 350.0) });
    assert_eq!(decision.demand.unwrap().replicas.plain, 0, "no load is a load");
}

#[test]
fn the_state_survives_json_and_a_restart() {
    let max_step = Some(MaxStep { step: share(0.1), every: minutes(2) });
    let policy = policy(steps(), Damping { max_step, ..damped(20.0, 5) });
    let intensities = [250.0, 350.0, 600.0, 310.0, 290.0, 600.0, 600.0, 480.0, 100.0, 100.0, 100.0, 100.0];
    let mut steady = Governor::new();
    let mut state = GovernorState::default();
    for (minute, intensity) in (0..).zip(intensities) {
        let inputs = inputs(noon() + minutes(minute), intensity);
        let text = serde_json::to_string(&state).unwrap();
        let mut restarted = Governor::resume(serde_json::from_str(&text).unwrap());
        let decision = restarted.decide(&policy, &inputs);
        assert_eq!(steady.decide(&policy, &inputs), decision);
        state = *restarted.state();
    }
    assert_eq!(serde_json::from_str::<GovernorState>("{}").unwrap(), GovernorState::default());
}

#[test]
fn only_the_factor_is_enough_to_stay() {
    let policy = policy(steps(), damped(20.0, 10));
    let mut governor = Governor::resume(GovernorState::at(factor(0.8), noon() - minutes(1)));
    let decisions = follow(&mut governor, &policy, noon(), &[290.0, 100.0]);
    assert_eq!(factors(&decisions), [800, 800]);
    assert_eq!(clamps(&decisions), [ClampReason::Hysteresis, ClampReason::Dwell]);
    assert_eq!(decisions[0].left, None, "no event for what was so before");
}

#[test]
fn a_higher_floor_holds_at_once() {
    let near = Thresholds::with_guard(per_replica(100.0), per_replica(120.0), Tolerance::CLUSTER_DEFAULT).unwrap();
    let mut governor = Governor::resume(GovernorState::at(factor(0.65), noon()));
    let policy = Policy { thresholds: near, ..policy(steps(), damped(20.0, 60)) };
    let decision = governor.decide(&policy, &inputs(noon() + minutes(1), 600.0));
    assert!((decision.effective.get() - 100.0 / 120.0).abs() < 1e-12);
    assert!(decision.effective > thresholds().floor_factor());
}

#[test]
fn an_instant_in_the_future_holds_nothing_up() {
    let policy = policy(steps(), damped(0.0, 10));
    let mut governor = Governor::resume(GovernorState::at(factor(0.65), noon() + Duration::from_hours(87_600)));
    assert_eq!(factors(&follow(&mut governor, &policy, noon(), &[100.0])), [1000]);
}

#[test]
fn each_change_of_phase_is_told_once() {
    let policy = policy(steps(), Damping::NONE);
    let mut governor = Governor::new();
    let mut left = Vec::new();
    for (minute, intensity) in
        [(0, Some(100.0)), (1, Some(350.0)), (2, Some(600.0)), (3, None), (4, None), (5, Some(9.0))]
    {
        let carbon = intensity.map_or(Err(NoCarbon::Missing), |intensity| Ok(measured(intensity)));
        let decision = governor.decide(&policy, &Inputs { carbon, ..inputs(noon() + minutes(minute), 0.0) });
        left.push(decision.left);
    }
    let expected = [None, Some(Phase::Full), None, Some(Phase::Throttled), None, Some(Phase::CarbonUnknown)];
    assert_eq!(left, expected);
}

#[test]
fn a_quantile_without_history_throttles_nothing() {
    let week = Duration::from_hours(168);
    let curve = Curve::quantile(share(0.5), share(0.9), factor(0.6), week).unwrap();
    let decision = Governor::new().decide(&policy(curve, Damping::NONE), &inputs(noon(), 600.0));
    assert_eq!(decision.effective, factor(1.0));
    assert_eq!(decision.carbon.unwrap_err().to_string(), "0 hours of the zone's past are known, 48 are needed");
}

#[test]
fn reasons_have_distinct_names_alike_in_json() {
    let names: std::collections::BTreeSet<_> = ClampReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(names.len(), ClampReason::ALL.len());
    for reason in ClampReason::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
    for phase in [Phase::Full, Phase::Throttled, Phase::CarbonUnknown, Phase::NeverThrottle] {
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
    }
}
