use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;
use sci_core::scaling::{
    Load, Replicas, Thresholds,
    hpa::{
        Autoscaler, Behavior, ChangePolicy, ConditionStatus, Controller, Memory, MetricReading, MetricSpec, Pod,
        PodPhase, PodReading, PolicyType, Ready, ReplicaChange, ResourceTarget, Rules, Scale, SelectPolicy, Situation,
        Spec, Target,
    },
};

use super::{any_thresholds, factor, start};

fn any_target() -> impl Strategy<Value = Target> {
    let milli = prop_oneof![1..1_000_000_i64, Just(1), Just(i64::MAX)];
    prop_oneof![milli.clone().prop_map(Target::ValueMilli), milli.prop_map(Target::AverageValueMilli)]
}

fn any_metric() -> impl Strategy<Value = MetricSpec> {
    let resource = prop_oneof![
        (1..300_i32).prop_map(ResourceTarget::AverageUtilization),
        (1..100_000_i64).prop_map(ResourceTarget::AverageValueMilli),
    ];
    prop_oneof![
        any_target().prop_map(|target| MetricSpec::Object { target }),
        any_target().prop_map(|target| MetricSpec::External { target }),
        (1..1_000_000_i64).prop_map(|average_value_milli| MetricSpec::Pods { average_value_milli }),
        (prop::sample::select(vec!["cpu", "memory"]), resource)
            .prop_map(|(name, target)| MetricSpec::Resource { name: Arc::from(name), target }),
    ]
}

fn any_milli() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..10_000_000_i64, 1 => any::<i64>(), 1 => Just(i64::MAX)]
}

fn any_reading() -> impl Strategy<Value = MetricReading> {
    let pod = (any_milli(), prop::option::of(0..3_600_u64)).prop_map(|(milli, age)| PodReading {
        milli,
        at: age.map(|age| start() - Duration::from_secs(age)),
        window_seconds: 30,
    });
    let pods = prop::collection::btree_map((0..8_u8).prop_map(|index| Arc::from(format!("pod-{index}"))), pod, 0..8);
    prop_oneof![
        any_milli().prop_map(MetricReading::Value),
        prop::collection::vec(any_milli(), 0..4).prop_map(MetricReading::Values),
        pods.prop_map(MetricReading::Pods),
        Just(MetricReading::Failed("gone".to_owned())),
    ]
}

fn any_pods() -> impl Strategy<Value = Vec<Pod>> {
    let phase = prop::sample::select(vec![PodPhase::Running, PodPhase::Running, PodPhase::Pending, PodPhase::Failed]);
    let status = prop::sample::select(vec![ConditionStatus::True, ConditionStatus::True, ConditionStatus::False]);
    let pod = (phase, status, prop::bool::weighted(0.1), 0..1_000_u64, prop::option::weighted(0.95, 1..4_000_i64));
    prop::collection::vec(pod, 0..8).prop_map(|pods| {
        (0..)
            .zip(pods)
            .map(|(index, (phase, status, deleting, age, request_milli)): (u8, _)| Pod {
                name: Arc::from(format!("pod-{index}")),
                phase,
                deleting,
                started_at: Some(start() - Duration::from_secs(age)),
                ready: Some(Ready { status, since: start() - Duration::from_secs(age / 2) }),
                request_milli,
            })
            .collect()
    })
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let kind = prop::sample::select(vec![PolicyType::Pods, PolicyType::Percent]);
    let policy = (kind, 1..200_i32, 1..1_800_u32).prop_map(|(kind, value, period_seconds)| ChangePolicy {
        kind,
        value,
        period_seconds,
    });
    let select = prop::sample::select(vec![SelectPolicy::Max, SelectPolicy::Min, SelectPolicy::Disabled]);
    (
        prop::option::of(0..3_600_u32),
        prop::option::of(select),
        prop::option::of(prop::collection::vec(policy, 1..4)),
        prop::option::of(0.0..0.5),
    )
        .prop_map(|(stabilization_window_seconds, select_policy, policies, tolerance)| Rules {
            stabilization_window_seconds,
            select_policy,
            policies,
            tolerance,
        })
}

