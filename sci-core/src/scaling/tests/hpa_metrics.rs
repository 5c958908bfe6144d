//! What one metric, or several, ask for: no windows, no policies in the way.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::noon;
use crate::scaling::hpa::{
    Behavior, ConditionStatus, Controller, Memory, MetricReading, MetricSpec, Outcome, Pod, PodPhase, PodReading,
    Ready, Reason, ResourceTarget, Rules, Scale, Situation, Spec, Target,
};

const AVERAGE: MetricSpec = MetricSpec::Object { target: Target::AverageValueMilli(100_000) };
const VALUE: MetricSpec = MetricSpec::Object { target: Target::ValueMilli(100_000) };
const PODS: MetricSpec = MetricSpec::Pods { average_value_milli: 100_000 };

fn hour_ago() -> Timestamp {
    noon() - Duration::from_hours(1)
}

fn pod(index: usize) -> Pod {
    Pod {
        name: Arc::from(format!("pod-{index}")),
        phase: PodPhase::Running,
        deleting: false,
        started_at: Some(hour_ago()),
        ready: Some(Ready { status: ConditionStatus::True, since: hour_ago() }),
        request_milli: Some(1_000),
    }
}

fn pending(index: usize) -> Pod {
    Pod { phase: PodPhase::Pending, ready: None, started_at: None, ..pod(index) }
}

fn reading(milli: i64) -> PodReading {
    PodReading { milli, at: Some(noon()), window_seconds: 30 }
}

/// One reading per pod, by index.
fn each(values: &[(usize, i64)]) -> MetricReading {
    let name = |index: usize| Arc::<str>::from(format!("pod-{index}"));
    MetricReading::Pods(values.iter().map(|(index, milli)| (name(*index), reading(*milli))).collect::<BTreeMap<_, _>>())
}

fn failed() -> MetricReading {
    MetricReading::Failed("gone".to_owned())
}

/// Four ready pods; nothing but the metrics between 1 and 100.
fn situation(metrics: Vec<MetricSpec>, readings: Vec<MetricReading>) -> Situation {
    let free = Rules { stabilization_window_seconds: Some(0), ..Rules::default() };
    Situation {
        now: noon(),
        controller: Controller::default(),
        spec: Spec {
            min_replicas: 1,
            max_replicas: 100,
            metrics,
            behavior: Some(Behavior { scale_up: free.clone(), scale_down: free }),
        },
        scale: Scale { spec_replicas: 4, status_replicas: 4 },
        pods: (0..4).map(pod).collect(),
        readings,
        memory: Memory::default(),
    }
}

fn proposed(metric: MetricSpec, reading: MetricReading) -> Option<i32> {
    situation(vec![metric], vec![reading]).outcome().proposed
}

#[test]
fn an_average_is_divided_and_rounded_up() {
    let of = |milli| proposed(AVERAGE, MetricReading::Value(milli)).unwrap();
    assert_eq!(of(960_000), 10);
    assert_eq!(of(100_001), 2);
    assert_eq!(of(0), 0);
    // 440 / 400 is at the tolerance, just above and below it the number is divided again.
    assert_eq!((of(440_000), of(440_001), of(360_000), of(359_999)), (4, 5, 4, 4));
    assert_eq!(of(300_000), 3);
}

#[test]
fn a_value_is_a_ratio_of_ready_pods() {
    let mut one = situation(vec![VALUE], vec![MetricReading::Value(250_000)]);
    assert_eq!(one.outcome().proposed, Some(10));
    one.pods[3] = pending(3);
    assert_eq!(one.outcome().proposed, Some(8), "2.5 * 3 ready pods = 7.5");
    one.pods.clear();
    assert_eq!(one.outcome().proposed, None, "no pods");
    assert_eq!(proposed(VALUE, MetricReading::Value(105_000)), Some(4));
}

#[test]
fn external_values_are_added() {
    let external = |target| MetricSpec::External { target };
    let average = external(Target::AverageValueMilli(100_000));
    assert_eq!(proposed(average.clone(), MetricReading::Values(vec![300_000, 330_000])), Some(7));
    assert_eq!(proposed(external(Target::ValueMilli(100_000)), MetricReading::Values(vec![100_000, 50_000])), Some(6));
    assert_eq!(proposed(average.clone(), MetricReading::Values(Vec::new())), None);
    assert_eq!(proposed(average, MetricReading::Values(vec![i64::MAX, i64::MAX])), Some(i32::MAX));
}

/// The reason for the limit on loads: asked for three billion replicas, the controller takes all but one away.
#[test]
fn an_object_average_that_does_not_fit_scales_down() {
    let mut one = situation(vec![AVERAGE], vec![MetricReading::Value(300_000_000_000_000)]);
    let outcome = one.outcome();
    assert_eq!((outcome.proposed, outcome.replicas), (Some(i32::MIN), 1));
    // The guard next to it keeps what there is: another metric is always more.
    one.spec.metrics.push(PODS);
    one.readings.push(each(&[(0, 100_000), (1, 100_000), (2, 100_000), (3, 100_000)]));
    assert_eq!(one.outcome().replicas, 4);
}

