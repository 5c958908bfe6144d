//! What meters teach: laws of the power fit that hold for any machine and any noise.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use sci_core::{
    power::{
        Hardware, PowerCurve, default_for,
        fit::{FitOptions, LearnedCurve, NodeScale, PowerFit, PowerObservation, learned_hardware},
    },
    quantity::{Bytes, Cores, Utilization, WallFactor, Watts},
};

const EPOCH_SECONDS: i64 = 1_767_225_600;
const MINUTE: Duration = Duration::from_mins(1);

/// Numbers from a seed: the same in every run.
struct Noise(u64);

impl Noise {
    /// Evenly within 0 to 1.
    fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 33).unwrap()) / f64::from(u32::MAX >> 1)
    }

    /// About normal, with a standard deviation of 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.even()).sum::<f64>() - 6.0
    }
}

fn at(minute: u32) -> Timestamp {
    Timestamp::from_second(EPOCH_SECONDS + 60 * i64::from(minute)).unwrap()
}

fn seen(minute: u32, utilization: f64, watts: f64) -> PowerObservation {
    PowerObservation {
        at: at(minute),
        utilization: Utilization::new(utilization).unwrap(),
        watts: Watts::new(watts).unwrap(),
        time: MINUTE,
        wall_factor: WallFactor::NONE,
    }
}

/// 16 threads of nobody knows what: 11.84 W to 56 W.
fn table() -> Hardware {
    default_for(Cores::new(16.0).unwrap(), Bytes::new(64e9).unwrap())
}

fn watts(curve: &PowerCurve, utilization: f64) -> f64 {
    curve.at(Utilization::new(utilization).unwrap()).get()
}

fn rises(curve: &PowerCurve) -> bool {
    curve.points().windows(2).all(|pair| pair[0] <= pair[1])
}

/// A real machine: `idle + rise * u^bend`.
#[derive(Debug, Clone, Copy)]
struct Machine {
    idle: f64,
    rise: f64,
    /// Below 1 most servers, above 1 some.
    bend: f64,
}

impl Machine {
    fn watts(&self, utilization: f64) -> f64 {
        self.idle + self.rise * utilization.powf(self.bend)
    }
}

fn machine() -> impl Strategy<Value = Machine> {
    // Idle power is 15 to 60 % of full power.
    (50.0..600.0, 0.15..0.6, 0.7..1.5).prop_map(|(full, idle, bend)| Machine {
        idle: full * idle,
        rise: full * (1.0 - idle),
        bend,
    })
}

fn learned(observations: impl IntoIterator<Item = PowerObservation>, now: u32) -> LearnedCurve {
    let mut fit = PowerFit::new(FitOptions::CLASS);
    for observation in observations {
        assert!(fit.observe(&observation));
    }
    fit.learn(&table(), at(now))
}

