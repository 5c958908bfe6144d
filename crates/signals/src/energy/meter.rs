//! Windows of joules out of observations of one node by one source.
//!
//! ```text
//! observation --> step since the last --> joules, or why there are none --> spread over windows --> closed windows
//! ```
//!
//! - All of the node's series make a step together: where one has no value, the node has none, because it would look
//!   cheaper than it is. Pods have their own covered time.
//! - An observation in which no value of the node's energy differs is the last one, read again.
//! - Counters make deltas of their own, whatever their exporter or Prometheus makes of a wrap or a restart.
//! - A step below what machines draw or above what this node can draw is a gap; several in a row are a meter that is
//!   refused until it behaves.
//! - A window is handed over when observations have reached its end, or are overdue for `stale_after`; it needs
//!   [`SCALE_FROM`](super::SCALE_FROM) of its time, or it is a [`Gap`].

mod account;
mod counter;
mod grid;
mod interval;
mod node;
mod observations;
mod pods;
mod trust;
mod windows;

use std::{mem, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sci_core::quantity::{Cores, Watts};

use self::account::Account;
use super::{
    reading::{NodePage, ReadCounts, Reading},
    window::{Exporter, Gap, GapReason, NodeWindow, RefusedMeter, Route},
};

/// Pushed values wait for so many poll intervals, because what is derived from them comes later.
const HOLD_POLLS: u32 = 3;
/// Pushed values that wait. More are dropped, oldest first.
const MAX_PENDING: usize = 100_000;

/// What a meter has to know beside its observations.
#[derive(Debug, Clone)]
pub struct MeterOptions {
    /// Name of the node.
    pub node: Arc<str>,
    /// Name of the configured source.
    pub source: Arc<str>,
    /// The way on which values come.
    pub route: Route,
    /// Length of a window.
    pub window: Duration,
    /// What says more than this is wrong.
    pub max_power: Watts,
    /// Hardware threads.
    pub cores: Cores,
    /// Interval at which an ALUMET agent measures; its page shows one of these only.
    pub alumet_poll_interval: Duration,
    /// Interval of ALUMET's aggregation plugin. `None`: as long as the sums are apart; if they are made faster than
    /// they are read, the result is too small, and marked as sampled.
    pub alumet_aggregation_interval: Option<Duration>,
    /// A series that is silent for so long is gone.
    pub stale_after: Duration,
    /// Interval of the observations.
    pub scrape_interval: Duration,
}

/// Of one node and one source. Several exporters on one page are meters of their own, never added.
#[derive(Debug)]
pub struct Meter {
    options: MeterOptions,
    accounts: Vec<Account>,
    pending: Vec<Reading>,
    counts: MeterCounts,
}

/// What became known since the last time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeterOutput {
    /// Finished windows, oldest first for each exporter.
    pub windows: Vec<NodeWindow>,
    /// Time without a value.
    pub gaps: Vec<Gap>,
    /// Meters that are not believed at present.
    pub refused: Vec<RefusedMeter>,
    /// Values that were left out.
    pub counts: MeterCounts,
}

/// Values that were left out, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeterCounts {
    /// Samples that cannot be used.
    pub read: ReadCounts,
    /// Observations of a time that was there before: the second replica of a Prometheus.
    pub duplicates: u64,
    /// Observations of pods without the node, which is known otherwise.
    pub late: u64,
    /// Pods and series beyond what is followed.
    pub over_limit: u64,
    /// Pushed values that had no room to wait.
    pub overflow: u64,
    /// Last words about pods that were never seen alive. They contribute nothing.
    pub lone_terminated: u64,
    /// Values of pods that exceed their node.
    pub implausible_pods: u64,
}

impl Meter {
    /// A meter that has seen nothing.
    pub const fn new(options: MeterOptions) -> Self {
        let counts = MeterCounts {
            read: ReadCounts { impossible: 0, clock: 0 },
            duplicates: 0,
            late: 0,
            over_limit: 0,
            overflow: 0,
            lone_terminated: 0,
            implausible_pods: 0,
        };
        Self { options, accounts: Vec::new(), pending: Vec::new(), counts }
    }

