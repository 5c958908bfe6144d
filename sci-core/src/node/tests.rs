use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    power::{PowerCurve, Provenance},
    quantity::{GramsCo2e, RelativePerformance},
};

const YEAR: Duration = Duration::from_hours(8_760);

/// 8 threads, 32 GB, 100 W idle, 300 W full, one tonne over four years.
fn hardware() -> Hardware {
    Hardware {
        class: Arc::from("test"),
        curve: PowerCurve::linear(Watts::new(100.0).unwrap(), Watts::new(300.0).unwrap()).unwrap(),
        embodied: GramsCo2e::new(1_000_000.0).unwrap(),
        lifetime: 4 * YEAR,
        relative_performance: RelativePerformance::REFERENCE,
        provenance: Provenance::Modelled,
        source: Arc::from("test"),
        error_band: (1.0, 1.0),
    }
}

fn resources(cores: f64, gigabytes: f64) -> Resources {
    Resources { cpu: Cores::new(cores).unwrap(), memory: Bytes::new(gigabytes * 1e9).unwrap() }
}

fn node(hardware: &Hardware, busy_cores: f64, intensity: f64) -> NodeInput<'_> {
    NodeInput {
        hardware,
        capacity: resources(8.0, 32.0),
        allocatable: resources(8.0, 32.0),
        load: NodeLoad { requested: resources(busy_cores, 0.0), workload_pods: busy_cores },
        intensity: GramsPerKwh::new(intensity).unwrap(),
        pue: Pue::new(1.2).unwrap(),
    }
}

fn full_cost(pod: &PodDemand, node: &NodeInput<'_>) -> Footprint {
    marginal_footprint(&(*pod).into(), node, EmbodiedWeight::default()).unwrap()
}

#[track_caller]
fn close(actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-9 * expected.abs().max(1e-9), "{actual} is not {expected}");
}

#[test]
fn a_busy_node_is_charged_for_the_added_power_only() {
    // 2 of 8 threads add 200 W / 4 = 50 W; 50 W * 1.2 * 400 g/kWh / 1000 = 24 g/h.
    // Embodied: 1e6 g / 35,040 h * 2/8 = 7.1347... g/h. Per core-hour: (24 + 7.1347) / 2.
    let hardware = hardware();
    let footprint = full_cost(&resources(2.0, 4.0), &node(&hardware, 4.0, 400.0));
    close(footprint.marginal_power.get(), 50.0);
    close(footprint.activation_power.get(), 0.0);
    close(footprint.operational.get(), 24.0);
    close(footprint.embodied.get(), 7.134_703_196_347_032);
    close(footprint.total.get(), 31.134_703_196_347_03);
    close(footprint.per_core_hour.get(), 15.567_351_598_173_516);
}

#[test]
fn an_empty_node_is_charged_its_idle_power_by_share() {
    let hardware = hardware();
    let empty = full_cost(&resources(2.0, 4.0), &node(&hardware, 0.0, 400.0));
    close(empty.activation_power.get(), 25.0);
    close(empty.operational.get(), 36.0);
}

#[test]
fn daemon_sets_alone_leave_a_node_empty() {
    let hardware = hardware();
    let mut input = node(&hardware, 1.0, 400.0);
    input.load.workload_pods = 0.0;
    assert!(full_cost(&resources(2.0, 4.0), &input).activation_power > Watts::ZERO);
}

#[test]
fn memory_counts_where_it_is_the_larger_share() {
    let hardware = hardware();
    let footprint = full_cost(&resources(1.0, 16.0), &node(&hardware, 4.0, 400.0));
    close(footprint.resource_share.get(), 0.5);
}

#[test]
fn faster_hardware_divides_the_cost_of_work_not_the_rate() {
    let (slow, mut fast) = (hardware(), hardware());
    fast.relative_performance = RelativePerformance::new(2.0).unwrap();
    let pod = resources(2.0, 4.0);
    let (slow, fast) = (full_cost(&pod, &node(&slow, 4.0, 400.0)), full_cost(&pod, &node(&fast, 4.0, 400.0)));
    close(fast.total.get(), slow.total.get());
    close(fast.per_core_hour.get(), slow.per_core_hour.get() / 2.0);
}

#[test]
fn the_embodied_knob_flips_a_clean_grid_ranking() {
    // Grid of 20 g/kWh. Old machine: 25 W per core (4 cores added 100 W), embodied almost written off.
    // New machine: half the power, five times the embodied carbon.
    let (mut old, mut new) = (hardware(), hardware());
    old.embodied = GramsCo2e::new(200_000.0).unwrap();
    new.curve = PowerCurve::linear(Watts::new(50.0).unwrap(), Watts::new(150.0).unwrap()).unwrap();
    let pod = resources(2.0, 4.0);
    let grams = |hardware: &Hardware, weight: f64| {
        let node = node(hardware, 4.0, 20.0);
        marginal_footprint(&pod.into(), &node, EmbodiedWeight::new(weight).unwrap()).unwrap().total.get()
    };
    // By hand: old 50 W * 1.2 * 20 / 1000 = 1.2 g/h, M 200,000 / 35,040 / 4 = 1.4269 g/h;
    //          new 25 W * 1.2 * 20 / 1000 = 0.6 g/h, M 1,000,000 / 35,040 / 4 = 7.1347 g/h.
    close(grams(&old, 0.0), 1.2);
    close(grams(&new, 0.0), 0.6);
    close(grams(&old, 1.0), 1.2 + 1.426_940_639_269_406_3);
    close(grams(&new, 1.0), 0.6 + 7.134_703_196_347_032);
}

