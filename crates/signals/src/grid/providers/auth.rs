//! How a token travels.

use std::fmt;

use jiff::Timestamp;

/// Where the token of a question goes. The question itself never holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Auth {
    /// The API is open.
    None,
    /// The content of the token file, in a header of this name.
    Header {
        /// Lower case.
        name: &'static str,
    },
    /// The content of the token file, as a query parameter of this name: the address is a secret too.
    Query {
        /// As the API spells it.
        name: &'static str,
    },
    /// The content of the token file, in `Authorization: Bearer`.
    Bearer,
    /// User name and password, in `Authorization: Basic`.
    Basic,
    /// The token that [`Provider::login`](super::Provider::login) yields, in `Authorization: Bearer`.
    Session,
}

/// A token that the API gave for a while. Printing it shows stars.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken {
    token: String,
    expires_at: Timestamp,
}

impl SessionToken {
    /// A token that holds until `expires_at`.
    pub fn new(token: String, expires_at: Timestamp) -> Self {
        Self { token, expires_at }
    }

    /// The secret itself, for the header only.
    pub fn expose(&self) -> &str {
        &self.token
    }

    /// When to ask for another one.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionToken").field("token", &"***").field("expires_at", &self.expires_at).finish()
    }
}
