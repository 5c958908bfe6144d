use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use sci_core::scaling::{
    Curve, Damping, Decision, Governor, GovernorState, GreenFactor, Inputs, IntensityHistory, LoadPerReplica,
    LoadSample, Mode, NoCarbon, Policy, Thresholds, Tightening, Tolerance,
};

use super::{
    any_curve, any_damping, any_policy, any_steps, any_thresholds, factor, grams, history, measured, policy, start,
};

/// What happens to a governor: time passes, load and intensity are this or missing.
#[derive(Debug, Clone)]
struct Event {
    wait: Duration,
    load: Option<f64>,
    intensity: Option<f64>,
    tightening: Tightening,
}

fn any_event() -> impl Strategy<Value = Event> {
    let load = prop_oneof![
        8 => (0.0..1e7).prop_map(Some),
        1 => prop::sample::select(vec![
            None, Some(f64::NAN), Some(-1.0), Some(1e18), Some(f64::INFINITY), Some(0.0), Some(f64::MIN_POSITIVE),
        ]),
    ];
    let intensity = prop::option::weighted(0.9, 0.0..1_200.0);
    let tightening = (0.5..=1.0, 0.5..=1.0, 0.5..=1.0).prop_map(|(a, b, c): (f64, f64, f64)| Tightening {
        best_effort: factor(a),
        standard: factor(b),
        critical: factor(c),
    });
    (0..900_u64, load, intensity, tightening).prop_map(|(wait, load, intensity, tightening)| Event {
        wait: Duration::from_secs(wait),
        load,
        intensity,
        tightening,
    })
}

fn inputs<'a>(event: &Event, now: Timestamp, history: &'a IntensityHistory) -> Inputs<'a> {
    Inputs {
        now,
        load: event.load.map(|value| LoadSample { value, at: now }).ok_or(sci_core::scaling::LoadError::Missing),
        carbon: event.intensity.map(measured).ok_or(NoCarbon::Missing),
        history: Some(history),
        tightening: event.tightening,
    }
}

fn decisions(policy: &Policy, events: &[Event]) -> Vec<Decision> {
    let (history, mut governor, mut now) = (history(), Governor::new(), start());
    events
        .iter()
        .map(|event| {
            now += event.wait;
            governor.decide(policy, &inputs(event, now, &history))
        })
        .collect()
}

fn known(intensity: f64, load: f64, now: Timestamp, history: &IntensityHistory) -> Inputs<'_> {
    let (load, intensity) = (Some(load), Some(intensity));
    inputs(&Event { wait: Duration::ZERO, load, intensity, tightening: Tightening::NONE }, now, history)
}

/// Any policy after anything happened to it.
fn any_state() -> impl Strategy<Value = (Policy, GovernorState, Timestamp)> {
    (any_policy(), prop::collection::vec(any_event(), 0..8), 0..3_600_u64).prop_map(|(policy, events, wait)| {
        let decisions = decisions(&policy, &events);
        let (state, at) = decisions.last().map_or((GovernorState::default(), start()), |last| (last.state, last.at));
        (policy, state, at + Duration::from_secs(wait))
    })
}