/// The largest relative error from a tenth of full load on: a curve is straight between its points, no machine is.
fn worst(curve: &PowerCurve, truth: Machine) -> f64 {
    let loads = (1..=10).map(|tenth| f64::from(tenth) / 10.0);
    loads.map(|u| (watts(curve, u) / truth.watts(u) - 1.0).abs()).fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_truth_is_found_within_two_percent_through_noise_and_lies(truth in machine(), seed in any::<u64>()) {
        // One day of two nodes.
        let mut noise = Noise(seed);
        let observations: Vec<_> = (0..1_440)
            .flat_map(|minute| [minute, minute])
            .map(|minute| {
                let load = noise.even();
                let lie = if noise.even() < 0.05 { 10.0 } else { 1.0 };
                seen(minute, load, truth.watts(load) * (1.0 + 0.03 * noise.normal()) * lie)
            })
            .collect();
        let learned = learned(observations, 1_440);
        let worst = worst(&learned.curve, truth);
        prop_assert!(worst < 0.02, "{worst}");
        prop_assert!(learned.weight().get() > 0.9);
    }

    #[test]
    fn any_input_gives_a_curve_that_never_falls(
        pairs in prop::collection::vec((0..5_000u32, 0.0..=1.0f64, 0.1..1e9f64, 0.5..3.0f64), 0..400),
        now in 0..10_000u32,
    ) {
        let mut class = PowerFit::new(FitOptions::CLASS);
        let mut node = NodeScale::new(FitOptions::NODE);
        for (minute, load, watts, factor) in pairs {
            let observation =
                PowerObservation { wall_factor: WallFactor::new(factor).unwrap(), ..seen(minute, load, watts) };
            class.observe(&observation);
            node.observe(&observation);
        }
        let class = class.learn(&table(), at(now));
        let scale = node.learn(&class.curve, at(now));
        let hardware = learned_hardware(&table(), &class, &scale, 5 * MINUTE);
        prop_assert!(rises(&class.curve) && rises(&hardware.curve));
        for (low, high) in [class.error_band, hardware.error_band] {
            prop_assert!(low > 0.0 && low <= 1.0 && high >= 1.0 && high.is_finite(), "{low} {high}");
        }
        prop_assert!((0.2..=5.0).contains(&scale.factor));
        prop_assert!((0.0..=1.0).contains(&class.span) && class.observations.is_finite());
    }

    #[test]
    fn the_order_of_observations_does_not_matter(
        shuffled in prop::collection::vec((0..600u32, 0.0..=1.0f64, 50.0..400.0f64), 1..80)
            .prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle()))
    ) {
        let curve = |pairs: &[(u32, f64, f64)]| {
            learned(pairs.iter().map(|&(minute, load, watts)| seen(minute, load, watts)), 600).curve
        };
        let (one, other) = (curve(&shuffled.0), curve(&shuffled.1));
        for (left, right) in one.points().iter().zip(other.points()) {
            prop_assert!((left.get() - right.get()).abs() <= 1e-6 * left.get(), "{left} {right}");
        }
    }

    #[test]
    fn an_hour_of_lies_moves_a_day_of_truth_by_little(
        truth in machine(), seed in any::<u64>(), lie in prop_oneof![Just(0.1), Just(3.0), Just(10.0), Just(1e4)],
    ) {
        let mut noise = Noise(seed);
        let mut observations: Vec<_> = (0..1_440)
            .map(|minute| {
                let load = noise.even();
                seen(minute, load, truth.watts(load) * (1.0 + 0.03 * noise.normal()))
            })
            .collect();
        let before = learned(observations.clone(), 1_500).curve;
        observations.extend((1_440..1_500).map(|minute| {
            let load = noise.even();
            seen(minute, load, truth.watts(load) * lie)
        }));
        let after = learned(observations, 1_500).curve;
        for (before, after) in before.points().iter().zip(after.points()) {
            prop_assert!((after.get() / before.get() - 1.0).abs() < 0.01, "{before} {after}");
        }
    }

    #[test]
    fn lies_where_nothing_else_was_seen_reach_no_further_than_a_machine_can_bend(
        truth in machine(), seed in any::<u64>(), lie in prop_oneof![Just(0.1), Just(10.0), Just(1e4)],
    ) {
        let mut noise = Noise(seed);
        let mut observations: Vec<_> = (0..600)
            .map(|minute| {
                let load = 0.6 * noise.even();
                seen(minute, load, truth.watts(load) * (1.0 + 0.03 * noise.normal()))
            })
            .collect();
        let before = learned(observations.clone(), 660).curve;
        observations.extend((600..660).map(|minute| {
            let load = 0.8 + 0.2 * noise.even();
            seen(minute, load, truth.watts(load) * lie)
        }));
        let after = learned(observations, 660).curve;
        for (tenth, (before, after)) in before.points().iter().zip(after.points()).enumerate() {
            let bound = if tenth <= 5 { 0.03 } else { 0.5 };
            prop_assert!((after.get() / before.get() - 1.0).abs() < bound, "{tenth}: {before} {after}");
        }
    }

    #[test]
    fn one_more_observation_moves_the_curve_by_little_whatever_it_says(
        truth in machine(), load in 0.0..=1.0f64, lie in 0.1..1e7f64,
    ) {
        let honest = (0..60).map(|minute| {
            let load = f64::from(minute % 20) / 20.0;
            seen(minute, load, truth.watts(load))
        });
        let before = learned(honest.clone(), 61).curve;
        let after = learned(honest.chain([seen(60, load, lie)]), 61).curve;
        // Idle power of a strongly bent curve is small and known less well: there a part of full power counts.
        let full = before.full().get();
        for (before, after) in before.points().iter().zip(after.points()) {
            let moved = (after.get() - before.get()).abs();
            prop_assert!(moved < 0.1 * before.get() + 0.03 * full, "{before} {after} of {full} W");
        }
    }

    #[test]
    fn few_observations_leave_the_table_by_little(load in 0.0..=1.0f64, factor in 0.5..2.0f64) {
        let table = table();
        let learned = learned([seen(0, load, watts(&table.curve, load) * factor)], 0);
        for (own, expected) in learned.curve.points().iter().zip(table.curve.points()) {
            let moved = own.get() / expected.get();
            prop_assert!((1.0 - 0.3..=1.0 + 0.3).contains(&moved), "{moved}");
        }
        prop_assert!(learned.weight().get() < 0.01);
    }
}

#[test]
fn the_luckiest_of_many_noisy_meters_gains_little() {
    // 200 equal nodes, ten observations each, every one wrong by 30 %: a plain mean of the luckiest is 25 % off.
    let mut noise = Noise(7);
    let class = table().curve;
    let mut factors: Vec<f64> = (0..200)
        .map(|_| {
            let mut node = NodeScale::new(FitOptions::NODE);
            for minute in 0..10 {
                let wrong = (1.0 + 0.3 * noise.normal()).max(0.05);
                node.observe(&seen(minute, 0.5, watts(&class, 0.5) * wrong));
            }
            node.learn(&class, at(10)).factor
        })
        .collect();
    factors.sort_by(f64::total_cmp);
    assert!(factors[0] > 0.85, "{}", factors[0]);
}
