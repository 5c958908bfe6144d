//! What goes wrong, as data.

use std::time::Duration;

use super::random::{periods, uniform};

/// Something that goes wrong with one agent. Reboots of nodes and ends of pods are not here: they change the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The agent stops, and starts anew after a while.
    AgentRestart { at: Duration, down: Duration },
    /// The agent stops for good.
    AgentDead { from: Duration },
    /// Nobody reaches the agent; it does not notice.
    ScrapeLost { from: Duration, to: Duration },
    /// This share of all scrapes is lost, by chance.
    ScrapesLost { share: f64, seed: u64 },
    /// Scrapes hang until the scraper gives up.
    Hang { from: Duration, to: Duration },
    /// An HTTP error.
    Status { from: Duration, to: Duration, status: u16 },
    /// The agent's clock is ahead by this, or behind where negative.
    ClockSkew { seconds: f64 },
    /// A second scraper asks the same agent, this much earlier than the first each time.
    HaPair { offset: Duration },
    /// The numbers of energy and power are wrong.
    Lie { from: Duration, to: Duration, lie: Lie },
    /// The page never changes again.
    Frozen { from: Duration },
    /// Every counter of energy stands still in the measuring cycle that this instant lies in; the next catches up.
    ZonesReadZero { at: Duration },
}

/// How numbers are wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lie {
    Factor(f64),
    Constant(f64),
    NotANumber,
    Negative,
}

/// How the way to an agent is at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reachable {
    Yes,
    Lost,
    Refused,
    Hangs,
    Status(u16),
}

impl Lie {
    pub(super) fn tell(self, truth: f64) -> f64 {
        match self {
            Self::Factor(factor) => truth * factor,
            Self::Constant(value) => value,
            Self::NotANumber => f64::NAN,
            Self::Negative => -truth,
        }
    }
}

/// How a scrape at this instant goes, as far as the network and the process are concerned.
pub(super) fn reachable(faults: &[Fault], at: Duration) -> Reachable {
    let within = |from: Duration, to: Duration| from <= at && at < to;
    let found = faults.iter().find_map(|fault| match *fault {
        Fault::AgentRestart { at: restart, down } if within(restart, restart + down) => Some(Reachable::Refused),
        Fault::AgentDead { from } if at >= from => Some(Reachable::Refused),
        Fault::ScrapeLost { from, to } if within(from, to) => Some(Reachable::Lost),
        Fault::ScrapesLost { share, seed } => {
            let place = u64::from(periods(at, Duration::from_millis(10)));
            (uniform(seed, place) < share).then_some(Reachable::Lost)
        }
        Fault::Hang { from, to } if within(from, to) => Some(Reachable::Hangs),
        Fault::Status { from, to, status } if within(from, to) => Some(Reachable::Status(status)),
        _ => None,
    });
    found.unwrap_or(Reachable::Yes)
}

/// When the process that answers at this instant started, not counting the node's boots.
pub(super) fn process_start(faults: &[Fault], at: Duration) -> Duration {
    let restarts = faults.iter().filter_map(|fault| match *fault {
        Fault::AgentRestart { at, down } => Some(at + down),
        _ => None,
    });
    restarts.filter(|start| *start <= at).max().unwrap_or_default()
}

/// The lie told at this instant.
pub(super) fn lie(faults: &[Fault], at: Duration) -> Option<Lie> {
    faults.iter().find_map(|fault| match *fault {
        Fault::Lie { from, to, lie } if from <= at && at < to => Some(lie),
        _ => None,
    })
}

/// The page stands still from here.
pub(super) fn frozen_from(faults: &[Fault]) -> Option<Duration> {
    faults.iter().find_map(|fault| if let Fault::Frozen { from } = fault { Some(*from) } else { None })
}

/// How much earlier the second scraper asks.
pub(super) fn ha_offset(faults: &[Fault]) -> Option<Duration> {
    faults.iter().find_map(|fault| if let Fault::HaPair { offset } = fault { Some(*offset) } else { None })
}

/// Seconds by which the agent's clock is ahead.
pub(super) fn clock_skew_seconds(faults: &[Fault]) -> f64 {
    let skews = faults.iter().map(|fault| if let Fault::ClockSkew { seconds } = fault { *seconds } else { 0.0 });
    skews.sum()
}

/// A cycle from `from` to `to` reads no energy.
pub(super) fn reads_zero(faults: &[Fault], from: Duration, to: Duration) -> bool {
    faults.iter().any(|fault| matches!(fault, Fault::ZonesReadZero { at } if from < *at && *at <= to))
}
