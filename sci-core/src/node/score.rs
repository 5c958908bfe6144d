//! From costs to the scheduler's scale of 0 to 10.
//!
//! ```text
//! score = round(10 * best / cost)          costs within 2 % of each other tie
//! ```
//!
//! A ratio, not a rank and not min-max: a node that costs twice the best gets 5 whatever else is in the list, so
//! the order and the number of candidates change nothing, and a small difference stays small.

use serde::Serialize;

use crate::quantity::{GramsPerCoreHour, Share};

/// A score on kube-scheduler's extender scale.
pub type Score = u8;

/// The best score, `MaxExtenderPriority` of the extender protocol.
pub const SCORE_MAX: Score = 10;

/// Costs closer than this are the same: no input is known better.
pub const TIE_FRACTION: f64 = 0.02;

/// What a node without opinion gets where no candidate is known at all.
pub const NEUTRAL_WITHOUT_COMPARISON: Score = 5;

/// Missing data is never best and never worst.
const NEUTRAL_RANGE: (Score, Score) = (1, 9);

/// Below a nanogram per core-hour all nodes cost nothing; keeps the ratio defined.
const COST_FLOOR: f64 = 1e-9;

/// What one candidate costs, and how far that number can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// Marginal footprint per core-hour of work.
    pub per_core_hour: GramsPerCoreHour,
    /// 1 for fresh data, falling to 0 with age: the score moves towards neutral with it.
    pub confidence: Share,
}

impl Cost {
    fn grams(self) -> f64 {
        self.per_core_hour.get().max(COST_FLOOR)
    }
}

/// Buffers kept between calls, so that scoring allocates nothing once warm.
#[derive(Debug, Default)]
pub struct ScoreScratch {
    by_cost: Vec<(f64, u32)>,
    scores: Vec<Score>,
}

/// The outcome for one list of candidates.
#[derive(Debug, PartialEq)]
pub struct Ranking<'s> {
    /// One score per candidate, in the order of the input.
    pub scores: &'s [Score],
    /// Index of the cheapest candidate, the first of them in the input where several tie exactly.
    pub best: Option<usize>,
    /// The middle cost, of the upper two where their number is even.
    pub median: Option<GramsPerCoreHour>,
    /// What candidates without a cost were given.
    pub neutral: Score,
    /// Candidates with a cost.
    pub known: usize,
}

/// Scores `costs`; `None` is a candidate about which nothing is known.
///
/// Scores of known candidates follow the formula at the head of this module, then move towards the neutral score
/// as confidence falls. The neutral score is the median of the known ones, kept within 1 to 9. Between two
/// candidates of equal confidence the cheaper one never scores lower.
///
/// ```
/// use sci_core::{node::{Cost, ScoreScratch, score}, quantity::{GramsPerCoreHour, Share}};
///
/// let cost = |grams| GramsPerCoreHour::new(grams).map(|g| Some(Cost { per_core_hour: g, confidence: Share::ALL }));
/// let mut scratch = ScoreScratch::default();
/// let ranking = score(&[cost(8.0)?, cost(4.0)?, None, cost(4.05)?], &mut scratch);
/// assert_eq!(ranking.scores, [5, 10, 9, 10]); // 4.05 is within 2 % of 4; the unknown node is never best
/// # Ok::<(), sci_core::quantity::QuantityError>(())
/// ```
pub fn score<'s>(costs: &[Option<Cost>], scratch: &'s mut ScoreScratch) -> Ranking<'s> {
    let ScoreScratch { by_cost, scores } = scratch;
    by_cost.clear();
    // Candidates beyond u32 cannot occur: they are nodes of one cluster.
    by_cost.extend((0u32..).zip(costs).filter_map(|(index, cost)| cost.map(|cost| (cost.grams(), index))));
    by_cost.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));

    scores.clear();
    let Some(&(best_cost, best)) = by_cost.first() else {
        scores.resize(costs.len(), NEUTRAL_WITHOUT_COMPARISON);
        return Ranking { scores, best: None, median: None, neutral: NEUTRAL_WITHOUT_COMPARISON, known: 0 };
    };
    let median = by_cost.get(by_cost.len() / 2).map_or(best_cost, |&(cost, _)| cost);
    let neutral = neutral_score(by_cost, best_cost);
    scores.resize(costs.len(), neutral);
    let mut tie_leader = best_cost;
    for &(cost, index) in by_cost.iter() {
        if cost > tie_leader * (1.0 + TIE_FRACTION) {
            tie_leader = cost;
        }
        let raw = raw_score(best_cost, tie_leader);
        let slot = usize::try_from(index).ok().and_then(|index| Some((costs.get(index)?, scores.get_mut(index)?)));
        if let Some((Some(cost), score)) = slot {
            *score = shrunk(raw, neutral, cost.confidence);
        }
    }
    Ranking {
        scores,
        best: usize::try_from(best).ok(),
        median: Some(GramsPerCoreHour::clamped(median)),
        neutral,
        known: by_cost.len(),
    }
}

fn raw_score(best: f64, cost: f64) -> f64 {
    (f64::from(SCORE_MAX) * best / cost).round()
}

