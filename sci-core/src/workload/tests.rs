use proptest::prelude::*;

use super::*;
use crate::{power::default_for, quantity::Bytes};

const MINUTE: Duration = Duration::from_mins(1);

fn at(minute: u32) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + 60 * i64::from(minute)).unwrap()
}

fn class(name: &str) -> Arc<str> {
    Arc::from(name)
}

/// One minute of two requested cores, of which 600 J are expected.
fn sample(active: f64) -> WorkloadSample {
    WorkloadSample {
        time: MINUTE,
        requested: Cores::new(2.0).unwrap(),
        active: Joules::new(active).unwrap(),
        dram: None,
        cpu: None,
        expected: Joules::new(600.0).unwrap(),
    }
}

fn seen(samples: &[(u32, &str, f64)]) -> WorkloadProfile {
    let mut profile = WorkloadProfile::new(ProfileOptions::default());
    for (minute, name, active) in samples {
        assert!(profile.observe(at(*minute), &class(name), &sample(*active)));
    }
    profile
}

fn ratio(profile: &WorkloadProfile, class: &str) -> f64 {
    profile.factor(class, at(0)).unwrap().ratio.get()
}

#[track_caller]
fn close(actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-9 * expected.abs(), "{actual} is not {expected}");
}

#[test]
fn a_workload_never_seen_has_no_factor() {
    assert_eq!(WorkloadProfile::new(ProfileOptions::default()).factor("m6i.large", at(0)), None);
}

#[test]
fn ten_observations_are_pulled_towards_what_was_expected() {
    // Twice as much as expected. R = 1 + 10/40 = 1.25, then 1.25 + 0.75 * 10/20 = 1.625.
    let profile = seen(&[(0, "a", 1_200.0); 10]);
    close(ratio(&profile, "a"), 1.625);
    close(ratio(&profile, "never seen"), 1.25);
    let factor = profile.factor("a", at(0)).unwrap();
    close(factor.weight.get(), 1.0 - 0.75 * 0.5);
    close(profile.factor("never seen", at(0)).unwrap().weight.get(), 0.25);
}

#[test]
fn classes_are_told_apart_once_seen_often() {
    let mut samples = vec![(0, "frugal", 300.0); 500];
    samples.extend([(0, "hungry", 900.0); 500]);
    let profile = seen(&samples);
    assert!((ratio(&profile, "frugal") - 0.5).abs() < 0.02);
    assert!((ratio(&profile, "hungry") - 1.5).abs() < 0.02);
    close(ratio(&profile, "never seen"), 1.0);
}

#[test]
fn one_absurd_window_counts_twenty_times_at_most() {
    // (9 * 600 + 20 * 600) / (10 * 600) = 2.9
    let mut samples = vec![(0, "a", 600.0); 9];
    samples.push((0, "a", 1e18));
    let profile = seen(&samples);
    close(profile.classes(at(0)).next().unwrap().ratio, 2.9);
}

#[test]
fn what_means_nothing_is_left_out() {
    let mut profile = WorkloadProfile::new(ProfileOptions::default());
    let nothing = [
        WorkloadSample { time: Duration::ZERO, ..sample(600.0) },
        WorkloadSample { requested: Cores::ZERO, ..sample(600.0) },
        WorkloadSample { expected: Joules::ZERO, ..sample(600.0) },
    ];
    for sample in nothing {
        assert!(!profile.observe(at(0), &class("a"), &sample));
    }
    assert_eq!(profile.factor("a", at(0)), None);
}

#[test]
fn a_profile_says_what_was_used_and_what_memory_took() {
    let mut profile = WorkloadProfile::new(ProfileOptions::default());
    let told =
        WorkloadSample { dram: Some(Joules::new(90.0).unwrap()), cpu: Some(Duration::from_secs(30)), ..sample(300.0) };
    profile.observe(at(0), &class("a"), &told);
    profile.observe(at(0), &class("a"), &sample(900.0));
    let known = profile.classes(at(0)).next().unwrap();
    // 1,200 J over 240 core-seconds.
    close(known.watts_per_requested_core, 5.0);
    close(known.usage.unwrap(), 30.0 / 120.0);
    close(known.memory_share.unwrap().get(), 0.3);
    assert_eq!((known.ratio, known.observations), (1.0, 2.0));
}

