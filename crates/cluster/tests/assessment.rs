//! One pod on one node: snapshot, assumptions and grid together.

use std::time::Duration;

use jiff::Timestamp;
use kube_sci_cluster::{
    assess::{Model, PodSubject, assess, assess_named},
    config::ModelConfig,
    index::Index,
    objects::NodeStatus,
    snapshot::SnapshotHandle,
};
use kube_sci_signals::grid::ChainLink;
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    node::{NeutralReason, PodDemand},
    quantity::{Bytes, Cores, GramsPerKwh},
};
use serde_json::{Value, json};

use crate::fixtures::{config, node, noon, pod, uid};

const HOUR: Duration = Duration::from_hours(1);

fn demand() -> PodDemand {
    PodDemand { cpu: Cores::new(1.0).unwrap(), memory: Bytes::new(1e9).unwrap() }
}

/// Ten watts idle, ninety under full load, 8 CPUs: one CPU adds 10 W. No overhead, no embodied carbon.
fn flat_hardware() -> Value {
    json!({
        "nodes": {
            "hardwareClasses": { "flat": { "idleWatts": 10, "fullWatts": 90, "embodiedKilograms": 0 } },
            "hardwareRules": [{ "selector": {}, "class": "flat" }],
            "defaultPue": 1.0
        },
        "score": { "embodiedWeight": 0 },
        "grid": { "files": [{ "path": "unused.csv" }], "freshFor": "1h", "staleAfter": "3h" }
    })
}

fn series(zone: &str, start: Timestamp, value: f64) -> Series {
    let slot = Slot { start, duration: HOUR, value: GramsPerKwh::new(value).unwrap() };
    Series::new(Zone::new(zone).unwrap(), Signal::default(), Quality::Measured, "file", vec![slot]).unwrap()
}

fn model(config: &ModelConfig, build: impl FnOnce(&mut Index)) -> Model {
    let mut index = Index::new(config).unwrap();
    build(&mut index);
    Model::new(SnapshotHandle::new(index.publish(noon()).unwrap()), config)
}

fn hq(start: Timestamp) -> Model {
    model(&config(&flat_hardware()), |index| {
        index.apply_node(&node("a", "HQ"), noon());
        index.replace_series(0, vec![series("HQ", start, 500.0)], noon());
    })
}

fn other() -> PodSubject<'static> {
    PodSubject::new(uid("other"), demand())
}

#[test]
fn the_number_is_that_of_the_hand_calculation() {
    let model = model(&config(&flat_hardware()), |index| {
        index.apply_node(&node("a", "HQ"), noon());
        index.apply_pod(&pod("p", "a", "4"));
        index.replace_series(0, vec![series("HQ", noon(), 500.0)], noon());
    });
    let read = model.read();
    let assessment = assess_named(&read.view(noon()), "a", &other());
    let footprint = assessment.footprint.unwrap();
    // 10 W at 500 g/kWh; the node is in use, so nothing for waking it.
    assert!((footprint.total.get() - 5.0).abs() < 1e-9);
    assert_eq!(footprint.activation_power.get(), 0.0);
    assert_eq!(assessment.intensity.unwrap().link, ChainLink::Live);
    assert!(assessment.cost().is_some());
}

#[test]
fn a_pod_decided_for_an_empty_node_wakes_it_for_the_next_one_only() {
    let model = hq(noon());
    let slot = model.snapshot.load().slot("a").unwrap();
    let activation = |asked: PodSubject<'_>| {
        let read = model.read();
        assess(&read.view(noon()), slot, &asked).footprint.unwrap().activation_power.get()
    };
    assert!(activation(other()) > 0.0);
    model.assumptions.assume(uid("first"), &demand(), &[(slot, 1.0)], noon());
    assert_eq!(activation(other()), 0.0);
    assert!(
        activation(PodSubject::new(uid("first"), demand())) > 0.0,
        "the first pod still pays when it is asked about again"
    );
}

#[test]
fn a_burst_counts_at_once_and_pod_by_pod() {
    let model = hq(noon());
    let slot = model.snapshot.load().slot("a").unwrap();
    for number in 0..100 {
        model.assumptions.assume(uid(&format!("burst-{number}")), &demand(), &[(slot, 0.5)], noon());
        model.assumptions.assume(uid(&format!("burst-{number}")), &demand(), &[(slot, 0.5)], noon());
    }
    let read = model.read();
    let load = assess(&read.view(noon()), slot, &other()).load;
    assert!((load.requested.cpu.get() - 50.0).abs() < 1e-6);
    assert!((load.workload_pods - 50.0).abs() < 1e-3);
}

#[test]
fn missing_and_stale_data_are_neutral_each_for_its_reason() {
    let model = model(&config(&flat_hardware()), |index| {
        index.apply_node(&node("missing", "HQ"), noon());
        index.apply_node(&node("stale", "OLD"), noon());
        let mut nowhere = node("nowhere", "HQ");
        nowhere.metadata.annotations = None;
        index.apply_node(&nowhere, noon());
        let mut empty = node("empty", "NOW");
        empty.status = NodeStatus::default();
        index.apply_node(&empty, noon());
        let old = series("OLD", noon() - 10 * HOUR, 1.0);
        index.replace_series(0, vec![old, series("NOW", noon(), 500.0)], noon());
    });
    let read = model.read();
    let view = read.view(noon());
    for (name, reason) in [
        ("missing", NeutralReason::IntensityMissing),
        ("stale", NeutralReason::IntensityStale),
        ("nowhere", NeutralReason::ZoneUnknown),
        ("empty", NeutralReason::NoCapacity),
        ("gone", NeutralReason::NodeUnknown),
    ] {
        let assessment = assess_named(&view, name, &other());
        assert_eq!(assessment.footprint.unwrap_err(), reason, "{name}");
        assert!(assessment.cost().is_none());
    }
}

#[test]
fn confidence_falls_with_the_age_of_the_value() {
    let model = hq(noon() - HOUR);
    let read = model.read();
    let confidence = |now| assess_named(&read.view(now), "a", &other()).cost().map(|cost| cost.confidence.get());
    assert_eq!(confidence(noon()), Some(1.0));
    assert_eq!(confidence(noon() + 2 * HOUR), Some(0.5));
    assert_eq!(confidence(noon() + 3 * HOUR), None, "stale at the moment it is asked for");
}

#[test]
fn without_any_configuration_the_greener_region_costs_less() {
    let cloud = |name: &str, region: &str| {
        let mut node = node(name, "");
        node.metadata.annotations = None;
        node.metadata.labels = Some([("topology.kubernetes.io/region".to_owned(), region.to_owned())].into());
        node.spec.provider_id = Some("aws:///zone/i-1".to_owned());
        node
    };
    let model = model(&ModelConfig::default(), |index| {
        index.apply_node(&cloud("stockholm", "eu-north-1"), noon());
        index.apply_node(&cloud("frankfurt", "eu-central-1"), noon());
    });
    let read = model.read();
    let cost = |name| assess_named(&read.view(noon()), name, &other()).cost().unwrap().per_core_hour;
    assert!(cost("stockholm") < cost("frankfurt"));
}
