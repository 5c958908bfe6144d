use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use sci_core::{
    forecast::{Method, Point},
    scaling::{
        Load, LoadPerReplica,
        batch::{Backlog, Plan, PlanReason, WithoutForecast},
    },
};

use super::{grams, start};

const HOUR: f64 = 3_600.0;

fn points(values: &[f64]) -> Vec<Point> {
    let point = |(hour, value): (u32, &f64)| Point {
        start: start() + Duration::from_hours(1) * hour,
        value: grams(*value),
        lower: grams(*value),
        upper: grams(*value),
        method: Method::Persistence,
    };
    (0..).zip(values).map(point).collect()
}

/// 1 to 20 replicas, a deadline of 1 to 48 hours, a part of what can be done until then, from some minute on.
fn any_backlog() -> impl Strategy<Value = (Backlog, Timestamp)> {
    (1..20_u32, 0.01..100.0, 1..48_u64, 0.0..1.3, 0..60_u64).prop_map(|(max_replicas, rate, hours, part, minute)| {
        let now = start() + Duration::from_mins(minute);
        let capacity = f64::from(max_replicas) * rate * HOUR * f64::from(u32::try_from(hours).unwrap());
        let backlog = Backlog {
            work: Load::new(capacity * part).unwrap(),
            deadline: now + Duration::from_hours(hours),
            margin: Duration::ZERO,
            rate_per_replica: LoadPerReplica::new(rate).unwrap(),
            max_replicas,
            without_forecast: WithoutForecast::Evenly,
        };
        (backlog, now)
    })
}

fn work(plan: &Plan) -> f64 {
    plan.slots.iter().map(|slot| slot.rate.get() * slot.end.duration_since(slot.start).as_secs_f64()).sum()
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-6 * one.abs().max(other.abs()).max(1e-6)
}

proptest! {
    #[test]
    fn a_plan_does_all_the_work_in_time(
        (backlog, now) in any_backlog(), values in prop::collection::vec(0.0..1_000.0, 0..60),
    ) {
        let plan = backlog.plan(now, &points(&values));
        let full = f64::from(backlog.max_replicas) * backlog.rate_per_replica.get();
        prop_assert!(close(work(&plan), backlog.work.get()), "{} of {}", work(&plan), backlog.work.get());
        prop_assert!(plan.slots.iter().all(|slot| slot.rate.get() <= full * (1.0 + 1e-9)));
        prop_assert!(plan.slots.windows(2).all(|pair| pair[0].end <= pair[1].start));
        prop_assert!(plan.replicas <= backlog.max_replicas);
        prop_assert_eq!(plan.may_rest(), plan.replicas == 0);

        let time = backlog.deadline.duration_since(now).as_secs_f64();
        let feasible = backlog.work.get() <= full * time;
        let finish = plan.finish.unwrap();
        prop_assert!(!feasible || finish <= backlog.deadline + Duration::from_millis(1), "{finish}");
        prop_assert!(feasible || plan.reason == PlanReason::TooLate && plan.replicas == backlog.max_replicas);
    }

    #[test]
    fn a_plan_is_never_dirtier_than_going_at_once(
        (backlog, now) in any_backlog(), values in prop::collection::vec(0.0..1_000.0, 70),
    ) {
        let plan = backlog.plan(now, &points(&values));
        if let (Some(planned), Some(at_once)) = (plan.grams_per_kwh, plan.run_now_grams_per_kwh) {
            prop_assert!(planned.get() <= at_once.get() + 1e-9, "{planned} against {at_once}");
        }
    }

    /// Exchange argument: no part of any other valid plan may be cleaner.
    #[test]
    fn no_hour_left_out_is_cleaner_than_one_used(
        (backlog, now) in any_backlog(), values in prop::collection::vec(0.0..1_000.0, 70),
    ) {
        let points = points(&values);
        let plan = backlog.plan(now, &points);
        if !matches!(plan.reason, PlanReason::CleanNow | PlanReason::Waits) {
            return Ok(());
        }
        let dirtiest = plan.slots.iter().filter_map(|slot| slot.grams_per_kwh).fold(0.0, |most, value| value.get().max(most));
        for point in points.iter().filter(|point| point.start >= now && point.start + Duration::from_hours(1) <= backlog.deadline) {
            let used = plan.slots.iter().any(|slot| slot.start == point.start);
            prop_assert!(used || point.value.get() >= dirtiest - 1e-9);
        }
    }

    /// What counts is what is done in the end: asked every ten minutes, with the work that is left.
    #[test]
    fn followed_step_by_step_the_deadline_is_kept_and_carbon_saved(
        (backlog, now) in any_backlog(), values in prop::collection::vec(1.0..1_000.0, 70),
    ) {
        let full = f64::from(backlog.max_replicas) * backlog.rate_per_replica.get();
        if backlog.work.get() > full * backlog.deadline.duration_since(now).as_secs_f64() {
            return Ok(());
        }
        let points = points(&values);
        let at_once = backlog.plan(now, &points).run_now_grams_per_kwh;
        let (mut left, mut at, mut grams) = (backlog.work.get(), now, 0.0);
        while at < backlog.deadline {
            let plan = Backlog { work: Load::new(left).unwrap(), ..backlog }.plan(at, &points);
            // To the next ten minutes of the clock, so that no step crosses an hour.
            let seconds = 600 - u64::try_from(at.duration_since(start()).as_secs()).unwrap() % 600;
            let next = (at + Duration::from_secs(seconds)).min(backlog.deadline);
            let done = (plan.rate.get() * next.duration_since(at).as_secs_f64()).min(left);
            let hour = usize::try_from(at.duration_since(start()).as_secs() / 3_600).unwrap();
            grams += done * values[hour];
            left -= done;
            at = next;
        }
        prop_assert!(left <= 1e-6 * backlog.work.get().max(1.0), "{left} left");
        if let Some(at_once) = at_once {
            prop_assert!(grams <= at_once.get() * backlog.work.get() * (1.0 + 1e-6) + 1e-6);
        }
    }
}