fn any_changes() -> impl Strategy<Value = Vec<ReplicaChange>> {
    let change = (0..50_i32, 0..2_000_u64)
        .prop_map(|(replicas, age)| ReplicaChange { replicas, at: start() - Duration::from_secs(age) });
    prop::collection::vec(change, 0..6)
}

prop_compose! {
    fn any_situation()(
        metrics in prop::collection::vec((any_metric(), any_reading()), 1..4),
        behavior in prop::option::of((any_rules(), any_rules())),
        (min, span, spec, status) in (0..20_i32, 1..100_i32, 0..150_i32, 0..150_i32),
        pods in any_pods(),
        (recommendations, scale_ups, scale_downs) in (any_changes(), any_changes(), any_changes()),
        scaled_to_zero in any::<bool>(),
    ) -> Situation {
        let (metrics, readings): (Vec<_>, Vec<_>) = metrics.into_iter().unzip();
        let behavior = behavior.map(|(scale_up, scale_down)| Behavior { scale_up, scale_down });
        Situation {
            now: start(),
            controller: Controller::default(),
            spec: Spec { min_replicas: min, max_replicas: min + span, metrics, behavior },
            scale: Scale { spec_replicas: spec, status_replicas: status },
            pods,
            readings,
            memory: Memory { recommendations, scale_ups, scale_downs, scaled_to_zero },
        }
    }
}

/// Pods that have been ready for long and share a load.
struct Steady {
    autoscaler: Autoscaler,
    replicas: i32,
}

impl Steady {
    fn new(thresholds: &Thresholds, tolerance: f64, replicas: i32) -> Self {
        let milli = |load: f64| i64::try_from(Load::new(load).unwrap().milli()).unwrap();
        let metrics = vec![
            MetricSpec::Object { target: Target::AverageValueMilli(milli(thresholds.target().get())) },
            MetricSpec::Pods { average_value_milli: milli(thresholds.guard().get()) },
        ];
        let spec = Spec { min_replicas: 1, max_replicas: 1_000_000, metrics, behavior: None };
        Self { autoscaler: Autoscaler::new(spec, Controller { tolerance, ..Controller::default() }), replicas }
    }

    /// Rounds until nothing has moved for longer than the window of the way down.
    fn settle(&mut self, load: Load, adjusted: Load) -> i32 {
        let (mut now, mut quiet) = (start(), 0);
        while quiet < 25 {
            now += Duration::from_secs(15);
            let before = self.replicas;
            let each = Load::new(load.get() / f64::from(before)).unwrap();
            let reading = PodReading { milli: milli(each), at: Some(now), window_seconds: 30 };
            // One pod with the mean of all: the formula uses the mean and the count.
            let pods: Vec<Pod> = (0..before).map(pod).collect();
            let readings: BTreeMap<_, _> = pods.iter().map(|pod| (Arc::clone(&pod.name), reading)).collect();
            let scale = Scale { spec_replicas: before, status_replicas: before };
            let readings = [MetricReading::Value(milli(adjusted)), MetricReading::Pods(readings)];
            self.replicas = self.autoscaler.step(now, scale, &pods, &readings).replicas;
            quiet = if self.replicas == before { quiet + 1 } else { 0 };
        }
        self.replicas
    }
}

fn milli(load: Load) -> i64 {
    i64::try_from(load.milli()).unwrap()
}

fn pod(index: i32) -> Pod {
    Pod {
        name: Arc::from(format!("pod-{index}")),
        phase: PodPhase::Running,
        deleting: false,
        started_at: None,
        ready: Some(Ready { status: ConditionStatus::True, since: start() }),
        request_milli: None,
    }
}

