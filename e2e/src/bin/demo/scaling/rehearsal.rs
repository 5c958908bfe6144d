//! The day without a cluster: the same requests, grid, policy and autoscalers, as sci-core plays them.

use std::time::Duration;

use jiff::Timestamp;
use sci_core::{
    intensity::Quality,
    quantity::{GramsPerHour, GramsPerKwh, Pue, Share, Watts},
    scaling::{
        Carbon, CarbonTrust, Criticality, Curve, Damping, GreenFactor, LoadPerReplica, LoadSample, Mode, Policy, Step,
        Thresholds, Tolerance, Windows,
        hpa::{Behavior, ChangePolicy, Controller, PolicyType, Rules},
        replay::Scenario,
        savings::{Basis, FreedRoom, ReplicaOverhead},
    },
};

use super::{
    day,
    ledger::{Look, Replicas},
    shop,
    twins::Twins,
};

/// Looks at a day with a round every so often, pods that start as slowly, and the worst that a replica ever carried in
/// the green run, in requests per second.
pub fn rehearse(round: Duration) -> (Vec<Look>, f64) {
    let policy = policy();
    let scenario = Scenario {
        policy: &policy,
        min_replicas: i32::try_from(shop::MIN_REPLICAS).unwrap(),
        max_replicas: i32::try_from(shop::MAX_REPLICAS).unwrap(),
        behavior: Some(Behavior { scale_up: rules(), scale_down: rules() }),
        controller: Controller::default(),
        guard_metric: true,
        sync: round,
        pod_start: round,
        history: None,
        overhead: ReplicaOverhead {
            idle: Watts::ZERO,
            machine_share: Watts::ZERO,
            embodied: GramsPerHour::ZERO,
            basis: Basis::Modelled,
        },
        freed: FreedRoom::Kept,
        pue: Pue::IDEAL,
    };
    let midnight: Timestamp = "2026-04-15T00:00:00Z".parse().unwrap();
    let hour = |now: Timestamp| now.duration_since(midnight).as_secs_f64() / 3_600.0;
    let carbon = |now| {
        let intensity = day::intensity(hour(now));
        Ok(Carbon { intensity, quality: Quality::Measured, confidence: Share::ALL, age: Duration::ZERO })
    };
    let mut looks = Vec::new();
    let report = scenario.replay(
        midnight,
        midnight + Duration::from_hours(24),
        |now| Ok(LoadSample { value: day::requests(hour(now)), at: now }),
        carbon,
        |frame| {
            let hour = hour(frame.decision.at);
            let replicas = Twins { plain: frame.plain, green: frame.green };
            let replicas = replicas.map(|count| Replicas { wanted: count, ready: count });
            looks.push(Look { hour, requests: day::requests(hour), intensity: day::intensity(hour), replicas });
        },
    );
    (looks, report.green.worst_over_guard * shop::GUARD)
}

fn policy() -> Policy {
    let per_replica = |load| LoadPerReplica::new(load).unwrap();
    let (target, guard) = (per_replica(shop::TARGET), per_replica(shop::GUARD));
    let steps = shop::STEPS.map(|(at_or_above, factor)| Step {
        at_or_above: GramsPerKwh::new(at_or_above).unwrap(),
        factor: GreenFactor::new(factor).unwrap(),
    });
    Policy {
        thresholds: Thresholds::with_guard(target, guard, Tolerance::CLUSTER_DEFAULT).unwrap(),
        curve: Curve::steps(steps.into()).unwrap(),
        damping: Damping::NONE,
        never_throttle: Windows::default(),
        mode: Mode::Enforce,
        criticality: Criticality::Standard,
        load_stale_after: Duration::from_hours(1),
        trust: CarbonTrust::default(),
    }
}

fn rules() -> Rules {
    let any = ChangePolicy { kind: PolicyType::Percent, value: 100, period_seconds: 1 };
    Rules {
        stabilization_window_seconds: Some(0),
        policies: Some(vec![any]),
        tolerance: Some(shop::TOLERANCE),
        ..Rules::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ledger::Ledger, machines::Machines},
        *,
    };

    /// The real day is at the mercy of a busy machine: what it shows has to hold with an hour's delay too.
    #[test]
    fn the_day_leaves_room_for_slow_autoscalers_and_saves_something() {
        for minutes in [5, 15, 30] {
            let (looks, worst) = rehearse(Duration::from_mins(minutes));
            let ledger = Ledger::settle(&looks, day::END, shop::LIMIT, &Machines::of_the_shop());
            let Twins { plain, green } = ledger.runs;
            assert!(worst < shop::LIMIT, "{worst} with a round every {minutes} minutes");
            let saved = 1.0 - green.replica_hours / plain.replica_hours;
            assert!((0.08..0.2).contains(&saved), "{saved} of {} replica-hours", plain.replica_hours);
            assert!(green.scale_events <= plain.scale_events + 6, "{green:?} {plain:?}");
            let most_saved = plain.leaving().carbon.get() - green.leaving().carbon.get();
            let least_saved = plain.staying(ledger.idle).carbon.get() - green.staying(ledger.idle).carbon.get();
            assert!(0.0 < least_saved && least_saved < most_saved, "{least_saved} {most_saved}");
        }
    }
}
