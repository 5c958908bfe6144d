use serde_json::{Value, json};

use super::*;
use crate::policy::GreenScalingPolicySpec;

fn spec(change: impl FnOnce(&mut Value)) -> GreenScalingPolicySpec {
    let mut spec = json!({
        "targetRef": { "name": "web" },
        "load": { "prometheus": { "query": "sum(rate(http_requests_total[2m]))" } },
        "targetPerReplica": "100",
        "sloGuardPerReplica": 125,
        "curve": { "steps": [{ "atOrAbove": 300, "factor": 0.9 }, { "atOrAbove": 500, "factor": 0.72 }] },
    });
    change(&mut spec);
    serde_json::from_value(spec).unwrap()
}

fn plan(change: impl FnOnce(&mut Value)) -> Result<Plan, PlanError> {
    Plan::new(&spec(change))
}

fn service(plan: Plan) -> Policy {
    match plan.work {
        Work::Service(policy) => policy,
        Work::Batch(batch) => panic!("{batch:?}"),
    }
}

fn batch(change: impl FnOnce(&mut Value)) -> Result<BatchPlan, PlanError> {
    let mut spec = json!({
        "targetRef": { "name": "worker" },
        "load": { "unit": "messages", "queue": { "metric": { "type": "External", "name": "queue_length" } } },
        "batch": { "maxAge": "6h", "ratePerReplica": 5, "maxReplicas": 20 },
    });
    change(&mut spec);
    match Plan::new(&serde_json::from_value(spec).unwrap())?.work {
        Work::Batch(batch) => Ok(batch),
        Work::Service(policy) => panic!("{policy:?}"),
    }
}

#[test]
fn a_small_policy_gets_every_default() {
    let plan = plan(|_| ()).unwrap();
    assert_eq!((plan.load.period, plan.load.stale_after), (Duration::from_secs(15), Duration::from_mins(2)));
    assert_eq!((&*plan.load.unit, plan.load.queue, &plan.zone), ("requests_per_second", false, &None));
    let policy = service(plan);
    assert!((policy.thresholds.floor_factor().get() - 0.8).abs() < 1e-12);
    assert_eq!((policy.mode, policy.criticality), (Mode::Enforce, Criticality::Standard));
    assert_eq!(policy.damping.min_dwell, Duration::from_mins(10));
    assert_eq!(policy.damping.quantum, Share::NONE, "steps are levels");
}

#[test]
fn a_hard_limit_becomes_a_guard() {
    let plan = plan(|spec| {
        spec["hardLimitPerReplica"] = json!("140");
        spec.as_object_mut().unwrap().remove("sloGuardPerReplica");
    });
    assert!((service(plan.unwrap()).thresholds.guard().get() - 140.0 / 1.1).abs() < 1e-9);
}

#[test]
fn lines_have_levels() {
    let plan = plan(|spec| spec["curve"] = json!({ "linear": { "from": 200, "to": 500, "minFactor": 0.7 } }));
    assert!((service(plan.unwrap()).damping.quantum.get() - 0.05).abs() < 1e-12);
}

