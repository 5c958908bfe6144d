//! Which method saves carbon.

use super::{Method, per_method::PerMethod, placement::best_hour};
use crate::quantity::GramsPerKwh;

/// Hours that jobs of the score may wait and run in.
pub(super) const WINDOW_HOURS: u8 = 24;
/// Lengths of those jobs in hours.
const JOB_HOURS: [u8; 2] = [1, 4];
/// Outcomes lose half their weight in this time.
const HALF_LIFE_HOURS: f64 = 28.0 * 24.0;
/// A method is not judged on less.
const LEAST_SCORED: u32 = 7 * 24;
/// What a rival must capture more before the preferred method has to go. It comes back when it is as good.
const LEAD: f64 = 0.02;
/// A method that is off by so many times a rival's error, and by so much of the value itself, has to go whatever it
/// captures: it speaks in another unit or of another zone.
const FAR_OFF: (f64, f64) = (2.0, 0.25);
/// Where perfect knowledge saves less than this share there is nothing to capture.
const FLAT: f64 = 1e-4;

/// How well one method did lately.
///
/// ```text
/// captured = sum(now - chosen) / sum(now - best)
/// ```
///
/// for a job that may start at any hour of the next 24 and end within them: `now` is its intensity when started at
/// once, `chosen` when started where the forecast is lowest, `best` where the truth is. Jobs of one and of four hours
/// count alike. Older outcomes weigh less, half after 28 days.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    saved: [f64; 2],
    possible: [f64; 2],
    now: f64,
    error: f64,
    weight: f64,
    scored: u32,
}

impl Score {
    /// Share of the best possible saving; below zero where following the method was worse than starting at once.
    /// `None` where nothing was scored or the zone is too flat for any saving.
    pub fn captured(&self) -> Option<f64> {
        let share = |job: usize| {
            let (saved, possible) = (self.saved.get(job)?, self.possible.get(job)?);
            (*possible > FLAT * self.now).then(|| saved / possible)
        };
        Some(f64::midpoint(share(0)?, share(1)?))
    }

    /// Mean absolute error over the next 24 hours, in gCO2e/kWh.
    pub fn mean_absolute_error(&self) -> Option<GramsPerKwh> {
        (self.weight > 0.0).then(|| GramsPerKwh::clamped(self.error / self.weight))
    }

    /// Whole days of forecasts that came to their end.
    pub fn scored_days(&self) -> u32 {
        self.scored / 24
    }

    fn record(&mut self, predicted: &[GramsPerKwh], actual: &[GramsPerKwh]) {
        let mean = |start: usize, hours: u8| {
            let sum: f64 = actual.iter().skip(start).take(usize::from(hours)).map(|value| value.get()).sum();
            sum / f64::from(hours)
        };
        let fade = |sum: &mut f64, value: f64| *sum = *sum * (-std::f64::consts::LN_2 / HALF_LIFE_HOURS).exp() + value;
        for ((saved, possible), hours) in self.saved.iter_mut().zip(&mut self.possible).zip(JOB_HOURS) {
            let now = mean(0, hours);
            fade(saved, now - mean(best_hour(predicted, hours.into()), hours));
            fade(possible, now - mean(best_hour(actual, hours.into()), hours));
        }
        let errors = predicted.iter().zip(actual).map(|(predicted, actual)| (predicted.get() - actual.get()).abs());
        fade(&mut self.error, errors.sum());
        fade(&mut self.weight, f64::from(WINDOW_HOURS));
        fade(&mut self.now, mean(0, 1));
        self.scored = self.scored.saturating_add(1);
    }

    /// Whether this one should go for `rival`, if that captures more than `lead` beyond it.
    fn loses_to(&self, rival: &Self, lead: f64) -> bool {
        if self.scored < LEAST_SCORED || rival.scored < LEAST_SCORED {
            return false;
        }
        if self.is_far_off(rival) {
            return true;
        }
        let captures = self.captured().zip(rival.captured());
        !rival.is_far_off(self) && captures.is_some_and(|(mine, theirs)| theirs > mine + lead)
    }

    fn is_far_off(&self, rival: &Self) -> bool {
        let (times, of_value) = FAR_OFF;
        let (mine, theirs) = (self.error / self.weight, rival.error / rival.weight);
        let value = self.now / (self.weight / f64::from(WINDOW_HOURS));
        mine > times * theirs && mine > of_value * value
    }
}

/// The scores of all methods of one zone, and the method to follow.
///
/// The first of [`Method::ALL`] that can speak is preferred. It is replaced by the best of the others once that one
/// captures 2 points more of the best possible saving, and comes back when it is as good again. A method whose mean
/// error is more than twice another's and a quarter of the value has to go in any case: it may speak in another unit or
/// of another zone. Nothing is judged on less than seven days.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scoreboard {
    scores: PerMethod<Score>,
    chosen: Option<Method>,
}

impl Scoreboard {
    /// The score of one method.
    pub fn score(&self, method: Method) -> Score {
        *self.scores.get(method)
    }

    /// The method decided for last.
    pub fn chosen(&self) -> Option<Method> {
        self.chosen
    }

    /// Learns from a forecast of 24 hours that all came. Anything else is left out.
    pub fn record(&mut self, method: Method, predicted: &[GramsPerKwh], actual: &[GramsPerKwh]) {
        let whole = usize::from(WINDOW_HOURS);
        if predicted.len() != whole || actual.len() != whole {
            return;
        }
        self.scores.get_mut(method).record(predicted, actual);
    }

    /// Chooses among the methods that can speak, given in order of preference. `None` where there is none.
    pub fn choose(&self, able: &[Method]) -> Option<Method> {
        let mut chosen = self.chosen.filter(|method| able.contains(method)).or(able.first().copied())?;
        let mut preferred = able.iter().copied().take_while(|method| *method != chosen);
        if let Some(back) = preferred.find(|method| !self.loses(*method, chosen, 0.0)) {
            chosen = back;
        }
        let captured = |method: &Method| self.score(*method).captured().unwrap_or(0.0);
        let rivals = able.iter().copied().filter(|rival| self.loses(chosen, *rival, LEAD));
        let better = rivals.max_by(|left, right| captured(left).total_cmp(&captured(right)));
        better.or(Some(chosen))
    }

    /// Chooses and keeps to it: from now on another method has to be better by the lead.
    pub fn decide(&mut self, able: &[Method]) {
        self.chosen = self.choose(able);
    }

    fn loses(&self, method: Method, rival: Method, lead: f64) -> bool {
        self.score(method).loses_to(&self.score(rival), lead)
    }
}
