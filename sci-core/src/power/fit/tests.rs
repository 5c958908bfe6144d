use super::*;
use crate::{
    power::{Provenance, default_for},
    quantity::{Bytes, Cores},
};

const MINUTE: Duration = Duration::from_mins(1);
const STALE_AFTER: Duration = Duration::from_mins(5);

fn at(minute: u32) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + 60 * i64::from(minute)).unwrap()
}

fn load(value: f64) -> Utilization {
    Utilization::new(value).unwrap()
}

fn seen(minute: u32, utilization: f64, watts: f64) -> PowerObservation {
    PowerObservation {
        at: at(minute),
        utilization: load(utilization),
        watts: Watts::new(watts).unwrap(),
        time: MINUTE,
        wall_factor: WallFactor::NONE,
    }
}

/// 11.84 W to 56 W.
fn table() -> Hardware {
    default_for(Cores::new(16.0).unwrap(), Bytes::new(64e9).unwrap())
}

fn flat(watts: f64) -> PowerCurve {
    PowerCurve::linear(Watts::new(watts).unwrap(), Watts::new(watts).unwrap()).unwrap()
}

/// Observations of a machine that draws `factor` times the table, minute by minute from idle to full and back again.
fn rounds(minutes: std::ops::Range<u32>, factor: f64) -> impl Iterator<Item = PowerObservation> {
    let table = table();
    minutes.map(move |minute| {
        let utilization = f64::from(minute % 20) / 20.0;
        seen(minute, utilization, factor * table.curve.at(load(utilization)).get())
    })
}

fn class_of(observations: impl IntoIterator<Item = PowerObservation>, now: u32) -> LearnedCurve {
    let mut fit = PowerFit::new(FitOptions::CLASS);
    observations.into_iter().for_each(|observation| assert!(fit.observe(&observation)));
    fit.learn(&table(), at(now))
}

fn scale_of(observations: impl IntoIterator<Item = PowerObservation>, class: &PowerCurve, now: u32) -> LearnedScale {
    let mut scale = NodeScale::new(FitOptions::NODE);
    observations.into_iter().for_each(|observation| assert!(scale.observe(&observation)));
    scale.learn(class, at(now))
}

#[track_caller]
fn close(actual: f64, expected: f64, tolerance: f64) {
    assert!((actual / expected - 1.0).abs() <= tolerance, "{actual} is not {expected}");
}

#[test]
fn nothing_seen_leaves_the_table_as_it_is() {
    let class = class_of([], 0);
    assert_eq!((&class.curve, class.weight()), (&table().curve, Share::NONE));
    assert_eq!(scale_of([], &class.curve, 0), LearnedScale::UNSEEN);
    assert_eq!(learned_hardware(&table(), &class, &LearnedScale::UNSEEN, STALE_AFTER), table());
}

#[test]
fn five_observations_of_one_load_meet_the_table_half_way() {
    // All at half load and twice the table: (5 * 2 + 5 * 1) / 10 of it, at every load. By hand 1.5 * 56 W = 84 W.
    let expected = table().curve.at(load(0.5)).get();
    let class = class_of((0..5).map(|_| seen(0, 0.5, 2.0 * expected)), 0);
    close(class.curve.full().get(), 84.0, 1e-9);
    close(class.curve.idle().get(), 1.5 * 11.84, 1e-9);
    assert_eq!((class.observations, class.level_weight.get()), (5.0, 0.5));
    assert!(class.shape_weight.get() < 1e-12 && class.span < 1e-6, "one load says nothing of the slope");
}

#[test]
fn thirty_observations_over_fifteen_percent_have_half_the_say_in_the_slope() {
    let steps = (0..30u32).map(|step| 0.425 + 0.15 * (f64::from(step) + 0.5) / 30.0);
    let class = class_of(steps.map(|utilization| seen(0, utilization, 50.0)), 0);
    // The means of four cells stand for the thirty, which costs a little of their variance.
    close(class.shape_weight.get(), 0.5, 0.05);
    close(class.span, 0.15, 0.05);
}

#[test]
fn a_slope_is_learned_with_the_level() {
    // 200 W to 300 W where the table says 11.84 W to 56 W.
    let class = class_of(
        (0..1_000).map(|minute| {
            let utilization = f64::from(minute % 101) / 100.0;
            seen(minute, utilization, 200.0 + 100.0 * utilization)
        }),
        1_000,
    );
    close(class.curve.idle().get(), 200.0, 0.01);
    close(class.curve.full().get(), 300.0, 0.01);
    assert!(class.weight().get() > 0.98, "{}", class.weight());
    assert!(class.spread < 0.01, "{}", class.spread);
}

#[test]
fn ten_observations_show_a_node_that_draws_twice_as_much() {
    // (10 * 2 + 2 * 1) / 12
    let scale = scale_of(rounds(0..10, 2.0).map(|seen| PowerObservation { at: at(0), ..seen }), &table().curve, 0);
    close(scale.factor, 22.0 / 12.0, 1e-3);
    close(scale.weight.get(), 10.0 / 12.0, 1e-3);
}

#[test]
fn one_odd_node_does_not_bend_its_class() {
    let others = (0..19).flat_map(|_| rounds(0..60, 1.0));
    let class = class_of(others.chain(rounds(0..60, 2.0)), 60);
    for (learned, expected) in class.curve.points().iter().zip(table().curve.points()) {
        close(learned.get(), expected.get(), 0.01);
    }
    let odd = scale_of(rounds(0..60, 2.0), &class.curve, 60);
    close(odd.factor, 2.0, 0.05);
}