#[test]
fn nothing_is_said_without_capacity_or_demand() {
    let hardware = hardware();
    let mut bare = node(&hardware, 0.0, 400.0);
    assert_eq!(
        marginal_footprint(&Resources::default().into(), &bare, EmbodiedWeight::default()),
        Err(NeutralReason::NoDemand)
    );
    bare.capacity = Resources::default();
    assert_eq!(
        marginal_footprint(&resources(1.0, 1.0).into(), &bare, EmbodiedWeight::default()),
        Err(NeutralReason::NoCapacity)
    );
}

#[test]
fn an_overcommitted_node_is_not_free() {
    let hardware = hardware();
    let crowded = full_cost(&resources(2.0, 4.0), &node(&hardware, 20.0, 400.0));
    let roomy = full_cost(&resources(2.0, 4.0), &node(&hardware, 4.0, 400.0));
    assert!(crowded.operational >= roomy.operational);
}

#[test]
fn a_workload_that_draws_more_is_charged_more_for_its_power_only() {
    // Empty node of 8 threads: 50 W for two threads, 25 W for waking it, and half as much again for the work.
    let hardware = hardware();
    let node = node(&hardware, 0.0, 400.0);
    let pod = PodInput { workload_factor: WorkloadFactor::new(1.5).unwrap(), ..resources(2.0, 4.0).into() };
    let (usual, hungry) =
        (full_cost(&resources(2.0, 4.0), &node), marginal_footprint(&pod, &node, EmbodiedWeight::default()).unwrap());
    assert_eq!((usual.workload_factor.get(), hungry.workload_factor.get()), (1.0, 1.5));
    close(hungry.marginal_power.get(), 75.0);
    close(hungry.activation_power.get(), 25.0);
    close(hungry.operational.get(), 48.0);
    close(hungry.embodied.get(), usual.embodied.get());
}

#[test]
fn the_range_of_a_footprint_is_that_of_its_energy() {
    let hardware = hardware();
    let footprint = full_cost(&resources(2.0, 4.0), &node(&hardware, 4.0, 400.0));
    let (low, high) = footprint.range((0.5, 2.0));
    close(low.get(), 12.0 + 7.134_703_196_347_032);
    close(high.get(), 48.0 + 7.134_703_196_347_032);
}

#[test]
fn the_weight_has_a_range() {
    assert!(EmbodiedWeight::new(-0.1).is_err());
    assert!(EmbodiedWeight::new(f64::NAN).is_err());
    assert!(EmbodiedWeight::new(10.0).is_ok());
}

proptest! {
    #[test]
    fn operational_is_linear_in_intensity(intensity in 0.0..2_000.0f64, busy in 0.0..8.0f64, cores in 0.1..8.0f64) {
        let hardware = hardware();
        let pod = resources(cores, 1.0);
        let once = full_cost(&pod, &node(&hardware, busy, intensity)).operational.get();
        let twice = full_cost(&pod, &node(&hardware, busy, 2.0 * intensity)).operational.get();
        prop_assert!((twice - 2.0 * once).abs() <= 1e-9 * twice.max(1.0));
    }

    #[test]
    fn doubling_the_lifetime_halves_embodied(cores in 0.1..8.0f64) {
        let (short, mut long) = (hardware(), hardware());
        long.lifetime = 2 * short.lifetime;
        let pod = resources(cores, 1.0);
        let (short, long) = (full_cost(&pod, &node(&short, 1.0, 0.0)), full_cost(&pod, &node(&long, 1.0, 0.0)));
        prop_assert!((short.embodied.get() - 2.0 * long.embodied.get()).abs() <= 1e-9 * short.embodied.get());
    }

    #[test]
    fn a_flat_curve_adds_no_power(watts in 0.0..500.0f64, busy in 0.5..8.0f64, cores in 0.1..8.0f64) {
        let mut flat = hardware();
        flat.curve = PowerCurve::linear(Watts::new(watts).unwrap(), Watts::new(watts).unwrap()).unwrap();
        let footprint = full_cost(&resources(cores, 1.0), &node(&flat, busy, 400.0));
        prop_assert!(footprint.marginal_power.get().abs() < 1e-9);
    }

    #[test]
    fn a_dirtier_grid_never_costs_less(low in 0.0..1_000.0f64, more in 0.0..1_000.0f64, busy in 0.0..10.0f64) {
        let hardware = hardware();
        let pod = resources(1.0, 1.0);
        let clean = full_cost(&pod, &node(&hardware, busy, low));
        let dirty = full_cost(&pod, &node(&hardware, busy, low + more));
        prop_assert!(dirty.per_core_hour >= clean.per_core_hour);
    }
}
