//! Fewest and most replicas, behaviours, tolerances, and targets without replicas.

use sci_core::scaling::hpa::{Behavior, ChangePolicy, PolicyType, Rules, SelectPolicy, Spec};

use super::{Answer, Case, TARGET, case, object, per_pod};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = limits();
    cases.extend(behaviors());
    cases.extend(tolerances());
    cases
}

/// A load that asks for `wanted` replicas, between `min` and `max` of them.
fn wants(name: impl Into<String>, min: i32, replicas: i32, max: i32, wanted: i64) -> Case {
    let own = case(name, vec![object()], replicas, vec![Answer::Value(TARGET * wanted)]);
    Case { spec: Spec { min_replicas: min, max_replicas: max, ..own.spec }, ..own }
}

fn limits() -> Vec<Case> {
    let mut cases = vec![
        wants("above-maximum", 1, 8, 5, 8),
        wants("above-maximum-idle", 1, 8, 5, 0),
        wants("below-minimum", 4, 2, 9, 9),
        wants("below-minimum-idle", 4, 2, 9, 0),
        wants("at-maximum", 1, 5, 5, 9),
        wants("at-minimum", 3, 3, 9, 1),
        wants("exactly-one", 3, 3, 3, 9),
        wants("nobody-asked-for", 1, 0, 9, 5),
        wants("nobody-asked-for-zero-allowed", 0, 0, 9, 5),
        wants("to-zero", 0, 3, 9, 0),
        wants("to-one-by-a-thousandth", 0, 3, 9, 1),
        wants("to-zero-not-allowed", 1, 3, 9, 0),
    ];
    // Without a behaviour at most twice as many, or four.
    for (replicas, wanted) in [(1, 3), (1, 4), (1, 5), (1, 20), (2, 5), (3, 7), (5, 10), (5, 11), (6, 19)] {
        cases.push(wants(format!("from-{replicas}-to-{wanted}"), 1, replicas, 20, wanted));
    }
    let failed = wants("above-maximum-failed", 1, 8, 5, 8);
    cases.push(Case { rounds: vec![vec![Answer::Failed]], ..failed });
    let pods = Case { extras: Vec::new(), ..wants("to-zero-by-pods-and-object", 0, 2, 9, 0) };
    let metrics = vec![object(), per_pod()];
    cases.push(Case {
        spec: Spec { metrics, ..pods.spec },
        rounds: vec![vec![Answer::Value(0), Answer::pods(0, 2)]],
        ..pods
    });
    cases
}

fn behaviors() -> Vec<Case> {
    let few = || policies(&[(PolicyType::Pods, 2), (PolicyType::Percent, 50)]);
    let rules = [
        ("default", Rules::default()),
        ("pods", Rules { policies: Some(policies(&[(PolicyType::Pods, 3)])), ..Rules::default() }),
        ("percent", Rules { policies: Some(policies(&[(PolicyType::Percent, 30)])), ..Rules::default() }),
        ("most", Rules { policies: Some(few()), select_policy: Some(SelectPolicy::Max), ..Rules::default() }),
        ("least", Rules { policies: Some(few()), select_policy: Some(SelectPolicy::Min), ..Rules::default() }),
        ("off", Rules { select_policy: Some(SelectPolicy::Disabled), ..Rules::default() }),
        ("window", Rules { stabilization_window_seconds: Some(60), ..Rules::default() }),
    ];
    let mut cases = Vec::new();
    for (name, rules) in rules {
        for wanted in [1, 5, 8, 20] {
            let both = Behavior { scale_up: rules.clone(), scale_down: rules.clone() };
            cases.push(behaving(wants(format!("behavior-{name}-to-{wanted}"), 1, 6, 20, wanted), both));
        }
    }
    cases
}

fn tolerances() -> Vec<Case> {
    let mut cases = Vec::new();
    for tolerance in [0.0, 0.05, 0.3] {
        // In percent of the target at four replicas: beyond some of the tolerances, within others.
        for percent in [68, 92, 97, 103, 108, 132] {
            let name = format!("tolerance-{:.0}-at-{percent}", tolerance * 100.0);
            let answer = Answer::Value(TARGET * 4 * percent / 100);
            let rules = Rules { tolerance: Some(tolerance), ..Rules::default() };
            let both = Behavior { scale_up: rules.clone(), scale_down: rules };
            cases.push(behaving(case(name, vec![object()], 4, vec![answer]), both));
        }
    }
    cases
}

fn behaving(case: Case, behavior: Behavior) -> Case {
    Case { spec: Spec { behavior: Some(behavior), ..case.spec }, ..case }
}

fn policies(policies: &[(PolicyType, i32)]) -> Vec<ChangePolicy> {
    policies.iter().map(|&(kind, value)| ChangePolicy { kind, value, period_seconds: 60 }).collect()
}
