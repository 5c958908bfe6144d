//! What was learned decides where a pod goes.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::{
    node::{
        Cost, EmbodiedWeight, NodeInput, NodeLoad, PodInput, Resources, Score, ScoreScratch, marginal_footprint, score,
    },
    power::{
        Hardware, Provenance, default_for,
        fit::{FitOptions, NodeScale, PowerFit, PowerObservation, learned_hardware},
    },
    quantity::{Bytes, Cores, GramsPerKwh, Pue, Share, Utilization, WallFactor, Watts, WorkloadFactor},
    workload::{Pace, ProfileOptions, WorkloadProfile, WorkloadSample, expected_energy},
};

const MINUTE: Duration = Duration::from_mins(1);
const CORES: f64 = 16.0;

/// What a class of hardware really draws, beyond what its table knows.
struct Class {
    name: &'static str,
    watts_per_busy_core: f64,
    watts_per_memory_traffic: f64,
}

/// What a service really does, for each core that it asks for.
struct Service {
    busy_cores: f64,
    memory_traffic: f64,
}

/// The same table entry for both.
const CLASSES: [Class; 2] = [
    Class { name: "x", watts_per_busy_core: 4.0, watts_per_memory_traffic: 0.5 },
    Class { name: "y", watts_per_busy_core: 2.5, watts_per_memory_traffic: 2.5 },
];
const KEEPS_MEMORY_BUSY: Service = Service { busy_cores: 0.3, memory_traffic: 1.0 };
const COMPUTES: Service = Service { busy_cores: 0.9, memory_traffic: 0.1 };

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn all() -> Resources {
    Resources { cpu: Cores::new(CORES).unwrap(), memory: Bytes::new(64e9).unwrap() }
}

fn table() -> Hardware {
    default_for(all().cpu, all().memory)
}

/// Four hours of two pods of two cores on a half loaded node of each class.
fn profile(service: &Service) -> WorkloadProfile {
    let mut profile = WorkloadProfile::new(ProfileOptions::default());
    let (hardware, requested) = (table(), Cores::new(4.0).unwrap());
    let half = Utilization::new(0.5).unwrap();
    let expected = expected_energy(&hardware, half, requested, all().cpu, Pace::Demand, MINUTE);
    for minute in 0..240 {
        for class in &CLASSES {
            let per_core = service.busy_cores * class.watts_per_busy_core;
            let memory = service.memory_traffic * class.watts_per_memory_traffic;
            let sample = WorkloadSample {
                time: MINUTE,
                requested,
                active: Watts::new(4.0 * (per_core + memory)).unwrap() * MINUTE,
                dram: Some(Watts::new(4.0 * memory).unwrap() * MINUTE),
                cpu: Some(MINUTE.mul_f64(4.0 * service.busy_cores)),
                expected,
            };
            assert!(profile.observe(start() + MINUTE * minute, &Arc::from(class.name), &sample));
        }
    }
    profile
}

/// Scores of one pod on nodes of equal load in one zone.
fn scores(nodes: &[(&Hardware, WorkloadFactor)]) -> Vec<Score> {
    let costs: Vec<Option<Cost>> = nodes
        .iter()
        .map(|(hardware, workload_factor)| {
            let node = NodeInput {
                hardware,
                capacity: all(),
                allocatable: all(),
                load: NodeLoad {
                    requested: Resources { cpu: Cores::new(8.0).unwrap(), memory: Bytes::new(8e9).unwrap() },
                    workload_pods: 4.0,
                },
                intensity: GramsPerKwh::new(400.0).unwrap(),
                pue: Pue::new(1.2).unwrap(),
            };
            let demand = Resources { cpu: Cores::new(2.0).unwrap(), memory: Bytes::new(2e9).unwrap() };
            let pod = PodInput { workload_factor: *workload_factor, ..demand.into() };
            let footprint = marginal_footprint(&pod, &node, EmbodiedWeight::default()).unwrap();
            Some(Cost { per_core_hour: footprint.per_core_hour, confidence: Share::ALL })
        })
        .collect();
    score(&costs, &mut ScoreScratch::default()).scores.to_vec()
}

fn scores_by_profile(service: &Service) -> Vec<Score> {
    let (hardware, profile) = (table(), profile(service));
    let factors = CLASSES.map(|class| profile.factor(class.name, start() + MINUTE * 240).unwrap().ratio);
    scores(&factors.map(|factor| (&hardware, factor)))
}

#[test]
fn one_service_prefers_one_hardware_and_another_service_the_other() {
    let hardware = table();
    let unknown = scores(&[(&hardware, WorkloadFactor::EXPECTED); 2]);
    assert_eq!(unknown, [10, 10], "nothing tells the nodes apart before anything was learned");

    // A core draws 1.7 W on x and 3.25 W on y for the one, and 3.65 W and 2.5 W for the other.
    let [busy_memory, computing] = [&KEEPS_MEMORY_BUSY, &COMPUTES].map(scores_by_profile);
    assert!(busy_memory[0] == 10 && busy_memory[1] < 9, "{busy_memory:?}");
    assert!(computing[1] == 10 && computing[0] < 9, "{computing:?}");
}

#[test]
fn a_node_that_draws_more_than_its_table_says_loses() {
    let table = table();
    let mut class = PowerFit::new(FitOptions::CLASS);
    let mut nodes = [1.0, 1.0, 2.0].map(|factor| (factor, NodeScale::new(FitOptions::NODE)));
    let now = start() + MINUTE * 30;
    for minute in 0..30i32 {
        let load = Utilization::new(0.3 + 0.02 * f64::from(minute % 10)).unwrap();
        for (factor, scale) in &mut nodes {
            let seen = PowerObservation {
                at: start() + MINUTE * minute.unsigned_abs(),
                utilization: load,
                watts: Watts::new(table.curve.at(load).get() * *factor).unwrap(),
                time: MINUTE,
                wall_factor: WallFactor::NONE,
            };
            class.observe(&seen);
            scale.observe(&seen);
        }
    }
    let class = class.learn(&table, now);
    let learned = nodes.map(|(_, scale)| learned_hardware(&table, &class, &scale.learn(&class.curve, now), MINUTE * 5));
    assert!(learned.iter().all(|hardware| hardware.provenance == Provenance::Measured));
    let scores = scores(&learned.each_ref().map(|hardware| (hardware, WorkloadFactor::EXPECTED)));
    assert_eq!(&scores[..2], [10, 10]);
    assert!(scores[2] < 8, "{scores:?}");
}

#[test]
fn what_a_service_shows_on_one_class_is_known_there_only() {
    let profile = profile(&KEEPS_MEMORY_BUSY);
    let now = start() + MINUTE * 240;
    let seen = profile.classes(now).map(|class| class.memory_share.unwrap().get()).collect::<Vec<_>>();
    // 0.5 of 1.7 W and 2.5 of 3.25 W.
    assert!((seen[0] - 0.5 / 1.7).abs() < 1e-9 && (seen[1] - 2.5 / 3.25).abs() < 1e-9, "{seen:?}");
    assert!(profile.observations(now) > 400.0);
    let [elsewhere, x, y] = ["z", "x", "y"].map(|class| profile.factor(class, now).unwrap());
    assert!(x.ratio < elsewhere.ratio && elsewhere.ratio < y.ratio, "the unknown class lies between the known ones");
    assert!(elsewhere.weight < x.weight);
}
