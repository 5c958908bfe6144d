//! Work with a deadline: how fast to go now.
//!
//! A backlog of W units that replicas work off at up to R units per second must be done by a deadline. Each unit
//! takes the same energy whenever it is done, so the carbon of a plan is the sum of its work times the intensity
//! then, and the least of it comes from filling the cleanest hours first:
//!
//! ```text
//! minimise sum w_h * I_h     where 0 <= w_h <= R * length_h and sum w_h = W        over hours until the deadline
//! ```
//!
//! This is the fractional knapsack problem, which greedy filling solves exactly. It is the fluid form of the marginal
//! allocation of `CarbonScaler` (Hanafy et al., 2023) for work that scales with its replicas. The deadline always wins:
//! a plan whose work fits only just leaves no hour out, one whose work does not fit goes as fast as it can.

mod fill;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::fill::{Stretch, at_full_rate, cleanest_first, later, seconds, stretches};
use super::{LOAD_LIMIT, Load, LoadPerReplica, number};
use crate::{forecast::Point, quantity::GramsPerKwh};

/// What is to be done, by when, and how fast it can go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backlog {
    /// Units of work left.
    pub work: Load,
    /// When it must be done.
    pub deadline: Timestamp,
    /// Time to keep before the deadline: pods start, machines fail, rates are guesses.
    pub margin: Duration,
    /// Units per second that one replica does.
    pub rate_per_replica: LoadPerReplica,
    /// Replicas there may be.
    pub max_replicas: u32,
    /// What to do where no hour is forecast.
    pub without_forecast: WithoutForecast,
}

/// How to go without a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WithoutForecast {
    /// At the steady rate that is done in time.
    #[default]
    Evenly,
    /// As fast as possible.
    Now,
}

/// How fast to go, and what is meant to follow.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Units per second to do now; what is served as load. 0 where the work can wait.
    pub rate: Load,
    /// Replicas that it takes.
    pub replicas: u32,
    /// How the rate came to be.
    pub reason: PlanReason,
    /// The hours in which something is done, in order, parts of hours at the rims.
    pub slots: Vec<PlannedSlot>,
    /// When it will be done; `None` where it never will, without replicas.
    pub finish: Option<Timestamp>,
    /// How long all could wait and still be done before the deadline and its margin at full rate.
    #[serde(skip)]
    pub slack: Duration,
    /// Mean intensity per unit of work by this plan; `None` where an hour of it is not forecast.
    pub grams_per_kwh: Option<GramsPerKwh>,
    /// The same for going as fast as possible from now on.
    pub run_now_grams_per_kwh: Option<GramsPerKwh>,
}

/// A stretch of steady work.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedSlot {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// Units per second.
    pub rate: Load,
    /// What is forecast for it.
    pub grams_per_kwh: Option<GramsPerKwh>,
}

/// How a rate came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum PlanReason {
    /// Nothing is left.
    Done,
    /// This hour is among the cleanest that the work needs.
    CleanNow,
    /// Cleaner hours suffice.
    Waits,
    /// No time is left to wait.
    DeadlineNear,
    /// The deadline cannot be kept: as fast as possible.
    TooLate,
    /// No hour is forecast.
    NoForecast,
}

impl PlanReason {
    /// As in metrics, status and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::CleanNow => "cleanNow",
            Self::Waits => "waits",
            Self::DeadlineNear => "deadlineNear",
            Self::TooLate => "tooLate",
            Self::NoForecast => "noForecast",
        }
    }
}

impl Backlog {
    /// The rate now and the plan behind it. `forecast` holds hours by start; those that are missing before the
    /// deadline count as the dirtiest that are known, so they are used last and never because nobody knows them.
    ///
    /// Asked again and again with the work that is left, the plan corrects itself.
    pub fn plan(&self, now: Timestamp, forecast: &[Point]) -> Plan {
        // Half of what a load may be: no rate below it fails to be one.
        let full = (f64::from(self.max_replicas) * self.rate_per_replica.get()).min(LOAD_LIMIT / 2.0);
        let due = self.deadline.checked_sub(self.margin).unwrap_or(Timestamp::MIN).max(now);
        let work = self.work.get();
        let (needed, left) = (work / full, seconds(now, due));
        let run_now = at_full_rate(&stretches(now, later(now, needed), forecast), full);

        let (reason, slots) = if work <= 0.0 {
            (PlanReason::Done, Vec::new())
        } else if full <= 0.0 {
            (PlanReason::TooLate, Vec::new())
        } else if needed >= left {
            (if needed > left { PlanReason::TooLate } else { PlanReason::DeadlineNear }, run_now.clone())
        } else {
            self.with_time_to_spare(&stretches(now, due, forecast), &run_now, full)
        };
        let rate = slots.first().filter(|slot| slot.start <= now).map_or(Load::ZERO, |slot| slot.rate);
        Plan {
            rate,
            replicas: number::replicas(rate.get() / self.rate_per_replica.get()).min(self.max_replicas),
            reason,
            finish: if reason == PlanReason::Done { Some(now) } else { slots.last().map(|slot| slot.end) },
            slack: Duration::try_from_secs_f64(left - needed).unwrap_or_default(),
            grams_per_kwh: mean(&slots),
            run_now_grams_per_kwh: mean(&run_now),
            slots,
        }
    }

    fn with_time_to_spare(
        &self,
        stretches: &[Stretch],
        run_now: &[PlannedSlot],
        full: f64,
    ) -> (PlanReason, Vec<PlannedSlot>) {
        if stretches.iter().any(|stretch| stretch.value.is_some()) {
            let slots = cleanest_first(stretches, self.work.get(), full);
            let now = stretches.first().map(|stretch| stretch.start);
            let starts_now = slots.first().map(|slot| slot.start) == now;
            return (if starts_now { PlanReason::CleanNow } else { PlanReason::Waits }, slots);
        }
        let slots = match self.without_forecast {
            WithoutForecast::Now => run_now.to_vec(),
            WithoutForecast::Evenly => {
                let time: f64 = stretches.iter().map(Stretch::seconds).sum();
                at_full_rate(stretches, self.work.get() / time)
            }
        };
        (PlanReason::NoForecast, slots)
    }
}

impl Plan {
    /// Whether nothing need run now.
    pub fn may_rest(&self) -> bool {
        self.rate == Load::ZERO
    }
}

/// Per unit of work.
fn mean(slots: &[PlannedSlot]) -> Option<GramsPerKwh> {
    let (mut grams, mut work) = (0.0, 0.0);
    for slot in slots {
        let done = slot.work();
        grams += slot.grams_per_kwh?.get() * done;
        work += done;
    }
    (work > 0.0).then(|| GramsPerKwh::clamped(grams / work))
}
