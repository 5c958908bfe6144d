//! What becomes of what the metrics ask for.

use std::time::Duration;

use jiff::Timestamp;

use super::noon;
use crate::scaling::hpa::{
    Autoscaler, Behavior, ChangePolicy, ConditionStatus, Controller, MetricReading, MetricSpec, Outcome, PolicyType,
    Reason, RescaleReason, Rules, Scale, SelectPolicy, Spec, Target,
};

/// An autoscaler at one target per replica, from 1 to 100 replicas.
struct World {
    autoscaler: Autoscaler,
    replicas: i32,
    now: Timestamp,
}

fn world(replicas: i32, behavior: impl Into<Option<Behavior>>) -> World {
    let metrics = vec![MetricSpec::External { target: Target::AverageValueMilli(1_000) }];
    let spec = Spec { min_replicas: 1, max_replicas: 100, metrics, behavior: behavior.into() };
    World { autoscaler: Autoscaler::new(spec, Controller::default()), replicas, now: noon() }
}

impl World {
    /// A round some seconds after the last one, for a load of so many replicas.
    fn after(&mut self, seconds: u64, wanted: i64) -> Outcome {
        self.now += Duration::from_secs(seconds);
        let scale = Scale { spec_replicas: self.replicas, status_replicas: self.replicas };
        let outcome = self.autoscaler.step(self.now, scale, &[], &[MetricReading::Values(vec![wanted * 1_000])]);
        self.replicas = outcome.replicas;
        outcome
    }

    fn replicas_after(&mut self, seconds: u64, wanted: i64) -> i32 {
        self.after(seconds, wanted).replicas
    }
}

fn pods(value: i32, period_seconds: u32) -> ChangePolicy {
    ChangePolicy { kind: PolicyType::Pods, value, period_seconds }
}

fn percent(value: i32, period_seconds: u32) -> ChangePolicy {
    ChangePolicy { kind: PolicyType::Percent, value, period_seconds }
}

fn up(policies: &[ChangePolicy], select_policy: SelectPolicy) -> Behavior {
    let scale_up = Rules { policies: Some(policies.to_vec()), select_policy: Some(select_policy), ..Rules::default() };
    Behavior { scale_up, ..Behavior::default() }
}

fn down(window: u32, policies: &[ChangePolicy], select_policy: SelectPolicy) -> Behavior {
    let scale_down = Rules {
        stabilization_window_seconds: Some(window),
        policies: Some(policies.to_vec()),
        select_policy: Some(select_policy),
        ..Rules::default()
    };
    Behavior { scale_down, ..Behavior::default() }
}

fn limited(outcome: &Outcome) -> (ConditionStatus, Reason) {
    let condition = outcome.conditions.scaling_limited.unwrap();
    (condition.status, condition.reason)
}

#[test]
fn without_a_behaviour_it_doubles_or_goes_to_four() {
    let mut world = world(1, None);
    let first = world.after(15, 50);
    assert_eq!((first.replicas, limited(&first)), (4, (ConditionStatus::True, Reason::ScaleUpLimit)));
    assert_eq!(world.replicas_after(2, 50), 8, "in every round, however soon");
    assert_eq!((world.replicas_after(2, 50), world.replicas_after(2, 50)), (16, 32));
    let last = world.after(2, 50);
    assert_eq!((last.replicas, limited(&last)), (50, (ConditionStatus::False, Reason::DesiredWithinRange)));
}

#[test]
fn the_bounds_hold() {
    let mut world = world(60, None);
    let outcome = world.after(15, 500);
    assert_eq!((outcome.replicas, limited(&outcome)), (100, (ConditionStatus::True, Reason::TooManyReplicas)));
    world.autoscaler.spec.min_replicas = 5;
    world.after(301, 0);
    let outcome = world.after(301, 0);
    assert_eq!((outcome.replicas, limited(&outcome)), (5, (ConditionStatus::True, Reason::TooFewReplicas)));
}