/// The score at the middle of the known candidates.
fn neutral_score(by_cost: &[(f64, u32)], best: f64) -> Score {
    let middle = by_cost.get(by_cost.len() / 2).map_or(best, |&(cost, _)| cost);
    let (least, most) = NEUTRAL_RANGE;
    to_score(raw_score(best, middle)).clamp(least, most)
}

fn shrunk(raw: f64, neutral: Score, confidence: Share) -> Score {
    let neutral = f64::from(neutral);
    to_score((neutral + (raw - neutral) * confidence.get()).round())
}

/// A whole number within 0 to 10 as an integer.
fn to_score(whole: f64) -> Score {
    (0..=SCORE_MAX).rev().find(|&score| f64::from(score) <= whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fresh(grams: f64) -> Option<Cost> {
        GramsPerCoreHour::new(grams).ok().map(|per_core_hour| Cost { per_core_hour, confidence: Share::ALL })
    }

    fn aged(grams: f64, confidence: f64) -> Cost {
        Cost { per_core_hour: GramsPerCoreHour::new(grams).unwrap(), confidence: Share::new(confidence).unwrap() }
    }

    fn scores(costs: &[Option<Cost>]) -> Vec<Score> {
        score(costs, &mut ScoreScratch::default()).scores.to_vec()
    }

    #[test]
    fn twice_the_best_is_five() {
        assert_eq!(scores(&[fresh(3.0), fresh(6.0), fresh(30.0), fresh(300.0)]), [10, 5, 1, 0]);
    }

    #[test]
    fn within_two_percent_is_a_tie_at_every_level() {
        // 10/6.64 rounds to 2 and 10/6.70 to 1, though they differ by less than one percent.
        assert_eq!(scores(&[fresh(1.0), fresh(6.64), fresh(6.70)]), [10, 2, 2]);
        assert_eq!(scores(&[fresh(100.0), fresh(102.0)]), [10, 10]);
    }

    #[test]
    fn unknown_is_never_best_and_never_zero() {
        assert_eq!(scores(&[fresh(5.0), fresh(5.0), None]), [10, 10, 9]);
        assert_eq!(scores(&[fresh(1.0), fresh(900.0), fresh(900.0), None]), [10, 0, 0, 1]);
    }

    #[test]
    fn nothing_known_is_no_opinion() {
        let mut scratch = ScoreScratch::default();
        let ranking = score(&[None, None], &mut scratch);
        assert_eq!((ranking.known, ranking.scores), (0, [5, 5].as_slice()));
    }

    #[test]
    fn no_candidate_is_no_answer() {
        assert!(scores(&[]).is_empty());
    }

    #[test]
    fn age_moves_the_score_towards_neutral() {
        let costs = |confidence| [Some(aged(1.0, confidence)), fresh(2.0), fresh(2.0)];
        assert_eq!(scores(&costs(1.0)), [10, 5, 5]);
        assert_eq!(scores(&costs(0.5)), [8, 5, 5]);
        assert_eq!(scores(&costs(0.0)), [5, 5, 5]);
    }

    #[test]
    fn free_nodes_tie_and_beat_the_rest() {
        assert_eq!(scores(&[fresh(0.0), fresh(0.0), fresh(1.0)]), [10, 10, 0]);
    }

    #[test]
    fn best_and_median_are_named() {
        let mut scratch = ScoreScratch::default();
        let ranking = score(&[fresh(9.0), None, fresh(3.0), fresh(4.0)], &mut scratch);
        assert_eq!(ranking.best, Some(2));
        assert_eq!(ranking.median, Some(GramsPerCoreHour::new(4.0).unwrap()));
    }

    fn candidate() -> impl Strategy<Value = Option<Cost>> {
        prop::option::weighted(0.9, (0.0..1e4f64, 0.0..=1.0f64).prop_map(|(grams, c)| aged(grams, c)))
    }

    proptest! {
        #[test]
        fn order_of_candidates_does_not_matter(
            shuffled in prop::collection::vec(candidate(), 0..60)
                .prop_flat_map(|costs| (Just(costs.clone()), Just((0..costs.len()).collect::<Vec<_>>()).prop_shuffle()))
        ) {
            let (costs, order) = shuffled;
            let plain = scores(&costs);
            let moved: Vec<_> = order.iter().map(|&from| costs[from]).collect();
            let expected: Vec<_> = order.iter().map(|&from| plain[from]).collect();
            prop_assert_eq!(scores(&moved), expected);
        }

        #[test]
        fn the_cheaper_of_two_equally_known_never_scores_lower(
            costs in prop::collection::vec(candidate(), 2..60), confidence in 0.0..=1.0f64
        ) {
            let costs: Vec<_> = costs.into_iter().map(|cost| {
                cost.map(|cost| Cost { confidence: Share::new(confidence).unwrap(), ..cost })
            }).collect();
            let scores = scores(&costs);
            for (a, score_a) in costs.iter().zip(&scores) {
                for (b, score_b) in costs.iter().zip(&scores) {
                    if let (Some(a), Some(b)) = (a, b) && a.per_core_hour <= b.per_core_hour {
                        prop_assert!(score_a >= score_b);
                    }
                }
            }
        }

        #[test]
        fn scores_stay_on_the_scale(costs in prop::collection::vec(candidate(), 0..60)) {
            prop_assert!(scores(&costs).iter().all(|&score| score <= SCORE_MAX));
        }
    }
}
