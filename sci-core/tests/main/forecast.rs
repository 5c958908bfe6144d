//! The forecast on made-up zones: exact where it can be, honest about its error where it cannot.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use sci_core::{
    forecast::{Calibration, Forecaster, Hour, Method},
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
};

/// 2025-12-29, a Monday.
const FIRST_SECOND: i64 = 1_766_966_400;

fn first() -> Hour {
    Hour::containing(Timestamp::from_second(FIRST_SECOND).unwrap())
}

fn hour(at: usize) -> Hour {
    first().plus(i64::try_from(at).unwrap())
}

fn series(quality: Quality, at: usize, values: &[f64]) -> Series {
    let slots = values.iter().enumerate().map(|(offset, value)| Slot {
        start: hour(at + offset).start(),
        duration: Hour::LENGTH,
        value: GramsPerKwh::new(*value).unwrap(),
    });
    Series::new(Zone::new("XX").unwrap(), Signal::default(), quality, "made up", slots.collect()).unwrap()
}

fn forecaster() -> Forecaster {
    Forecaster::new(Zone::new("XX").unwrap(), Signal::default())
}

/// Numbers between -1 and 1, the same for the same seed (`SplitMix64`).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / f64::from(u32::MAX) * 2.0 - 1.0
    }
}

/// A day's shape plus weather that lasts: `x(t) = 0.95 x(t - 1) + noise`.
fn windy_solar(hours: usize, seed: u64) -> Vec<f64> {
    let mut noise = Noise(seed);
    let mut weather = 0.0;
    (0..hours)
        .map(|hour| {
            weather = 0.95 * weather + 12.0 * noise.next();
            let sun = (f64::from(u32::try_from(hour % 24).unwrap()) - 12.0).abs();
            (200.0 + 15.0 * sun + weather).max(1.0)
        })
        .collect()
}

/// Lives through `truth` hour by hour, with a provider that speaks at midnight of the day that begins.
fn live(truth: &[f64], said: Option<&dyn Fn(usize) -> f64>, mut each: impl FnMut(&Forecaster, usize)) {
    let mut forecaster = forecaster();
    for at in 0..truth.len() - 24 {
        let now = hour(at + 1).start();
        if let Some(said) = said.filter(|_| (at + 1) % 24 == 0) {
            let day: Vec<_> = (at + 1..at + 25).map(said).collect();
            forecaster.provide(&series(Quality::Forecast, at + 1, &day), now).unwrap();
        }
        forecaster.observe(&series(Quality::Measured, at, &truth[at..=at]), now).unwrap();
        each(&forecaster, at);
    }
}

/// Share of hours within the bounds of a method, of forecasts made every hour after four weeks.
fn coverage(truth: &[f64], said: Option<&dyn Fn(usize) -> f64>, method: Method) -> f64 {
    let (mut held, mut all) = (0.0, 0.0);
    live(truth, said, |forecaster, at| {
        if at < 28 * 24 {
            return;
        }
        let forecast = forecaster.forecast_by(method, hour(at + 1).start(), 24).unwrap();
        for (point, came) in forecast.points.iter().zip(&truth[at + 1..]) {
            all += 1.0;
            held += f64::from(u8::from(point.lower.get() <= *came && *came <= point.upper.get()));
        }
    });
    held / all
}

#[test]
fn bounds_hold_nine_of_ten_hours() {
    let truth = windy_solar(120 * 24, 1);
    for method in [Method::AnchoredProfile, Method::Persistence] {
        let share = coverage(&truth, None, method);
        assert!((0.88..=0.92).contains(&share), "{method}: {share}");
    }
}

#[test]
fn bounds_of_a_provider_come_from_its_errors() {
    let truth = windy_solar(120 * 24, 2);
    let mut noise = Noise(3);
    let errors: Vec<_> = truth.iter().map(|_| 60.0 * noise.next()).collect();
    let share = coverage(&truth, Some(&|at| (truth[at] + errors[at]).max(0.0)), Method::Provider);
    assert!((0.88..=0.92).contains(&share), "{share}");
    // A fifth too low, always: the bounds reach up from its values, so nothing falls out below.
    let share = coverage(&truth, Some(&|at| 0.8 * truth[at]), Method::Provider);
    assert!((0.88..=0.96).contains(&share), "{share}");
}

/// The method followed at the end, and how much of the time after four weeks it was the provider.
fn followed(truth: &[f64], said: &dyn Fn(usize) -> f64) -> (Method, f64) {
    let (mut by_provider, mut all, mut last) = (0.0, 0.0, None);
    live(truth, Some(said), |forecaster, at| {
        last = forecaster.scoreboard().chosen();
        if at > 28 * 24 {
            all += 1.0;
            by_provider += f64::from(u8::from(last == Some(Method::Provider)));
        }
    });
    (last.unwrap(), by_provider / all)
}

#[test]
fn a_poor_provider_is_replaced_and_a_good_one_is_kept() {
    let truth = windy_solar(50 * 24, 4);
    // The shape of the day turned round.
    assert_eq!(followed(&truth, &|at| truth[(at / 24) * 24 + (at + 12) % 24]), (Method::AnchoredProfile, 0.0));
    assert_eq!(followed(&truth, &|at| truth[at]), (Method::Provider, 1.0));
    // The right shape in another unit captures everything and is far off.
    assert_eq!(followed(&truth, &|at| 3.0 * truth[at]), (Method::AnchoredProfile, 0.0));
}