proptest! {
    #[test]
    fn the_floor_holds_whatever_happens(policy in any_policy(), events in prop::collection::vec(any_event(), 1..40)) {
        let (target, guard) = (policy.thresholds.target().get(), policy.thresholds.guard().get());
        for (decision, event) in decisions(&policy, &events).iter().zip(&events) {
            prop_assert!(decision.computed >= decision.floor && decision.computed.get() <= 1.0);
            prop_assert!((decision.floor.get() - target / guard).abs() < 1e-12);
            prop_assert!(decision.carbon.is_ok() || decision.computed == GreenFactor::ONE);
            prop_assert_eq!(decision.phase == sci_core::scaling::Phase::Throttled, decision.computed.throttles());
            let served = if policy.mode == Mode::Shadow { 1.0 } else { decision.computed.get() };
            prop_assert_eq!(decision.effective.get().to_bits(), served.to_bits());

            let countable = event.load.is_some_and(|load| (0.0..9e15).contains(&load) && load / target <= f64::from(i32::MAX));
            prop_assert_eq!(decision.demand.is_ok(), countable);
            let Ok(demand) = decision.demand else { continue };
            let (load, adjusted) = (demand.load.get(), demand.adjusted.get());
            prop_assert!(adjusted >= load * target / guard * (1.0 - 1e-12) && adjusted <= load);
            prop_assert!(load == 0.0 || adjusted > 0.0, "a load is never served as none");
            let replicas = demand.replicas;
            prop_assert!(replicas.floor <= replicas.green && replicas.green <= replicas.plain);
            prop_assert!((f64::from(replicas.floor) - (load / guard).ceil()).abs() <= 1.0);
            prop_assert!(f64::from(replicas.green) * guard * (1.0 + 1e-6) >= load, "a replica carries no more than S");
        }
    }

    #[test]
    fn dirtier_is_never_throttled_less((policy, state, now) in any_state(), one in 0.0..1_200.0, more in 0.0..600.0) {
        let history = history();
        let at = |intensity| Governor::resume(state).decide(&policy, &known(intensity, 5.0, now, &history)).computed;
        prop_assert!(at(one) >= at(one + more));
    }

    #[test]
    fn the_unit_of_the_load_does_not_matter(
        (policy, state, now) in any_state(), intensity in 0.0..1_200.0, load in 0.0..1e6, power in -8..8_i32,
    ) {
        let unit = 2.0_f64.powi(power);
        let scaled = |load: LoadPerReplica| LoadPerReplica::new(load.get() * unit);
        let (Ok(target), Ok(guard)) = (scaled(policy.thresholds.target()), scaled(policy.thresholds.guard())) else {
            return Ok(());
        };
        let other = Policy {
            thresholds: Thresholds::with_guard(target, guard, Tolerance::NONE).unwrap(),
            ..policy.clone()
        };
        let history = history();
        let one = Governor::resume(state).decide(&policy, &known(intensity, load, now, &history));
        let scaled = Governor::resume(state).decide(&other, &known(intensity, load * unit, now, &history));
        prop_assert_eq!((one.effective, one.clamp, one.state), (scaled.effective, scaled.clamp, scaled.state));
        prop_assert_eq!(one.demand.unwrap().replicas, scaled.demand.unwrap().replicas);
    }

    #[test]
    fn noise_within_the_band_moves_the_level_one_way_only(
        thresholds in any_thresholds(), curve in any_steps(), centre in 80.0..700.0, band in 1.0..80.0,
        before in 0.0..1_200.0, noise in prop::collection::vec(-1.0..1.0, 2..60),
    ) {
        let policy = policy(thresholds, curve, Damping { band: grams(band), ..Damping::NONE });
        let history = history();
        let mut governor = Governor::new();
        governor.decide(&policy, &known(before, 5.0, start(), &history));
        let levels: Vec<_> = (1..)
            .zip(&noise)
            .map(|(minute, noise)| {
                let now = start() + Duration::from_mins(minute);
                governor.decide(&policy, &known(centre + band * noise, 5.0, now, &history)).state.level
            })
            .collect();
        let falling = levels.windows(2).all(|pair| pair[0] >= pair[1]);
        let rising = levels.windows(2).all(|pair| pair[0] <= pair[1]);
        prop_assert!(falling || rising, "{levels:?}");
    }

    #[test]
    fn a_level_is_kept_for_its_dwell(
        thresholds in any_thresholds(), curve in any_curve(), damping in any_damping(),
        intensities in prop::collection::vec(0.0..1_200.0, 2..60), wait in 1..600_u64,
    ) {
        let policy = policy(thresholds, curve, damping);
        let history = history();
        let mut governor = Governor::new();
        let mut last: Option<Decision> = None;
        for (round, intensity) in (0_u32..).zip(intensities) {
            let now = start() + Duration::from_secs(wait) * round;
            let decision = governor.decide(&policy, &known(intensity, 5.0, now, &history));
            if let Some(last) = last.as_ref().filter(|last| last.state.level != decision.state.level) {
                let held = decision.at.duration_since(last.state.level_since.unwrap()).unsigned_abs();
                prop_assert!(held >= damping.min_dwell, "{held:?}");
            }
            if let (Some(last), Some(limit)) = (&last, damping.max_step) {
                let moved = (decision.computed.get() - last.computed.get()).abs();
                prop_assert!(moved <= limit.step.get() + 1e-9, "{moved}");
            }
            last = Some(decision);
        }
    }

    #[test]
    fn a_restart_changes_nothing(policy in any_policy(), events in prop::collection::vec(any_event(), 1..30)) {
        let history = history();
        let (mut state, mut now) = (GovernorState::default(), start());
        for (steady, event) in decisions(&policy, &events).iter().zip(&events) {
            now += event.wait;
            let text = serde_json::to_string(&state).unwrap();
            let mut restarted = Governor::resume(serde_json::from_str(&text).unwrap());
            let decision = restarted.decide(&policy, &inputs(event, now, &history));
            // Our JSON parser may be off by the last digit.
            prop_assert!((decision.computed.get() - steady.computed.get()).abs() < 1e-9);
            prop_assert_eq!((decision.clamp, decision.phase, decision.left), (steady.clamp, steady.phase, steady.left));
            prop_assert_eq!(decision.state.level_since, steady.state.level_since);
            prop_assert_eq!(decision.state.stepped_at, steady.state.stepped_at);
            state = *restarted.state();
        }
    }

    #[test]
    fn undamped_the_factor_is_the_closed_form(
        thresholds in any_thresholds(), curve in any_curve(), intensities in prop::collection::vec(0.0..1_200.0, 1..20),
    ) {
        let history = history();
        let policy = policy(thresholds, curve, Damping::NONE);
        let mut governor = Governor::new();
        for intensity in intensities {
            let decision = governor.decide(&policy, &known(intensity, 5.0, start(), &history));
            let raw = decision.raw.unwrap().factor.get();
            let expected = raw.max(thresholds.target().get() / thresholds.guard().get());
            prop_assert!((decision.effective.get() - expected).abs() < 1e-12);
        }
    }
}

/// The noise test above would pass for a governor that never moves: this one must.
#[test]
fn noise_beyond_the_band_is_followed() {
    let curve = Curve::steps(vec![sci_core::scaling::Step { at_or_above: grams(300.0), factor: factor(0.8) }]).unwrap();
    let history = history();
    let changes = |band: f64| {
        let policy =
            policy(super::thresholds(100.0, 1.5), curve.clone(), Damping { band: grams(band), ..Damping::NONE });
        let mut governor = Governor::new();
        let levels: Vec<_> = (0..100_u32)
            .map(|minute| {
                let intensity = if minute % 2 == 0 { 290.0 } else { 310.0 };
                let now = start() + Duration::from_mins(1) * minute;
                governor.decide(&policy, &known(intensity, 5.0, now, &history)).state.level
            })
            .collect();
        levels.windows(2).filter(|pair| pair[0] != pair[1]).count()
    };
    assert_eq!((changes(0.0), changes(9.0), changes(11.0)), (99, 99, 0));
}
