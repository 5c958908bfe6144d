use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::{Value, json};

use super::*;
use crate::policy::GreenScalingPolicySpec;

fn policy() -> Value {
    json!({
        "targetRef": { "name": "web" },
        "load": { "prometheus": { "query": "sum(rate(http_requests_total[2m]))" } },
        "targetPerReplica": 100,
        "sloGuardPerReplica": 125,
        "curve": { "steps": [{ "atOrAbove": 300, "factor": 0.8 }] },
    })
}

fn green() -> Value {
    json!({ "type": "Object", "object": {
        "describedObject": { "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": "web" },
        "metric": { "name": "carbon_adjusted_load" },
        "target": { "type": "AverageValue", "averageValue": "100" },
    }})
}

fn pods(name: &str, average: &str) -> Value {
    json!({ "type": "Pods", "pods": {
        "metric": { "name": name }, "target": { "type": "AverageValue", "averageValue": average },
    }})
}

fn load(average: &str) -> Value {
    let mut metric = green();
    metric["object"]["metric"]["name"] = json!("load");
    metric["object"]["target"]["averageValue"] = json!(average);
    metric
}

fn cpu() -> Value {
    json!({ "type": "Resource", "resource": {
        "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 85 },
    }})
}

fn hpa(metrics: &[Value]) -> Value {
    json!({
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
            "minReplicas": 2, "maxReplicas": 20, "metrics": metrics,
        },
        "status": { "currentReplicas": 4, "desiredReplicas": 5, "conditions": [] },
    })
}

fn report(policy: Value, hpas: &[Value]) -> AutoscalerReport {
    report_where(Tolerance::CLUSTER_DEFAULT, policy, hpas)
}

/// With this tolerance of the controller.
fn report_where(tolerance: Tolerance, policy: Value, hpas: &[Value]) -> AutoscalerReport {
    let spec: GreenScalingPolicySpec = serde_json::from_value(policy).unwrap();
    let plan = Plan::with_tolerance(&spec, tolerance).unwrap();
    let autoscalers: Vec<Autoscaler> = hpas
        .iter()
        .map(|hpa| Autoscaler::of(&serde_json::from_value::<HorizontalPodAutoscaler>(hpa.clone()).unwrap()).unwrap())
        .collect();
    lint(&Linted { name: "web", target: &spec.target_ref, plan: &plan, tolerance }, autoscalers.iter())
}

fn kinds(report: &AutoscalerReport) -> Vec<FindingKind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

#[test]
fn a_sound_autoscaler_has_no_findings() {
    for guard in [pods("requests_per_second", "125"), cpu(), pods("other_unit", "7")] {
        let report = report(policy(), &[hpa(&[green(), guard])]);
        assert_eq!(kinds(&report), [], "{report:?}");
        assert!(report.reads_policy && report.guarded && report.error().is_none());
        assert_eq!(
            (report.limits, report.current_replicas, report.desired_replicas),
            (Some((2, 20)), Some(4), Some(5))
        );
    }
}

#[test]
fn metrics_are_judged() {
    use FindingKind as F;
    let with_target = |target: Value| {
        let mut metric = green();
        metric["object"]["target"] = target;
        metric
    };
    let external = |name: &str| {
        json!({ "type": "External", "external": {
            "metric": { "name": name }, "target": { "type": "AverageValue", "averageValue": "300" } }})
    };
    let cases: &[(&str, Vec<Value>, &[FindingKind])] = &[
        ("no guard", vec![green()], &[F::GuardMissing]),
        (
            "wrong T",
            vec![with_target(json!({ "type": "AverageValue", "averageValue": "90" })), cpu()],
            &[F::TargetMismatch],
        ),
        ("T in millis", vec![with_target(json!({ "type": "AverageValue", "averageValue": "100000m" })), cpu()], &[]),
        ("Value", vec![with_target(json!({ "type": "Value", "value": "100" })), cpu()], &[F::ValueTarget]),
        ("no target at all", vec![with_target(json!({ "type": "AverageValue" })), cpu()], &[F::ValueTarget]),
        ("raw intensity", vec![green(), cpu(), external("grid_carbon_intensity")], &[F::RawIntensity]),
        (
            "raw intensity is no guard",
            vec![green(), external("Grid_Carbon_Relative")],
            &[F::RawIntensity, F::GuardMissing],
        ),
        ("plain metric at T", vec![green(), pods("rps", "100")], &[F::PlainMetricAtTarget]),
        ("plain metric at T beside a guard", vec![green(), cpu(), pods("rps", "100")], &[F::PlainMetricAtTarget]),
        ("guard in the tolerance", vec![green(), pods("rps", "108")], &[F::GuardWithinTolerance]),
        ("guard from here", vec![green(), load("125")], &[F::GuardFromHere]),
        ("guard from here beside another", vec![green(), load("125"), cpu()], &[]),
        ("guard below T", vec![green(), load("80"), cpu()], &[F::GuardNotAboveTarget]),
        ("guard that is not S", vec![green(), load("150"), cpu()], &[F::GuardMismatch]),
    ];
    for (name, metrics, expected) in cases {
        let report = report(policy(), &[hpa(metrics)]);
        assert_eq!(kinds(&report), *expected, "{name}: {report:?}");
    }
}