proptest! {
    #[test]
    fn the_bounds_hold_whatever_is_read(situation in any_situation()) {
        let (min, max) = (situation.spec.min_replicas, situation.spec.max_replicas);
        let outcome = situation.outcome();
        let current = situation.scale.spec_replicas;
        prop_assert!((0..=max.max(0)).contains(&outcome.replicas) || outcome.replicas == current);
        prop_assert!(current > max || current == 0 || outcome.replicas >= min.min(current));
        prop_assert_eq!(outcome.rescaled, outcome.replicas != current);
        prop_assert!(current <= max || outcome.replicas == max, "too many are cut at once");
        prop_assert_eq!(outcome, situation.outcome(), "the same again");
    }

    #[test]
    fn a_missing_metric_takes_no_replica(mut situation in any_situation(), lost in any::<prop::sample::Index>()) {
        let lost = lost.index(situation.readings.len());
        situation.readings[lost] = MetricReading::Failed("gone".to_owned());
        let current = situation.scale.spec_replicas;
        // More than allowed are cut whatever the metrics say.
        situation.spec.max_replicas = situation.spec.max_replicas.max(current);
        prop_assert!(situation.outcome().replicas >= current);
    }

    #[test]
    fn within_the_tolerance_nothing_moves(
        replicas in 1..500_i32, target in 1_000..1_000_000_i64, deviation in -0.0999..0.0999,
    ) {
        let metrics = vec![MetricSpec::Object { target: Target::AverageValueMilli(target) }];
        let spec = Spec { min_replicas: 1, max_replicas: 1_000, metrics, behavior: None };
        let milli = Load::new(f64::from(i32::try_from(target).unwrap()) * f64::from(replicas) * (1.0 + deviation) / 1e3);
        let reading = MetricReading::Value(i64::try_from(milli.unwrap().milli()).unwrap());
        let scale = Scale { spec_replicas: replicas, status_replicas: replicas };
        let outcome = Autoscaler::new(spec, Controller::default()).step(start(), scale, &[], &[reading]);
        prop_assert!(!outcome.rescaled);
    }

    #[test]
    fn json_and_back(situation in any_situation()) {
        let text = serde_json::to_string(&situation).unwrap();
        let again: Situation = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(again.outcome(), situation.outcome());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Tolerance off: replicas come to rest between `ceil(L/S)` and `ceil(L/T)`, at the closed form.
    #[test]
    fn at_rest_replicas_are_the_closed_form(
        thresholds in any_thresholds(), size in 0.0..60.0, phi in 0.05..=1.0, before in 1..120_i32,
    ) {
        let load = Load::new(thresholds.target().get() * size).unwrap();
        let green = factor(phi).max(thresholds.floor_factor());
        let expected = Replicas::of(load, green, &thresholds);
        let at_rest = Steady::new(&thresholds, 0.0, before).settle(load, load * green);
        let near = |wanted: u32, replicas: i32| (replicas - i32::try_from(wanted.max(1)).unwrap()).abs();
        // Thousandths that are rounded up may be one replica more.
        prop_assert!(near(expected.green, at_rest) <= 1, "{at_rest} for {expected:?}");
        prop_assert!(at_rest >= i32::try_from(expected.floor.max(1)).unwrap());
        prop_assert!(at_rest <= i32::try_from(expected.plain.max(1)).unwrap() + 1);
    }

    /// With its tolerance: no replica carries more than 1.1 S, and there are no more than a plain one may keep.
    #[test]
    fn at_rest_no_replica_carries_more_than_the_hard_limit(
        thresholds in any_thresholds(), size in 0.0..60.0, phi in 0.05..=1.0, before in 1..120_i32,
    ) {
        let load = Load::new(thresholds.target().get() * size).unwrap();
        let green = factor(phi).max(thresholds.floor_factor());
        let at_rest = f64::from(Steady::new(&thresholds, 0.1, before).settle(load, load * green));
        let (target, guard) = (thresholds.target().get(), thresholds.guard().get());
        prop_assert!(load.get() / at_rest <= 1.1 * guard * (1.0 + 1e-3), "{} of {guard}", load.get() / at_rest);
        let most = (load.get() / (0.9 * target) + 1.0).max(1.0);
        prop_assert!(at_rest <= most, "{at_rest} of {most}");
    }
}
