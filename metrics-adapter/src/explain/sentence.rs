//! A policy in one sentence: for status, explanations and lists.

use std::fmt::Write as _;

use jiff::Timestamp;
use sci_core::scaling::{ClampReason, Decision, Demand, Mode, Phase};

use crate::table::{BatchDecision, Outcome, PolicyState};

/// What the policy does at present and why, in one sentence.
pub fn summary(policy: &PolicyState, now: Timestamp) -> String {
    let plan = match &policy.plan {
        Ok(plan) => plan,
        Err(problem) => return format!("The policy cannot work as it is written: {problem}."),
    };
    let unit = &plan.load.unit;
    if let Err(cause) = policy.adjusted_load(now) {
        return format!("No value is served, so the autoscaler keeps its replicas: {cause}.");
    }
    match policy.outcome.as_deref() {
        Some(Outcome::Service(decision)) => match &decision.demand {
            Ok(demand) => service(policy, decision, demand, unit, plan.mode()),
            Err(error) => format!("No value is served, so the autoscaler keeps its replicas: {error}."),
        },
        Some(Outcome::Batch(batch)) => self::batch(policy, batch, unit, plan.mode()),
        None => "Nothing was decided yet.".to_owned(),
    }
}

fn service(policy: &PolicyState, decision: &Decision, demand: &Demand, unit: &str, mode: Mode) -> String {
    let replicas = demand.replicas;
    let mut text = format!("{} {unit} at {}: ", number(demand.load.get()), carbon(policy, decision));
    let factor = number(decision.computed.get());
    // Writing to a String cannot fail.
    let _ = match decision.phase {
        Phase::Throttled => write!(
            text,
            "factor {factor}{}, {} replicas in place of {}, at least {}",
            clamped(decision),
            replicas.green,
            replicas.plain,
            replicas.floor
        ),
        Phase::Full => write!(text, "factor {factor}{}, {} replicas", clamped(decision), replicas.plain),
        Phase::NeverThrottle => {
            write!(text, "factor 1 at a time that is not throttled, {} replicas", replicas.plain)
        }
        Phase::CarbonUnknown => write!(text, "factor 1 as for any autoscaler, {} replicas", replicas.plain),
    };
    if mode == Mode::Shadow {
        let _ = write!(text, "; in shadow mode the plain load is served, for {}", replicas.plain);
    }
    text.push('.');
    text
}

/// What had the last word, where it was not the curve.
fn clamped(decision: &Decision) -> String {
    let curve = decision.raw.map(|point| format!(" where the curve says {}", number(point.factor.get())));
    let curve = curve.unwrap_or_default();
    match decision.clamp {
        ClampReason::None => String::new(),
        // Shadow speaks last but changes only what is served.
        ClampReason::Shadow => match decision.stages.iter().rev().find(|stage| stage.by != ClampReason::Shadow) {
            Some(stage) => format!(" by {}{curve}", word(stage.by)),
            None => String::new(),
        },
        clamp => format!(" by {}{curve}", word(clamp)),
    }
}

const fn word(clamp: ClampReason) -> &'static str {
    match clamp {
        ClampReason::Budget => "the namespace's carbon budget",
        ClampReason::Quantum => "rounding to a level",
        ClampReason::GuardFloor => "the guard",
        ClampReason::Hysteresis => "hysteresis",
        ClampReason::Dwell => "the least dwell time",
        ClampReason::MaxStep => "the largest step",
        ClampReason::CarbonUnknown => "missing carbon data",
        ClampReason::NeverThrottle => "a time that is not throttled",
        _ => "the curve",
    }
}

fn carbon(policy: &PolicyState, decision: &Decision) -> String {
    match (&decision.carbon, &policy.intensity) {
        (Ok(carbon), Ok(intensity)) => {
            format!("{} gCO2e/kWh ({})", number(carbon.intensity.get()), intensity.zone_names())
        }
        (Ok(carbon), Err(_)) => format!("{} gCO2e/kWh", number(carbon.intensity.get())),
        (Err(_), Err(problem)) => format!("an unknown intensity ({problem})"),
        (Err(problem), Ok(_)) => format!("an intensity that is not acted on ({problem})"),
    }
}

fn batch(policy: &PolicyState, batch: &BatchDecision, unit: &str, mode: Mode) -> String {
    let backlog = policy.load.reading.as_ref().map_or(0.0, |reading| reading.sample.value);
    let deadline = batch.deadline.map_or_else(String::new, |deadline| format!(" until {deadline:.0}"));
    let mut text = format!("{} {unit} to be done{deadline}: ", number(backlog));
    // Writing to a String cannot fail.
    let _ = match (&batch.plan, batch.replicas) {
        (Ok(plan), Some(replicas)) => write!(
            text,
            "{} per second now ({}), {} replicas in place of {}",
            number(plan.rate.get()),
            plan.reason.as_str(),
            replicas.green,
            replicas.plain
        ),
        (Ok(plan), None) => write!(text, "{} per second now ({})", number(plan.rate.get()), plan.reason.as_str()),
        (Err(error), _) => write!(text, "{error}"),
    };
    if mode == Mode::Shadow {
        text.push_str("; in shadow mode the rate without carbon is served");
    }
    text.push('.');
    text
}

/// At most three digits behind the point, and none that say nothing.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(1.0, "1"), (0.8, "0.8"), (450.0, "450"), (0.785_714, "0.786"), (0.0, "0"), (100.0, "100")]
        {
            assert_eq!(number(value), text);
        }
    }
}
