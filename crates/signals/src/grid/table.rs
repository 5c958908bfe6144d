//! The intensity of every grid zone that a node stands in, as of now.

use std::fmt;

use jiff::Timestamp;
use sci_core::{
    intensity::{Freshness, Reading, Zone},
    node::NeutralReason,
    quantity::Share,
};

/// The place of a zone in the [`ZoneTable`]; stable for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneIndex(pub(super) u32);

/// Which link of the source chain answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChainLink {
    /// A source's slot that covers the present.
    Current,
    /// The last slot of a source, before the present: its weight falls with its age.
    Latest,
    /// The embedded annual average. It does not age: it never spoke of the hour.
    Annual,
    /// No link: there is no value.
    Missing,
}

impl ChainLink {
    /// Every link, for metrics and reference pages.
    pub const ALL: [Self; 4] = [Self::Current, Self::Latest, Self::Annual, Self::Missing];

    /// As in metrics and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Latest => "latest",
            Self::Annual => "annual",
            Self::Missing => "missing",
        }
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
}

/// A reading and where in the chain it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenReading {
    /// The value with its slot, quality and source.
    pub reading: Reading,
    /// The link that answered.
    pub link: ChainLink,
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

    /// The value at `now`, which may be a moment later than the choice.
    pub fn at(&self, now: Timestamp, freshness: &Freshness) -> Result<ZoneValue<'_>, NeutralReason> {
        let ChosenReading { reading, link } = self.value.as_ref().map_err(|&reason| reason)?;
        let confidence = if *link == ChainLink::Annual { Share::ALL } else { freshness.confidence(reading.age(now)) };
        if confidence == Share::NONE {
            return Err(NeutralReason::IntensityStale);
        }
        Ok(ZoneValue { reading, link: *link, confidence })
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
