//! Several rounds: what is remembered from one to the next. Rounds are two seconds apart, so windows of odd seconds end
//! well between two of them.

use sci_core::scaling::hpa::{Behavior, ChangePolicy, PolicyType, Rules, SelectPolicy, Spec};

use super::{Answer, Case, TARGET, case, external, object};

pub(super) fn cases() -> Vec<Case> {
    let up_two_in_five = rules_of(PolicyType::Pods, 2, 5);
    let half_in_five = rules_of(PolicyType::Percent, 50, 5);
    let patient = Rules { stabilization_window_seconds: Some(5), ..Rules::default() };
    let impatient = Rules { stabilization_window_seconds: Some(0), ..Rules::default() };
    let off = Rules { select_policy: Some(SelectPolicy::Disabled), ..Rules::default() };
    let up = |scale_up: &Rules| Behavior { scale_up: scale_up.clone(), scale_down: Rules::default() };
    let down = |scale_down: &Rules| Behavior { scale_up: Rules::default(), scale_down: scale_down.clone() };
    let both = |rules: &Rules| Behavior { scale_up: rules.clone(), scale_down: rules.clone() };
    let peak = [3, 9, 3, 3, 3, 3, 3];
    let noise = [4, 6, 4, 6, 4, 6, 4, 6];
    let ramp = [3, 5, 7, 9, 11, 13];
    let fall = [12, 9, 7, 5, 3, 2, 1, 1];
    let mut cases = vec![
        wishes("peak", 3, None, &peak),
        wishes("noise", 4, None, &noise),
        wishes("ramp", 2, None, &ramp),
        wishes("fall", 12, None, &fall),
        wishes("peak-patient", 3, Some(both(&patient)), &peak),
        wishes("noise-patient", 4, Some(both(&patient)), &noise),
        wishes("noise-impatient", 4, Some(both(&impatient)), &noise),
        wishes("ramp-by-two", 2, Some(up(&up_two_in_five)), &ramp),
        wishes("ramp-by-half", 4, Some(up(&half_in_five)), &ramp),
        wishes("fall-by-two", 12, Some(down(&with_window(&up_two_in_five, 0))), &fall),
        wishes("fall-by-half", 12, Some(down(&with_window(&half_in_five, 0))), &fall),
        wishes("fall-off", 12, Some(down(&off)), &fall),
        wishes("to-zero-and-back", 3, None, &[0, 0, 0, 0, 2, 5, 5]),
        wishes("to-zero-and-back-impatient", 3, Some(down(&impatient)), &[0, 0, 2, 0, 0, 4]),
    ];
    for case in &mut cases {
        if case.name.starts_with("to-zero") {
            case.spec.min_replicas = 0;
        }
    }
    cases.push(failures("failures-between", &[Some(6), None, Some(2), None, Some(2), Some(2), Some(2)]));
    cases.push(failures("failures-at-first", &[None, None, Some(8), None, None]));
    cases.push(second_fails());
    cases
}

/// One metric that asks for so many replicas in each round.
fn wishes(name: &str, replicas: i32, behavior: Option<Behavior>, wanted: &[i64]) -> Case {
    let rounds = wanted.iter().map(|wanted| vec![Answer::Value(TARGET * wanted)]).collect();
    let own = case(format!("rounds-{name}"), vec![object()], replicas, Vec::new());
    Case { rounds, spec: Spec { behavior, ..own.spec }, ..own }
}

fn failures(name: &str, wanted: &[Option<i64>]) -> Case {
    let answer = |wanted: &Option<i64>| vec![wanted.map_or(Answer::Failed, |wanted| Answer::Value(TARGET * wanted))];
    let own = wishes(name, 4, None, &[]);
    Case { rounds: wanted.iter().map(answer).collect(), ..own }
}

/// The first metric wants fewer, the second one comes and goes.
fn second_fails() -> Case {
    let own = wishes("second-fails", 5, None, &[]);
    let both = |second: Answer| vec![Answer::Value(TARGET * 2), second];
    let more = || Answer::Values(vec![TARGET * 7]);
    let rounds = vec![
        both(more()),
        both(Answer::Failed),
        both(Answer::Failed),
        both(Answer::Values(vec![TARGET])),
        both(more()),
    ];
    Case { rounds, spec: Spec { metrics: vec![object(), external()], ..own.spec }, ..own }
}

fn rules_of(kind: PolicyType, value: i32, period_seconds: u32) -> Rules {
    Rules { policies: Some(vec![ChangePolicy { kind, value, period_seconds }]), ..Rules::default() }
}

fn with_window(rules: &Rules, seconds: u32) -> Rules {
    Rules { stabilization_window_seconds: Some(seconds), ..rules.clone() }
}
