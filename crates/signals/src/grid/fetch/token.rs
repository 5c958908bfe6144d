//! The secret of a source: whether it may be shown, and the session it buys.

use std::time::Duration;

use jiff::Timestamp;

use super::breaker::over;
use crate::{
    grid::providers::{Auth, SessionToken},
    http::{Credential, HttpService, Secret, SecretError, SecretFile},
};

/// Questions that may be refused before a secret that was never accepted is taken for a wrong one.
const DOUBTS: usize = 3;
/// How often a secret that is taken for a wrong one is tried on a question that was not asked with it yet.
const PROBE: Duration = Duration::from_mins(10);

/// The secret of a source.
#[derive(Debug)]
pub(super) struct Token {
    file: Option<SecretFile>,
    /// Of its content.
    fingerprint: Option<u64>,
    accepted: bool,
    refused: usize,
    refused_at: Option<Timestamp>,
    session: Option<SessionToken>,
    /// Whether the session was accepted once.
    session_held: bool,
}

impl Token {
    /// The token of the source itself, else the secret that the service shows anyway.
    pub(super) fn new(file: Option<SecretFile>, http: &HttpService) -> Self {
        Self::untried(file.or_else(|| http.secret_file().cloned()), None)
    }

    fn untried(file: Option<SecretFile>, fingerprint: Option<u64>) -> Self {
        Self { file, fingerprint, accepted: false, refused: 0, refused_at: None, session: None, session_held: false }
    }

    /// Looks whether the file has changed; a new secret is trusted again. Returns its fingerprint.
    pub(super) fn look(&mut self) -> Option<u64> {
        let found = self.file.as_ref().map(|file| file.read().map_or(0, |secret| secret.fingerprint()));
        if found != self.fingerprint {
            *self = Self::untried(self.file.take(), found);
        }
        self.fingerprint
    }

    /// How many questions may be asked at once.
    pub(super) fn permits(&self, now: Timestamp, all: usize) -> usize {
        if self.accepted || self.refused == 0 {
            // One question tells whether a new secret is any good.
            return if self.accepted || self.file.is_none() { all } else { all.min(1) };
        }
        let rested = self.refused < DOUBTS || self.refused_at.is_none_or(|at| over(at, PROBE, now));
        all.min(usize::from(rested))
    }

    pub(super) fn was_accepted(&mut self) {
        (self.accepted, self.refused, self.session_held) = (true, 0, self.session.is_some());
    }

    pub(super) fn was_refused(&mut self, now: Timestamp) {
        self.refused += 1;
        self.refused_at = Some(now);
        // Accepted for others, refused for many in a row: it was good once.
        self.accepted &= self.refused < DOUBTS;
    }

    /// Whether the question must wait for a new session.
    pub(super) fn wants_session(&self, auth: Auth, now: Timestamp) -> bool {
        auth == Auth::Session && self.session.as_ref().is_none_or(|session| session.expires_at() <= now)
    }

    pub(super) fn began_session(&mut self, session: SessionToken) {
        (self.session, self.session_held) = (Some(session), false);
    }

    /// Ends the session; whether it is worth beginning another one, which it is if this one was accepted once.
    pub(super) fn end_session(&mut self) -> bool {
        self.session.take().is_some() && std::mem::take(&mut self.session_held)
    }

    /// What to show; `None`: what the service shows anyway.
    pub(super) fn credential(&self, auth: Auth) -> Result<Option<Credential>, SecretError> {
        let read = || self.file.as_ref().map(SecretFile::read).transpose();
        Ok(match auth {
            Auth::Header { name } => read()?.map(|secret| Credential::Header { name, secret }),
            Auth::Query { name } => read()?.map(|secret| Credential::Query { name, secret }),
            Auth::Bearer => read()?.map(Credential::Bearer),
            Auth::Session => self.session.as_ref().map(|session| Credential::Bearer(Secret::new(session.expose()))),
            Auth::None | Auth::Basic => None,
        })
    }

    /// Where an operator puts a better one.
    pub(super) fn place(&self) -> Option<String> {
        self.file.as_ref().map(|file| file.path().display().to_string())
    }
}