#[test]
fn a_mean_of_pods_is_cut_to_thousandths() {
    // 1,000,002 / 4 = 250,000.5, cut; 2.5 * 4 = 10.
    let values = [(0, 250_000), (1, 250_000), (2, 250_001), (3, 250_001)];
    assert_eq!(proposed(PODS, each(&values)), Some(10));
    assert_eq!(proposed(PODS, each(&[(0, 110_000), (1, 110_000), (2, 110_000), (3, 110_000)])), Some(4));
    assert_eq!(proposed(PODS, each(&[])), None);
}

#[test]
fn pods_without_a_reading_hold_back() {
    // Down: 50, 50, 50 and one at its target: 62.5 % of 4 = 2.5.
    assert_eq!(proposed(PODS, each(&[(0, 50_000), (1, 50_000), (2, 50_000)])), Some(3));
    // 80, 80, 80 and 100: 85 %. All of 80 %, without the fourth: 4 * 0.8 = 3.2.
    assert_eq!(proposed(PODS, each(&[(0, 80_000), (1, 80_000), (2, 80_000)])), Some(4));
    // Up: 200, 200, 200 and nothing: 150 % of 4 = 6, not 8.
    assert_eq!(proposed(PODS, each(&[(0, 200_000), (1, 200_000), (2, 200_000)])), Some(6));
    // 130, 130, 130 and nothing: 97.5 % turns the way round.
    assert_eq!(proposed(PODS, each(&[(0, 130_000), (1, 130_000), (2, 130_000)])), Some(4));
    // One of 160 and three without: 40 % turns it round too.
    assert_eq!(proposed(PODS, each(&[(0, 160_000)])), Some(4));
}

#[test]
fn pods_that_are_not_ready_count_as_idle_on_the_way_up_only() {
    let with = |milli: i64| {
        let mut one = situation(vec![PODS], vec![each(&[(0, milli), (1, milli), (2, milli)])]);
        one.pods[3] = pending(3);
        one.outcome().proposed
    };
    assert_eq!(with(200_000), Some(6), "(3 * 200 + 0) / 4 = 150 %");
    assert_eq!(with(50_000), Some(2), "50 % of the three that count, 1.5");
    let mut none = situation(vec![PODS], vec![each(&[(0, 5)])]);
    none.pods = vec![pending(0)];
    assert_eq!(none.outcome().proposed, None, "no pod counts");
}

#[test]
fn pods_on_their_way_out_do_not_count() {
    let mut one = situation(vec![PODS], vec![each(&[(0, 300_000), (1, 300_000), (2, 300_000), (3, 1)])]);
    one.pods[3].deleting = true;
    assert_eq!(one.outcome().proposed, Some(9));
    one.pods[3].deleting = false;
    one.pods[3].phase = PodPhase::Failed;
    assert_eq!(one.outcome().proposed, Some(9));
}

fn cpu(percent: i32) -> MetricSpec {
    MetricSpec::Resource { name: Arc::from("cpu"), target: ResourceTarget::AverageUtilization(percent) }
}

#[test]
fn utilization_is_use_over_requests_in_whole_percents() {
    let used = |milli| each(&[(0, milli), (1, milli), (2, milli), (3, milli)]);
    // 909 of 1000: 90 %, and 90/50 * 4 = 7.2.
    assert_eq!(proposed(cpu(50), used(909)), Some(8));
    // 559 cut to 55: within the tolerance; 560 is 112 %.
    assert_eq!((proposed(cpu(50), used(559)), proposed(cpu(50), used(560))), (Some(4), Some(5)));
    let mut one = situation(vec![cpu(50)], vec![used(909)]);
    one.pods[2].request_milli = None;
    assert_eq!(one.outcome().proposed, None, "a pod without a request");
}

#[test]
fn a_pod_without_a_reading_uses_all_it_requests_on_the_way_down() {
    let three = |milli| each(&[(0, milli), (1, milli), (2, milli)]);
    // (3 * 200 + 1000) / 4000 = 40 %; 40/80 * 4 = 2.
    assert_eq!(proposed(cpu(80), three(200)), Some(2));
    // A target above all that is requested: (3 * 300 + 1500) / 4000 = 60 %; 60/150 * 4 = 1.6.
    assert_eq!(proposed(cpu(150), three(300)), Some(2));
}

