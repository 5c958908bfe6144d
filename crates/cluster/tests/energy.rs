//! Measured energy joined with nodes and pods, through the index.

use std::time::Duration;

use jiff::Timestamp;
use kube_sci_cluster::{
    assess::{Model, PodSubject, assess_named},
    energy::PowerQuality,
    index::{Index, ObjectKind},
    objects::{PodView, WorkloadKey},
    snapshot::{Snapshot, SnapshotHandle},
};
use kube_sci_signals::energy::{
    EnergyAnswer, Exporter, MeterId, NodeJoules, NodeWindow, PodRef, PodWindow, Refusal, RefusedMeter, Route,
};
use proptest::prelude::*;
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    node::PodDemand,
    power::Provenance,
    quantity::{Bytes, Cores, GramsPerKwh, Joules, Utilization},
};
use serde_json::{Value, json};

use crate::fixtures::{config, node_json, noon, uid};

const WINDOW: Duration = Duration::from_mins(1);

/// Two sources, the first is the stronger; nodes of 8 CPUs that the table gives 20 to 100 W.
fn settings() -> Value {
    let source = |name: &str| json!({ "name": name, "prometheus": { "http": { "url": "http://unused" } } });
    json!({
        "nodes": {
            "hardwareClasses": { "table": { "idleWatts": 20, "fullWatts": 100, "embodiedKilograms": 0 } },
            "hardwareRules": [{ "selector": {}, "class": "table" }],
            "defaultPue": 1.0
        },
        "score": { "embodiedWeight": 0 },
        "grid": { "files": [{ "path": "unused.csv" }] },
        "energy": { "sources": [source("first"), source("second")], "window": "60s", "staleAfter": "180s" }
    })
}

fn at(seconds: u64) -> Timestamp {
    noon() + Duration::from_secs(seconds)
}

/// An index that has listed `nodes`, all in zone HQ at 500 g/kWh.
fn index(nodes: &[&str]) -> Index {
    index_of(&settings(), nodes)
}

fn index_of(settings: &Value, nodes: &[&str]) -> Index {
    let mut index = Index::new(&config(settings)).unwrap();
    for kind in ObjectKind::ALL {
        index.begin_list(kind);
        for name in nodes.iter().filter(|_| kind == ObjectKind::Node) {
            index.apply_node(&serde_json::from_value(node_json(name, "HQ")).unwrap(), noon());
        }
        index.end_list(kind);
    }
    let slot = Slot {
        start: noon() - Duration::from_hours(1),
        duration: Duration::from_hours(48),
        value: GramsPerKwh::new(500.0).unwrap(),
    };
    let zone = Zone::new("HQ").unwrap();
    let series = Series::new(zone, Signal::default(), Quality::Measured, "file", vec![slot]).unwrap();
    index.replace_series(0, vec![series], noon());
    index
}

