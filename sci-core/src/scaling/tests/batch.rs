use std::time::Duration;

use jiff::Timestamp;

use super::{grams, minutes, noon, per_replica};
use crate::{
    forecast::{Method, Point},
    scaling::{
        Load,
        batch::{Backlog, Plan, PlanReason, WithoutForecast},
    },
};

/// Up to 10 replicas of 1 unit per second: 36,000 units an hour.
fn backlog(work: f64, hours: u64) -> Backlog {
    Backlog {
        work: Load::new(work).unwrap(),
        deadline: noon() + Duration::from_hours(hours),
        margin: Duration::ZERO,
        rate_per_replica: per_replica(1.0),
        max_replicas: 10,
        without_forecast: WithoutForecast::Evenly,
    }
}

/// Hours from noon on.
fn forecast(values: &[f64]) -> Vec<Point> {
    let hour = |(index, value): (u32, &f64)| Point {
        start: noon() + Duration::from_hours(1) * index,
        value: grams(*value),
        lower: grams(*value),
        upper: grams(*value),
        method: Method::Persistence,
    };
    (0..).zip(values).map(hour).collect()
}

fn hour(plan: &Plan, slot: usize) -> (f64, f64) {
    let slot = plan.slots[slot];
    let hours = |at: Timestamp| at.duration_since(noon()).as_secs_f64() / 3_600.0;
    (hours(slot.start), slot.rate.get())
}

#[test]
fn the_cleanest_hours_are_filled_first() {
    // One and a half hours of work: hour 3 at full rate, hour 1 at half.
    let plan = backlog(54_000.0, 5).plan(noon(), &forecast(&[400.0, 200.0, 300.0, 100.0, 500.0]));
    assert_eq!(plan.reason, PlanReason::Waits);
    assert!(plan.may_rest() && plan.replicas == 0);
    assert_eq!((plan.slots.len(), hour(&plan, 0), hour(&plan, 1)), (2, (1.0, 5.0), (3.0, 10.0)));
    assert_eq!(plan.finish, Some(noon() + Duration::from_hours(4)));
    assert_eq!(plan.slack, minutes(210));
    // (100 + 200 / 2) / 1.5, against (400 + 200 / 2) / 1.5.
    assert!((plan.grams_per_kwh.unwrap().get() - 400.0 / 3.0).abs() < 1e-9);
    assert!((plan.run_now_grams_per_kwh.unwrap().get() - 1_000.0 / 3.0).abs() < 1e-9);
}

#[test]
fn a_clean_hour_is_used_now() {
    let plan = backlog(54_000.0, 5).plan(noon(), &forecast(&[100.0, 200.0, 300.0, 400.0, 500.0]));
    assert_eq!((plan.reason, plan.replicas), (PlanReason::CleanNow, 10));
    assert!((plan.rate.get() - 10.0).abs() < 1e-12);
}

#[test]
fn the_hour_that_is_needed_in_part_is_worked_steadily() {
    let plan = backlog(54_000.0, 3).plan(noon() + minutes(30), &forecast(&[200.0, 100.0, 300.0]));
    // An hour at full rate from 13:00, the other half within the half hour before: at full rate too.
    assert_eq!((hour(&plan, 0), hour(&plan, 1)), ((0.5, 10.0), (1.0, 10.0)));
    let plan = backlog(45_000.0, 3).plan(noon() + minutes(30), &forecast(&[200.0, 100.0, 300.0]));
    assert_eq!((hour(&plan, 0), plan.replicas), ((0.5, 5.0), 5));
}

#[test]
fn of_equal_hours_the_earlier_one_is_used() {
    let plan = backlog(36_000.0, 4).plan(noon(), &forecast(&[200.0, 100.0, 100.0, 100.0]));
    assert_eq!((plan.slots.len(), hour(&plan, 0)), (1, (1.0, 10.0)));
}

#[test]
fn the_deadline_wins() {
    let dirty_now = forecast(&[900.0, 100.0]);
    let exact = backlog(72_000.0, 2).plan(noon(), &dirty_now);
    assert_eq!((exact.reason, exact.replicas, exact.slack), (PlanReason::DeadlineNear, 10, Duration::ZERO));
    assert_eq!(exact.finish, Some(noon() + Duration::from_hours(2)));
    let late = backlog(90_000.0, 2).plan(noon(), &dirty_now);
    assert_eq!((late.reason, late.replicas), (PlanReason::TooLate, 10));
    assert_eq!(late.finish, Some(noon() + minutes(150)));
    let over = backlog(36_000.0, 2).plan(noon() + Duration::from_hours(3), &dirty_now);
    assert_eq!((over.reason, over.replicas), (PlanReason::TooLate, 10));
}

#[test]
fn the_margin_is_kept_free() {
    let mut work = backlog(36_000.0, 3);
    let values = forecast(&[300.0, 200.0, 100.0]);
    assert_eq!(hour(&work.plan(noon(), &values), 0), (2.0, 10.0));
    work.margin = Duration::from_hours(1);
    let plan = work.plan(noon(), &values);
    assert_eq!((hour(&plan, 0), plan.finish), ((1.0, 10.0), Some(noon() + Duration::from_hours(2))));
}

#[test]
fn without_a_forecast_it_goes_evenly_or_at_once() {
    let mut work = backlog(36_000.0, 4);
    let plan = work.plan(noon(), &[]);
    assert_eq!((plan.reason, hour(&plan, 0), plan.replicas), (PlanReason::NoForecast, (0.0, 2.5), 3));
    assert_eq!((plan.finish, plan.grams_per_kwh), (Some(work.deadline), None));
    work.without_forecast = WithoutForecast::Now;
    let plan = work.plan(noon(), &[]);
    assert_eq!((plan.replicas, plan.finish), (10, Some(noon() + Duration::from_hours(1))));
}

#[test]
fn hours_that_nobody_knows_are_used_last() {
    // 13:00 is missing; two hours of work until 16:00.
    let mut values = forecast(&[400.0, 0.0, 100.0]);
    values.remove(1);
    let plan = backlog(72_000.0, 4).plan(noon(), &values);
    assert_eq!((hour(&plan, 0).0, hour(&plan, 1).0), (0.0, 2.0));
    let more = backlog(108_000.0, 4).plan(noon(), &values);
    assert_eq!((more.slots.len(), hour(&more, 1).0), (3, 1.0), "the hole before the end");
    assert_eq!(more.grams_per_kwh, None);
}

#[test]
fn nothing_to_do_is_done() {
    let plan = backlog(0.0, 4).plan(noon(), &forecast(&[100.0]));
    assert_eq!((plan.reason, plan.replicas, plan.finish), (PlanReason::Done, 0, Some(noon())));
    assert_eq!(plan.slack, Duration::from_hours(4));
}

#[test]
fn without_replicas_it_is_never_done() {
    let work = Backlog { max_replicas: 0, ..backlog(100.0, 4) };
    let plan = work.plan(noon(), &forecast(&[100.0]));
    assert_eq!((plan.reason, plan.replicas, plan.finish), (PlanReason::TooLate, 0, None));
}

#[test]
fn more_replicas_than_a_load_can_say_are_no_trouble() {
    let work = Backlog { max_replicas: u32::MAX, rate_per_replica: per_replica(8e15), ..backlog(1e15, 4) };
    let plan = work.plan(noon(), &forecast(&[100.0, 200.0]));
    assert!(plan.rate > Load::ZERO && plan.replicas >= 1);
}
