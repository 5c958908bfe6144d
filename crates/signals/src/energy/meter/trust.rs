//! Whether a meter is believed.

use jiff::Timestamp;

use super::grid::{Micros, seconds};
use crate::energy::window::Refusal;

/// No machine draws less.
const MIN_WATTS: f64 = 0.1;
/// So many observations in a row are no accident any more.
const SUSTAINED: u32 = 3;
/// A meter that stands still for less is between two of its own measurements.
const MIN_FROZEN_SECONDS: f64 = 60.0;
/// A node this busy is not idle.
const BUSY: f64 = 0.2;
/// Idle energy from this share of all on leaves nothing for pods.
const ALL: f64 = 0.999;

/// Judges every observation of one meter; what behaves again is believed again.
#[derive(Debug, Default)]
pub(super) struct Trust {
    refusal: Option<(Refusal, Timestamp)>,
    suspect: u32,
    good: u32,
    all_idle: u32,
    standing: u32,
}

/// What a step says beside its joules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Testimony {
    pub watts: f64,
    pub max_watts: f64,
    /// Share of the packages' energy that the exporter calls idle.
    pub idle: Option<f64>,
    pub utilization: Option<f64>,
}

impl Trust {
    /// Why the meter is refused, and since when.
    pub(super) const fn refusal(&self) -> Option<(Refusal, Timestamp)> {
        self.refusal
    }

    /// The meter says that it is invented.
    pub(super) fn fake(&mut self, at: Timestamp) {
        self.refuse(Refusal::FakeMeter, at);
    }

    /// The values are of several nodes.
    pub(super) fn mixed(&mut self, at: Timestamp) {
        self.refuse(Refusal::UnknownNode, at);
    }

    /// The meter says neither.
    pub(super) fn honest(&mut self) {
        if matches!(self.refusal, Some((Refusal::FakeMeter | Refusal::UnknownNode, _))) {
            self.refusal = None;
        }
    }

    /// Nothing moved since `moved_at`.
    pub(super) fn standing(&mut self, moved_at: Micros, now: (Micros, Timestamp), scrape_seconds: f64) {
        self.standing += 1;
        let stands = seconds(moved_at, now.0);
        if self.standing >= SUSTAINED && stands >= MIN_FROZEN_SECONDS.max(3.0 * scrape_seconds) {
            let seconds = std::time::Duration::try_from_secs_f64(stands).unwrap_or_default().as_secs();
            self.refuse(Refusal::Frozen { seconds }, now.1);
        }
    }

    /// Something moved.
    pub(super) fn moved(&mut self) {
        self.standing = 0;
        if matches!(self.refusal, Some((Refusal::Frozen { .. }, _))) {
            self.refusal = None;
        }
    }

    /// Whether a step can be true. One that cannot is a gap, several in a row are a meter that is not believed.
    pub(super) fn judge(&mut self, said: Testimony, at: Timestamp) -> bool {
        let suspicion = if said.watts < MIN_WATTS {
            Some(Refusal::TooLow { watts: said.watts })
        } else if said.watts > said.max_watts {
            Some(Refusal::TooHigh { watts: said.watts, max_watts: said.max_watts })
        } else {
            None
        };
        if let Some(refusal) = suspicion {
            self.good = 0;
            self.suspect += 1;
            if self.suspect >= SUSTAINED {
                self.refuse(refusal, at);
            }
            return false;
        }
        self.suspect = 0;
        let all_idle = match (said.idle, said.utilization) {
            (Some(idle), Some(busy)) if idle >= ALL && busy > BUSY => Some(busy),
            _ => None,
        };
        self.all_idle = if all_idle.is_some() { self.all_idle + 1 } else { 0 };
        if let Some(busy) = all_idle.filter(|_| self.all_idle >= SUSTAINED) {
            self.refuse(Refusal::AllIdle { busy_percent: (busy * 100.0).round() }, at);
            return true;
        }
        self.good += u32::from(all_idle.is_none());
        if self.good >= SUSTAINED {
            self.refusal = None;
        }
        true
    }

    fn refuse(&mut self, refusal: Refusal, at: Timestamp) {
        let same = |known: &Refusal| std::mem::discriminant(known) == std::mem::discriminant(&refusal);
        let since = self.refusal.filter(|(known, _)| same(known)).map_or(at, |(_, since)| since);
        self.refusal = Some((refusal, since));
        self.good = 0;
    }
}
