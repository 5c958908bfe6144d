//! The intensity of every grid zone that a node stands in, as of now.

use std::{fmt, ops::Deref, sync::Arc};

use jiff::Timestamp;
use sci_core::{
    forecast::{Forecast, Scoreboard},
    intensity::{Freshness, Reading, Zone},
    node::NeutralReason,
    quantity::Share,
};

/// The place of a zone in the [`ZoneTable`]; stable for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneIndex(pub(super) u32);

/// Which link of the source chain answered, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChainLink {
    /// A source's value for a slot that covers the present.
    Live,
    /// The last value of a source, before the present: its weight falls with its age.
    Cached,
    /// Said in advance, by a source or by a forecast of our own; its weight follows from its bounds.
    Forecast,
    /// Usual for the month and hour. It does not age.
    Typical,
    /// The average of a year. It does not age: it never spoke of the hour.
    Annual,
    /// No link: there is no value.
    Missing,
}

impl ChainLink {
    /// Every link, for metrics and reference pages.
    pub const ALL: [Self; 6] = [Self::Live, Self::Cached, Self::Forecast, Self::Typical, Self::Annual, Self::Missing];

    /// As in metrics and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Cached => "cached",
            Self::Forecast => "forecast",
            Self::Typical => "typical",
            Self::Annual => "annual",
            Self::Missing => "missing",
        }
    }

    /// Whether the value speaks of certain hours, and loses weight when they are over.
    pub const fn ages(self) -> bool {
        matches!(self, Self::Live | Self::Cached | Self::Forecast)
    }
}

impl fmt::Display for ChainLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of one zone.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneState {
    /// Its name, by which files and catalogue know it today.
    pub zone: Zone,
    /// The chosen value, or why there is none.
    pub value: Result<ChosenReading, NeutralReason>,
    /// Since when this link and this source answer, or none does.
    pub since: Timestamp,
    /// Since when no source has a live value, if one ever had.
    pub silent_since: Option<Timestamp>,
    /// The hours to come, where they can be forecast.
    pub forecast: Option<ZoneForecast>,
}

/// A reading and where in the chain it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenReading {
    /// The value with its slot, quality and source.
    pub reading: Reading,
    /// The link that answered.
    pub link: ChainLink,
    /// How far it can be trusted whatever its age: 1 unless it is a forecast, of which the bounds tell.
    pub certainty: Share,
}

/// A forecast of a zone, shared. Equal only to itself: comparing is as cheap as a look at an address.
#[derive(Debug, Clone)]
pub struct ZoneForecast(pub(super) Arc<LearnedForecast>);

/// A forecast, what it was learned from, and how the methods fared.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedForecast {
    /// Values with bounds, and the method.
    pub forecast: Forecast,
    /// The source of the values that it was learned from; empty where it is a provider's alone.
    pub learned_from: Arc<str>,
    /// Hours of the past that are known, of 35 days.
    pub known_hours: usize,
    /// How every method did lately.
    pub scores: Scoreboard,
}

/// A zone's value as a decision uses it.
#[derive(Debug, Clone, Copy)]
pub struct ZoneValue<'s> {
    /// The value with its slot, quality and source.
    pub reading: &'s Reading,
    /// The link that answered.
    pub link: ChainLink,
    /// How far the value may move a score: 1 fresh, 0 not at all.
    pub confidence: Share,
}

impl ZoneState {
    /// The link that answered.
    pub fn link(&self) -> ChainLink {
        self.value.as_ref().map_or(ChainLink::Missing, |chosen| chosen.link)
    }

    /// What [`since`](Self::since) is about.
    fn answering(&self) -> (ChainLink, Option<&str>) {
        (self.link(), self.value.as_ref().ok().map(|chosen| &*chosen.reading.source))
    }

    /// Goes on from what the zone was before.
    pub(super) fn following(self, before: &Self, now: Timestamp) -> Self {
        let since = if self.answering() == before.answering() { before.since } else { now };
        let silent_since = match (self.link(), before.link()) {
            (ChainLink::Live, _) => None,
            (_, ChainLink::Live) => Some(now),
            _ => before.silent_since,
        };
        Self { since, silent_since, ..self }
    }

    /// The value at `now`, which may be a moment later than the choice.
    pub fn at(&self, now: Timestamp, freshness: &Freshness) -> Result<ZoneValue<'_>, NeutralReason> {
        let ChosenReading { reading, link, certainty } = self.value.as_ref().map_err(|&reason| reason)?;
        let fresh = if link.ages() { freshness.confidence(reading.age(now)) } else { Share::ALL };
        let confidence = Share::clamped(fresh.get() * certainty.get());
        if confidence == Share::NONE {
            return Err(NeutralReason::IntensityStale);
        }
        Ok(ZoneValue { reading, link: *link, confidence })
    }
}

impl Deref for ZoneForecast {
    type Target = LearnedForecast;
    fn deref(&self) -> &LearnedForecast {
        &self.0
    }
}

impl PartialEq for ZoneForecast {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// All zones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ZoneTable {
    pub(super) states: Vec<ZoneState>,
}

impl ZoneTable {
    /// One zone.
    pub fn get(&self, index: ZoneIndex) -> Option<&ZoneState> {
        self.states.get(usize::try_from(index.0).ok()?)
    }

    /// All zones, in the order in which nodes named them first.
    pub fn iter(&self) -> impl Iterator<Item = &ZoneState> {
        self.states.iter()
    }
}
