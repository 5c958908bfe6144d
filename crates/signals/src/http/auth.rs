//! How a service is shown who asks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::{
    Request, RequestBuilder,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};

use super::{HttpErrorKind, Secret, SecretError, SecretFile, error, request};
use crate::config::HttpConfig;

/// Secrets remembered for redaction. A rotated one may still come back in a late answer.
const MAX_REMEMBERED: usize = 8;
/// Secrets shorter than this are not looked for in texts: they would tear any text apart.
const MIN_REDACTED: usize = 4;

/// A secret, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing is shown.
    None,
    /// `Authorization: Bearer`.
    Bearer(Secret),
    /// `Authorization: Basic`.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
    /// A header of this name, in lower case.
    Header {
        /// Name of the header.
        name: &'static str,
        /// Its value.
        secret: Secret,
    },
    /// A parameter of the address. It is in no error and no cache key.
    Query {
        /// Name of the parameter.
        name: &'static str,
        /// Its value.
        secret: Secret,
    },
}

/// What the configuration says to show.
#[derive(Debug)]
pub(super) enum Configured {
    None,
    Bearer(SecretFile),
    Basic { username: String, password: SecretFile },
}

/// Secrets that were shown, to be taken out of what comes back.
#[derive(Default)]
pub(super) struct Shown(Mutex<Vec<Secret>>);

impl Configured {
    pub(super) fn new(config: &HttpConfig) -> Self {
        match (&config.bearer_token_file, &config.basic_auth) {
            (Some(file), _) => Self::Bearer(SecretFile::new(file)),
            (None, Some(basic)) => {
                Self::Basic { username: basic.username.clone(), password: SecretFile::new(&basic.password_file) }
            }
            (None, None) => Self::None,
        }
    }

    /// The file is read for every request.
    pub(super) fn read(&self) -> Result<Credential, SecretError> {
        Ok(match self {
            Self::None => Credential::None,
            Self::Bearer(file) => Credential::Bearer(file.read()?),
            Self::Basic { username, password } => {
                Credential::Basic { username: username.clone(), password: password.read()? }
            }
        })
    }

    pub(super) fn file(&self) -> Option<&SecretFile> {
        match self {
            Self::None => None,
            Self::Bearer(file) | Self::Basic { password: file, .. } => Some(file),
        }
    }
}

impl Credential {
    fn secret(&self) -> Option<&Secret> {
        match self {
            Self::None => None,
            Self::Bearer(secret)
            | Self::Basic { password: secret, .. }
            | Self::Header { secret, .. }
            | Self::Query { secret, .. } => Some(secret),
        }
    }

    /// Completes a request.
    pub(super) fn apply(&self, builder: RequestBuilder, shown: &Shown) -> Result<Request, HttpErrorKind> {
        self.secret().into_iter().for_each(|secret| shown.remember(secret));
        let builder = match self {
            Self::Basic { username, password } => builder.basic_auth(username, Some(password.expose())),
            _ => builder,
        };
        let mut request = builder.build().map_err(error::transport)?;
        match self {
            Self::None => {}
            // As it travels, name and password are one word that holds neither.
            Self::Basic { .. } => shown.remember_basic(&request),
            Self::Bearer(secret) => {
                let value = sensitive(&format!("Bearer {}", secret.expose()))?;
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            Self::Header { name, secret } => {
                let value = sensitive(secret.expose())?;
                request.headers_mut().insert(HeaderName::from_static(name), value);
            }
            Self::Query { name, secret } => {
                request.url_mut().query_pairs_mut().append_pair(name, secret.expose());
            }
        }
        Ok(request)
    }
}

impl Shown {
    pub(super) fn remember(&self, secret: &Secret) {
        let mut shown = self.lock();
        if !shown.contains(secret) {
            if shown.len() >= MAX_REMEMBERED {
                shown.remove(0);
            }
            shown.push(secret.clone());
        }
    }

    fn remember_basic(&self, request: &Request) {
        let sent = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some(word) = sent.and_then(|value| value.strip_prefix("Basic ")) {
            self.remember(&Secret::new(word));
        }
    }

    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.lock().iter().filter(|secret| secret.expose().len() >= MIN_REDACTED) {
            text = text.replace(secret.expose(), "***").replace(&encoded(secret), "***");
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A header value that no layer below prints.
fn sensitive(text: &str) -> Result<HeaderValue, HttpErrorKind> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| HttpErrorKind::Transport("the token holds characters that no header carries".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// As an address spells it.
fn encoded(secret: &Secret) -> String {
    request::encode(&[(String::new(), secret.expose().to_owned())]).trim_start_matches('=').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_of_texts_in_every_spelling() {
        let shown = Shown::default();
        let secret = Secret::new("a/b+c d");
        shown.remember(&secret);
        let text = "no access for a/b+c d (asked with ?token=a%2Fb%2Bc+d)";
        assert_eq!(shown.redact(text), "no access for *** (asked with ?token=***)");
        assert_eq!(format!("{secret:?} {shown:?} {:?}", Credential::Bearer(secret.clone())), "*** *** Bearer(***)");
    }

    #[test]
    fn a_password_is_taken_out_as_it_travels_too() {
        let shown = Shown::default();
        let basic = Credential::Basic { username: "user".to_owned(), password: Secret::new("password") };
        let client = super::super::clients::Clients::plain().get().unwrap();
        basic.apply(client.get("http://host/"), &shown).unwrap();
        let sent = "Basic dXNlcjpwYXNzd29yZA== dXNlcjpwYXNzd29yZA%3D%3D password";
        assert_eq!(shown.redact(sent), "Basic *** *** ***");
    }

    #[test]
    fn old_secrets_are_forgotten_at_last() {
        let shown = Shown::default();
        (0..2 * MAX_REMEMBERED).for_each(|number| shown.remember(&Secret::new(&format!("secret-{number}"))));
        assert_eq!(shown.lock().len(), MAX_REMEMBERED);
        assert_eq!(shown.redact("secret-15"), "***");
    }
}
