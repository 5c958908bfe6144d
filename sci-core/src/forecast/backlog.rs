//! Forecasts whose hours are still to come.

use super::{Calibration, HourlyHistory, Method, Scoreboard, hour::Hour, scoreboard::WINDOW_HOURS};
use crate::quantity::GramsPerKwh;

/// Every so many hours a forecast is kept to its whole length, so that far hours learn their bounds too.
const LONG_EVERY_HOURS: u8 = 6;

/// One hour of a forecast and the method that spoke for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Said {
    pub(super) value: GramsPerKwh,
    pub(super) method: Method,
}

/// What one method said that did not come to its hour yet, and what its errors taught.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Track {
    pub(super) calibration: Calibration,
    issued: Vec<Issued>,
}

/// A forecast made when the hour before `first` became known.
#[derive(Debug, Clone, PartialEq)]
struct Issued {
    first: Hour,
    hours: Vec<Said>,
}

impl Track {
    /// How many hours of a forecast that begins with `first` are worth keeping.
    pub(super) fn hours_to_issue(first: Hour) -> usize {
        if first.of_day().is_multiple_of(LONG_EVERY_HOURS) { Calibration::MAX_LEAD } else { WINDOW_HOURS.into() }
    }

    /// Keeps a forecast until its hours come.
    pub(super) fn issue(&mut self, first: Hour, hours: Vec<Said>) {
        self.issued.push(Issued { first, hours });
    }

    /// Compares what was said about `hour` with what came, and forgets forecasts that lie behind. An hour that
    /// another method filled in teaches this one's bounds nothing, but counts for its score: that is what a user got.
    pub(super) fn settle(
        &mut self,
        method: Method,
        hour: Hour,
        actual: GramsPerKwh,
        history: &HourlyHistory,
        scoreboard: &mut Scoreboard,
    ) {
        for issued in &self.issued {
            let Ok(ahead) = usize::try_from(hour.since(issued.first)) else { continue };
            if let Some(said) = issued.hours.get(ahead).filter(|said| said.method == method) {
                self.calibration.observe(ahead + 1, said.value, actual);
            }
            let whole = usize::from(WINDOW_HOURS);
            if ahead + 1 == whole {
                let predicted: Vec<_> = issued.hours.iter().take(whole).map(|said| said.value).collect();
                let came: Vec<_> = (0_i64..).take(whole).map_while(|h| history.get(issued.first.plus(h))).collect();
                scoreboard.record(method, &predicted, &came);
            }
        }
        self.issued.retain(|issued| {
            usize::try_from(hour.since(issued.first)).is_ok_and(|ahead| ahead + 1 < issued.hours.len())
        });
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_came_is_forgotten() {
        let (mut track, mut scoreboard) = (Track::default(), Scoreboard::default());
        let start = Hour::containing(Timestamp::UNIX_EPOCH);
        let said = Said { value: GramsPerKwh::MIN, method: Method::Persistence };
        for at in 0..500 {
            let first = start.plus(at);
            track.settle(Method::Persistence, first.plus(-1), said.value, &HourlyHistory::new(), &mut scoreboard);
            track.issue(first, vec![said; Track::hours_to_issue(first)]);
            assert!(track.issued.len() <= 24 + 72 / 6, "{}", track.issued.len());
        }
        // After a long silence nothing waits any more.
        let later = start.plus(5_000);
        track.settle(Method::Persistence, later, said.value, &HourlyHistory::new(), &mut scoreboard);
        assert!(track.issued.is_empty());
    }
}
