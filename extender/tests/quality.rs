//! `GET /v1/quality` and the exported energy metrics.

use std::time::Duration;

use kube_sci_cluster::{assess::Model, index::Index};
use kube_sci_extender::explain::{ReferencePod, rank};
use kube_sci_report::{export, quality::quality};
use kube_sci_server::metrics::MetricsRegistry;
use kube_sci_signals::{
    energy::{
        EnergyAnswer, Exporter, Gap, GapReason, MeterId, NodeJoules, NodeWindow, PodRef, PodWindow, Refusal,
        RefusedMeter, Route,
    },
    grid::{BreakerState, Calls, Failure, QuestionStatus, SourceStatus, StatusHandle, providers::Purpose},
};
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::{GramsPerKwh, Joules, Utilization},
};
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
        ("kube_sci_refused_meters{node=\"b\",reason=\"fake-meter\"}", 1.0),
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

fn assert_sample(harness: &Harness, sample: &str, expected: f64) {
    let found = harness.sample(sample);
    assert!((found - expected).abs() < 1e-9, "{sample} is {found}, not {expected}");
}

/// What sources of intensities say of themselves, beside the model that `harness` answers from.
fn with_sources(harness: &Harness, sources: Vec<SourceStatus>) -> (Model, MetricsRegistry) {
    let grid_sources = sources.into_iter().map(StatusHandle::new).collect();
    let model = Model { grid_sources, ..harness.state.model.clone() };
    let registry = MetricsRegistry::new("test", "0");
    export::register(&registry, &model, now);
    (model, registry)
}

/// An API that answered until its quota was used up, and a file.
fn sources() -> Vec<SourceStatus> {
    let minutes = |count| now() - Duration::from_mins(count);
    let failure = |at, kind| Failure { at, kind, text: format!("{kind}, in words").as_str().into() };
    let question = |purpose, last_failure| QuestionStatus {
        zones: vec![Zone::new("A").unwrap()],
        purpose,
        last_success: Some(minutes(30)),
        last_failure,
        next_attempt: now() + Duration::from_mins(5),
    };
    vec![
        SourceStatus {
            name: "em".into(),
            kind: "electricityMaps",
            answering_since: None,
            last_success: Some(minutes(30)),
            last_failure: Some(failure(minutes(2), "rate_limited")),
            failures: [("rate_limited", 3), ("timeout", 1)].into(),
            refused_values: 7,
            last_refused: Some("the value is odd".into()),
            calls: Calls { made: 40, unmodified: 4, left: Some(0) },
            breaker: BreakerState::HalfOpen,
            next_attempt: Some(now() + Duration::from_mins(5)),
            questions: vec![
                question(Purpose::Latest, Some(failure(minutes(9), "timeout"))),
                question(Purpose::Forecast, Some(failure(minutes(2), "rate_limited"))),
                question(Purpose::History, None),
            ],
        },
        SourceStatus::new("own.csv", "file"),
    ]
}

#[test]
fn sources_of_intensities_are_shown_with_all_that_they_say() {
    let (model, _) = with_sources(&heard(), sources());
    let report = json!(quality(&model, now()).unwrap());
    let question = |purpose: &str| {
        json!({
            "zones": ["A"], "purpose": purpose,
            "lastSuccess": "2026-03-01T11:30:00Z", "nextAttempt": "2026-03-01T12:05:00Z",
        })
    };
    let limited = json!({ "at": "2026-03-01T11:58:00Z", "kind": "rate_limited", "text": "rate_limited, in words" });
    let late = json!({ "at": "2026-03-01T11:51:00Z", "kind": "timeout", "text": "timeout, in words" });
    let [mut latest, mut forecast, history] = ["latest", "forecast", "history"].map(question);
    latest["lastFailure"] = late;
    forecast["lastFailure"] = limited.clone();
    let em = json!({
        "name": "em", "kind": "electricityMaps", "answeringSince": null,
        "lastSuccess": "2026-03-01T11:30:00Z", "ageSeconds": 1800.0, "lastFailure": limited,
        "failures": { "rate_limited": 3, "timeout": 1 }, "refusedValues": 7, "lastRefused": "the value is odd",
        "callsMade": 40, "callsLeft": 0, "breaker": "half_open", "nextAttempt": "2026-03-01T12:05:00Z",
        "zones": [latest, forecast, history],
    });
    let file = json!({
        "name": "own.csv", "kind": "file", "answeringSince": null, "lastSuccess": null, "ageSeconds": null,
        "refusedValues": 0, "callsMade": 0, "breaker": "closed", "nextAttempt": null,
    });
    assert_eq!(report["gridSources"], json!([em, file]));
    // The newest failure to answer for the zone, whatever was asked.
    let failed = json!({
        "source": "em", "purpose": "forecast", "at": "2026-03-01T11:58:00Z", "kind": "rate_limited",
        "text": "rate_limited, in words",
    });
    assert_eq!(report["zones"][0]["lastFailure"], failed);
}

