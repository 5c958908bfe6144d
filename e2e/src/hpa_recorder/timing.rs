//! How far a recording says clearly what was within a window.
//!
//! A round is known by when it asked for metrics. The controller looks at its clock a moment later, on a busy machine some
//! tenths of a second. Where two rounds are nearly as far apart as a window is long, nobody can tell from outside whether
//! the earlier one counted.

use std::collections::BTreeSet;

use sci_core::scaling::hpa::{Rules, Situation};

use super::Recording;

/// What a round may take on a busy machine.
const DOUBT_SECONDS: f64 = 0.4;

/// Rounds from the start that are clear.
pub(super) fn clear_rounds(recording: &Recording) -> usize {
    let instants: Vec<f64> =
        recording.rounds.iter().map(|round| round.situation.now.as_duration().as_secs_f64()).collect();
    let windows = recording.rounds.first().map(|round| windows(&round.situation)).unwrap_or_default();
    let doubtful = |later: usize| {
        let (earlier, rest) = instants.split_at(later);
        rest.first()
            .is_some_and(|at| earlier.iter().any(|before| windows.iter().any(|window| is_near(at - before, *window))))
    };
    (0..instants.len()).find(|later| doubtful(*later)).unwrap_or(instants.len())
}

/// Lengths that matter, in seconds.
fn windows(situation: &Situation) -> BTreeSet<u32> {
    let mut windows = BTreeSet::new();
    let Some(behavior) = &situation.spec.behavior else {
        windows.insert(situation.controller.downscale_stabilization_seconds);
        return windows;
    };
    let own = |rules: &Rules| rules.stabilization_window_seconds;
    windows.insert(own(&behavior.scale_up).unwrap_or(0));
    windows.insert(own(&behavior.scale_down).unwrap_or(situation.controller.downscale_stabilization_seconds));
    for rules in [&behavior.scale_up, &behavior.scale_down] {
        windows.extend(rules.policies.iter().flatten().map(|policy| policy.period_seconds));
    }
    windows
}

fn is_near(seconds: f64, window: u32) -> bool {
    (seconds - f64::from(window)).abs() < DOUBT_SECONDS
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use sci_core::scaling::hpa::{Behavior, ChangePolicy, PolicyType};

    use super::*;
    use crate::hpa_recorder::Round;

    fn at(milliseconds: &[i64], behavior: Option<&Behavior>) -> Recording {
        let round = |milliseconds: &i64| {
            let situation: Situation = serde_json::from_str(
                r#"{
                    "now": "2026-01-01T12:00:00Z",
                    "controller": {"downscaleStabilizationSeconds": 5},
                    "spec": {"maxReplicas": 9, "metrics": []},
                    "scale": {"specReplicas": 2, "statusReplicas": 2},
                    "readings": []
                }"#,
            )
            .unwrap();
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(*milliseconds);
            let mut situation = Situation { now, ..situation };
            situation.spec.behavior = behavior.cloned();
            let outcome = situation.outcome();
            Round { situation, outcome }
        };
        Recording { name: "web".to_owned(), rounds: milliseconds.iter().map(round).collect() }
    }

    #[test]
    fn rounds_near_the_end_of_a_window_are_in_doubt() {
        assert_eq!(clear_rounds(&at(&[0, 2_000, 4_000, 6_000], None)), 4);
        assert_eq!(clear_rounds(&at(&[0, 2_000, 4_700, 6_000], None)), 2);
        assert_eq!(clear_rounds(&at(&[], None)), 0);
    }

    #[test]
    fn periods_of_policies_are_windows_too() {
        let policies = Some(vec![ChangePolicy { kind: PolicyType::Pods, value: 1, period_seconds: 4 }]);
        let behavior = Behavior { scale_up: Rules { policies, ..Rules::default() }, ..Behavior::default() };
        assert_eq!(clear_rounds(&at(&[0, 2_000, 4_000, 6_000], Some(&behavior))), 2);
    }
}