    /// The node's hardware class became known or changed.
    pub const fn set_limits(&mut self, max_power: Watts, cores: Cores) {
        self.options.max_power = max_power;
        self.options.cores = cores;
    }

    /// Takes an observation.
    pub fn observe(&mut self, page: NodePage) {
        let NodePage { readings, counts, mixed } = page;
        self.counts.read += counts;
        for (exporter, at) in mixed {
            if let Some(account) = account_of(&mut self.accounts, exporter) {
                account.mixed(at);
            }
        }
        if self.options.route == Route::Otlp {
            let newest = readings.iter().chain(&self.pending).map(|reading| reading.at).max();
            self.pending.extend(readings);
            if let Some(newest) = newest {
                self.release(newest.checked_sub(self.hold()).unwrap_or(Timestamp::MIN));
            }
            return;
        }
        for (exporter, readings) in by_exporter(readings) {
            for (at, readings) in observations::by_time(readings) {
                self.observe_one(exporter, at, &readings);
            }
        }
    }

    /// An observation failed.
    pub fn missed(&mut self, at: Timestamp, reason: GapReason) {
        for account in &mut self.accounts {
            account.missed(at, reason);
        }
    }

    /// Hands over what is finished.
    pub fn take(&mut self, now: Timestamp) -> MeterOutput {
        let overdue = self.hold().saturating_add(signed(self.options.scrape_interval));
        self.release(now.checked_sub(overdue).unwrap_or(Timestamp::MIN));
        let mut output = MeterOutput { counts: mem::take(&mut self.counts), ..MeterOutput::default() };
        for account in &mut self.accounts {
            account.take(now, &self.options, &mut output);
        }
        self.accounts.retain(|account| !account.is_gone(now, &self.options));
        output
    }

    /// Observes what has waited since before this instant.
    fn release(&mut self, until: Timestamp) {
        if self.pending.is_empty() {
            return;
        }
        let reach = i64::try_from(self.options.alumet_poll_interval.as_micros() / 2).unwrap_or(i64::MAX);
        for (exporter, readings) in by_exporter(mem::take(&mut self.pending)) {
            for (at, readings) in observations::by_nearest(readings, reach) {
                if at <= until {
                    self.observe_one(exporter, at, &readings);
                } else {
                    self.pending.extend(readings);
                }
            }
        }
        if let Some(excess) = self.pending.len().checked_sub(MAX_PENDING).filter(|excess| *excess > 0) {
            self.pending.sort_by_key(|reading| reading.at);
            self.pending.drain(..excess);
            self.counts.overflow += u64::try_from(excess).unwrap_or(u64::MAX);
        }
    }

    fn observe_one(&mut self, exporter: Exporter, at: Timestamp, readings: &[Reading]) {
        let Self { options, accounts, counts, .. } = self;
        if let Some(account) = account_of(accounts, exporter) {
            account.observe(at, readings, options, counts);
        }
    }

    fn hold(&self) -> SignedDuration {
        let interval = self.options.alumet_aggregation_interval.unwrap_or(self.options.alumet_poll_interval);
        signed(interval.saturating_mul(HOLD_POLLS))
    }
}

fn account_of(accounts: &mut Vec<Account>, exporter: Exporter) -> Option<&mut Account> {
    let known = accounts.iter().position(|account| account.exporter == exporter);
    let index = known.unwrap_or_else(|| {
        accounts.push(Account::new(exporter));
        accounts.len() - 1
    });
    accounts.get_mut(index)
}

fn by_exporter(readings: Vec<Reading>) -> Vec<(Exporter, Vec<Reading>)> {
    let mut groups: Vec<(Exporter, Vec<Reading>)> = Vec::new();
    for reading in readings {
        match groups.iter_mut().find(|(exporter, _)| *exporter == reading.exporter) {
            Some((_, group)) => group.push(reading),
            None => groups.push((reading.exporter, vec![reading])),
        }
    }
    groups
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
