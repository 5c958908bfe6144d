//! Every vector of `tests/vectors`, through the public functions of the crate.
//!
//! A family without a formula, an input that no formula reads, an expected number that no formula gives: each fails
//! the test, so that a new vector cannot pass unseen.

mod families;
mod inputs;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use serde_json::Value;

use self::inputs::Inputs;

const DEFAULT_TOLERANCE: f64 = 1e-9;

/// Vectors per family: a file that got lost is a failure too.
const COUNTS: [(&str, usize); 17] = [
    ("aggregation", 1),
    ("attribution", 9),
    ("ccf-compute", 2),
    ("ccf-instance", 9),
    ("ccf-memory", 1),
    ("counter-delta", 9),
    ("energy", 2),
    ("if-sci-embodied", 6),
    ("legacy-sci", 1),
    ("memory-energy", 1),
    ("operational", 3),
    ("sci", 4),
    ("sci-edge", 2),
    ("sci-embodied", 5),
    ("teads-aws", 5),
    ("teads-curve", 9),
    ("teads-pipeline", 4),
];

/// Where upstream gives a number and this crate none, on purpose (`tests/vectors/README.md` says why).
const DIVERGENCES: [(&str, &str); 2] = [("if-sci-r-zero", "if_result_g"), ("kepler-delta-4", "delta_j")];

/// What the crate says to a vector.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Number(f64),
    /// The question has no answer.
    NoValue,
    /// The input was refused.
    Refused,
}

type Answers = BTreeMap<&'static str, Answer>;

fn families() -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.iter().map(|path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()).collect()
}

/// Whether the answer is the expected one; divergences that were met are noted down.
fn check(id: &str, key: &str, expected: &Value, answer: Answer, tolerance: f64) -> Result<Option<String>, String> {
    let listed = DIVERGENCES.contains(&(id, key));
    match (answer, expected) {
        (Answer::NoValue, _) if listed => Ok(Some(id.to_owned())),
        (Answer::Refused, Value::String(_)) if key == "error" => Ok(None),
        (Answer::Number(number), Value::Number(expected)) if !listed => {
            let expected = expected.as_f64().unwrap();
            if (number - expected).abs() <= tolerance * expected.abs() {
                Ok(None)
            } else {
                Err(format!("{id}: {key} is {number}, expected {expected} within {tolerance}"))
            }
        }
        _ => Err(format!("{id}: {key} is {answer:?}, expected {expected}")),
    }
}

fn run(family: &str, vector: &Value) -> Result<Vec<String>, String> {
    let id = vector["id"].as_str().unwrap();
    if vector["family"] != family {
        return Err(format!("{id}: belongs to family {}, stands in {family}", vector["family"]));
    }
    let inputs = Inputs::new(id, &vector["inputs"]);
    let answers = families::answers(family, &inputs).ok_or_else(|| format!("{id}: no formula for family {family}"))?;
    inputs.all_read()?;

    let expected = vector["expected"].as_object().unwrap();
    let tolerance = vector["rel_tolerance"].as_f64().unwrap_or(DEFAULT_TOLERANCE);
    if expected.is_empty() {
        return Err(format!("{id}: expects nothing"));
    }
    let mut divergences = Vec::new();
    for (key, value) in expected {
        let answer = answers.get(key.as_str()).ok_or_else(|| format!("{id}: no formula gives {key}"))?;
        divergences.extend(check(id, key, value, *answer, tolerance)?);
    }
    Ok(divergences)
}

#[test]
fn every_vector_is_met() {
    let mut counts = Vec::new();
    let mut failures = Vec::new();
    let mut divergences = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut files = families();
    files.sort_by_key(|file| file["family"].as_str().map(str::to_owned));
    for file in &files {
        let family = file["family"].as_str().unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        counts.push((family, vectors.len()));
        for vector in vectors {
            assert!(ids.insert(vector["id"].to_string()), "{} stands twice", vector["id"]);
            match run(family, vector) {
                Ok(met) => divergences.extend(met),
                Err(failure) => failures.push(failure),
            }
        }
    }
    for (family, count) in &counts {
        println!("{count:>3} {family}");
    }
    println!("{:>3} vectors, {} of them documented divergences", ids.len(), divergences.len());
    assert!(failures.is_empty(), "{} of {} vectors fail:\n{}", failures.len(), ids.len(), failures.join("\n"));
    assert_eq!(counts, COUNTS);
    let documented: BTreeSet<String> = DIVERGENCES.map(|(id, _)| id.to_owned()).into();
    assert_eq!(divergences, documented, "each documented divergence is still one");
}

#[test]
fn an_unknown_family_input_or_result_fails() {
    let known = serde_json::json!({
        "id": "x", "family": "aggregation", "inputs": { "component_sci_g": [1, 2] }, "expected": { "sci_g": 3 },
    });
    assert_eq!(run("aggregation", &known), Ok(vec![]));

    let spoiled = |pointer: &str, value: Value| {
        let mut vector = known.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        vector.pointer_mut(parent).unwrap()[key] = value;
        vector
    };
    let failures = [
        ("unheard-of", spoiled("/family", "unheard-of".into()), "no formula for family"),
        ("sci", known.clone(), "belongs to family"),
        ("aggregation", spoiled("/inputs/pue", 1.5.into()), "nothing reads pue"),
        ("aggregation", spoiled("/expected/m_g", 1.0.into()), "no formula gives m_g"),
        ("aggregation", spoiled("/expected/sci_g", 3.000_001.into()), "expected 3.000001"),
    ];
    for (family, vector, reason) in failures {
        let failure = run(family, &vector).unwrap_err();
        assert!(failure.contains(reason), "{failure}");
    }
}

#[test]
fn a_formula_that_ignores_the_duration_is_not_ours() {
    // The one vector of `memory-energy` spans an hour, where upstream and this crate agree.
    let over = |seconds: f64| {
        let inputs = serde_json::json!({ "duration": seconds, "memory/capacity": 16, "memory/utilization": 40 });
        let answers = families::answers("memory-energy", &Inputs::new("x", &inputs)).unwrap();
        answers["memory/energy"]
    };
    let (Answer::Number(one), Answer::Number(two)) = (over(3600.0), over(7200.0)) else {
        panic!("memory energy is a number");
    };
    assert!((two - 2.0 * one).abs() < 1e-15);
}
