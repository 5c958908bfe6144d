//! Why there is no answer. No text here holds a query or a header.

use std::{error::Error as _, fmt, sync::Arc, time::Duration};

use reqwest::Url;

use super::SecretError;

/// There is no answer from a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpError {
    /// Host, port and path that were asked.
    pub place: Arc<str>,
    /// Why.
    pub kind: HttpErrorKind,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpErrorKind {
    /// The address cannot be used.
    #[error("write the address as http://host:port or https://host:port, {0}")]
    Address(String),
    /// The file with the secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Certificates or key.
    #[error("{0}")]
    Tls(String),
    /// No connection, or it broke.
    #[error("{0}")]
    Transport(String),
    /// Slower than allowed.
    #[error("no answer within {} seconds", limit.as_secs_f64())]
    Timeout {
        /// What is allowed.
        limit: Duration,
    },
    /// Longer than allowed.
    #[error("the answer is longer than {limit_bytes} bytes")]
    TooLarge {
        /// What is allowed.
        limit_bytes: usize,
    },
    /// The service has moved. Following would carry the secret to another address.
    #[error("the service has moved (status {status}), configure its new address")]
    Redirected {
        /// Of the answer.
        status: u16,
    },
    /// The process is going down.
    #[error("asked while stopping")]
    Stopped,
}

impl HttpError {
    pub(super) fn new(place: &str, kind: HttpErrorKind) -> Self {
        Self { place: place.into(), kind }
    }
}

impl HttpErrorKind {
    pub(super) fn map_text(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Tls(text) => Self::Tls(change(&text)),
            Self::Transport(text) => Self::Transport(change(&text)),
            other => other,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.kind)
    }
}

impl std::error::Error for HttpError {}

/// Where a request went, without user information and query.
pub(super) fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path())
}

/// The causes of an error of the client in one line; its own text would name the whole address.
pub(super) fn transport(error: reqwest::Error) -> HttpErrorKind {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    HttpErrorKind::Transport(text)
}
