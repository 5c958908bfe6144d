//! What is known of a zone without any source: embedded tables.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};
use sci_core::{
    forecast::Hour,
    intensity::{Quality, Reading, Signal, Zone},
    region::{self, TypicalIntensity},
};

use super::learning::reading;
use crate::config::GridConfig;

/// The embedded values of one zone.
#[derive(Debug, Clone, Default)]
pub(super) struct Fallback {
    annual: Option<Reading>,
    typical: Option<&'static TypicalIntensity>,
}

/// Which of them may be used.
#[derive(Debug, Clone, Copy)]
pub(super) struct FallbackRules {
    annual: bool,
    typical: bool,
}

impl FallbackRules {
    /// Both tables hold averages over the life cycle; they say nothing of another signal.
    pub(super) fn new(config: &GridConfig) -> Self {
        let like = config.signal() == Signal::default();
        Self { annual: like && config.annual_fallback, typical: like && config.typical_fallback }
    }

    pub(super) fn of(self, zone: &Zone) -> Fallback {
        Fallback {
            annual: self.annual.then(|| annual(zone)).flatten(),
            typical: self.typical.then(|| region::catalogue().typical(zone)).flatten(),
        }
    }
}

impl Fallback {
    pub(super) fn annual(&self) -> Option<&Reading> {
        self.annual.as_ref()
    }

    pub(super) fn table(&self) -> Option<&'static TypicalIntensity> {
        self.typical
    }

    pub(super) fn typical(&self, now: Timestamp) -> Option<Reading> {
        let (typical, hour) = (self.typical?, Hour::containing(now));
        let value = typical.values.at(hour)?;
        let source = typical.source.into();
        Some(reading(&typical.zone, Signal::default(), hour.start(), value, Quality::Typical, source))
    }
}

fn annual(zone: &Zone) -> Option<Reading> {
    let annual = region::catalogue().annual(zone)?;
    let (start, duration) = year(annual.year)?;
    Some(Reading {
        value: annual.value,
        signal: Signal::default(),
        zone: annual.zone,
        start,
        duration,
        quality: Quality::Annual,
        source: annual.source.into(),
    })
}

/// A calendar year in UTC.
fn year(year: i16) -> Option<(Timestamp, Duration)> {
    let first = civil::Date::new(year, 1, 1).ok()?;
    let start = first.to_zoned(TimeZone::UTC).ok()?;
    let end = start.checked_add(1.year()).ok()?;
    let duration = end.timestamp().duration_since(start.timestamp()).try_into().ok()?;
    Some((start.timestamp(), duration))
}
