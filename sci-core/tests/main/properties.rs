//! Laws that hold for any numbers.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use proptest::prelude::*;
use sci_core::{
    intensity::{Quality, Reading, Scope, Series, Signal, SignalKind, Slot, Zone},
    quantity::{GramsCo2e, GramsPerKwh, Joules, Pue, Share, Utilization, Watts},
    sci::{EmbodiedCarbon, FunctionalUnit, Sci, attribution::PowerSplit, counter::counter_delta, operational},
};

const EPOCH_SECONDS: i64 = 1_767_225_600;

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1e-12)
}

fn instant(offset_seconds: u32) -> Timestamp {
    Timestamp::from_second(EPOCH_SECONDS + i64::from(offset_seconds)).unwrap()
}

fn grams_per_kwh() -> impl Strategy<Value = GramsPerKwh> {
    (0.0..1_500.0).prop_map(|value| GramsPerKwh::new(value).unwrap())
}

fn signal() -> impl Strategy<Value = Signal> {
    let kind = prop_oneof![Just(SignalKind::Average), Just(SignalKind::Marginal)];
    let scope = prop_oneof![Just(Scope::Lifecycle), Just(Scope::Direct)];
    (kind, scope).prop_map(|(kind, scope)| Signal { kind, scope })
}

fn quality() -> impl Strategy<Value = Quality> {
    prop::sample::select(vec![
        Quality::Measured,
        Quality::Estimated,
        Quality::Modelled,
        Quality::Forecast,
        Quality::Typical,
        Quality::Annual,
        Quality::Default,
    ])
}

fn reading() -> impl Strategy<Value = Reading> {
    // Milligrams: serde_json's default parser is exact for short decimals only.
    let value = (0..1_500_000_u32).prop_map(|milligrams| GramsPerKwh::new(f64::from(milligrams) / 1e3).unwrap());
    let slot = (0..u32::MAX, 1..100_000_000_u64);
    (value, signal(), "[A-Za-z0-9_.-]{1,64}", slot, quality(), "\\PC{0,20}").prop_map(
        |(value, signal, zone, (start, seconds), quality, source)| Reading {
            value,
            signal,
            zone: Zone::new(&zone).unwrap(),
            start: instant(start),
            duration: Duration::from_secs(seconds),
            quality,
            source: Arc::from(source),
        },
    )
}

/// Up to a dozen slots of uneven length, some of them with a gap ahead.
fn series() -> impl Strategy<Value = Series> {
    let slot = (0..1_800_u32, 60..7_200_u32, grams_per_kwh());
    prop::collection::vec(slot, 1..12).prop_map(|steps| {
        let mut begins = 0;
        let slots = steps.into_iter().map(|(gap, seconds, value)| {
            begins += gap;
            let slot = Slot { start: instant(begins), duration: Duration::from_secs(seconds.into()), value };
            begins += seconds;
            slot
        });
        let slots = slots.collect();
        Series::new(Zone::new("DE").unwrap(), Signal::default(), Quality::Measured, "test", slots).unwrap()
    })
}

/// Three instants in order, the outer two apart.
fn cuts() -> impl Strategy<Value = (u32, u32, u32)> {
    (0..60_000_u32, 1..60_000_u32, 0.0..1.0).prop_map(|(from, length, part)| {
        let middle = Duration::from_secs(length.into()).mul_f64(part).as_secs();
        (from, from + u32::try_from(middle).unwrap(), from + length)
    })
}

/// Mean times covered seconds: what a window adds to a weighted sum. Nothing where nothing is covered.
fn weight(series: &Series, from: u32, to: u32) -> (f64, f64) {
    series.mean(instant(from), instant(to)).map_or((0.0, 0.0), |mean| {
        let seconds = mean.covered.get() * f64::from(to - from);
        (mean.value.get() * seconds, seconds)
    })
}