/// A pod of a Deployment that asks for CPU and no memory worth a word.
fn pod(name: &str, deployment: &str, node: &str, cpu: &str) -> PodView {
    let owner = json!([{ "kind": "ReplicaSet", "name": format!("{deployment}-7d9c6b5f4"), "controller": true }]);
    serde_json::from_value(json!({
        "metadata": { "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "ownerReferences": owner },
        "spec": {
            "nodeName": node,
            "containers": [{ "resources": { "requests": { "cpu": cpu, "memory": "1Mi" } } }]
        },
        "status": { "phase": "Running" }
    }))
    .unwrap()
}

fn joules(value: f64) -> Joules {
    Joules::new(value).unwrap()
}

/// A minute of a node that ends `end` seconds after noon.
fn window(source: &str, node: &str, end: u64, watts: f64, busy: f64, pods: &[(&str, f64)]) -> NodeWindow {
    let pods = pods.iter().map(|(name, watts)| PodWindow {
        pod: PodRef { uid: Some(format!("uid-{name}").into()), namespace: "shop".into(), name: (*name).into() },
        energy: joules(watts * 60.0),
        dram: None,
        cpu: None,
        covered: WINDOW,
    });
    NodeWindow {
        node: node.into(),
        meter: MeterId { source: source.into(), route: Route::Prometheus, exporter: Exporter::Kepler },
        start: at(end) - WINDOW,
        end: at(end),
        covered: WINDOW,
        energy: NodeJoules { package: Some(joules(watts * 60.0)), ..NodeJoules::default() },
        utilization: Some(Utilization::new(busy).unwrap()),
        sampled: false,
        modelled: false,
        pods: pods.collect(),
    }
}

fn hear(index: &mut Index, source: usize, window: NodeWindow) {
    let now = window.end;
    index.apply_energy(source, Ok(EnergyAnswer { windows: vec![window], ..EnergyAnswer::default() }), now);
}

fn watts(snapshot: &Snapshot, node: &str) -> (f64, PowerQuality) {
    let power = snapshot.node_named(node).unwrap().power();
    (power.watts.get(), power.quality)
}

#[test]
fn a_meter_answers_until_it_is_stale_and_then_the_node_is_modelled() {
    let mut index = index(&["a"]);
    let silent = index.publish(noon()).unwrap();
    assert_eq!(watts(&silent, "a"), (20.0, PowerQuality::Modelled));

    hear(&mut index, 0, window("first", "a", 60, 75.0, 0.5, &[]));
    assert_eq!(watts(&index.publish(at(60)).unwrap(), "a"), (75.0, PowerQuality::Measured));

    index.tick(at(240));
    assert!(index.publish(at(240)).is_none(), "180 seconds after the window it still holds");
    index.tick(at(241));
    let snapshot = index.publish(at(241)).unwrap();
    assert_eq!(watts(&snapshot, "a").1, PowerQuality::Modelled);
    assert_eq!(snapshot.node_named("a").unwrap().meters.silent_since, Some(at(241)));
}

#[test]
fn a_meter_is_waited_for_as_long_as_its_source_takes_to_speak() {
    for (change, patience) in [
        (json!({ "staleAfter": "10m" }), 600),
        (json!({ "window": "2m" }), 360),
        (json!({ "period": "100s" }), 300),
        (json!({ "scrapeInterval": "5m" }), 900),
    ] {
        let mut settings = settings();
        let energy = &mut settings["energy"];
        for (key, value) in change.as_object().unwrap() {
            let place = match key.as_str() {
                "period" => &mut energy["sources"][0],
                "scrapeInterval" => &mut energy["sources"][0]["prometheus"],
                _ => &mut *energy,
            };
            place[key] = value.clone();
        }
        let mut index = index_of(&settings, &["a"]);
        hear(&mut index, 0, window("first", "a", 60, 75.0, 0.5, &[]));
        let mut quality = |seconds: u64| {
            index.tick(at(seconds));
            index.publish(at(seconds)).map(|snapshot| watts(&snapshot, "a").1)
        };
        assert_eq!(quality(60), Some(PowerQuality::Measured), "{change}");
        assert!(quality(60 + patience).is_none_or(|quality| quality == PowerQuality::Measured), "{change}");
        assert_eq!(quality(61 + patience), Some(PowerQuality::Modelled), "{change}");
    }
}

#[test]
fn the_error_band_follows_from_how_the_power_is_known() {
    for (sampled, modelled, band) in
        [(false, false, (75.0, 75.0)), (true, false, (67.5, 82.5)), (true, true, (37.5, 150.0))]
    {
        let mut index = index(&["a"]);
        hear(&mut index, 0, NodeWindow { sampled, modelled, ..window("first", "a", 60, 75.0, 0.5, &[]) });
        let power = index.publish(at(60)).unwrap().node_named("a").unwrap().power();
        assert!((power.low.get() - band.0).abs() < 1e-9 && (power.high.get() - band.1).abs() < 1e-9, "{power:?}");
    }
}

#[test]
fn no_node_draws_more_than_the_factor_of_its_hardware_allows() {
    let max_power = |settings: &Value, factor: f64| {
        let snapshot = index_of(settings, &["a"]).publish(noon()).unwrap();
        let node = snapshot.node_named("a").unwrap();
        let full = node.identity.hardware.curve.full().get();
        (node.facts(factor).max_power.get(), full, node.identity.hardware.error_band.1)
    };
    // A class of the configuration is meant as it stands.
    assert_eq!(max_power(&settings(), 2.0).0, 200.0);
    assert_eq!(max_power(&settings(), 1.0).0, 100.0);
    // Where only the size is known, the guess may be far too low.
    let mut unknown = settings();
    unknown["nodes"]["hardwareRules"] = json!([]);
    let (max, full, high) = max_power(&unknown, 2.0);
    assert!(high > 2.0 && (max - 2.0 * full * high).abs() < 1e-9, "{max} {full} {high}");
}

#[test]
fn energy_of_a_zone_without_intensity_is_counted_apart() {
    let mut index = index(&["known"]);
    index.apply_node(&serde_json::from_value(node_json("dark", "XX")).unwrap(), noon());
    for node in ["known", "dark"] {
        index.apply_pod(&pod(&format!("on-{node}"), "web", node, "4"));
        hear(&mut index, 0, window("first", node, 60, 75.0, 0.5, &[]));
    }
    let snapshot = index.publish(at(60)).unwrap();
    let of = |name| snapshot.accounts().node(name).unwrap().node.measured;
    assert_eq!((of("dark").unpriced.get(), of("dark").operational.get()), (4_500.0, 0.0));
    assert_eq!(of("known").unpriced, Joules::ZERO);
    assert!(of("known").operational.get() > 0.0);
    let workload = snapshot.accounts().workloads().next().unwrap().account.measured;
    assert!(workload.unpriced.get() > 0.0 && workload.unpriced < workload.energy(), "{workload:?}");
}

#[test]
fn the_stronger_source_answers_alone_and_the_weaker_takes_over() {
    let mut index = index(&["a"]);
    hear(&mut index, 1, window("second", "a", 60, 50.0, 0.5, &[]));
    hear(&mut index, 0, window("first", "a", 60, 75.0, 0.5, &[]));
    hear(&mut index, 1, window("second", "a", 120, 50.0, 0.5, &[]));
    let snapshot = index.publish(at(120)).unwrap();
    assert_eq!(watts(&snapshot, "a").0, 75.0);
    // Both counted the same minute; it is in the accounts once.
    let energy = snapshot.accounts().node("a").unwrap().node.measured.energy();
    assert!((energy.get() - 50.0 * 60.0).abs() < 1e-6, "{energy}");

    hear(&mut index, 1, window("second", "a", 300, 55.0, 0.5, &[]));
    assert_eq!(watts(&index.publish(at(300)).unwrap(), "a").0, 55.0);
}

#[test]
fn a_refused_meter_does_not_answer_and_says_why() {
    let mut index = index(&["a"]);
    hear(&mut index, 0, window("first", "a", 60, 75.0, 0.5, &[]));
    let fake = |node: &str| RefusedMeter {
        node: node.into(),
        meter: window("first", node, 60, 0.0, 0.0, &[]).meter,
        refusal: Refusal::FakeMeter,
        since: at(90),
    };
    let refused = vec![fake("a"), fake("10.0.0.9:28282")];
    index.apply_energy(0, Ok(EnergyAnswer { refused, ..EnergyAnswer::default() }), at(90));
    index.tick(at(91));
    let snapshot = index.publish(at(91)).unwrap();
    assert_eq!(watts(&snapshot, "a").1, PowerQuality::Modelled);
    let text = snapshot.node_named("a").unwrap().meters.refused[0].refusal.to_string();
    assert!(text.contains("fake CPU meter"), "{text}");
    assert_eq!(&*snapshot.energy_sources()[0].unplaced[0].node, "10.0.0.9:28282");

    index.apply_energy(0, Ok(EnergyAnswer::default()), at(120));
    assert!(index.publish(at(120)).unwrap().node_named("a").unwrap().meters.refused.is_empty());
}

#[test]
fn pods_get_their_work_and_their_part_of_the_idle_power() {
    let mut index = index(&["a"]);
    index.apply_pod(&pod("web", "web", "a", "4"));
    index.apply_pod(&pod("db", "db", "a", "2"));
    // 100 W at 40 %: 40 W of work, of which 10 W are of no pod; 60 W idle, of which a quarter is not reserved.
    hear(&mut index, 0, window("first", "a", 60, 100.0, 0.4, &[("web", 20.0), ("db", 10.0), ("gone", 0.0)]));
    let snapshot = index.publish(at(60)).unwrap();
    let accounts = snapshot.accounts();
    let of = |name: &str| {
        let pod = accounts.pods().find(|pod| &*pod.name == name).unwrap();
        (pod.account.measured.active.get() / 60.0, pod.account.measured.idle.get() / 60.0)
    };
    assert_eq!(of("web"), (20.0, 30.0));
    assert_eq!(of("db"), (10.0, 15.0));
    let node = accounts.node("a").unwrap();
    assert!((node.system.measured.energy().get() - 600.0).abs() < 1e-6);
    assert!((node.unallocated.measured.energy().get() - 900.0).abs() < 1e-6);
    // 6,000 J at 500 g/kWh.
    assert!((node.node.measured.operational.get() - 6_000.0 / 3.6e6 * 500.0).abs() < 1e-9);
    let workloads: Vec<_> = accounts.workloads().map(|known| known.workload.to_string()).collect();
    assert!(workloads.contains(&"Deployment shop/web".to_owned()), "{workloads:?}");
}

#[test]
fn a_pod_that_left_in_the_window_gets_its_work_and_one_that_left_before_gets_nothing() {
    let mut index = index(&["a"]);
    for name in ["stays", "leaves"] {
        index.apply_pod(&pod(name, name, "a", "2"));
    }
    index.tick(at(10));
    index.delete_pod(uid("leaves"));
    index.tick(at(30));
    hear(&mut index, 0, window("first", "a", 60, 100.0, 0.4, &[("stays", 20.0), ("leaves", 5.0)]));
    let work = |index: &mut Index, end| {
        let snapshot = index.publish(at(end)).unwrap();
        let pod = snapshot.accounts().pods().find(|pod| &*pod.name == "leaves").unwrap().clone();
        (pod.account.measured.active.get(), pod.account.measured.idle.get())
    };
    assert_eq!(work(&mut index, 60), (300.0, 0.0));
    // The exporter keeps showing the last value of a pod that is gone.
    hear(&mut index, 0, window("first", "a", 120, 100.0, 0.4, &[("stays", 20.0), ("leaves", 5.0)]));
    assert_eq!(work(&mut index, 120), (300.0, 0.0));
}

#[test]
fn time_without_a_meter_is_counted_as_modelled_and_never_as_measured() {
    let mut index = index(&["a"]);
    index.apply_pod(&pod("web", "web", "a", "4"));
    for minute in 0..=10 {
        index.tick(at(minute * 60));
    }
    let snapshot = index.publish(at(600)).unwrap();
    let node = snapshot.accounts().node("a").unwrap().node;
    // Half of the cores are requested: 60 W for ten minutes.
    assert!((node.modelled.energy().get() - 60.0 * 600.0).abs() < 1e-6, "{:?}", node.modelled);
    assert_eq!(node.measured.energy(), Joules::ZERO);
}

#[test]
fn modelled_energy_is_published_even_if_nothing_else_happens() {
    let mut index = index(&["a"]);
    index.tick(at(0));
    index.publish(at(0)).unwrap();
    index.tick(at(60));
    let snapshot = index.publish(at(60)).expect("a minute of modelled energy");
    assert!(snapshot.accounts().node("a").unwrap().node.modelled.energy() > Joules::ZERO);
    index.tick(at(61));
    assert!(index.publish(at(61)).is_none(), "nothing new");
}

#[test]
fn what_an_exporter_only_modelled_is_not_called_measured() {
    let mut index = index(&["a"]);
    hear(&mut index, 0, NodeWindow { modelled: true, ..window("first", "a", 60, 75.0, 0.5, &[]) });
    let snapshot = index.publish(at(60)).unwrap();
    assert_eq!(watts(&snapshot, "a"), (75.0, PowerQuality::Estimated));
    let node = snapshot.accounts().node("a").unwrap().node;
    assert_eq!(node.measured.energy(), Joules::ZERO);
    assert!((node.modelled.energy().get() - 4_500.0).abs() < 1e-6);
}

#[test]
fn a_pod_that_comes_back_under_its_name_has_one_account() {
    let mut index = index(&["a"]);
    index.apply_pod(&pod("db-0", "db", "a", "2"));
    hear(&mut index, 0, window("first", "a", 60, 100.0, 0.4, &[("db-0", 20.0)]));
    index.delete_pod(uid("db-0"));
    index.tick(at(61));
    let mut again = pod("db-0", "db", "a", "2");
    again.metadata.uid = Some("uid-again".to_owned());
    index.apply_pod(&again);
    let mut later = window("first", "a", 180, 100.0, 0.4, &[("db-0", 20.0)]);
    later.pods[0].pod.uid = Some("uid-again".into());
    hear(&mut index, 0, later);
    let snapshot = index.publish(at(180)).unwrap();
    let active: Vec<f64> = snapshot.accounts().pods().map(|pod| pod.account.measured.active.get()).collect();
    assert_eq!(active, [2_400.0]);
}

fn model(index: &mut Index, now: Timestamp) -> Model {
    Model::new(SnapshotHandle::new(index.publish(now).unwrap()), &config(&settings()))
}

fn one_core() -> PodSubject<'static> {
    let demand = PodDemand { cpu: Cores::new(1.0).unwrap(), memory: Bytes::new(1e6).unwrap() };
    PodSubject::new(uid("asked"), demand)
}

