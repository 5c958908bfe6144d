//! Rounds of an autoscaler from `tests/hpa`, replayed: some worked out by hand, some recorded from the real controller.

use std::{collections::BTreeSet, fs, path::PathBuf};

use jiff::Timestamp;
use sci_core::scaling::hpa::{Autoscaler, MetricReading, Outcome, Pod, Scale, Situation};
use serde::Deserialize;
use serde_json::Value;

/// Cases that somebody worked out with the documented formulas; a file that got lost is a failure too.
const BY_HAND: usize = 17;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Which controller, or `by hand`.
    source: String,
    cases: Vec<Case>,
}

/// A first round and those after it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Why the outcome is what it is, where a person worked it out.
    #[serde(default)]
    why: String,
    situation: Situation,
    outcome: Value,
    #[serde(default)]
    then: Vec<Round>,
}

/// A later round of the same autoscaler: what it remembers comes from the rounds before.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Round {
    now: Timestamp,
    scale: Scale,
    #[serde(default)]
    pods: Vec<Pod>,
    readings: Vec<MetricReading>,
    outcome: Value,
}

fn files() -> Vec<(String, File)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hpa");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let file = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().unwrap().to_string_lossy().into_owned(), file)
        })
        .collect()
}

/// Every key that was recorded must be there, and alike; `null` says that it must be absent.
fn differences(recorded: &Value, ours: &Value) -> Vec<String> {
    let recorded = recorded.as_object().expect("an outcome is an object");
    assert!(recorded.contains_key("replicas"), "an outcome names the replicas at least");
    let unlike = |(key, value): (&String, &Value)| {
        if key == "conditions" {
            let given = value.as_object().expect("conditions are an object");
            return given
                .iter()
                .filter(|(kind, condition)| ours["conditions"].get(*kind).unwrap_or(&Value::Null) != *condition)
                .map(|(kind, condition)| format!("{kind}: {condition} is {}", ours["conditions"][kind]))
                .collect();
        }
        let own = ours.get(key).unwrap_or(&Value::Null);
        if own == value { Vec::new() } else { vec![format!("{key}: {value} is {own}")] }
    };
    recorded.iter().flat_map(unlike).collect()
}

fn check(name: &str, recorded: &Value, ours: &Outcome, failures: &mut Vec<String>) {
    let ours = serde_json::to_value(ours).unwrap();
    for key in recorded.as_object().unwrap().keys() {
        let known = ["replicas", "rescaled", "rescaleReason", "proposed", "metric", "failed", "conditions"];
        assert!(known.contains(&key.as_str()), "{name}: no outcome has a {key}");
    }
    failures.extend(differences(recorded, &ours).into_iter().map(|difference| format!("{name}: {difference}")));
}

fn replay(case: &Case, failures: &mut Vec<String>) -> usize {
    let Situation { now, controller, spec, scale, pods, readings, memory } = case.situation.clone();
    let mut autoscaler = Autoscaler::new(spec, controller);
    autoscaler.memory = memory;
    let outcome = autoscaler.step(now, scale, &pods, &readings);
    check(&case.name, &case.outcome, &outcome, failures);
    for (number, round) in (2..).zip(&case.then) {
        let outcome = autoscaler.step(round.now, round.scale, &round.pods, &round.readings);
        check(&format!("{}, round {number}", case.name), &round.outcome, &outcome, failures);
    }
    1 + case.then.len()
}

#[test]
fn the_emulator_does_what_was_recorded() {
    let (mut failures, mut rounds, mut by_hand) = (Vec::new(), 0, 0);
    for (path, file) in files() {
        assert!(!file.cases.is_empty(), "{path} holds no case");
        let names: BTreeSet<_> = file.cases.iter().map(|case| &case.name).collect();
        assert_eq!(names.len(), file.cases.len(), "{path}: names are unique");
        for case in &file.cases {
            rounds += replay(case, &mut failures);
            let explained = file.source != "by hand" || !case.why.is_empty();
            assert!(explained, "{path}: {} does not say why", case.name);
        }
        by_hand += if file.source == "by hand" { file.cases.len() } else { 0 };
    }
    assert!(failures.is_empty(), "{} of {rounds} rounds differ:\n{}", failures.len(), failures.join("\n"));
    assert!(by_hand >= BY_HAND, "{by_hand} cases by hand");
}

#[test]
fn a_difference_is_seen() {
    let (_, file) = files().into_iter().find(|(_, file)| file.source == "by hand").unwrap();
    let case = file.cases.first().unwrap();
    let mut wrong = case.outcome.clone();
    wrong["replicas"] = Value::from(case.outcome["replicas"].as_i64().unwrap() + 1);
    wrong["conditions"] = serde_json::json!({"scalingActive": {"status": "False", "reason": "ScalingDisabled"}});
    let ours = serde_json::to_value(case.situation.outcome()).unwrap();
    assert_eq!(differences(&case.outcome, &ours), Vec::<String>::new());
    assert_eq!(differences(&wrong, &ours).len(), 2);
}