#[test]
fn outside_its_bounds_no_metric_is_read() {
    let mut world = world(120, None);
    let outcome = world.after(15, 110);
    assert_eq!((outcome.replicas, outcome.rescale_reason), (100, Some(RescaleReason::AboveMaximum)));
    assert_eq!((outcome.proposed, outcome.conditions.scaling_active), (None, None));
    world.autoscaler.spec.min_replicas = 3;
    world.replicas = 2;
    let outcome = world.after(15, 50);
    assert_eq!((outcome.replicas, outcome.rescale_reason), (3, Some(RescaleReason::BelowMinimum)));
    assert_eq!(outcome.conditions.able_to_scale.unwrap().reason, Reason::SucceededRescale);
}

#[test]
fn the_way_down_waits_for_the_highest_of_five_minutes() {
    let mut world = world(10, None);
    let held = world.after(15, 2);
    // What it had when it was first seen counts as asked for.
    assert_eq!(held.replicas, 10);
    assert_eq!(held.conditions.able_to_scale.unwrap().reason, Reason::ScaleDownStabilized);
    assert_eq!(world.replicas_after(150, 6), 10);
    // 300 s after it was first seen: still within; a second more and 6 is the highest.
    assert_eq!(world.replicas_after(150, 2), 10);
    assert_eq!(world.replicas_after(1, 2), 6);
    assert_eq!(world.replicas_after(149, 2), 6);
    let outcome = world.after(1, 2);
    assert_eq!((outcome.replicas, outcome.rescale_reason), (2, Some(RescaleReason::MetricsBelowTarget)));
}

#[test]
fn a_behaviour_has_windows_both_ways() {
    let scale_up = Rules { stabilization_window_seconds: Some(60), ..Rules::default() };
    let scale_down = Rules { stabilization_window_seconds: Some(120), ..Rules::default() };
    let mut world = world(4, Behavior { scale_up, scale_down });
    let held = world.after(10, 8);
    assert_eq!((held.replicas, held.conditions.able_to_scale.unwrap().reason), (4, Reason::ScaleUpStabilized));
    assert_eq!(world.replicas_after(30, 6), 4);
    // First seen 60 s ago: not after the cutoff any more. Of 8, 6 and 7 the lowest.
    assert_eq!(world.replicas_after(30, 7), 6);
    assert_eq!(world.replicas_after(10, 2), 6);
    // 6, 7, 2 and 2 lie within: 2 is the lowest on the way up, 7 the highest on the way down, so nothing moves.
    assert_eq!(world.replicas_after(70, 2), 6);
    // The 7 was asked for 120 s ago.
    assert_eq!(world.replicas_after(40, 2), 2);
}

#[test]
fn policies_count_what_was_added_within_their_period() {
    let mut world = world(10, up(&[pods(3, 60)], SelectPolicy::Max));
    assert_eq!(world.replicas_after(1, 50), 13);
    let held = world.after(30, 50);
    assert_eq!((held.replicas, limited(&held)), (13, (ConditionStatus::True, Reason::ScaleUpLimit)));
    assert_eq!(world.replicas_after(29, 50), 13);
    assert_eq!(world.replicas_after(1, 50), 16, "sixty seconds later");
}

#[test]
fn the_policy_that_allows_most_counts_or_the_one_that_allows_least() {
    // 50 % of 10 is 5; of 4 it is 2.
    let both = [pods(3, 60), percent(50, 60)];
    assert_eq!(world(10, up(&both, SelectPolicy::Max)).replicas_after(1, 50), 15);
    assert_eq!(world(10, up(&both, SelectPolicy::Min)).replicas_after(1, 50), 13);
    assert_eq!(world(4, up(&both, SelectPolicy::Max)).replicas_after(1, 50), 7);
    assert_eq!(world(4, up(&both, SelectPolicy::Min)).replicas_after(1, 50), 6);
    assert_eq!(world(4, up(&both, SelectPolicy::Disabled)).replicas_after(1, 50), 4);
    assert_eq!(world(1, up(&[percent(10, 60)], SelectPolicy::Max)).replicas_after(1, 50), 2, "1.1, rounded up");
    // As it comes: 4 pods or a doubling within 15 s.
    let mut plain = world(3, Behavior::default());
    assert_eq!((plain.replicas_after(1, 50), plain.replicas_after(14, 50)), (7, 7));
    assert_eq!(plain.replicas_after(1, 50), 14);
}