#[test]
fn autoscalers_are_judged() {
    use FindingKind as F;
    type Change = fn(&mut Value);
    let sound = || hpa(&[green(), cpu()]);
    let cases: &[(&str, Change, &[FindingKind])] = &[
        ("another target", |hpa| hpa["spec"]["scaleTargetRef"]["name"] = json!("api"), &[F::OtherTarget]),
        ("another kind", |hpa| hpa["spec"]["scaleTargetRef"]["kind"] = json!("StatefulSet"), &[F::OtherTarget]),
        ("another version", |hpa| hpa["spec"]["scaleTargetRef"]["apiVersion"] = json!("apps/v2"), &[]),
        ("no range", |hpa| hpa["spec"]["minReplicas"] = json!(20), &[F::NoRange]),
        ("does not read the policy", |hpa| hpa["spec"]["metrics"] = json!([cpu()]), &[F::NoAutoscaler]),
        ("no metrics", |hpa| hpa["spec"]["metrics"] = Value::Null, &[F::NoAutoscaler]),
        (
            "a policy of another name",
            |hpa| {
                hpa["spec"]["metrics"][0]["object"]["describedObject"]["name"] = json!("api");
            },
            &[F::NoAutoscaler],
        ),
        (
            "a wide tolerance",
            |hpa| {
                hpa["spec"]["behavior"] = json!({ "scaleUp": { "tolerance": "300m" } });
            },
            &[F::GuardWithinTolerance, F::GuardMismatch],
        ),
        (
            "a small tolerance",
            |hpa| {
                hpa["spec"]["behavior"] =
                    json!({ "scaleUp": { "tolerance": "0" }, "scaleDown": { "tolerance": "0.05" } });
            },
            &[],
        ),
        (
            "a tolerance down that swallows the curve",
            |hpa| {
                hpa["spec"]["behavior"] = json!({ "scaleDown": { "tolerance": "0.2" } });
            },
            &[F::CurveShape],
        ),
        (
            "made by KEDA",
            |hpa| {
                hpa["spec"]["metrics"] = json!([{ "type": "External", "external": {
                "metric": { "name": "s0-metric-api", "selector": { "matchLabels": { "scaledobject.keda.sh/name": "web" } } },
                "target": { "type": "AverageValue", "averageValue": "100" } } }]);
            },
            &[F::ThroughKeda],
        ),
    ];
    for (name, change, expected) in cases {
        let mut object = sound();
        change(&mut object);
        let report = report(policy(), &[object]);
        assert_eq!(kinds(&report), *expected, "{name}: {report:?}");
    }
}

#[test]
fn without_an_autoscaler_nothing_follows() {
    let report = report(policy(), &[]);
    assert_eq!(kinds(&report), [FindingKind::NoAutoscaler]);
    assert!(!report.reads_policy && !report.guarded && report.names.is_empty());
}

#[test]
fn two_autoscalers_of_one_workload_are_one_too_many() {
    let mut other = hpa(&[cpu()]);
    other["metadata"]["name"] = json!("another");
    let report = report(policy(), &[other, hpa(&[green(), cpu()])]);
    assert_eq!(kinds(&report), [FindingKind::SeveralAutoscalers]);
    assert_eq!(report.names.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["web", "another"], "the reader first");
}