#[test]
fn a_stuck_meter_does_not_move_a_node() {
    let honest = rounds(0..60, 1.3);
    let stuck = (60..80).map(|minute| seen(minute, 0.5, 5_000.0));
    let scale = scale_of(honest.chain(stuck), &table().curve, 80);
    close(scale.factor, 1.3, 0.02);
    assert!(scale.observations < 60.0, "{}", scale.observations);
}

#[test]
fn a_factor_stays_within_what_hardware_can_be() {
    close(scale_of(rounds(0..500, 100.0), &table().curve, 500).factor, SCALE_RANGE.1, 0.0);
    close(scale_of(rounds(0..500, 0.02), &table().curve, 500).factor, SCALE_RANGE.0, 0.0);
}

#[test]
fn measured_is_only_what_the_own_meter_says_now() {
    let class = class_of(rounds(0..300, 1.5), 300);
    let own = scale_of(rounds(0..300, 1.5), &class.curve, 300);
    let measured = learned_hardware(&table(), &class, &own, STALE_AFTER);
    assert_eq!(measured.provenance, Provenance::Measured);
    close(measured.curve.full().get(), 1.5 * 56.0, 0.02);

    let silent = scale_of(rounds(0..300, 1.5), &class.curve, 306);
    let silent = learned_hardware(&table(), &class, &silent, STALE_AFTER);
    assert_eq!(silent.provenance, Provenance::Modelled, "what was learned stays, what is said of it changes");
    close(silent.curve.full().get(), measured.curve.full().get(), 0.01);

    let sibling = learned_hardware(&table(), &class, &LearnedScale::UNSEEN, STALE_AFTER);
    assert_eq!(sibling.provenance, Provenance::Modelled);
    let unlike = learned_hardware(&table(), &class_of([seen(0, 0.5, 40.0)], 0), &LearnedScale::UNSEEN, STALE_AFTER);
    assert_eq!((unlike.provenance, unlike.source), (Provenance::Default, table().source));
}

#[test]
fn the_band_narrows_with_what_is_known() {
    let class = class_of(rounds(0..300, 1.0), 300);
    let own = learned_hardware(&table(), &class, &scale_of(rounds(0..300, 1.0), &class.curve, 300), STALE_AFTER);
    let sibling = learned_hardware(&table(), &class, &LearnedScale::UNSEEN, STALE_AFTER);
    let confidence = [&table(), &sibling, &own].map(|hardware| hardware.power_confidence().get());
    assert!(confidence[0] < confidence[1] && confidence[1] < confidence[2], "{confidence:?}");
    // A lone meter, near the ends of METER_ERROR.
    close(own.error_band.0, METER_ERROR.0, 0.1);
    close(own.error_band.1, METER_ERROR.1, 0.1);
}

#[test]
fn a_node_that_only_idles_keeps_a_wide_band() {
    let idle = (0..300).map(|minute| seen(minute, 0.1, 20.0));
    let class = class_of(idle, 300);
    assert!(class.level_weight.get() > 0.9 && class.shape_weight.get() < 0.01);
    assert!(class.error_band.0 < 0.6 && class.error_band.1 > 1.6, "{:?}", class.error_band);
}

#[test]
fn what_was_learned_fades_back_to_the_table() {
    let month = 30 * 24 * 60;
    let class = class_of(rounds(0..300, 3.0), month);
    for (learned, expected) in class.curve.points().iter().zip(table().curve.points()) {
        close(learned.get(), expected.get(), 1e-3);
    }
}

#[test]
fn a_dip_in_the_data_does_not_make_load_look_free() {
    // 100 W to 200 W, but for a meter that shows 130 W from 50 to 70 % on.
    let class = class_of(
        (0..1_000).map(|minute| {
            let utilization = f64::from(minute % 101) / 100.0;
            let dip = (0.5..0.7).contains(&utilization);
            seen(minute, utilization, if dip { 130.0 } else { 100.0 + 100.0 * utilization })
        }),
        1_000,
    );
    for tenth in class.curve.points().windows(2) {
        // Of some 10 W at least a fifth is left.
        assert!(tenth[1].get() - tenth[0].get() > 1.8, "{:?}", class.curve);
    }
}

#[test]
fn short_samples_count_in_proportion() {
    let quarter = |minute| PowerObservation { time: Duration::from_secs(15), ..seen(minute, 0.5, 40.0) };
    close(class_of((0..8).map(|_| quarter(0)), 0).observations, 2.0, 1e-12);
}

#[test]
fn a_table_without_watts_or_slope_can_be_left_too() {
    for start in [flat(0.0), flat(80.0)] {
        let table = Hardware { curve: start, ..table() };
        let mut fit = PowerFit::new(FitOptions::CLASS);
        for minute in 0..1_000 {
            let utilization = f64::from(minute % 101) / 100.0;
            fit.observe(&seen(minute, utilization, 100.0 + 100.0 * utilization));
        }
        let learned = fit.learn(&table, at(1_000));
        close(learned.curve.at(load(0.25)).get(), 125.0, 0.02);
        close(learned.curve.at(load(0.75)).get(), 175.0, 0.02);
        assert!(learned.error_band.0 > 0.0 && learned.error_band.1.is_finite());
    }
}