#[test]
fn a_day_that_is_unlike_all_others_is_persistence_s() {
    // Every other week the clean hours are at night instead of at noon: yesterday knows, the profile is late.
    let truth: Vec<_> = (0..80 * 24)
        .map(|at: usize| {
            let clean = if (at / 24 / 7).is_multiple_of(2) { 12 } else { 0 };
            if (at % 24).abs_diff(clean) < 3 { 100.0 } else { 400.0 }
        })
        .collect();
    let (mut persistence, mut captured) = (0, (None, None));
    live(&truth, None, |forecaster, _| {
        let board = forecaster.scoreboard();
        persistence += usize::from(board.chosen() == Some(Method::Persistence));
        captured = (board.score(Method::Persistence).captured(), board.score(Method::AnchoredProfile).captured());
    });
    assert!(persistence > truth.len() / 2, "{persistence}");
    assert!(captured.0 > captured.1, "{captured:?}");
}

#[test]
fn far_hours_have_wider_bounds_than_near_ones() {
    let truth = windy_solar(60 * 24, 5);
    let mut forecaster = forecaster();
    let now = hour(truth.len()).start();
    forecaster.observe(&series(Quality::Measured, 0, &truth), now).unwrap();
    let forecast = forecaster.forecast(now, 72).unwrap();
    let width = |at: usize| forecast.points[at].upper.get() - forecast.points[at].lower.get();
    assert!(forecast.calibrated);
    assert!(width(0) < width(5) && width(5) < width(23), "{} {} {}", width(0), width(5), width(23));
    assert!(width(71) > width(0));
}

fn values() -> impl Strategy<Value = Vec<Option<f64>>> {
    prop::collection::vec(prop::option::weighted(0.9, 0.0..2_000.0), 1..500)
}

/// Runs of known hours, as a source with gaps would give them.
fn observe_all(forecaster: &mut Forecaster, values: &[Option<f64>]) {
    let now = hour(values.len()).start();
    for (at, value) in values.iter().enumerate() {
        if let Some(value) = value {
            forecaster.observe(&series(Quality::Measured, at, &[*value]), now).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_the_past_the_forecast_is_sane_and_the_same_again(past in values(), hours in 1_usize..170) {
        let mut forecaster = forecaster();
        observe_all(&mut forecaster, &past);
        let now = hour(past.len()).start() + Duration::from_mins(17);
        let Ok(forecast) = forecaster.forecast(now, hours) else { return Ok(()) };
        let highest = past.iter().flatten().fold(0.0, |high: f64, value| high.max(*value));
        prop_assert_eq!(forecast.points[0].start, hour(past.len()).start());
        for (point, next) in forecast.points.iter().zip(forecast.points.iter().skip(1)) {
            prop_assert_eq!(point.start + Hour::LENGTH, next.start);
        }
        for point in &forecast.points {
            prop_assert!(point.lower <= point.value && point.value <= point.upper);
            prop_assert!(point.value.get() <= 1.2 * highest + 1e-9, "{}", point.value);
        }
        let mut again = self::forecaster();
        observe_all(&mut again, &past);
        prop_assert_eq!(again.forecast(now, hours).unwrap(), forecast);
    }

    #[test]
    fn a_constant_zone_is_forecast_exactly(value in 0.0..4_000.0, days in 4_usize..40, hours in 1_usize..100) {
        let mut forecaster = forecaster();
        let past = vec![value; days * 24];
        let now = hour(past.len()).start();
        forecaster.observe(&series(Quality::Measured, 0, &past), now).unwrap();
        let forecast = forecaster.forecast(now, hours).unwrap();
        prop_assert_eq!(forecast.method, Method::AnchoredProfile);
        prop_assert!(forecast.points.iter().all(|point| (point.value.get() - value).abs() < 1e-9 * value.max(1.0)));
        let near = &forecast.points[0];
        if days > 10 {
            prop_assert!(near.upper.get() - near.lower.get() < 1e-6 * value.max(1.0));
        }
    }

    #[test]
    fn a_pure_daily_pattern_is_forecast_exactly(
        pattern in prop::collection::vec(1.0..1_000.0, 24),
        days in 4_usize..36,
        missing in prop::collection::btree_set(0_usize..24 * 36, 0..20),
    ) {
        let mut forecaster = forecaster();
        // The last day is whole, so that every hour of the day stays known on three days.
        let known = |at: &usize| !missing.contains(at) || *at + 72 >= days * 24;
        for at in (0..days * 24).filter(known) {
            let now = hour(at + 1).start();
            forecaster.observe(&series(Quality::Measured, at, &[pattern[at % 24]]), now).unwrap();
        }
        let forecast = forecaster.forecast_by(Method::AnchoredProfile, hour(days * 24).start(), 72).unwrap();
        for (ahead, point) in forecast.points.iter().enumerate() {
            prop_assert!((point.value.get() - pattern[ahead % 24]).abs() < 1e-6, "{ahead}: {}", point.value);
        }
    }

    #[test]
    fn bounds_are_ordered_whatever_the_errors(
        errors in prop::collection::vec((0_usize..100, 0.0..5_000.0, 0.0..5_000.0), 0..500),
        asked in 0_usize..200,
        value in 0.0..5_000.0,
    ) {
        let grams = |value| GramsPerKwh::new(value).unwrap();
        let mut calibration = Calibration::default();
        for (lead, predicted, actual) in errors {
            calibration.observe(lead, grams(predicted), grams(actual));
        }
        let bounds = calibration.bounds(asked, grams(value));
        prop_assert!(bounds.lower <= grams(value) && grams(value) <= bounds.upper);
    }
}
