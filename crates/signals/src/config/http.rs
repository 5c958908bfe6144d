//! How an outside service is reached.

use std::{collections::BTreeMap, path::PathBuf};

use reqwest::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, TextDuration, value};

/// Headers that are set where they belong, or hold a secret.
const OWN_HEADERS: [&str; 14] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "if-modified-since",
    "if-none-match",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// How an outside service is reached. Secrets are files, read again when they change; the configuration holds none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpConfig {
    /// Address of the service: scheme, host, port and, if there is one, the path before the API's own.
    pub url: String,
    /// File with a bearer token.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
    /// User name and password.
    #[serde(default)]
    pub basic_auth: Option<BasicAuthConfig>,
    /// Further headers of every request, such as `X-Scope-OrgID` with the tenant of a Mimir. Secrets belong into
    /// files, not here.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// File with the PEM certificates that the server's is checked against. Unset: those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// File with a PEM client certificate chain.
    #[serde(default)]
    pub client_certificate_file: Option<PathBuf>,
    /// File with its PEM private key.
    #[serde(default)]
    pub client_key_file: Option<PathBuf>,
    /// Address of an HTTP proxy. Unset: none, whatever the environment says.
    #[serde(default)]
    pub proxy: Option<String>,
    /// An answer that takes longer has failed.
    #[serde(default = "default_timeout")]
    pub timeout: TextDuration,
}

/// User name and password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BasicAuthConfig {
    /// User name.
    pub username: String,
    /// File with the password.
    pub password_file: PathBuf,
}

impl HttpConfig {
    /// A service without authentication.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            bearer_token_file: None,
            basic_auth: None,
            headers: BTreeMap::new(),
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
            proxy: None,
            timeout: default_timeout(),
        }
    }

    /// Checks what the types alone cannot; `field` is the path of this part.
    pub fn validate(&self, field: &str) -> Result<(), ConfigError> {
        if !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            return Err(value(&format!("{field}.url"), "begin it with http:// or https://"));
        }
        if self.url.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|h| h.contains('@'))) {
            return Err(value(&format!("{field}.url"), "put user name and password into basicAuth"));
        }
        if self.url.contains(['?', '#']) {
            return Err(value(&format!("{field}.url"), "leave out the query"));
        }
        if self.proxy.as_deref().is_some_and(|proxy| proxy.contains('@') || !proxy.starts_with("http")) {
            return Err(value(&format!("{field}.proxy"), "write it as http://host:port"));
        }
        if self.timeout.get().is_zero() {
            return Err(value(&format!("{field}.timeout"), "make it more than 0"));
        }
        if self.bearer_token_file.is_some() && self.basic_auth.is_some() {
            return Err(value(field, "use either bearerTokenFile or basicAuth"));
        }
        for (name, text) in &self.headers {
            if header(name, text).is_none() {
                return Err(value(&format!("{field}.headers.{name}"), "write name and value as HTTP has them"));
            }
            if OWN_HEADERS.contains(&name.to_lowercase().as_str()) {
                let problem =
                    "leave it out: this header is set here; secrets go into tokenFile, bearerTokenFile or basicAuth";
                return Err(value(&format!("{field}.headers.{name}"), problem));
            }
        }
        if self.client_certificate_file.is_some() != self.client_key_file.is_some() {
            return Err(value(field, "give clientCertificateFile and clientKeyFile together"));
        }
        Ok(())
    }
}

/// A header of the configuration; `None` where it cannot be one.
pub(crate) fn header(name: &str, text: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, HeaderValue::from_str(text).ok().filter(|value| !value.is_empty())?))
}

const fn default_timeout() -> TextDuration {
    TextDuration::from_secs(10)
}