#[test]
fn cpu_of_a_pod_that_starts_says_nothing() {
    let with = |change: fn(&mut Pod)| {
        let mut one = situation(vec![cpu(50)], vec![each(&[(0, 1_000), (1, 1_000), (2, 1_000), (3, 1_000)])]);
        change(&mut one.pods[3]);
        one.outcome().proposed
    };
    assert_eq!(with(|_| ()), Some(8));
    // (3 * 1000 + 0) / 4000 = 75 %: 6.
    let unready = Some(6);
    assert_eq!(with(|pod| pod.ready = None), unready);
    assert_eq!(with(|pod| pod.started_at = None), unready);
    // Started four minutes ago: unready, or ready for less than the reading's window of 30 s.
    let ready = |status, seconds: u64| Some(Ready { status, since: noon() - Duration::from_secs(seconds) });
    let starting = |pod: &mut Pod| pod.started_at = Some(noon() - Duration::from_mins(4));
    let mut one = situation(vec![cpu(50)], vec![each(&[(0, 1_000), (1, 1_000), (2, 1_000), (3, 1_000)])]);
    starting(&mut one.pods[3]);
    for (condition, expected) in [
        (ready(ConditionStatus::False, 60), unready),
        (ready(ConditionStatus::True, 29), unready),
        (ready(ConditionStatus::True, 30), Some(8)),
    ] {
        one.pods[3].ready = condition;
        assert_eq!(one.outcome().proposed, expected);
    }
    // Long after: unready counts only where it was never ready, within 30 s of its start.
    one.pods[3].started_at = Some(hour_ago());
    one.pods[3].ready = Some(Ready { status: ConditionStatus::False, since: hour_ago() + Duration::from_secs(29) });
    assert_eq!(one.outcome().proposed, unready);
    one.pods[3].ready = Some(Ready { status: ConditionStatus::False, since: hour_ago() + Duration::from_secs(30) });
    assert_eq!(one.outcome().proposed, Some(8));
    // Memory does not ask.
    one.spec.metrics =
        vec![MetricSpec::Resource { name: Arc::from("memory"), target: ResourceTarget::AverageValueMilli(500) }];
    one.pods[3].ready = None;
    assert_eq!(one.outcome().proposed, Some(8));
}

#[test]
fn the_largest_metric_wins() {
    let outcome = situation(
        vec![AVERAGE, PODS],
        vec![MetricReading::Value(500_000), each(&[(0, 150_000), (1, 150_000), (2, 150_000), (3, 150_000)])],
    )
    .outcome();
    assert_eq!((outcome.proposed, outcome.metric), (Some(6), Some(1)));
}

#[test]
fn a_failed_metric_blocks_the_way_down_only() {
    let with = |value| situation(vec![AVERAGE, PODS], vec![MetricReading::Value(value), failed()]).outcome();
    let up = with(800_000);
    assert_eq!((up.replicas, up.failed.len()), (8, 1));
    assert_eq!(up.conditions.scaling_active.unwrap().reason, Reason::ValidMetricFound);
    let down = with(100_000);
    assert_eq!((down.replicas, down.rescaled, down.proposed), (4, false, None));
    let active = down.conditions.scaling_active.unwrap();
    assert_eq!((active.status, active.reason), (ConditionStatus::False, Reason::FailedGetPodsMetric));
    assert_eq!(with(420_000).replicas, 4, "within the tolerance");
}

#[test]
fn without_any_metric_nothing_moves() {
    let outcome = situation(vec![AVERAGE, PODS], vec![failed(), failed()]).outcome();
    assert_eq!((outcome.replicas, outcome.rescaled, outcome.failed.len()), (4, false, 2));
    assert_eq!(outcome.conditions.scaling_active.unwrap().reason, Reason::FailedGetObjectMetric);
    assert_eq!(situation(vec![AVERAGE], Vec::new()).outcome().replicas, 4, "a reading that is not there");
    assert_eq!(situation(vec![AVERAGE], vec![each(&[(0, 1)])]).outcome().replicas, 4, "one of another type");
}

#[test]
fn each_direction_may_have_its_own_tolerance() {
    let with = |up, down, value| {
        let mut one = situation(vec![AVERAGE], vec![MetricReading::Value(value)]);
        let behavior = one.spec.behavior.as_mut().unwrap();
        behavior.scale_up.tolerance = Some(up);
        behavior.scale_down.tolerance = Some(down);
        one.outcome().proposed
    };
    assert_eq!(with(0.0, 0.5, 401_000), Some(5));
    assert_eq!(with(0.0, 0.5, 200_000), Some(4));
    assert_eq!(with(0.0, 0.5, 199_999), Some(2));
    assert_eq!(with(0.5, 0.0, 600_000), Some(4));
    assert_eq!(with(0.5, 0.0, 300_000), Some(3));
}

#[test]
fn the_average_looks_at_replicas_that_are_there() {
    let mut one = situation(vec![AVERAGE], vec![MetricReading::Value(400_000)]);
    one.scale = Scale { spec_replicas: 8, status_replicas: 4 };
    // Within the tolerance of the four that are there: four it is, whatever was asked for.
    assert_eq!(one.outcome().proposed, Some(4));
    let outcome: Outcome = one.outcome();
    assert_eq!(serde_json::from_str::<Outcome>(&serde_json::to_string(&outcome).unwrap()).unwrap(), outcome);
}
