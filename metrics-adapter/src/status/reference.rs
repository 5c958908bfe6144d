//! The page of conditions, their reasons, and findings about autoscalers.

use std::fmt::Write;

use crate::{
    autoscaler::{FindingKind, Severity},
    policy::condition,
};

/// A reason of a condition.
pub(super) struct Reason {
    /// Status that it goes with.
    pub status: &'static str,
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub means: &'static str,
}

/// A condition and all of its reasons but those that are findings.
struct Described {
    condition: &'static str,
    means: &'static str,
    reasons: &'static [Reason],
}

const fn yes(word: &'static str, means: &'static str) -> Reason {
    Reason { status: "True", word, means }
}

const fn no(word: &'static str, means: &'static str) -> Reason {
    Reason { status: "False", word, means }
}

const fn unknown(word: &'static str, means: &'static str) -> Reason {
    Reason { status: "Unknown", word, means }
}

const INVALID: &str = "the object cannot work as it is written; the message says what to change";

const POLICY: [Described; 6] = [
    Described {
        condition: condition::READY,
        means: "a value is served; where it is not, the autoscaler keeps its replicas or follows its guard",
        reasons: &[
            yes("Serving", "the load times the factor"),
            yes("ServingPlainLoad", "the load as it is, in shadow mode"),
            no("NoLoad", "there is no load, and so no value"),
            no("InvalidSpec", INVALID),
            unknown("Pending", "nothing was decided yet"),
        ],
    },
    Described {
        condition: condition::LOAD_AVAILABLE,
        means: "the load is known and fresh",
        reasons: &[
            yes("Fresh", "its source answers"),
            yes("LastValueHeld", "its source does not answer, the last value is still fresh"),
            no("NoSuchSource", "no Prometheus is configured by this name"),
            no("Unreachable", "nobody answers"),
            no("Timeout", "no answer in time"),
            no("Refused", "the source answers with an error"),
            no("Malformed", "the answer cannot be read"),
            no("NoResult", "the answer is empty"),
            no("SeveralResults", "the query has more than one result"),
            no("TooFewPods", "less than eight of ten ready pods answer"),
            no("TargetNotFound", "the workload cannot be found"),
            no("FirstReading", "a rate takes two readings"),
            no("Stale", "the last value is older than `staleAfter`"),
            no("NotALoad", "NaN, negative or beyond what an autoscaler can count"),
            unknown("Pending", "nobody was asked yet"),
            unknown("InvalidSpec", INVALID),
        ],
    },
    Described {
        condition: condition::CARBON_FRESH,
        means: "the intensity is known and of use; where it is not, the factor is 1",
        reasons: &[
            yes("Fresh", "its source answers"),
            no("ZoneUnknown", "no node of the workload stands in a known grid zone"),
            no("TooFewKnown", "more than a fifth of the pods run where no intensity is known"),
            no("Missing", "no source knows the zone"),
            no("Stale", "older than `carbonStaleAfter`"),
            no("PoorQuality", "only the mean of a year is known"),
            no("LowConfidence", "a forecast that is too uncertain"),
            no("TooLittleHistory", "a quantile curve needs 48 hours of the zone's past"),
            unknown("Pending", "the cluster is not known yet"),
        ],
    },
    Described {
        condition: condition::AUTOSCALER_SOUND,
        means: "one autoscaler reads the policy as it is meant",
        reasons: &[yes("Sound", "nothing is odd"), unknown("Pending", "autoscalers were not listed yet")],
    },
    Described {
        condition: condition::GUARD_PRESENT,
        means: "the autoscaler has a second metric that holds replicas up whatever the carbon does",
        reasons: &[
            yes("Present", "there is one"),
            yes("Deadline", "the deadline is the guard of a batch"),
            unknown("NoAutoscaler", "no autoscaler scales the workload"),
            unknown("Pending", "autoscalers were not listed yet"),
        ],
    },
    Described {
        condition: condition::THROTTLING,
        means: "carbon asks for fewer replicas at present than the plain load would",
        reasons: &[
            yes("Throttled", "the factor is below 1"),
            yes("Waits", "of a batch: cleaner hours come before the deadline"),
            no("Full", "the electricity is clean enough"),
            no("Shadow", "it would, were it not for shadow mode"),
            no("NeverThrottle", "a window of `neverThrottle` is open"),
            no("CarbonUnknown", "without an intensity the factor is 1"),
            no("CleanNow", "of a batch: now is one of the cleanest hours"),
            no("DeadlineNear", "of a batch: there is no time left to wait"),
            no("TooLate", "of a batch: the deadline cannot be met, all replicas are asked for"),
            no("NoForecast", "of a batch: without a forecast it works evenly"),
            no("Done", "of a batch: nothing is left to do"),
            unknown("NoLoad", "no value is served; the autoscaler keeps its replicas"),
            unknown("Pending", "nothing was decided yet"),
        ],
    },
];