#[test]
fn sources_of_intensities_are_exported_with_their_values() {
    let (_, registry) = with_sources(&heard(), sources());
    let page = registry.encode().unwrap();
    for sample in [
        "kube_sci_grid_source_calls_total{source=\"em\"} 40.0",
        "kube_sci_grid_source_calls_left{source=\"em\"} 0.0",
        "kube_sci_grid_source_failures_total{source=\"em\",reason=\"rate_limited\"} 3.0",
        "kube_sci_grid_source_failures_total{source=\"em\",reason=\"timeout\"} 1.0",
        "kube_sci_grid_source_refused_values_total{source=\"em\"} 7.0",
        "kube_sci_grid_source_breaker{source=\"em\",state=\"closed\"} 0.0",
        "kube_sci_grid_source_breaker{source=\"em\",state=\"open\"} 0.0",
        "kube_sci_grid_source_breaker{source=\"em\",state=\"half_open\"} 1.0",
        "kube_sci_grid_source_breaker{source=\"own.csv\",state=\"closed\"} 1.0",
    ] {
        assert!(page.lines().any(|line| line == sample), "{sample} is not in\n{page}");
    }
    assert!(!page.contains("calls_left{source=\"own.csv\"}"), "a file has no quota");
}

#[test]
fn every_zone_says_since_when_and_one_without_a_value_says_so() {
    let cluster = cluster().node("dark", "NOWHERE");
    let harness = cluster.start_on(cluster.snapshot_after(|index| {
        let window = NodeWindow { node: "dark".into(), ..window() };
        index.apply_energy(0, Ok(EnergyAnswer { windows: vec![window], ..EnergyAnswer::default() }), now());
        // The only slot of zone A ends, and is too old an hour later.
        index.tick(now() + Duration::from_mins(90));
    }));
    export::register(&harness.registry, &harness.state.model, now);
    let report = report(&harness);
    let [a, dark] = [&report["zones"][0], &report["zones"][1]];
    assert_eq!((&a["since"], &a["silentSince"]), (&json!("2026-03-01T13:30:00Z"), &json!("2026-03-01T13:30:00Z")));
    assert_eq!((&dark["link"], &dark["reason"]), (&json!("missing"), &json!("carbon: no intensity for the grid zone")));
    assert_eq!((&dark["since"], dark.get("silentSince")), (&json!("2026-03-01T12:00:00Z"), None));

    let missing = "kube_sci_zone_source{zone=\"NOWHERE\",source=\"none\",link=\"missing\",quality=\"none\"}";
    assert_sample(&harness, missing, 1.0);
    assert!(!harness.registry.encode().unwrap().contains("kube_sci_zone_intensity_grams_per_kwh{zone=\"NOWHERE\"}"));
    // 90 W for a minute, and nobody knows what that cost.
    let unpriced = "kube_sci_node_unpriced_energy_joules_total{node=\"dark\",quality=\"measured\"}";
    assert_sample(&harness, unpriced, 5_400.0);
    assert_eq!(report["nodes"][2]["unpricedJoules"], 5_400.0);
    assert_eq!(report["nodes"][0].get("unpricedJoules"), None);
}

#[test]
fn a_refused_meter_of_no_known_node_is_counted_without_its_name() {
    let harness = harness(|index| {
        let refused = |node: &str| RefusedMeter {
            node: node.into(),
            meter: meter(),
            refusal: Refusal::UnknownNode,
            since: now(),
        };
        let refused = ["10.0.0.9:28282", "10.0.0.8:28282", "b"].map(refused).to_vec();
        index.apply_energy(0, Ok(EnergyAnswer { refused, ..EnergyAnswer::default() }), now());
    });
    assert_sample(&harness, "kube_sci_refused_meters{node=\"\",reason=\"unknown-node\"}", 2.0);
    assert_sample(&harness, "kube_sci_refused_meters{node=\"b\",reason=\"unknown-node\"}", 1.0);
    assert!(!harness.registry.encode().unwrap().contains("10.0.0.9"));
}

/// The number in the last column of a row of the table in the documentation.
fn documented(row: &str) -> usize {
    let page = include_str!("../../docs/concepts/data-quality.md");
    let line = page.lines().find(|line| line.starts_with(&format!("| {row} |"))).unwrap();
    let cell = line.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap().trim();
    cell.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn there_are_as_many_series_as_the_documentation_says() {
    let harness = harness(|index| {
        let hour = Duration::from_hours(1);
        let slot = |ago: u32| Slot {
            start: now() - hour * ago,
            duration: hour,
            value: GramsPerKwh::new(200.0 + f64::from(ago % 24)).unwrap(),
        };
        let past: Vec<Slot> = (0..24 * 30).rev().map(slot).collect();
        let zone = Zone::new("A").unwrap();
        let series = Series::new(zone, Signal::default(), Quality::Measured, "test", past).unwrap();
        index.replace_series(0, vec![series], now());
        // Both qualities: modelled until a meter is there.
        (1..=10).rev().for_each(|minute| index.tick(now() - Duration::from_mins(minute)));
        index.apply_energy(0, Ok(answer()), now());
    });
    let page = harness.registry.encode().unwrap();
    let series = |label: &str| {
        let of = |line: &&str| !line.starts_with('#') && line.contains(label);
        page.lines().filter(of).filter(|line| !line.contains("refused_meters")).count()
    };
    assert_eq!(series("node=\"a\""), documented("node"), "{page}");
    assert_eq!(series("pod=\"running-0\""), documented("pod"), "{page}");
    assert_eq!(series("workload=\"running-0\""), documented("workload"), "{page}");
    assert_eq!(series("zone=\"A\""), documented("grid zone"), "{page}");
    let most = (documented("pod") + documented("workload")) * 10_000;
    let text = format!("{},{:03} series for pods and workloads", most / 1_000, most % 1_000);
    assert!(include_str!("../../docs/concepts/data-quality.md").contains(&text), "{text}");
}