#[test]
fn what_cannot_work_is_refused_even_if_the_api_server_lets_it_pass() {
    for (path, value, expected) in [
        ("/sloGuardPerReplica", json!(100), "guard must be above the target"),
        ("/sloGuardPerReplica", json!(109), "within the autoscaler's tolerance"),
        ("/hardLimitPerReplica", json!(140), "exactly one"),
        ("/curve/linear", json!({ "from": 1, "to": 2, "minFactor": 0.5 }), "exactly one of steps"),
        ("/curve", json!({ "linear": { "from": 2, "to": 1, "minFactor": 0.5 } }), "dirty end must be above"),
        ("/curve", json!({ "linear": { "from": 1, "to": 9000, "minFactor": 0.5 } }), "between 0 and 5000"),
        ("/curve/steps/1/factor", json!(0.95), "must not rise"),
        ("/curve/steps/1/factor", json!(0), "above 0"),
        ("/curve/steps/1/atOrAbove", json!(300), "rising intensities"),
        ("/load/metric", json!({ "type": "Resource", "name": "cpu" }), "exactly one source"),
        ("/zone", json!({ "name": "no zone" }), "zone.name"),
        ("/neverThrottle", json!([{ "from": "25:00", "to": "09:00" }]), "time of the day"),
        ("/neverThrottle", json!([{ "from": "08:00", "to": "09:00", "timeZone": "Mars/Base" }]), "IANA"),
        ("/batch", json!({ "maxAge": "1h", "ratePerReplica": 1, "maxReplicas": 3 }), "load of a batch is a queue"),
    ] {
        let refused = plan(|spec| set(spec, path, value));
        let problem = refused.expect_err(path).to_string();
        assert!(problem.contains(expected), "{path}: {problem}");
    }
}

fn set(spec: &mut Value, path: &str, value: Value) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    spec.pointer_mut(parent).unwrap()[key] = value;
}

#[test]
fn a_policy_cannot_read_what_the_adapter_serves() {
    for metric in [
        json!({ "type": "External", "name": "Grid_Carbon_Intensity" }),
        json!({ "type": "Pods", "name": "power_watts" }),
        json!({
            "type": "Object", "name": "load",
            "describedObject": { "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": "web" }
        }),
    ] {
        let refused = plan(|spec| spec["load"] = json!({ "metric": metric }));
        assert!(matches!(refused, Err(PlanError::Loop(_))), "{metric}");
    }
    let other = json!({ "type": "Pods", "name": "load" });
    assert!(plan(|spec| spec["load"] = json!({ "metric": other })).is_ok());
}

#[test]
fn windows_are_read_in_their_time_zone() {
    let window = json!([{ "days": ["Mon"], "from": "08:00", "to": "18:00", "timeZone": "Europe/Berlin" }]);
    let policy = service(plan(|spec| spec["neverThrottle"] = window).unwrap());
    let active = |at: &str| policy.never_throttle.active(at.parse().unwrap()).is_some();
    // A Monday in summer: two hours ahead of UTC.
    assert!(active("2026-07-06T06:00:00Z") && active("2026-07-06T15:59:00Z"));
    assert!(!active("2026-07-06T05:59:00Z") && !active("2026-07-06T16:00:00Z") && !active("2026-07-07T06:00:00Z"));
}

#[test]
fn deadlines_count_from_when_the_queue_began_to_fill() {
    let since: Timestamp = "2026-01-31T08:00:00Z".parse().unwrap();
    let deadline = |change: fn(&mut Value)| batch(change).unwrap().deadline(since).to_string();
    assert_eq!(deadline(|_| ()), "2026-01-31T14:00:00Z");
    assert_eq!(deadline(|spec| replace(spec, "dailyBy", "06:00")), "2026-02-01T06:00:00Z");
    assert_eq!(deadline(|spec| replace(spec, "dailyBy", "08:30")), "2026-01-31T08:30:00Z");
    assert_eq!(deadline(|spec| replace(spec, "deadline", "2026-01-01T00:00:00Z")), "2026-01-01T00:00:00Z");
}

fn replace(spec: &mut Value, key: &str, value: &str) {
    spec["batch"].as_object_mut().unwrap().remove("maxAge");
    spec["batch"][key] = json!(value);
}

#[test]
fn a_batch_takes_no_curve_and_no_rate_of_a_queue() {
    assert!(batch(|spec| spec["targetPerReplica"] = json!(1)).is_err());
    assert!(batch(|spec| spec["batch"]["dailyBy"] = json!("06:00")).is_err());
    let pods = json!({ "port": 9090, "metric": "queued", "kind": "rate" });
    assert!(batch(|spec| spec["load"]["queue"] = json!({ "pods": pods })).is_err());
}
