use jiff::tz::TimeZone;

use super::share;
use crate::{
    quantity::GramsCo2e,
    scaling::{
        Criticality,
        budget::{BudgetUse, Outlook, elapsed_share},
        number::whole,
    },
};

fn outlook(spent: f64, elapsed: f64) -> Outlook {
    BudgetUse {
        spent: GramsCo2e::new(spent).unwrap(),
        budget: GramsCo2e::new(1_000.0).unwrap(),
        elapsed: share(elapsed),
        starts_throttling_at: share(0.8),
    }
    .outlook()
}

/// In thousandths, in the order in which classes are throttled.
fn factors(outlook: &Outlook) -> [u64; 3] {
    Criticality::ALL.map(|criticality| whole((outlook.tightening.of(criticality).get() * 1e3).round()))
}

#[test]
fn below_its_start_nothing_is_throttled() {
    let calm = outlook(400.0, 0.5);
    assert!((calm.projected.get() - 800.0).abs() < 1e-9);
    assert!((calm.spent_ratio - 0.4).abs() < 1e-12 && (calm.projected_ratio - 0.8).abs() < 1e-12);
    assert_eq!(factors(&calm), [1000, 1000, 1000]);
}

#[test]
fn one_class_is_throttled_before_the_next() {
    // Projected 1,000: need (1 - 0.8) / 0.7 = 2/7, three times that is 0.857 of the first class: 0.571, to 0.6.
    assert_eq!(factors(&outlook(500.0, 0.5)), [600, 1000, 1000]);
    // Projected 1,200: need 4/7, so 1.714: all of the first, 0.714 of the second: 0.643, to 0.65.
    assert_eq!(factors(&outlook(600.0, 0.5)), [500, 650, 1000]);
    // Projected 1,400: need 6/7, so 2.571: 0.571 of the third: 0.714, to 0.75.
    assert_eq!(factors(&outlook(700.0, 0.5)), [500, 500, 750]);
    assert_eq!(factors(&outlook(750.0, 0.5)), [500, 500, 500]);
    assert_eq!(factors(&outlook(9_000.0, 0.5)), [500, 500, 500]);
}

#[test]
fn a_month_that_has_just_begun_projects_nothing() {
    let begun = outlook(100.0, 0.01);
    assert!((begun.projected.get() - 100.0).abs() < 1e-9);
    assert_eq!(factors(&begun), [1000, 1000, 1000]);
    assert_eq!(factors(&outlook(1_500.0, 0.0)), [500, 500, 500], "spent is spent");
}

#[test]
fn a_budget_of_nothing_is_spent_from_the_first_gram_on() {
    let nothing = |spent| BudgetUse {
        spent: GramsCo2e::new(spent).unwrap(),
        budget: GramsCo2e::ZERO,
        elapsed: share(0.5),
        starts_throttling_at: share(0.8),
    };
    assert_eq!(factors(&nothing(0.0).outlook()), [1000, 1000, 1000]);
    assert_eq!(factors(&nothing(1e-6).outlook()), [500, 500, 500]);
}

#[test]
fn months_have_their_own_lengths_and_places() {
    let elapsed = |now: &str, zone: &TimeZone| elapsed_share(now.parse().unwrap(), zone).get();
    assert!((elapsed("2026-02-15T00:00:00Z", &TimeZone::UTC) - 0.5).abs() < 1e-12, "14 of 28 days");
    assert!(elapsed("2026-03-01T00:00:00Z", &TimeZone::UTC).abs() < 1e-12);
    assert!((elapsed("2026-01-31T23:59:59Z", &TimeZone::UTC) - 1.0).abs() < 1e-5);
    // March in Central Europe lacks an hour: 743 of them, and the last ends at 22:00 UTC.
    let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    assert!((elapsed("2026-03-31T20:00:00Z", &berlin) - 741.0 / 743.0).abs() < 1e-12);
    assert!(elapsed("2026-03-31T22:30:00Z", &berlin) < 0.001);
}

#[test]
fn a_projection_that_wavers_moves_nothing() {
    // Of the first class: 0.571 at a projection of 1,000, which is 0.6; 0.55 would be at 1,010, 0.65 at 962.
    let after = |before: &Outlook, projected: f64| {
        let month = BudgetUse {
            spent: GramsCo2e::new(projected / 2.0).unwrap(),
            budget: GramsCo2e::new(1_000.0).unwrap(),
            elapsed: share(0.5),
            starts_throttling_at: share(0.8),
        };
        month.outlook_after(&before.tightening)
    };
    let mut outlook = outlook(500.0, 0.5);
    let mut seen = Vec::new();
    for projected in [975.0, 1_015.0, 995.0, 1_015.0, 990.0, 940.0, 790.0, 770.0] {
        outlook = after(&outlook, projected);
        seen.push(factors(&outlook)[0]);
    }
    assert_eq!(seen, [600, 550, 550, 550, 550, 700, 1000, 1000]);
}
