use proptest::prelude::*;

use super::*;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 / 3_600 * 3_600 + minutes * 60).unwrap()
}

fn intensities(generation: &Generation) -> Vec<Option<f64>> {
    generation.cells().into_iter().map(|cell| cell.mix.ok()?.intensity().ok()).collect()
}

const HOUR: Duration = Duration::from_hours(1);
const QUARTER: Duration = Duration::from_mins(15);

#[test]
fn intensity_is_the_mean_of_factors_by_power() {
    let mut generation = Generation::default();
    generation.add(Fuel::Coal, "B05", at(0), HOUR, 1_000.0);
    generation.add(Fuel::WindOnshore, "B19", at(0), HOUR, 3_000.0);
    // (1000 * 820 + 3000 * 11) / 4000 = 853000 / 4000
    assert_eq!(intensities(&generation), [Some(213.25)]);
}

#[test]
fn quarter_hours_and_hours_meet_in_hours() {
    let mut generation = Generation::default();
    generation.add(Fuel::Gas, "B04", at(0), HOUR, 500.0);
    for (quarter, megawatts) in (0..).zip([0.0, 200.0, 400.0, 1_400.0]) {
        generation.add(Fuel::Solar, "B16", at(15 * quarter), QUARTER, megawatts);
    }
    // Solar 2000 / 4 = 500 MW: (500 * 490 + 500 * 45) / 1000
    assert_eq!(intensities(&generation), [Some(267.5)]);
    assert_eq!(generation.cells()[0].duration, HOUR);
}

#[test]
fn two_codes_of_one_fuel_add_up_and_the_same_code_twice_does_not() {
    let mut generation = Generation::default();
    generation.add(Fuel::Coal, "B02", at(0), HOUR, 100.0);
    generation.add(Fuel::Coal, "B05", at(0), HOUR, 100.0);
    generation.add(Fuel::Nuclear, "B14", at(0), HOUR, 600.0);
    generation.add(Fuel::Nuclear, "B14", at(0), HOUR, 600.0);
    let mix = generation.cells()[0].mix.clone().unwrap();
    assert_eq!((mix.get(Fuel::Coal), mix.get(Fuel::Nuclear)), (200.0, 600.0));
}

#[test]
fn an_hour_in_which_much_is_not_reported_yet_has_no_value() {
    let mut generation = Generation::default();
    for hour in 0..3 {
        generation.add(Fuel::Nuclear, "B14", at(60 * hour), HOUR, 400.0);
    }
    generation.add(Fuel::WindOnshore, "B19", at(0), HOUR, 600.0);
    generation.add(Fuel::Marine, "B13", at(0), HOUR, 1.0);
    // (400 * 12 + 600 * 11 + 1 * 17) / 1001, then 600 of 1,001 MW are missing.
    let cells = generation.cells();
    assert!((cells[0].mix.clone().unwrap().intensity().unwrap() - 11_417.0 / 1_001.0).abs() < 1e-9);
    assert_eq!(cells[1].mix, Err("60 % of the generation is not reported yet".to_owned()));
    assert_eq!(cells[2].mix, cells[1].mix);
}

#[test]
fn the_first_hour_may_be_incomplete_too() {
    let mut generation = Generation::default();
    generation.add(Fuel::Nuclear, "B14", at(0), HOUR, 400.0);
    generation.add(Fuel::Nuclear, "B14", at(60), HOUR, 400.0);
    generation.add(Fuel::Gas, "B04", at(60), HOUR, 400.0);
    assert_eq!(intensities(&generation), [None, Some(251.0)]);
}

#[test]
fn a_kind_that_faded_away_may_be_left_out() {
    let mut generation = Generation::default();
    generation.add(Fuel::Gas, "B04", at(0), HOUR, 1_000.0);
    generation.add(Fuel::Gas, "B04", at(60), HOUR, 1_000.0);
    generation.add(Fuel::Solar, "B16", at(0), HOUR, 10.0);
    assert_eq!(intensities(&generation)[1], Some(490.0));
}

#[test]
fn a_plant_that_draws_power_does_not_make_the_grid_cleaner() {
    let mut generation = Generation::default();
    generation.add(Fuel::Gas, "NG", at(0), HOUR, 100.0);
    generation.add(Fuel::Solar, "SUN", at(0), HOUR, -50.0);
    assert_eq!(intensities(&generation), [Some(490.0)]);
    let mut dark = Generation::default();
    dark.add(Fuel::Solar, "SUN", at(0), HOUR, 0.0);
    assert_eq!(dark.cells()[0].mix.clone().unwrap().intensity(), Err("nothing generates".to_owned()));
}

#[test]
fn decades_in_one_answer_are_no_answer() {
    let mut generation = Generation::default();
    generation.add(Fuel::Gas, "NG", Timestamp::UNIX_EPOCH, QUARTER, 1.0);
    generation.add(Fuel::Gas, "NG", at(0), QUARTER, 1.0);
    assert!(generation.cells().is_empty());
}

proptest! {
    #[test]
    fn an_intensity_lies_between_the_factors_of_its_kinds(
        powers in proptest::collection::vec(0.0f64..10_000.0, 3),
        scale in 0.01f64..100.0,
    ) {
        let build = |scale: f64| {
            let mut generation = Generation::default();
            for (fuel, power) in [Fuel::Coal, Fuel::Hydro, Fuel::WindOnshore].into_iter().zip(&powers) {
                generation.add(fuel, "x", at(0), HOUR, power * scale);
            }
            intensities(&generation)[0]
        };
        if let (Some(one), Some(other)) = (build(1.0), build(scale)) {
            prop_assert!((11.0 - 1e-9..=820.0 + 1e-9).contains(&one));
            prop_assert!((one - other).abs() < 1e-6, "only shares matter");
        }
    }
}
