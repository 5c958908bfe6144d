//! The model beside the real controller.

use sci_core::scaling::hpa::{Autoscaler, Condition, Outcome};

use super::Recording;

/// Where the model's rounds differ from the recorded ones, in words; empty where they agree.
pub fn differences(recording: &Recording) -> Vec<String> {
    let Some(first) = recording.rounds.first() else {
        return vec![format!("{}: no round was recorded", recording.name)];
    };
    let mut model = Autoscaler::new(first.situation.spec.clone(), first.situation.controller);
    let mut found = Vec::new();
    for (number, round) in recording.rounds.iter().enumerate() {
        let situation = &round.situation;
        model.spec = situation.spec.clone();
        let own = model.step(situation.now, situation.scale, &situation.pods, &situation.readings);
        for difference in between(&own, &round.outcome, number == 0) {
            found.push(format!("{}, round {number}: {difference}", recording.name));
        }
    }
    found
}

fn between(model: &Outcome, real: &Outcome, first: bool) -> Vec<String> {
    let mut found = Vec::new();
    let own = (model.replicas, model.rescaled, model.rescale_reason);
    let seen = (real.replicas, real.rescaled, real.rescale_reason);
    if own != seen {
        found.push(format!("model {own:?}, real {seen:?}"));
    }
    let (own, seen) = (&model.conditions, &real.conditions);
    let pairs = [
        ("AbleToScale", own.able_to_scale, seen.able_to_scale),
        ("ScalingActive", own.scaling_active, seen.scaling_active),
        ("ScalingLimited", own.scaling_limited, seen.scaling_limited),
        ("ScaledToZero", own.scaled_to_zero, seen.scaled_to_zero),
    ];
    let unlike = pairs.into_iter().filter(|(_, own, seen)| !agree(*own, *seen, first));
    found.extend(unlike.map(|(name, own, seen)| format!("{name}: model {own:?}, real {seen:?}")));
    found
}

/// Conditions stay: what a later round does not set is of an earlier one.
fn agree(model: Option<Condition>, real: Option<Condition>, first: bool) -> bool {
    model == real || (model.is_none() && !first)
}

#[cfg(test)]
mod tests {
    use sci_core::scaling::hpa::Situation;

    use super::*;
    use crate::hpa_recorder::Round;

    fn recorded() -> Recording {
        let situation: Situation = serde_json::from_str(
            r#"{
                "now": "2026-01-01T12:00:00Z",
                "spec": {"maxReplicas": 9, "metrics": [{"type": "Object", "target": {"averageValueMilli": 100000}}]},
                "scale": {"specReplicas": 2, "statusReplicas": 2},
                "readings": [{"value": 300000}]
            }"#,
        )
        .unwrap();
        let outcome = situation.outcome();
        Recording { name: "web".to_owned(), rounds: vec![Round { situation, outcome }] }
    }

    #[test]
    fn a_difference_is_told_and_agreement_is_silent() {
        let mut recording = recorded();
        assert_eq!(differences(&recording), Vec::<String>::new());
        recording.rounds[0].outcome.replicas += 1;
        recording.rounds[0].outcome.conditions.scaling_active = None;
        let found = differences(&recording);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("web, round 0: model (3, true"), "{found:?}");
        assert!(found[1].contains("ScalingActive"), "{found:?}");
    }

    #[test]
    fn nothing_recorded_is_a_difference() {
        let nothing = Recording { name: "web".to_owned(), rounds: Vec::new() };
        assert_eq!(differences(&nothing).len(), 1);
    }
}