proptest! {
    #[test]
    fn operational_carbon_is_linear(kwh in 0.0..1e6, pue in 1.0..3.0, grams in 0.0..1_000.0, factor in 0.1..3.0) {
        let carbon = |kwh: f64, pue: f64, grams: f64| {
            let energy = Joules::from_kwh(kwh).unwrap();
            operational(energy, Pue::new(pue).unwrap(), GramsPerKwh::new(grams).unwrap()).get()
        };
        let expected = factor * carbon(kwh, pue, grams);
        prop_assert!(close(carbon(kwh * factor, pue, grams), expected));
        prop_assert!(close(carbon(kwh, pue, grams * factor), expected));
        if pue * factor >= 1.0 {
            prop_assert!(close(carbon(kwh, pue * factor, grams), expected));
        }
    }

    #[test]
    fn twice_the_lifetime_halves_embodied_carbon(
        total in 1.0..1e8,
        life in 1..1_000_000_000_u64,
        reserved in 0..1_000_000_u64,
        share in 0.0..=1.0,
    ) {
        let charge = |life: u64| {
            let total = GramsCo2e::new(total).unwrap();
            let embodied = EmbodiedCarbon::new(total, Duration::from_secs(life)).unwrap();
            embodied.charge(Duration::from_secs(reserved), Share::new(share).unwrap()).get()
        };
        prop_assert!(close(charge(life), 2.0 * charge(2 * life)));
    }

    #[test]
    fn shares_of_a_machine_over_its_life_sum_to_its_embodied_carbon(
        total in 1.0..1e8,
        life in 1..1_000_000_000_u64,
        share in 0.0..=1.0,
    ) {
        let total = GramsCo2e::new(total).unwrap();
        let life = Duration::from_secs(life);
        let embodied = EmbodiedCarbon::new(total, life).unwrap();
        let parts = [share, 1.0 - share].map(|part| embodied.charge(life, Share::new(part).unwrap()));
        prop_assert!(close(parts.into_iter().sum::<GramsCo2e>().get(), total.get()));
    }

    #[test]
    fn a_score_times_its_count_is_the_carbon(operational in 0.0..1e6, embodied in 0.0..1e6, count in 0.001..1e9) {
        let [operational, embodied] = [operational, embodied].map(|grams| GramsCo2e::new(grams).unwrap());
        let unit = FunctionalUnit::new("request", count).unwrap();
        let sci = Sci::new(operational, embodied, unit, Signal::default());
        prop_assert!(close(sci.score().unwrap().get() * count, sci.total().get()));
    }

    #[test]
    fn attributed_power_sums_to_the_node(
        node in 0.0..1_000.0,
        load in 0.0..=1.0,
        used in prop::collection::vec((0.01..1.0, 0.01..1.0), 1..20),
    ) {
        let split = PowerSplit::new(Watts::new(node).unwrap(), Utilization::new(load).unwrap());
        let (all_cpu, all_reserved) = used.iter().fold((0.0, 0.0), |(c, r), (cpu, reserved)| (c + cpu, r + reserved));
        let sum: Watts = used
            .iter()
            .map(|(cpu, reserved)| {
                split.answered_by(Share::of(*cpu, all_cpu).unwrap(), Share::of(*reserved, all_reserved).unwrap())
            })
            .sum();
        prop_assert!(close(sum.get(), node));
    }

    #[test]
    fn a_counter_gives_what_was_added_whether_it_wraps_or_not(start in 0.0..1.0_f64, added in 0.0..1.0_f64, range in 1.0..1e6_f64) {
        let (start, added) = (start * range, added * range);
        let shown = if start + added > range { start + added - range } else { start + added };
        let [previous, current, range] = [start, shown, range].map(|joules| Joules::new(joules).unwrap());
        let delta = counter_delta(previous, current, Some(range)).unwrap();
        prop_assert!((delta.get() - added).abs() <= 1e-9 * range.get());
    }

    #[test]
    fn the_mean_of_a_window_lies_between_its_values(series in series(), (from, _, to) in cuts()) {
        let (from, to) = (instant(from), instant(to));
        let inside = series.slots().iter().filter(|slot| slot.start < to && slot.end() > from);
        let values: Vec<f64> = inside.map(|slot| slot.value.get()).collect();
        match series.mean(from, to) {
            Ok(mean) => {
                let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
                let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                prop_assert!((lowest..=highest).contains(&mean.value.get()));
                prop_assert!(mean.covered > Share::NONE);
            }
            Err(_) => prop_assert!(values.is_empty()),
        }
    }

    #[test]
    fn splitting_a_window_keeps_the_weighted_mean(series in series(), (from, middle, to) in cuts()) {
        let (whole, seconds) = weight(&series, from, to);
        let (left, left_seconds) = weight(&series, from, middle);
        let (right, right_seconds) = weight(&series, middle, to);
        prop_assert!((whole - left - right).abs() <= 1e-9 * whole.max(1.0));
        prop_assert!((seconds - left_seconds - right_seconds).abs() <= 1e-6);
    }

    #[test]
    fn the_slot_at_an_instant_covers_it(series in series(), (at, _, _) in cuts()) {
        let now = instant(at);
        let covering = series.slots().iter().find(|slot| slot.start <= now && now < slot.end());
        prop_assert_eq!(series.reading_at(now).map(|reading| reading.start), covering.map(|slot| slot.start));
        if let Some(latest) = series.latest_at(now) {
            prop_assert!(!latest.is_future(now));
        }
    }

    #[test]
    fn age_is_zero_exactly_while_the_reading_holds_or_touches(reading in reading(), offset in 0..u32::MAX) {
        let now = instant(offset);
        let touches = reading.covers(now) || reading.end() == now;
        prop_assert_eq!(reading.age(now).is_zero(), touches);
    }

    #[test]
    fn a_reading_survives_json(reading in reading()) {
        let text = serde_json::to_string(&reading).unwrap();
        prop_assert_eq!(serde_json::from_str::<Reading>(&text).unwrap(), reading);
    }
}
