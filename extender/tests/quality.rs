//! `GET /v1/quality` and the exported energy metrics.

use std::time::Duration;

use kube_sci_cluster::index::Index;
use kube_sci_extender::explain::{ReferencePod, rank};
use kube_sci_report::{export, quality::quality};
use kube_sci_signals::energy::{
    EnergyAnswer, Exporter, Gap, GapReason, MeterId, NodeJoules, NodeWindow, PodRef, PodWindow, Refusal, RefusedMeter,
    Route,
};
use sci_core::quantity::{Joules, Utilization};
use serde_json::{Value, json};

use crate::support::{Cluster, Harness, now};

const SOURCE: &str = "energy:\n  sources:\n    - name: prom\n      prometheus: { http: { url: 'http://unused' } }\n";
const WINDOW: Duration = Duration::from_mins(1);

fn cluster() -> Cluster {
    Cluster::configured(SOURCE).zone("A", 100.0).node("a", "A").node("b", "A").running("a", "4")
}

fn meter() -> MeterId {
    MeterId { source: "prom".into(), route: Route::Prometheus, exporter: Exporter::Kepler }
}

fn joules(value: f64) -> Joules {
    Joules::new(value).unwrap()
}

/// A minute at 90 W and 50 % on node `a`, of which pod `running-0` worked for 30 W.
fn window() -> NodeWindow {
    let pod = PodRef { uid: Some("uid-running-0".into()), namespace: "default".into(), name: "running-0".into() };
    NodeWindow {
        node: "a".into(),
        meter: meter(),
        start: now() - WINDOW,
        end: now(),
        covered: WINDOW,
        energy: NodeJoules { package: Some(joules(5_400.0)), ..NodeJoules::default() },
        utilization: Some(Utilization::new(0.5).unwrap()),
        sampled: false,
        modelled: false,
        pods: vec![PodWindow { pod, energy: joules(1_800.0), dram: None, cpu: None, covered: WINDOW }],
    }
}

fn answer() -> EnergyAnswer {
    let refusal = Refusal::FakeMeter;
    EnergyAnswer {
        windows: vec![window()],
        gaps: vec![Gap {
            node: "b".into(),
            meter: meter(),
            start: now() - WINDOW,
            end: now(),
            reason: GapReason::CounterReset,
        }],
        refused: vec![RefusedMeter { node: "b".into(), meter: meter(), refusal, since: now() }],
        partial: Some("some store did not answer".into()),
        ..EnergyAnswer::default()
    }
}

fn harness(energy: impl FnOnce(&mut Index)) -> Harness {
    let cluster = cluster();
    let harness = cluster.start_on(cluster.snapshot_after(energy));
    export::register(&harness.registry, &harness.state.model, now);
    harness
}

fn report(harness: &Harness) -> Value {
    json!(quality(&harness.state.model, now()).unwrap())
}

fn heard() -> Harness {
    harness(|index| index.apply_energy(0, Ok(answer()), now()))
}

#[test]
fn every_node_says_what_answers_for_it() {
    let report = report(&heard());
    let [a, b] = [&report["nodes"][0], &report["nodes"][1]];
    assert_eq!((&a["power"]["watts"], &a["power"]["quality"]), (&json!(90.0), &json!("measured")));
    assert_eq!(a["power"]["source"], "kepler by prometheus (prom)");
    assert_eq!(a["power"]["meter"]["coveredShare"], 1.0);
    assert_eq!(b["power"]["quality"], "modelled");
    assert!(b["power"]["lowWatts"].as_f64() <= b["power"]["highWatts"].as_f64());
    assert_eq!(b["refused"][0]["reason"], "fake-meter");
    assert_eq!(b["gaps"]["counter-reset"], 1);
    assert_eq!(report["summary"]["nodesByQuality"], json!({ "measured": 1, "modelled": 1 }));
}

#[test]
fn every_zone_and_source_says_how_it_fares() {
    let report = report(&heard());
    let zone = &report["zones"][0];
    assert_eq!((&zone["zone"], &zone["link"], &zone["gramsPerKwh"]), (&json!("A"), &json!("live"), &json!(100.0)));
    let source = &report["energySources"][0];
    assert_eq!((&source["name"], &source["state"]), (&json!("prom"), &json!("partial")));
    assert_eq!(source["partial"], "some store did not answer");

    let failed = self::report(&harness(|index| index.apply_energy(0, Err("connect to it".to_owned()), now())));
    let source = &failed["energySources"][0];
    assert_eq!((&source["state"], &source["problem"]), (&json!("failing"), &json!("connect to it")));
}

#[test]
fn the_ranking_shows_the_power_that_it_is_made_of() {
    let ranking = json!(rank(&heard().state, &ReferencePod::default(), now()).unwrap());
    let nodes = ranking["nodes"].as_array().unwrap();
    let a = nodes.iter().find(|node| node["node"] == "a").unwrap();
    assert_eq!(a["energy"]["power"]["quality"], "measured");
    assert_eq!(a["energy"]["power"]["meter"]["exporter"], "kepler");
}

#[test]
fn energy_is_exported_in_parts_that_add_up() {
    let harness = heard();
    let part = |part: &str| {
        harness.sample(&format!("kube_sci_node_energy_joules_total{{node=\"a\",part=\"{part}\",quality=\"measured\"}}"))
    };
    // Half of 90 W is work, 30 W of it the pod's; of the other half it reserves 4 of 10 cores.
    for (name, expected) in [("pods", 1_800.0 + 1_080.0), ("system", 900.0), ("unallocated", 1_620.0)] {
        assert!((part(name) - expected).abs() < 1e-9, "{name} {}", part(name));
    }
    let pod = "kube_sci_pod_energy_joules_total{namespace=\"default\",pod=\"running-0\",quality=\"measured\"}";
    let grams = "kube_sci_pod_emissions_grams_total{namespace=\"default\",pod=\"running-0\",component=\"operational\",\
                 quality=\"measured\"}";
    for (sample, expected) in [
        (pod, 2_880.0),
        (grams, 2_880.0 / 3.6e6 * 100.0),
        ("kube_sci_node_power_watts{node=\"a\",quality=\"measured\"}", 90.0),
        ("kube_sci_refused_meters{reason=\"fake-meter\"}", 1.0),
        ("kube_sci_energy_source_up{source=\"prom\",state=\"partial\"}", 1.0),
        ("kube_sci_zone_intensity_grams_per_kwh{zone=\"A\"}", 100.0),
    ] {
        let found = harness.sample(sample);
        assert!((found - expected).abs() < 1e-9, "{sample} {found} {expected}");
    }
}

#[test]
fn every_exported_metric_is_described() {
    assert_eq!(heard().registry.undescribed().unwrap(), Vec::<String>::new());
}
