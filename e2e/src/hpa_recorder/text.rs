//! Recordings as the tests of `sci_core` read them; see `sci-core/tests/hpa`.

use sci_core::scaling::hpa::{ConditionStatus, Outcome};
use serde_json::{Map, Value, json};

use super::{Recording, Round};

/// JSON with one recording on each line: a change of one case is a change of one line. `source` says whose controller it was.
pub fn to_text(source: &str, recordings: &[Recording]) -> serde_json::Result<String> {
    let mut lines = Vec::new();
    for recording in recordings {
        lines.push(serde_json::to_string(&case(recording)?)?);
    }
    let source = serde_json::to_string(source)?;
    Ok(format!("{{\"source\":{source},\"cases\":[\n{}\n]}}\n", lines.join(",\n")))
}

fn case(recording: &Recording) -> serde_json::Result<Value> {
    let Some((first, later)) = recording.rounds.split_first() else { return Ok(Value::Null) };
    let mut case = json!({
        "name": recording.name,
        "situation": situation(first)?,
        "outcome": first_outcome(&first.outcome)?,
    });
    let then = later.iter().map(then).collect::<serde_json::Result<Vec<_>>>()?;
    if let (false, Some(case)) = (then.is_empty(), case.as_object_mut()) {
        case.insert("then".to_owned(), Value::Array(then));
    }
    Ok(case)
}

fn then(round: &Round) -> serde_json::Result<Value> {
    let mut situation = situation(round)?;
    for known in ["controller", "spec"] {
        situation.remove(known);
    }
    situation.insert("outcome".to_owned(), later_outcome(&round.outcome)?);
    Ok(Value::Object(situation))
}

/// Without what is by default.
fn situation(round: &Round) -> serde_json::Result<Map<String, Value>> {
    let mut situation = match serde_json::to_value(&round.situation)? {
        Value::Object(situation) => situation,
        _other => Map::new(),
    };
    situation.remove("memory");
    let pods = situation.get_mut("pods").and_then(Value::as_array_mut).into_iter().flatten();
    for pod in pods.filter_map(Value::as_object_mut) {
        if pod.get("deleting") == Some(&Value::Bool(false)) {
            pod.remove("deleting");
        }
    }
    Ok(situation)
}

/// All conditions are of this round, so what is absent has to be absent.
fn first_outcome(outcome: &Outcome) -> serde_json::Result<Value> {
    let conditions = &outcome.conditions;
    let conditions = json!({
        "ableToScale": conditions.able_to_scale,
        "scalingActive": conditions.scaling_active,
        "scalingLimited": conditions.scaling_limited,
        "scaledToZero": conditions.scaled_to_zero,
    });
    let mut written = serde_json::to_value(outcome)?;
    if let Some(written) = written.as_object_mut() {
        written.insert("conditions".to_owned(), conditions);
    }
    Ok(written)
}

/// Conditions stay, so those are left out that may be of an earlier round.
fn later_outcome(outcome: &Outcome) -> serde_json::Result<Value> {
    let active = outcome.conditions.scaling_active;
    let read = active.is_some_and(|condition| condition.status == ConditionStatus::True);
    let mut own = outcome.clone();
    own.conditions.scaling_limited = own.conditions.scaling_limited.filter(|_| read);
    own.conditions.scaled_to_zero = own.conditions.scaled_to_zero.filter(|_| outcome.rescaled);
    serde_json::to_value(own)
}

#[cfg(test)]
mod tests {
    use sci_core::scaling::hpa::Situation;

    use super::*;

    fn round(value: i64) -> Round {
        let situation: Situation = serde_json::from_value(json!({
            "now": "2026-01-01T12:00:00Z",
            "spec": { "maxReplicas": 9, "metrics": [{ "type": "Object", "target": { "averageValueMilli": 100_000 } }] },
            "scale": { "specReplicas": 2, "statusReplicas": 2 },
            "pods": [{ "name": "p0", "phase": "Running" }],
            "readings": [{ "value": value }],
        }))
        .unwrap();
        let outcome = situation.outcome();
        Round { situation, outcome }
    }

    #[test]
    fn later_rounds_leave_out_what_they_need_not_have_said() {
        let recording = Recording { name: "web".to_owned(), rounds: vec![round(200_000), round(200_000)] };
        let text = to_text("somebody", &[recording]).unwrap();
        let written: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(written["source"], "somebody");
        let case = &written["cases"][0];
        let all = case["outcome"]["conditions"].as_object().unwrap();
        assert_eq!(all.len(), 4);
        assert_eq!(all["scaledToZero"], Value::Null, "nothing was scaled, so it must be absent");
        assert_eq!(case["situation"]["pods"][0], json!({ "name": "p0", "phase": "Running" }));
        let later = &case["then"][0];
        assert!(later.get("spec").is_none() && later.get("memory").is_none(), "{later}");
        assert!(later["outcome"]["conditions"].get("scaledToZero").is_none(), "{later}");
    }

    #[test]
    fn limits_are_not_told_of_a_round_that_read_nothing() {
        let mut failed = round(900_000);
        let limited = failed.outcome.conditions.scaling_limited;
        assert!(limited.is_some());
        failed.situation.readings = vec![sci_core::scaling::hpa::MetricReading::Failed("gone".to_owned())];
        failed.outcome = failed.situation.outcome();
        failed.outcome.conditions.scaling_limited = limited;
        assert!(later_outcome(&failed.outcome).unwrap()["conditions"].get("scalingLimited").is_none());
    }
}
