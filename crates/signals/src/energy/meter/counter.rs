//! Joules between two readings of a counter that may have wrapped where nobody says.

use jiff::Timestamp;
use sci_core::{
    quantity::{Joules, Watts},
    sci::counter::{CounterError, CounterLimits, CounterSample, energy_between},
};

use crate::energy::{reading::Wraps, window::GapReason};

/// `max_energy_range_uj` of RAPL zones, in joules: 32 bits of 61.04 uJ (Intel), and of 15.3 uJ (Intel servers' memory,
/// AMD).
const RAPL_RANGES_JOULES: [f64; 3] = [262_143.328_850, 65_712.999_613, 65_532.610_987];
/// Most sockets whose ranges Kepler adds up.
const MAX_SOCKETS: u32 = 8;
/// Power over a wrap is not believed above this many times what was seen before.
const MAX_JUMP: f64 = 4.0;
/// Below this, a jump says nothing: idle machines become busy.
const JUMP_FLOOR_WATTS: f64 = 100.0;

/// Four small ranges are a large one but for 13 J: noise does not decide between them.
const CLOSER_JOULES: f64 = 64.0;

/// Two readings of one counter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub from: (Timestamp, f64),
    pub to: (Timestamp, f64),
    pub wraps: Wraps,
}

/// What bounds a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub max_power: Watts,
    /// Power just before, or by the exporter's own gauge.
    pub seen_watts: Option<f64>,
}

impl Step {
    /// Joules from one reading to the other.
    ///
    /// Where the counter fell, all ranges and numbers of sockets are tried: results for one range differ by 65 kJ or
    /// more, so that over some minutes at most one is below the node's largest power, and what was seen before decides
    /// between ranges.
    /// The same search finds a Kepler that was restarted after zones had wrapped, which falls by some of the ranges.
    pub(super) fn joules(self, bound: Bound) -> Result<f64, GapReason> {
        let ((from_at, from), (to_at, to)) = (self.from, self.to);
        let (Ok(previous), Ok(current)) = (Joules::new(from), Joules::new(to)) else {
            return Err(GapReason::Implausible);
        };
        let limits = CounterLimits { range: None, max_power: bound.max_power };
        let (previous, current) =
            (CounterSample { at: from_at, energy: previous }, CounterSample { at: to_at, energy: current });
        match energy_between(&previous, &current, &limits) {
            Ok(energy) => Ok(energy.get()),
            Err(CounterError::Fell { .. }) => self.wrapped(bound).ok_or(GapReason::CounterReset),
            Err(CounterError::NotLater) => Err(GapReason::Clock),
            Err(_) => Err(GapReason::Implausible),
        }
    }

    fn wrapped(self, bound: Bound) -> Option<f64> {
        let seconds = self.to.0.duration_since(self.from.0).as_secs_f64();
        let likely = bound.seen_watts.map_or(f64::INFINITY, |watts| (watts * MAX_JUMP).max(JUMP_FLOOR_WATTS));
        let most = bound.max_power.get().min(likely) * seconds;
        let (fallen, sockets) = match self.wraps {
            Wraps::Restarts => return None,
            Wraps::Rapl => (self.from.1 - self.to.1, 1),
            Wraps::RaplSum => (self.from.1 - self.to.1, MAX_SOCKETS),
        };
        let mut possible = RAPL_RANGES_JOULES.into_iter().filter_map(|range| {
            if sockets == 1 && self.from.1 > range {
                return None;
            }
            (1..=sockets).map(|count| f64::from(count) * range - fallen).find(|joules| (0.0..=most).contains(joules))
        });
        let Some(expected) = bound.seen_watts.map(|watts| watts * seconds) else { return possible.next() };
        let miss = |joules: f64| (joules - expected).abs();
        possible.reduce(|first, other| if miss(first) - miss(other) > CLOSER_JOULES { other } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: f64, to: f64, seconds: i64, wraps: Wraps) -> Step {
        let at = |second| Timestamp::from_second(1_000 + second).unwrap();
        Step { from: (at(0), from), to: (at(seconds), to), wraps }
    }

    fn bound(seen_watts: Option<f64>) -> Bound {
        Bound { max_power: Watts::new(800.0).unwrap(), seen_watts }
    }

    #[test]
    fn several_sockets_wrap_at_the_sum_of_their_ranges() {
        // Three sockets: 100 J before the end of 786,429.98655 J, 1,550 J after it.
        let joules = step(786_329.986_55, 1_550.0, 15, Wraps::RaplSum).joules(bound(None)).unwrap();
        assert!((joules - 1_650.0).abs() < 1e-6, "{joules}");
    }

    #[test]
    fn a_restarted_kepler_forgets_the_wraps_of_single_sockets() {
        // Two sockets summed to 400 kJ; one of them had wrapped, and the restart reads both anew.
        let joules = step(400_000.0, 139_506.671_15, 15, Wraps::RaplSum).joules(bound(None)).unwrap();
        assert!((joules - 1_650.0).abs() < 1e-6, "{joules}");
    }

    #[test]
    fn counters_of_amd_wrap_earlier() {
        let joules = step(65_500.0, 967.389_013, 10, Wraps::Rapl).joules(bound(Some(100.0))).unwrap();
        assert!((joules - 1_000.0).abs() < 1e-6, "{joules}");
    }

    #[test]
    fn a_fall_that_no_range_explains_is_a_reset() {
        for wraps in [Wraps::Restarts, Wraps::Rapl, Wraps::RaplSum] {
            assert_eq!(step(100_000.0, 500.0, 15, wraps).joules(bound(None)), Err(GapReason::CounterReset));
        }
    }

    #[test]
    fn a_wrap_at_a_power_never_seen_is_a_reset() {
        let wrapped = step(262_000.0, 9_000.0, 15, Wraps::Rapl);
        assert!(wrapped.joules(bound(None)).is_ok());
        assert_eq!(wrapped.joules(bound(Some(60.0))), Err(GapReason::CounterReset));
    }

    #[test]
    fn more_than_the_node_can_draw_is_implausible() {
        for to in [20_000.0, 9.2e14, 1e300, f64::MAX] {
            assert_eq!(step(0.0, to, 15, Wraps::Rapl).joules(bound(None)), Err(GapReason::Implausible), "{to}");
        }
    }
}