#[test]
fn old_observations_lose_their_say() {
    let half_life = 72 * 60;
    let profile = seen(&[(0, "a", 1_200.0); 20]);
    let observations = |minute| profile.observations(at(minute));
    close(observations(0), 20.0);
    close(observations(half_life), 10.0);
    let later = profile.factor("a", at(half_life)).unwrap();
    close(later.ratio.get(), 1.625);
}

#[test]
fn a_profile_remembers_sixteen_classes() {
    let mut profile = seen(&[(0, "often", 1_200.0); 50]);
    for index in 0..100 {
        profile.observe(at(0), &class(&format!("once-{index}")), &sample(600.0));
    }
    assert_eq!(profile.classes(at(0)).count(), MAX_CLASSES);
    assert!(profile.classes(at(0)).any(|known| &*known.class == "often"));
    assert!(profile.classes(at(0)).any(|known| &*known.class == "once-99"), "the newest has its chance");
}

#[test]
fn faster_hardware_is_expected_to_be_busy_for_less_of_the_time() {
    let mut hardware = default_for(Cores::new(8.0).unwrap(), Bytes::new(32e9).unwrap());
    hardware.relative_performance = crate::quantity::RelativePerformance::new(2.0).unwrap();
    let energy = |pace| {
        let (one, all) = (Cores::new(1.0).unwrap(), Cores::new(8.0).unwrap());
        expected_energy(&hardware, Utilization::FULL, one, all, pace, MINUTE).get()
    };
    // 3.5 W for a full core.
    close(energy(Pace::Hardware), 210.0);
    close(energy(Pace::Demand), 105.0);
}

proptest! {
    #[test]
    fn factors_stay_within_their_range_whatever_is_seen(
        samples in prop::collection::vec((0..10_000u32, 0..40u8, 0.0..1e18f64, 1e-9..1e18f64, 1..100_000u64), 1..200),
        now in 0..20_000u32,
    ) {
        let mut profile = WorkloadProfile::new(ProfileOptions::default());
        for (minute, name, active, expected, seconds) in samples {
            let sample = WorkloadSample {
                time: Duration::from_secs(seconds),
                active: Joules::new(active).unwrap(),
                expected: Joules::new(expected).unwrap(),
                ..sample(0.0)
            };
            profile.observe(at(minute), &class(&name.to_string()), &sample);
        }
        for name in 0..41u8 {
            let factor = profile.factor(&name.to_string(), at(now)).unwrap();
            prop_assert!((0.05..=20.0).contains(&factor.ratio.get()));
        }
        prop_assert!(profile.classes(at(now)).count() <= MAX_CLASSES);
    }

    #[test]
    fn the_order_of_observations_does_not_matter(
        shuffled in prop::collection::vec((0..600u32, 0..16u8, 0.0..9_000.0f64), 1..80)
            .prop_flat_map(|samples| (Just(samples.clone()), Just(samples).prop_shuffle()))
    ) {
        let profile = |samples: &[(u32, u8, f64)]| {
            let mut profile = WorkloadProfile::new(ProfileOptions::default());
            for (minute, name, active) in samples {
                profile.observe(at(*minute), &class(&name.to_string()), &sample(*active));
            }
            profile
        };
        let (one, other) = (profile(&shuffled.0), profile(&shuffled.1));
        for name in 0..17u8 {
            let ratio = |profile: &WorkloadProfile| profile.factor(&name.to_string(), at(600)).unwrap().ratio.get();
            prop_assert!((ratio(&one) - ratio(&other)).abs() <= 1e-9 * ratio(&one));
        }
    }
}