const BUDGET: [Described; 2] = [
    Described {
        condition: condition::READY,
        means: "the grams of the namespace are counted against it",
        reasons: &[
            yes("Counting", "they are"),
            no("AnotherBudget", "of several budgets of a namespace the first by name counts"),
            no("InvalidSpec", INVALID),
        ],
    },
    Described {
        condition: condition::WITHIN_BUDGET,
        means: "the month will end within the budget",
        reasons: &[
            yes("OnCourse", "no policy is tightened"),
            yes("Tightening", "policies are tightened so that it does"),
            no("WillBeOverspent", "at this rate it will not"),
            no("Overspent", "it is spent already"),
            unknown("Pending", "nothing was counted yet"),
        ],
    },
];

/// Whether the page has this reason.
pub(super) fn is_described(condition: &str, status: &str, word: &str) -> bool {
    let described = POLICY.iter().chain(&BUDGET).filter(|described| described.condition == condition);
    let mut reasons = described.flat_map(|described| described.reasons);
    reasons.any(|reason| reason.status == status && reason.word == word)
        || FindingKind::ALL.iter().any(|kind| kind.condition() == condition && kind.as_str() == word)
}

/// The page `docs/reference/adapter-conditions.md`, without its head.
pub fn reference() -> String {
    let mut page = String::from(
        "The message of a condition has the numbers. A change is an Event on the object; reasons of loads and carbon have \
         `Load` and `Carbon` before them there, and what ends throttling has `Released`.\n\n\
         ## Conditions of a `GreenScalingPolicy`\n",
    );
    for described in &POLICY {
        describe(&mut page, described);
    }
    page.push_str("\n## Conditions of a `CarbonBudget`\n");
    for described in &BUDGET {
        describe(&mut page, described);
    }
    page.push_str(
        "\n## Findings about autoscalers\n\nThe linter compares every policy with the autoscaler that reads it. A finding is \
         the reason of its condition: of errors that is False, of warnings True.\n\n\
         | finding | | condition | why it is one | what to do |\n| --- | --- | --- | --- | --- |\n",
    );
    for kind in FindingKind::ALL {
        let severity = match kind.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (why, remedy) = kind.explained();
        let _ = writeln!(page, "| `{kind}` | {severity} | `{}` | {why} | {remedy} |", kind.condition());
    }
    page
}

fn describe(page: &mut String, Described { condition, means, reasons }: &Described) {
    let _ = write!(page, "\n### `{condition}`\n\nTrue: {means}.\n\n| status | reason | means |\n| --- | --- | --- |\n");
    for Reason { status, word, means } in *reasons {
        let _ = writeln!(page, "| {status} | `{word}` | {means} |");
    }
    if FindingKind::ALL.iter().any(|kind| kind.condition() == *condition) {
        page.push_str("\nEvery other reason is a [finding](#findings-about-autoscalers).\n");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_page_has_every_reason_of_the_code_and_no_other() {
        let code = include_str!("conditions.rs");
        let words: BTreeSet<&str> = code
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|text| text.starts_with(char::is_uppercase) && text.chars().all(char::is_alphanumeric))
            .filter(|text| !["True", "False", "Unknown"].contains(text))
            .collect();
        assert!(words.len() > 40, "{words:?}");
        let described = POLICY.iter().chain(&BUDGET).flat_map(|described| described.reasons);
        let described: BTreeSet<&str> = described.map(|reason| reason.word).collect();
        let findings: BTreeSet<&str> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let missing: Vec<_> = words.difference(&described).filter(|word| !findings.contains(*word)).collect();
        let beyond: Vec<_> = described.difference(&words).collect();
        assert!(missing.is_empty() && beyond.is_empty(), "not described {missing:?}, not in the code {beyond:?}");
    }

    #[test]
    fn every_condition_is_on_the_page() {
        let conditions: Vec<&str> = POLICY.iter().map(|described| described.condition).collect();
        assert_eq!(conditions, condition::OF_POLICIES);
        assert!(!is_described(condition::READY, "True", "NoLoad"));
        assert!(is_described(condition::GUARD_PRESENT, "False", "GuardMissing"));
        assert!(!is_described(condition::READY, "False", "GuardMissing"));
    }
}
