//! Why an answer is of no use, and what to do about it.

use std::time::Duration;

use sci_core::intensity::Zone;

/// Text of an answer that is quoted in an error, at most.
const MAX_QUOTED_CHARS: usize = 120;
/// A run of letters and digits this long could be a token that the server echoes.
const MIN_SECRET_CHARS: usize = 16;

/// Why nothing of an answer can be used. No message holds a token or an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The token is missing, wrong or too old.
    #[error("the token is refused: put a valid one into the token file")]
    Unauthorized,
    /// The token is good, but not for this zone or question.
    #[error("the plan of this token does not cover the question: choose another zone or source, or extend the plan")]
    NotInPlan,
    /// The provider has nothing for the zone and time.
    #[error("the provider has no data for the zone: name one that it covers, or add another source")]
    NoData,
    /// Too many calls.
    #[error("the provider refuses further calls for now: ask for fewer zones or less often")]
    RateLimited,
    /// The provider is down.
    #[error("the provider answers with status {status}: nothing to do but wait, or add another source")]
    Unavailable {
        /// Of the answer.
        status: u16,
    },
    /// The question is wrong for this provider.
    #[error("the provider refuses the question with status {status}, correct zone names and address: {said}")]
    Rejected {
        /// Of the answer.
        status: u16,
        /// The begin of what it said, without anything that could be a token.
        said: String,
    },
    /// The answer speaks of another zone.
    #[error("asked for zone {asked}, answered for {answered}: name the zone as the provider does")]
    OtherZone {
        /// By the provider's name.
        asked: String,
        /// What came.
        answered: String,
    },
    /// No text of the API's shape.
    #[error("the answer is not of this API, check the address: {problem}")]
    Malformed {
        /// What is wrong, without the text itself.
        problem: String,
    },
    /// Every value is refused.
    #[error("all {refused_rows} values are refused, check source and unit; the first: {problem}")]
    Absurd {
        /// What is wrong with the first.
        problem: String,
        /// How many.
        refused_rows: usize,
    },
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Soon, with growing distance: it may pass.
    Backoff,
    /// Not before the provider says, or this much time has passed.
    After(Duration),
    /// Once with a new session token; else not before the token file changes, or with the distance of a failure.
    NewToken,
    /// At the pace of the question itself: the answer was understood.
    AsPlanned,
    /// Rarely: only an operator can mend it.
    Rarely,
}

impl ProviderError {
    /// A fixed word for metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NotInPlan => "not_in_plan",
            Self::NoData => "no_data",
            Self::RateLimited => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Rejected { .. } => "rejected",
            Self::OtherZone { .. } => "other_zone",
            Self::Malformed { .. } => "malformed",
            Self::Absurd { .. } => "absurd",
        }
    }

    /// Every word that [`kind`](Self::kind) returns.
    pub const KINDS: [&str; 9] = [
        "unauthorized",
        "not_in_plan",
        "no_data",
        "rate_limited",
        "unavailable",
        "rejected",
        "other_zone",
        "malformed",
        "absurd",
    ];

    /// What to do about it.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Unauthorized => Retry::NewToken,
            Self::NotInPlan | Self::Rejected { .. } | Self::OtherZone { .. } => Retry::Rarely,
            Self::NoData | Self::Absurd { .. } => Retry::AsPlanned,
            Self::RateLimited => Retry::After(Duration::from_mins(1)),
            Self::Unavailable { .. } | Self::Malformed { .. } => Retry::Backoff,
        }
    }

    pub(super) fn malformed(problem: impl Into<String>) -> Self {
        Self::Malformed { problem: problem.into() }
    }

    pub(super) fn other_zone(asked: &Zone, answered: &str) -> Self {
        Self::OtherZone { asked: asked.to_string(), answered: quoted(answered.as_bytes()) }
    }

    /// What a status means where the API has no meaning of its own for it; `None` for a good one.
    pub(super) fn of_status(status: u16, body: &[u8]) -> Option<Self> {
        match status {
            200..=299 => None,
            401 => Some(Self::Unauthorized),
            403 => Some(Self::NotInPlan),
            404 => Some(Self::NoData),
            429 => Some(Self::RateLimited),
            500..=599 => Some(Self::Unavailable { status }),
            _ => Some(Self::Rejected { status, said: quoted(body) }),
        }
    }
}

/// The begin of a text from outside, on one line, without anything that could be a token.
pub(super) fn quoted(text: &[u8]) -> String {
    let whole = text.get(..4 * MAX_QUOTED_CHARS);
    let text = String::from_utf8_lossy(whole.unwrap_or(text));
    let part_of_secret = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '=');
    // Where the text is cut, its last word may be the begin of a token.
    let end = if whole.is_some() { text.rfind(|c| !part_of_secret(c)).unwrap_or(0) } else { text.len() };
    let mut said = String::new();
    for word in text.get(..end).unwrap_or_default().split_inclusive(|c: char| !part_of_secret(c)) {
        let core = word.trim_end_matches(|c: char| !part_of_secret(c));
        if core.len() >= MIN_SECRET_CHARS {
            said.push_str("***");
            said.extend(word.get(core.len()..).unwrap_or_default().chars().filter(|c| !c.is_control()));
        } else {
            said.extend(word.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
    }
    said.chars().take(MAX_QUOTED_CHARS).collect()
}