#[test]
fn policies_hold_on_the_way_down_too() {
    let both = [pods(3, 60), percent(50, 60)];
    assert_eq!(world(10, down(0, &both, SelectPolicy::Max)).replicas_after(1, 1), 5);
    assert_eq!(world(10, down(0, &both, SelectPolicy::Min)).replicas_after(1, 1), 7);
    assert_eq!(world(10, down(0, &both, SelectPolicy::Disabled)).replicas_after(1, 1), 10);
    // 10 % of 9 left over: 8.1, cut to 8.
    assert_eq!(world(9, down(0, &[percent(10, 60)], SelectPolicy::Max)).replicas_after(1, 1), 8);
    let mut slow = world(10, down(0, &[pods(2, 60)], SelectPolicy::Max));
    let first = slow.after(1, 1);
    assert_eq!((first.replicas, limited(&first)), (8, (ConditionStatus::True, Reason::ScaleDownLimit)));
    assert_eq!((slow.replicas_after(59, 1), slow.replicas_after(1, 1)), (8, 6));
}

#[test]
fn what_was_taken_may_be_added_again() {
    let mut world = world(10, up(&[pods(2, 60)], SelectPolicy::Max));
    world.autoscaler.spec.behavior.as_mut().unwrap().scale_down =
        Rules { stabilization_window_seconds: Some(0), ..Rules::default() };
    assert_eq!(world.replicas_after(1, 4), 4);
    // 4 now, 6 taken within the minute: from 10, two more.
    assert_eq!(world.replicas_after(10, 50), 12);
}

#[test]
fn to_zero_and_back() {
    let mut world = world(2, None);
    world.autoscaler.spec.min_replicas = 0;
    world.after(1, 0);
    let outcome = world.after(301, 0);
    assert_eq!(outcome.replicas, 0);
    assert_eq!(outcome.conditions.scaled_to_zero.unwrap().status, ConditionStatus::True);
    assert_eq!(world.replicas_after(15, 0), 0);
    let outcome = world.after(15, 2);
    assert_eq!((outcome.replicas, outcome.rescale_reason), (2, Some(RescaleReason::MetricAboveTarget)));
    assert_eq!(outcome.conditions.scaled_to_zero.unwrap().reason, Reason::NotScaledToZero);
}

#[test]
fn a_target_that_others_set_to_zero_stays_there() {
    let mut world = world(0, None);
    world.autoscaler.spec.min_replicas = 0;
    let outcome = world.after(15, 50);
    assert_eq!((outcome.replicas, outcome.rescaled), (0, false));
    assert_eq!(outcome.conditions.scaling_active.unwrap().reason, Reason::ScalingDisabled);
    assert_eq!(outcome.conditions.able_to_scale.unwrap().reason, Reason::SucceededGetScale);
}

#[test]
fn a_raised_minimum_wakes_a_target_at_zero() {
    let mut world = world(0, None);
    world.autoscaler.memory.scaled_to_zero = true;
    world.autoscaler.spec.min_replicas = 3;
    // The rules raise it themselves; the reason is the round's.
    assert_eq!(world.replicas_after(15, 0), 3);
}

#[test]
fn memory_stays_small() {
    let mut world = world(4, Behavior::default());
    for round in 0..10_000 {
        world.after(15, if round % 40 < 20 { 4 } else { 30 });
    }
    let memory = &world.autoscaler.memory;
    assert!(memory.recommendations.len() <= 22, "{}", memory.recommendations.len());
    assert!(memory.scale_ups.len() <= 3 && memory.scale_downs.len() <= 3);
}
