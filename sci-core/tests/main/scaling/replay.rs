use std::{f64::consts::TAU, time::Duration};

use jiff::Timestamp;
use proptest::prelude::*;
use sci_core::{
    quantity::{GramsPerHour, Pue, Share, Watts},
    scaling::{
        Carbon, Curve, Damping, LoadError, LoadSample, Mode, NoCarbon, Policy, Step,
        hpa::Controller,
        replay::{Report, Scenario},
        savings::{Basis, FreedRoom, ReplicaOverhead, SavingNote},
    },
};

use super::{any_steps, factor, grams, measured, policy, start, thresholds};

const DAY: Duration = Duration::from_hours(24);

fn hours(now: Timestamp) -> f64 {
    now.duration_since(start()).as_secs_f64() / 3_600.0
}

/// 200 requests a second at night, 2,000 in the afternoon.
#[allow(clippy::unnecessary_wraps)] // as a scenario takes it
fn diurnal(now: Timestamp) -> Result<LoadSample, LoadError> {
    let value = 1_100.0 - 900.0 * (TAU * (hours(now) - 3.0) / 24.0).cos();
    Ok(LoadSample { value, at: now })
}

/// Sun at noon, with deterministic noise of up to so much on top, another one every five minutes.
fn solar(noise: f64) -> impl Fn(Timestamp) -> Result<Carbon, NoCarbon> {
    move |now| {
        let sun = 380.0 - 160.0 * (TAU * (hours(now) - 12.0) / 24.0).cos();
        let wobble = ((hours(now) * 12.0).floor() * 2.399).sin();
        Ok(measured((sun + noise * wobble).max(0.0)))
    }
}

fn steps() -> Curve {
    let step = |at_or_above, to| Step { at_or_above: grams(at_or_above), factor: factor(to) };
    Curve::steps(vec![step(320.0, 0.85), step(420.0, 0.7)]).unwrap()
}

fn damping(band: f64) -> Damping {
    Damping { band: grams(band), min_dwell: Duration::from_mins(10), quantum: Share::NONE, max_step: None }
}

fn scenario(policy: &Policy) -> Scenario<'_> {
    Scenario {
        policy,
        min_replicas: 1,
        max_replicas: 100,
        behavior: None,
        controller: Controller::default(),
        guard_metric: true,
        sync: Duration::from_secs(15),
        pod_start: Duration::from_secs(30),
        history: None,
        overhead: ReplicaOverhead {
            idle: Watts::new(5.0).unwrap(),
            machine_share: Watts::new(20.0).unwrap(),
            embodied: GramsPerHour::new(1.0).unwrap(),
            basis: Basis::Modelled,
        },
        freed: FreedRoom::Kept,
        pue: Pue::new(1.2).unwrap(),
    }
}

fn day(policy: &Policy, carbon: impl Fn(Timestamp) -> Result<Carbon, NoCarbon>) -> Report {
    scenario(policy).replay(start(), start() + DAY, diurnal, carbon, |_| ())
}

#[test]
fn a_day_saves_grams_and_keeps_the_guard() {
    let policy = policy(thresholds(100.0, 1.5), steps(), damping(15.0));
    let report = day(&policy, solar(0.0));
    assert!(report.level_changes >= 2, "{report:?}");
    assert!(report.green.replica_hours < 0.95 * report.plain.replica_hours, "{report:?}");
    assert!(report.saved_grams > 0.0);
    assert_eq!(report.note, SavingNote::ModelledIdleOnly);
    // 1.1 times the guard is what an autoscaler at rest may leave; pods that start add nothing to it here.
    assert!(report.green.worst_over_guard <= 1.1, "{report:?}");
    assert!(report.plain.worst_over_guard <= 1.0, "{report:?}");
    // By hand: 5 W * 1.2 * I / 1000 a replica and hour, so between 220 and 540 g/kWh.
    let per_replica_hour = report.plain.overhead.get() / report.plain.replica_hours;
    assert!((1.32..=3.24).contains(&per_replica_hour), "{per_replica_hour}");
}

