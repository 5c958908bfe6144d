//! A month's grams, and how much harder to throttle for them.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Serialize;

use super::{Criticality, GreenFactor};
use crate::quantity::{GramsCo2e, Share};

/// The least factor a budget asks for by itself; the guard of each policy may be above it.
pub const LEAST_FACTOR: f64 = 0.5;
/// Budget factors are multiples of this, so that they move seldom.
pub const FACTOR_STEP: f64 = 0.05;
/// By so much of the budget the projection must fall below what tightened, before that is loosened again.
pub const RATIO_BAND: f64 = 0.02;
/// Before this share of the month has passed, what was spent says too little of what will be.
pub const LEAST_ELAPSED: f64 = 0.02;

/// A month so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetUse {
    /// Grams since the month began.
    pub spent: GramsCo2e,
    /// Grams that the whole month may take.
    pub budget: GramsCo2e,
    /// Share of the month that has passed, see [`elapsed_share`].
    pub elapsed: Share,
    /// Share of the budget that the projection may reach before anything is throttled for it.
    pub starts_throttling_at: Share,
}

/// What follows from a month so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// At the end of the month, if it goes on like this.
    #[serde(rename = "projectedGrams")]
    pub projected: GramsCo2e,
    /// Spent over budget; above 1 where it is overspent.
    pub spent_ratio: f64,
    /// Projected over budget.
    pub projected_ratio: f64,
    /// What each criticality is asked for.
    pub tightening: Tightening,
}

/// A factor for each criticality, to multiply the curve's with.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tightening {
    /// For [`Criticality::BestEffort`], the smallest.
    pub best_effort: GreenFactor,
    /// For [`Criticality::Standard`].
    pub standard: GreenFactor,
    /// For [`Criticality::Critical`], the largest.
    pub critical: GreenFactor,
}

impl Tightening {
    /// No budget, or enough of it.
    pub const NONE: Self =
        Self { best_effort: GreenFactor::ONE, standard: GreenFactor::ONE, critical: GreenFactor::ONE };

    /// The factor of a criticality.
    pub const fn of(&self, criticality: Criticality) -> GreenFactor {
        match criticality {
            Criticality::BestEffort => self.best_effort,
            Criticality::Standard => self.standard,
            Criticality::Critical => self.critical,
        }
    }
}

impl BudgetUse {
    /// Where the month is heading, and what to do about it.
    ///
    /// ```text
    /// projected = spent / elapsed                             spent, before 2 % of the month have passed
    /// p         = projected / budget
    /// need      = (p - start) / (1 - start + 0.5)             0 at the start of throttling, 1 at one and a half budgets
    /// class k   : 1 - (1 - 0.5) * clamp(3 * need - k, 0, 1)   k = 0 best effort, 1 standard, 2 critical
    /// ```
    ///
    /// rounded up to a multiple of 0.05. One class is throttled all the way before the next one is touched. A budget
    /// of nothing is spent from the first gram on.
    pub fn outlook(&self) -> Outlook {
        let (spent, budget) = (self.spent.get(), self.budget.get());
        let elapsed = self.elapsed.get();
        let projected = if elapsed < LEAST_ELAPSED { spent } else { spent / elapsed };
        let projected_ratio = ratio(projected, budget);
        Outlook {
            projected: GramsCo2e::clamped(projected),
            spent_ratio: ratio(spent, budget),
            projected_ratio,
            tightening: self.tightening_at(projected_ratio),
        }
    }

    /// The same where something was decided before: a factor falls at once, and rises only when the projection has
    /// fallen by another 2 % of the budget. So a projection that wavers moves nothing.
    pub fn outlook_after(&self, before: &Tightening) -> Outlook {
        let outlook = self.outlook();
        let (most, least) = (outlook.tightening, self.tightening_at(outlook.projected_ratio + RATIO_BAND));
        let kept = |criticality| before.of(criticality).max(least.of(criticality)).min(most.of(criticality));
        let tightening = Tightening {
            best_effort: kept(Criticality::BestEffort),
            standard: kept(Criticality::Standard),
            critical: kept(Criticality::Critical),
        };
        Outlook { tightening, ..outlook }
    }

    fn tightening_at(&self, projected_ratio: f64) -> Tightening {
        let start = self.starts_throttling_at.get();
        let need = Share::clamped((projected_ratio - start) / (1.5 - start)).get();
        let class = |place: f64| {
            let part = Share::clamped(3.0 * need - place).get();
            rounded_up(1.0 - (1.0 - LEAST_FACTOR) * part)
        };
        Tightening { best_effort: class(0.0), standard: class(1.0), critical: class(2.0) }
    }
}

/// Share of the calendar month of `now` that has passed, in that place.
pub fn elapsed_share(now: Timestamp, time_zone: &TimeZone) -> Share {
    let first = time_zone.to_datetime(now).date().first_of_month();
    let bounds = || {
        let start = time_zone.to_timestamp(first.at(0, 0, 0, 0)).ok()?;
        let end = time_zone.to_timestamp(first.checked_add(1.month()).ok()?.at(0, 0, 0, 0)).ok()?;
        let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
        Share::of(seconds(start, now), seconds(start, end))
    };
    bounds().unwrap_or(Share::NONE)
}

/// Part over whole; where the whole is nothing, any part is as much as can be said.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        part / whole
    } else if part > 0.0 {
        f64::MAX
    } else {
        0.0
    }
}

fn rounded_up(factor: f64) -> GreenFactor {
    GreenFactor::or_one(((factor / FACTOR_STEP) - 1e-9).ceil() * FACTOR_STEP)
}
