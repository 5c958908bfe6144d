//! Questions to a grid API.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::{intensity::Zone, region};

use super::{Auth, text::floor};

const DAY_SECONDS: i64 = 86_400;
/// Questions about the past of one zone, at most.
const MAX_BACKFILLS: u32 = 4;

/// A zone that somebody wants to know about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneRequest {
    /// Its name, by which the catalogue knows it today.
    pub zone: Zone,
    /// The provider's own name of it, where the configuration gives one: a region, code, postcode or label value.
    pub id: Option<Arc<str>>,
    /// A cloud region whose nodes stand in the zone, for providers that can place regions themselves.
    pub region: Option<CloudRegion>,
    /// Values back to this instant are wanted; `None`: only what is published anyway.
    pub since: Option<Timestamp>,
    /// Whether a forecast is wanted.
    pub forecast: bool,
}

/// A region as its provider names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudRegion {
    /// Whose.
    pub provider: region::Provider,
    /// As in the label `topology.kubernetes.io/region`.
    pub name: Arc<str>,
}

/// What a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Purpose {
    /// A token for the other questions.
    Login,
    /// The value of now.
    Latest,
    /// Recent values: they correct earlier ones and teach the forecast.
    History,
    /// Values of up to some weeks back, asked once, so that a forecast has something to learn from.
    Backfill,
    /// Values to come.
    Forecast,
}

/// One question, ready to be sent but for the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRequest {
    /// What is asked, the same at every repetition: an answer replaces the last one under the same key.
    pub key: Arc<str>,
    /// The zones it asks about, with the provider's names of them.
    pub zones: Vec<ZoneRequest>,
    /// What for.
    pub purpose: Purpose,
    /// Path and query behind the configured address, always GET; holds no secret.
    pub path_and_query: String,
    /// Where the token goes.
    pub auth: Auth,
    /// The next time is not earlier than this after a good answer.
    pub min_interval: Duration,
}

/// Calls that a publisher allows per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimit {
    /// So many calls.
    pub calls: u32,
    /// In any stretch of this length.
    pub per: Duration,
    /// How long the publisher refuses every call after one too many; zero where it only refuses the one.
    pub ban: Duration,
}

impl ZoneRequest {
    /// Only the present value is wanted, under the zone's own name.
    pub fn new(zone: Zone) -> Self {
        Self { zone, id: None, region: None, since: None, forecast: false }
    }

    /// The provider's name of the zone, else the zone's own.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(self.zone.as_str())
    }

    /// Key of a question about this zone alone.
    pub(super) fn key(&self, purpose: Purpose) -> Arc<str> {
        format!("{} {}", self.zone, purpose.as_str()).into()
    }

    /// Questions for the past up to the last midnight, newest first, none longer than `longest`. Whole days, so that
    /// a question stays the same all day; questions are told apart by their number.
    pub(super) fn backfill(
        &self,
        now: Timestamp,
        longest: Duration,
        question: impl Fn((Timestamp, Timestamp)) -> Option<PlannedRequest>,
    ) -> Vec<PlannedRequest> {
        let Some(since) = self.since.map(|since| floor(since, DAY_SECONDS)) else { return Vec::new() };
        let mut questions = Vec::new();
        let mut end = floor(now, DAY_SECONDS);
        for number in 1..=MAX_BACKFILLS {
            let start = end.checked_sub(longest).unwrap_or(since).max(since);
            if start >= end {
                break;
            }
            let question = question((start, end));
            questions.extend(
                question.map(|planned| PlannedRequest { key: format!("{} {number}", planned.key).into(), ..planned }),
            );
            end = start;
        }
        questions
    }
}

impl Purpose {
    /// Every purpose, for metrics.
    pub const ALL: [Self; 5] = [Self::Login, Self::Latest, Self::History, Self::Backfill, Self::Forecast];

    /// As in metrics and keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Latest => "latest",
            Self::History => "history",
            Self::Backfill => "backfill",
            Self::Forecast => "forecast",
        }
    }
}