#[test]
fn a_node_that_draws_more_than_its_table_says_costs_more() {
    let mut index = index(&["honest", "hungry"]);
    for node in ["honest", "hungry"] {
        index.apply_pod(&pod(&format!("on-{node}"), "web", node, "4"));
    }
    for minute in 1..=20 {
        for (node, factor) in [("honest", 1.0), ("hungry", 2.5)] {
            let busy = if minute % 2 == 0 { 0.3 } else { 0.7 };
            let watts = factor * (20.0 + 80.0 * busy);
            hear(&mut index, 0, window("first", node, minute * 60, watts, busy, &[]));
        }
    }
    let model = model(&mut index, at(1_200));
    let read = model.read();
    let view = read.view(at(1_200));
    let cost = |name| assess_named(&view, name, &one_core()).footprint.unwrap().operational.get();
    assert!(cost("hungry") > 1.8 * cost("honest"), "{} {}", cost("hungry"), cost("honest"));
    let hungry = &view.snapshot.node_named("hungry").unwrap().hardware;
    assert_eq!(hungry.provenance, Provenance::Measured, "{hungry:?}");
}

#[test]
fn one_workload_learns_to_prefer_what_another_one_avoids() {
    let mut settings = settings();
    settings["nodes"]["hardwareClasses"] = json!({
        "x": { "idleWatts": 20, "fullWatts": 100, "embodiedKilograms": 0 },
        "y": { "idleWatts": 20, "fullWatts": 100, "embodiedKilograms": 0 }
    });
    settings["nodes"]["hardwareRules"] = json!([]);
    let mut index = Index::new(&config(&settings)).unwrap();
    for (name, class) in [("a", "x"), ("b", "y")] {
        let mut node = node_json(name, "HQ");
        node["metadata"]["annotations"]["kube-sci.dev/hardware-class"] = class.into();
        index.apply_node(&serde_json::from_value(node).unwrap(), noon());
        for workload in ["memory", "vector"] {
            index.apply_pod(&pod(&format!("{workload}-{name}"), workload, name, "2"));
        }
    }
    let slot = Slot { start: noon(), duration: Duration::from_hours(9), value: GramsPerKwh::new(500.0).unwrap() };
    let zone = Zone::new("HQ").unwrap();
    let series = Series::new(zone, Signal::default(), Quality::Measured, "file", vec![slot]).unwrap();
    index.replace_series(0, vec![series], noon());
    // 60 W at 50 % on both. What the pods draw differs: `memory` is cheap on x, `vector` on y.
    for minute in 1..=120 {
        let on_a = [("memory-a", 8.0), ("vector-a", 20.0)];
        let on_b = [("memory-b", 20.0), ("vector-b", 8.0)];
        hear(&mut index, 0, window("first", "a", minute * 60, 60.0, 0.5, &on_a));
        hear(&mut index, 0, window("first", "b", minute * 60, 60.0, 0.5, &on_b));
    }
    let model = model(&mut index, at(7_200));
    let read = model.read();
    let view = read.view(at(7_200));
    let cost = |workload: &str, node| {
        let name = format!("{workload}-7d9c6b5f4");
        let owner = kube_sci_cluster::objects::Controller { kind: "ReplicaSet", name: &name };
        let pod = one_core().of_workload(WorkloadKey::of("shop", "new", Some(owner)), view.snapshot);
        assess_named(&view, node, &pod).footprint.unwrap().operational.get()
    };
    assert!(cost("memory", "a") < 0.7 * cost("memory", "b"));
    assert!(cost("vector", "b") < 0.7 * cost("vector", "a"));
    let unknown = |node| assess_named(&view, node, &one_core()).footprint.unwrap().operational.get();
    assert!((unknown("a") - unknown("b")).abs() < 1e-6 * unknown("a"), "without a profile the nodes are equal");
}