#[test]
fn a_load_that_saturates_is_reported() {
    let mut busy = policy();
    busy["load"] = json!({ "metric": { "type": "Resource", "name": "cpu" } });
    assert_eq!(kinds(&report(busy, &[hpa(&[green(), cpu()])])), [FindingKind::LoadSaturates]);
    let mut query = policy();
    query["load"]["prometheus"]["query"] = json!("sum(rate(container_cpu_usage_seconds_total[2m]))");
    assert_eq!(kinds(&report(query, &[hpa(&[green(), cpu()])])), [FindingKind::LoadSaturates]);
}

#[test]
fn the_load_metric_of_the_policy_itself_is_recognised_in_the_autoscaler() {
    let mut by_metric = policy();
    by_metric["load"] = json!({ "metric": { "type": "Pods", "name": "rps" } });
    let of = |average: &str| kinds(&report(by_metric.clone(), &[hpa(&[green(), pods("rps", average)])]));
    assert_eq!(of("125"), []);
    assert_eq!(of("60"), [FindingKind::GuardNotAboveTarget]);
    assert_eq!(of("200"), [FindingKind::GuardMismatch]);
}

#[test]
fn the_tolerance_of_the_controller_counts_where_the_autoscaler_has_none() {
    use FindingKind as F;
    let with = |tolerance: f64, behavior: Value, guard: Value| {
        let mut hpa = hpa(&[green(), guard]);
        hpa["spec"]["behavior"] = behavior;
        let report = report_where(Tolerance::new(tolerance).unwrap(), policy(), &[hpa]);
        kinds(&report)
    };
    let own = |up: &str| json!({ "scaleUp": { "tolerance": up }, "scaleDown": { "tolerance": up } });
    assert_eq!(with(0.1, Value::Null, pods("rps", "108")), [F::GuardWithinTolerance]);
    assert_eq!(with(0.05, Value::Null, pods("rps", "108")), []);
    assert_eq!(with(0.05, own("0.1"), pods("rps", "108")), [F::GuardWithinTolerance, F::GuardMismatch]);
    // The curve has one step of a fifth.
    assert_eq!(with(0.22, Value::Null, cpu()), [F::CurveShape]);
    assert_eq!(with(0.22, own("0.1"), cpu()), []);
}

#[test]
fn a_hard_limit_leaves_room_for_the_tolerance_of_the_controller() {
    let mut policy = policy();
    policy.as_object_mut().unwrap().remove("sloGuardPerReplica");
    policy["hardLimitPerReplica"] = json!(132);
    let spec: GreenScalingPolicySpec = serde_json::from_value(policy).unwrap();
    let guard = |tolerance: f64| {
        let plan = Plan::with_tolerance(&spec, Tolerance::new(tolerance).unwrap()).unwrap();
        plan.thresholds().unwrap().guard().get()
    };
    assert!((guard(0.1) - 120.0).abs() < 1e-9);
    assert!((guard(0.05) - 132.0 / 1.05).abs() < 1e-9);
}

#[test]
fn a_curve_within_the_tolerance_or_below_the_floor_is_reported() {
    let mut flat = policy();
    flat["curve"] = json!({ "steps": [{ "atOrAbove": 300, "factor": 0.95 }] });
    assert_eq!(kinds(&report(flat, &[hpa(&[green(), cpu()])])), [FindingKind::CurveShape]);
}

#[test]
fn batches_need_no_guard_but_room() {
    let batch = json!({
        "targetRef": { "name": "web" },
        "load": { "queue": { "metric": { "type": "External", "name": "queue_length" } } },
        "batch": { "maxAge": "1h", "ratePerReplica": 100, "maxReplicas": 30 },
    });
    let report = report(batch, &[hpa(&[green()])]);
    assert_eq!(kinds(&report), [FindingKind::BatchLimit]);
    assert!(report.guarded);
}

#[test]
fn reports_put_the_worst_first() {
    let mut object = hpa(&[green()]);
    object["spec"]["minReplicas"] = json!(20);
    let report = report(policy(), &[object]);
    assert_eq!(kinds(&report), [FindingKind::GuardMissing, FindingKind::NoRange]);
    assert_eq!(report.worst().unwrap().kind, FindingKind::GuardMissing);
    assert!(report.error().is_none(), "the guard has a condition of its own");
}
