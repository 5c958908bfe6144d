use std::time::Duration;

use super::*;
use crate::{intensity::SignalKind, quantity::Share};

fn grams(value: f64) -> GramsCo2e {
    GramsCo2e::new(value).unwrap()
}

fn component(operational: f64, embodied: f64, unit: &str, count: f64) -> Sci {
    let unit = FunctionalUnit::new(unit, count).unwrap();
    Sci::new(grams(operational), grams(embodied), unit, Signal::default())
}

#[test]
fn the_parts_of_the_score_add_up() {
    let sci = component(30.0, 10.0, "request", 200.0);
    assert_eq!(sci.operational_score(), Some(grams(0.15)));
    assert_eq!(sci.embodied_score(), Some(grams(0.05)));
    assert_eq!(sci.score(), Some(grams(0.2)));
}

#[test]
fn nothing_counted_means_no_score_but_carbon() {
    let sci = component(30.0, 10.0, "request", 0.0);
    assert_eq!((sci.score(), sci.operational_score(), sci.embodied_score()), (None, None, None));
    assert_eq!(sci.total(), grams(40.0));
}

#[test]
fn a_functional_unit_needs_a_name_and_a_count() {
    assert_eq!(FunctionalUnit::new("  ", 1.0), Err(SciError::UnnamedUnit));
    for bad in [-5.0, -1e-300, f64::NAN, f64::INFINITY] {
        assert!(matches!(FunctionalUnit::new("request", bad), Err(SciError::InvalidCount { .. })), "{bad}");
    }
    assert_eq!(
        FunctionalUnit::new("request", -5.0).unwrap_err().to_string(),
        "the count of \"request\" must be zero or a positive finite number, got -5"
    );
    assert_eq!(FunctionalUnit::new(" request ", 2.0).unwrap().to_string(), "2 x request");
}

#[test]
fn components_are_summed_part_by_part() {
    let sum = Sci::sum([&component(3.0, 1.0, "user", 4.0), &component(5.0, 2.0, "user", 4.0)]).unwrap();
    assert_eq!((sum.operational(), sum.embodied()), (grams(8.0), grams(3.0)));
    assert_eq!(sum.score(), Some(grams(2.75)));
}

#[test]
fn unlike_components_are_not_summed() {
    let one = component(3.0, 1.0, "user", 4.0);
    for other in [component(1.0, 1.0, "request", 4.0), component(1.0, 1.0, "user", 5.0)] {
        assert!(matches!(Sci::sum([&one, &other]), Err(SciError::UnlikeUnits { .. })));
    }
    let marginal = Sci { signal: Signal { kind: SignalKind::Marginal, ..Signal::default() }, ..one.clone() };
    assert!(matches!(Sci::sum([&one, &marginal]), Err(SciError::UnlikeSignals { .. })));
    assert_eq!(Sci::sum([]), Err(SciError::NoComponents));
}

#[test]
fn operational_carbon_includes_the_site() {
    // 2 kWh * 1.5 * 100 g/kWh
    let carbon = operational(Joules::from_kwh(2.0).unwrap(), Pue::new(1.5).unwrap(), GramsPerKwh::new(100.0).unwrap());
    assert!((carbon.get() - 300.0).abs() < 1e-9);
}

#[test]
fn embodied_carbon_is_shared_by_time_and_resources() {
    let server = EmbodiedCarbon::new(grams(1_000_000.0), Duration::from_hours(1_000)).unwrap();
    // a tenth of the machine for a hundredth of its life
    let charged = server.charge(Duration::from_hours(10), Share::of(4.0, 40.0).unwrap());
    assert!((charged.get() - 1_000.0).abs() < 1e-9);
    assert_eq!(EmbodiedCarbon::new(grams(1.0), Duration::ZERO), Err(SciError::NoLifetime));
}

#[test]
fn a_result_is_written_with_units_in_its_keys() {
    let json = serde_json::to_value(component(3.0, 1.0, "user", 4.0)).unwrap();
    let expected = serde_json::json!({
        "operationalGrams": 3.0,
        "embodiedGrams": 1.0,
        "functionalUnit": { "unit": "user", "count": 4.0 },
        "signal": { "kind": "average", "scope": "lifecycle" },
    });
    assert_eq!(json, expected);
}
