//! Certificates, keys and kubeconfigs of one control plane.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};

/// A certificate or a file of it could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    #[error("make the certificate of {subject}")]
    Certificate { subject: String, source: rcgen::Error },
    #[error("make an HTTPS client")]
    Client(#[source] reqwest::Error),
    #[error("read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("write {path}")]
    Write { path: PathBuf, source: std::io::Error },
}

/// Where a certificate and its key lie.
#[derive(Debug, Clone)]
pub struct KeyPairFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A throw-away certificate authority (P-256).
#[derive(Debug)]
pub struct Authority {
    name: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a leaf certificate says about its holder.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The user name of a client, or a free text for a server.
    pub common_name: String,
    /// The group of a client.
    pub organization: Option<String>,
    /// DNS names of a server; `127.0.0.1` is always added. Empty for a client.
    pub server_names: Vec<String>,
    /// Further addresses of a server.
    pub server_addresses: Vec<IpAddr>,
}

impl Subject {
    pub fn client(common_name: impl Into<String>, organization: Option<&str>) -> Self {
        Self { common_name: common_name.into(), organization: organization.map(str::to_owned), ..Self::default() }
    }

    pub fn server(common_name: impl Into<String>, server_names: &[&str]) -> Self {
        let server_names = server_names.iter().map(|&name| name.to_owned()).collect();
        Self { common_name: common_name.into(), server_names, ..Self::default() }
    }
}

impl Authority {
    pub fn new(name: &str) -> Result<Self, PkiError> {
        Self::make(name, CertificateParams::default())
    }

    /// One whose certificate holds from one instant to another.
    pub fn lasting(name: &str, from: SystemTime, until: SystemTime) -> Result<Self, PkiError> {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (from.into(), until.into());
        Self::make(name, params)
    }

    fn make(name: &str, mut params: CertificateParams) -> Result<Self, PkiError> {
        let failed = |source| PkiError::Certificate { subject: name.to_owned(), source };
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(failed)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(failed)?;
        Ok(Self { name: name.to_owned(), issuer })
    }

    /// The authority's certificate.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its private key.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Writes `FOLDER/NAME.crt` and returns its path.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, PkiError> {
        let path = folder.join(format!("{}.crt", self.name));
        write(&path, &self.pem())?;
        Ok(path)
    }

    /// Issues a certificate and writes `FOLDER/NAME.crt` and `FOLDER/NAME.key`.
    pub fn issue(&self, folder: &Path, name: &str, subject: &Subject) -> Result<KeyPairFiles, PkiError> {
        let failed = |source| PkiError::Certificate { subject: subject.common_name.clone(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = leaf(subject).map_err(failed)?.signed_by(&key, &self.issuer).map_err(failed)?;
        let files =
            KeyPairFiles { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) };
        write(&files.certificate, &certificate.pem())?;
        write(&files.key, &key.serialize_pem())?;
        Ok(files)
    }

    /// An HTTPS client for loopback that trusts this authority alone, and shows a certificate if one is given.
    pub fn https_client(&self, identity: Option<&KeyPairFiles>) -> Result<reqwest::Client, PkiError> {
        install_crypto_provider();
        let authority = reqwest::Certificate::from_pem(self.pem().as_bytes()).map_err(PkiError::Client)?;
        let builder = reqwest::Client::builder().no_proxy().tls_certs_only([authority]);
        let builder = match identity {
            Some(files) => {
                let pem = [read(&files.key)?, read(&files.certificate)?].concat();
                builder.identity(reqwest::Identity::from_pem(&pem).map_err(PkiError::Client)?)
            }
            None => builder,
        };
        builder.build().map_err(PkiError::Client)
    }
}

/// One provider for every TLS user in the process; a second call changes nothing.
pub(crate) fn install_crypto_provider() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// The key that signs service account tokens: P-256 (tokens are then ES256), as `FOLDER/NAME.{key,pub}`.
pub fn service_account_key(folder: &Path) -> Result<KeyPairFiles, PkiError> {
    let failed = |source| PkiError::Certificate { subject: "service accounts".to_owned(), source };
    let key = KeyPair::generate().map_err(failed)?;
    let files =
        KeyPairFiles { certificate: folder.join("service-account.pub"), key: folder.join("service-account.key") };
    write(&files.certificate, &key.public_key_pem())?;
    write(&files.key, &key.serialize_pem())?;
    Ok(files)
}

/// Writes a kubeconfig that names its certificates by file.
pub fn write_kubeconfig(
    path: &Path,
    server: &str,
    authority: &Path,
    credentials: &KeyPairFiles,
) -> Result<(), PkiError> {
    let user = json!({ "client-certificate": credentials.certificate, "client-key": credentials.key });
    write_kubeconfig_of(path, server, authority, &user)
}

/// Writes a kubeconfig with a bearer token.
pub fn write_token_kubeconfig(path: &Path, server: &str, authority: &Path, token: &str) -> Result<(), PkiError> {
    write_kubeconfig_of(path, server, authority, &json!({ "token": token }))
}

fn write_kubeconfig_of(path: &Path, server: &str, authority: &Path, user: &Value) -> Result<(), PkiError> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "local", "cluster": { "server": server, "certificate-authority": authority } }],
        "users": [{ "name": "user", "user": user }],
        "contexts": [{ "name": "local", "context": { "cluster": "local", "user": "user" } }],
        "current-context": "local",
    });
    // JSON is YAML.
    write(path, &format!("{config:#}\n"))
}

fn leaf(subject: &Subject) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(subject.server_names.clone())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject.common_name.as_str());
    if let Some(organization) = &subject.organization {
        params.distinguished_name.push(DnType::OrganizationName, organization.as_str());
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if !subject.server_names.is_empty() {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        let addresses =
            std::iter::once(IpAddr::V4(Ipv4Addr::LOCALHOST)).chain(subject.server_addresses.iter().copied());
        params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
    }
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn read(path: &Path) -> Result<Vec<u8>, PkiError> {
    std::fs::read(path).map_err(|source| PkiError::Read { path: path.to_owned(), source })
}

fn write(path: &Path, content: &str) -> Result<(), PkiError> {
    std::fs::write(path, content).map_err(|source| PkiError::Write { path: path.to_owned(), source })
}
