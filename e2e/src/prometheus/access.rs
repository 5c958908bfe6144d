//! Who may ask Prometheus, and how.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::PrometheusError;
use crate::folder::Folder;
use crate::pki::{Authority, KeyPairFiles, Subject, install_crypto_provider};

/// The user of [`Access::basic_auth`].
pub const USER: &str = "reader";
/// The user's password.
pub const PASSWORD: &str = "correct horse battery staple";
/// The password as Prometheus wants it: bcrypt, at its lowest cost.
const PASSWORD_HASH: &str = "$2a$04$STvI/iv2MZ3kmipRH7xxueFcR.A99BbvydeHZOqBHowxYPfZR8hxa";

/// What a client has to bring.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Name and password, [`USER`] and [`PASSWORD`].
    pub basic_auth: bool,
    pub tls: Tls,
}

/// How a connection is protected, by certificates of a throw-away authority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tls {
    #[default]
    Plain,
    /// The server shows a certificate.
    Server,
    /// The client has to show one as well.
    Mutual,
}

/// The files behind an [`Access`], and a client that has them all.
#[derive(Debug, Clone)]
pub struct Credentials {
    file: PathBuf,
    basic_auth: bool,
    tls: Option<TlsFiles>,
    http: reqwest::Client,
}

/// What a client of a protected Prometheus needs.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The authority of the server's certificate.
    pub authority: PathBuf,
    /// A certificate that the server believes, whether it asks for one or not.
    pub client: KeyPairFiles,
}

impl Credentials {
    pub(super) fn new(access: &Access, folder: &Folder) -> Result<Self, PrometheusError> {
        install_crypto_provider();
        let users = if access.basic_auth { json!({ USER: PASSWORD_HASH }) } else { json!({}) };
        let (server, tls, http) = if access.tls == Tls::Plain {
            let http = reqwest::Client::builder().no_proxy().build().map_err(PrometheusError::Client)?;
            (Value::Null, None, http)
        } else {
            let authority = Authority::new("prometheus-ca")?;
            let files = TlsFiles {
                authority: authority.write(folder.path())?,
                client: authority.issue(folder.path(), "client", &Subject::client("client", None))?,
            };
            let subject = Subject::server("prometheus", &["localhost"]);
            let own = authority.issue(folder.path(), "server", &subject)?;
            let http = authority.https_client(Some(&files.client))?;
            (server_config(&own, &files, access.tls), Some(files), http)
        };
        let config = json!({ "basic_auth_users": users, "tls_server_config": server });
        let file = folder.write("web.yaml", &config.to_string())?;
        Ok(Self { file, basic_auth: access.basic_auth, tls, http })
    }

    /// Files of the certificates, unless connections are plain.
    pub fn tls(&self) -> Option<&TlsFiles> {
        self.tls.as_ref()
    }

    /// Prometheus' `web.config.file`.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    pub(super) fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, url);
        if self.basic_auth { request.basic_auth(USER, Some(PASSWORD)) } else { request }
    }
}

fn server_config(own: &KeyPairFiles, files: &TlsFiles, tls: Tls) -> Value {
    let mut config = json!({ "cert_file": own.certificate, "key_file": own.key });
    if let (Tls::Mutual, Some(config)) = (tls, config.as_object_mut()) {
        config.insert("client_auth_type".to_owned(), json!("RequireAndVerifyClientCert"));
        config.insert("client_ca_file".to_owned(), json!(files.authority));
    }
    config
}
