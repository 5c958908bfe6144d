//! Names of grid zones.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of a grid zone: 1 to 64 characters out of `A-Z a-z 0-9 _ . -`.
///
/// Names follow the publishers' habit of an ISO 3166 country, then a part of it: `DE`, `US-CAL-CISO`. A name says
/// nothing about whether anything is known of the zone. Cloning is cheap.
///
/// ```
/// use sci_core::intensity::Zone;
///
/// assert_eq!(Zone::new("US-CAL-CISO")?.to_string(), "US-CAL-CISO");
/// assert!(Zone::new("no such zone").is_err());
/// # Ok::<(), sci_core::intensity::ZoneError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Box<str>", into = "Arc<str>")]
pub struct Zone(Arc<str>);

/// Why a text names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// Empty or too long.
    #[error("a zone name has 1 to {} characters, got {length}", Zone::MAX_LENGTH)]
    Length {
        /// Bytes given.
        length: usize,
    },
    /// A character that no zone name has.
    #[error("a zone name is made of A-Z a-z 0-9 _ . - only, got {character:?}")]
    Character {
        /// The first such character.
        character: char,
    },
}

impl Zone {
    /// Longest accepted name, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Checks length and characters.
    ///
    /// # Errors
    /// [`ZoneError`] names what is wrong.
    pub fn new(name: &str) -> Result<Self, ZoneError> {
        if name.is_empty() || name.len() > Self::MAX_LENGTH {
            return Err(ZoneError::Length { length: name.len() });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        match name.chars().find(|c| !allowed(*c)) {
            Some(character) => Err(ZoneError::Character { character }),
            None => Ok(Self(name.into())),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Zone {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl TryFrom<Box<str>> for Zone {
    type Error = ZoneError;
    fn try_from(name: Box<str>) -> Result<Self, Self::Error> {
        Self::new(&name)
    }
}

impl From<Zone> for Arc<str> {
    fn from(zone: Zone) -> Self {
        zone.0
    }
}