#[test]
fn noise_adds_no_more_events_than_levels() {
    let policy = policy(thresholds(100.0, 1.5), steps(), damping(25.0));
    for noise in [0.0, 10.0, 25.0, 60.0] {
        let report = day(&policy, solar(noise));
        let allowed = report.plain.scale_events + report.level_changes;
        assert!(report.green.scale_events <= allowed, "{} of {allowed} with noise {noise}", report.green.scale_events);
    }
    // Noise within the band changes no level more often than none does.
    assert_eq!(day(&policy, solar(24.0)).level_changes, day(&policy, solar(0.0)).level_changes);
}

#[test]
fn without_a_band_noise_is_followed() {
    let bare = policy(thresholds(100.0, 1.5), steps(), Damping::NONE);
    let damped = policy(thresholds(100.0, 1.5), steps(), damping(25.0));
    assert!(day(&bare, solar(24.0)).level_changes > 2 * day(&damped, solar(24.0)).level_changes);
}

#[test]
fn shadow_changes_nothing() {
    let shadow = Policy { mode: Mode::Shadow, ..policy(thresholds(100.0, 1.5), steps(), damping(15.0)) };
    let report = day(&shadow, solar(10.0));
    assert!(report.level_changes >= 2, "it computes");
    assert_eq!(report.green, report.plain);
    assert!(report.saved_grams.abs() < 1e-9);
}

#[test]
fn without_carbon_it_is_a_plain_autoscaler() {
    let policy = policy(thresholds(100.0, 1.5), steps(), damping(15.0));
    let report = day(&policy, |_| Err(NoCarbon::Missing));
    assert_eq!((report.green.scale_events, report.green.most), (report.plain.scale_events, report.plain.most));
    assert_eq!(report.rounds_without_carbon, 5_760);
    assert!(report.green.seconds_above_guard < 1.0);
}

#[test]
fn a_load_that_is_lost_takes_no_replica() {
    let policy = policy(thresholds(100.0, 1.5), steps(), damping(15.0));
    let lost = |now: Timestamp| if (9.0..15.0).contains(&hours(now)) { Err(LoadError::Missing) } else { diurnal(now) };
    let (mut last, mut falls) = (0, 0);
    let report = scenario(&policy).replay(start(), start() + DAY, lost, solar(0.0), |frame| {
        if frame.decision.demand.is_err() {
            falls += u32::from(frame.green < last);
        }
        last = frame.green;
    });
    assert_eq!((falls, report.rounds_without_load), (0, 1_440));
}

#[test]
fn replicas_follow_the_closed_form() {
    let line = Curve::linear(grams(250.0), grams(500.0), factor(0.6)).unwrap();
    for curve in [steps(), line] {
        let policy = policy(thresholds(100.0, 1.5), curve, damping(5.0));
        let controller = Controller { tolerance: 0.0, downscale_stabilization_seconds: 0, ..Controller::default() };
        let scenario = Scenario { controller, pod_start: Duration::ZERO, ..scenario(&policy) };
        let mut worst = 0;
        scenario.replay(start(), start() + DAY, diurnal, solar(0.0), |frame| {
            let replicas = frame.decision.demand.unwrap().replicas;
            worst = worst.max(frame.green.abs_diff(replicas.green));
            assert!(frame.green >= replicas.floor, "the guard is undercut at {}", frame.decision.at);
        });
        assert!(worst <= 1, "{worst}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A steady load leaves a plain autoscaler at rest, so every event is the policy's: at most one per level.
    #[test]
    fn no_event_without_a_change_of_level(
        curve in any_steps(), ratio in 1.2..1.9, load in 1.0..4_000.0, band in 0.0..60.0,
        wobble in prop::collection::vec(-60.0..60.0, 1..40), centre in 60.0..600.0,
    ) {
        let policy = policy(thresholds(100.0, ratio), curve, damping(band));
        let carbon = |now: Timestamp| {
            let slot = usize::try_from(now.duration_since(start()).as_secs() / 300).unwrap();
            Ok(measured(f64::max(centre + wobble[slot % wobble.len()], 0.0)))
        };
        let steady = |now| Ok(LoadSample { value: load, at: now });
        let end = start() + Duration::from_hours(6);
        let report = scenario(&policy).replay(start(), end, steady, carbon, |_| ());
        prop_assert_eq!(report.plain.scale_events, 0);
        prop_assert!(report.green.scale_events <= report.level_changes, "{:?}", report);
        prop_assert!(report.green.worst_over_guard <= 1.1 + 1e-6);
    }
}