proptest! {
    #[test]
    fn no_energy_is_lost_and_none_appears(
        power in 0.0..5_000.0,
        busy in 0.0..=1.0,
        covered in 48_u64..=60,
        claims in prop::collection::vec((0.0..400.0, 1_u32..4_000), 0..12),
    ) {
        let mut index = index(&["a"]);
        let names: Vec<String> = (0..claims.len()).map(|number| format!("p{number}")).collect();
        for (name, (_, millis)) in names.iter().zip(&claims) {
            index.apply_pod(&pod(name, name, "a", &format!("{millis}m")));
        }
        let pods: Vec<(&str, f64)> = names.iter().zip(&claims).map(|(name, (watts, _))| (name.as_str(), *watts)).collect();
        let mut window = window("first", "a", 60, power, busy, &pods);
        window.covered = Duration::from_secs(covered);
        hear(&mut index, 0, window);
        let snapshot = index.publish(at(60)).unwrap();
        let accounts = snapshot.accounts();
        let pods: f64 = accounts.pods().map(|pod| pod.account.measured.energy().get()).sum();
        let node = accounts.node("a").unwrap();
        let (system, unallocated) = (node.system.measured.energy().get(), node.unallocated.measured.energy().get());
        let whole = node.node.measured.energy().get();
        // Scaled up from what was covered.
        let expected = power * 60.0 * 60.0 / Duration::from_secs(covered).as_secs_f64();
        prop_assert!((whole - expected).abs() <= 1e-9 * expected.max(1.0));
        prop_assert!((pods + system + unallocated - whole).abs() <= 1e-9 * whole.max(1.0));
    }
}
