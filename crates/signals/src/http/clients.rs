//! The client of a service, made again when its certificate files change.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{Client, Proxy, redirect::Policy};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tracing::{info, warn};

use super::{HttpError, HttpErrorKind};
use crate::config::HttpConfig;

/// The files are a few kilobytes, mostly in memory.
const CHECK_EVERY: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(5);
const IDLE_PER_HOST: usize = 4;
/// An idle connection keeps a buffer as large as what it read last, and of many servers each is asked rarely.
const IDLE_PER_HOST_OF_MANY: usize = 0;
const USER_AGENT: &str = concat!("kube-sci/", env!("CARGO_PKG_VERSION"));

/// Makes the client, and makes it again when the files have changed.
#[derive(Debug)]
pub(super) struct Clients {
    files: Files,
    proxy: Option<Proxy>,
    /// Whether certificates of the system are needed where no file names any.
    encrypted: bool,
    idle_per_host: usize,
    current: Mutex<Option<Current>>,
}

#[derive(Debug, Default)]
struct Files {
    authorities: Option<PathBuf>,
    /// Certificate chain and key.
    identity: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug)]
struct Current {
    client: Client,
    /// Of the files as last tried, used or not.
    tried: u64,
    checked: Instant,
}

/// The files as read, in the order authorities, chain, key.
struct Contents {
    authorities: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Clients {
    pub(super) fn new(config: &HttpConfig, encrypted: bool) -> Result<Self, HttpError> {
        let refused = |_| {
            let problem = HttpErrorKind::Address("this is no address of a proxy".to_owned());
            HttpError::new("configuration", problem)
        };
        let proxy = config.proxy.as_deref().map(Proxy::all).transpose().map_err(refused)?;
        let identity = config.client_certificate_file.clone().zip(config.client_key_file.clone());
        let files = Files { authorities: config.ca_file.clone(), identity };
        Ok(Self { files, proxy, encrypted, idle_per_host: IDLE_PER_HOST, current: Mutex::default() })
    }

    /// For many servers without encryption. No connection is kept.
    pub(super) fn plain() -> Self {
        let (files, idle_per_host) = (Files::default(), IDLE_PER_HOST_OF_MANY);
        Self { files, proxy: None, encrypted: false, idle_per_host, current: Mutex::default() }
    }

    /// For many servers whose certificates are checked against those of this file. No connection is kept.
    pub(super) fn trusting(authorities: &Path) -> Self {
        let files = Files { authorities: Some(authorities.to_owned()), identity: None };
        Self { files, ..Self::plain() }
    }

    /// The client for the files as they are now. Files that cannot be used leave the one before in use.
    pub(super) fn get(&self) -> Result<Client, HttpErrorKind> {
        let mut current = self.lock();
        let Some(current) = current.as_mut() else {
            let contents = self.files.read()?;
            let client = self.build(&contents)?;
            *current = Some(Current { client: client.clone(), tried: contents.fingerprint(), checked: Instant::now() });
            return Ok(client);
        };
        if !self.files.is_empty() && current.checked.elapsed() >= CHECK_EVERY {
            current.checked = Instant::now();
            self.reload(current);
        }
        Ok(current.client.clone())
    }

    fn reload(&self, current: &mut Current) {
        let Ok(contents) = self.files.read() else { return };
        let found = contents.fingerprint();
        if std::mem::replace(&mut current.tried, found) == found {
            return;
        }
        match self.build(&contents) {
            Ok(client) => {
                current.client = client;
                info!("certificate files of an outside service reloaded");
            }
            Err(error) => warn!(%error, "changed certificate files refused, the old stay in use"),
        }
    }

    fn build(&self, contents: &Contents) -> Result<Client, HttpErrorKind> {
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| tls(&error))?;
        let builder = match &contents.authorities {
            Some(pem) => builder.with_root_certificates(self.files.anchors(pem)?),
            None if self.encrypted => builder.with_platform_verifier().map_err(|error| tls(&error))?,
            None => builder.with_root_certificates(RootCertStore::empty()),
        };
        let mut tls_config = match &contents.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let (chain, key) = self.files.identity(chain, key)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| tls(&error))?
            }
        };
        tls_config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = Client::builder()
            .tls_backend_preconfigured(tls_config)
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(self.idle_per_host)
            .no_proxy();
        let client = self.proxy.iter().fold(client, |client, proxy| client.proxy(proxy.clone()));
        client.build().map_err(super::error::transport)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn is_empty(&self) -> bool {
        self.authorities.is_none() && self.identity.is_none()
    }

    fn read(&self) -> Result<Contents, HttpErrorKind> {
        let authorities = self.authorities.as_deref().map(read).transpose()?;
        let identity = match &self.identity {
            Some((chain, key)) => Some((read(chain)?, read(key)?)),
            None => None,
        };
        Ok(Contents { authorities, identity })
    }

    fn anchors(&self, pem: &[u8]) -> Result<RootCertStore, HttpErrorKind> {
        let mut roots = RootCertStore::empty();
        for certificate in chain(self.authorities.as_deref(), pem)? {
            roots.add(certificate).map_err(|error| tls(&error))?;
        }
        Ok(roots)
    }

    fn identity(
        &self,
        chain_pem: &[u8],
        key_pem: &[u8],
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), HttpErrorKind> {
        let (chain_path, key_path) =
            self.identity.as_ref().map(|(chain, key)| (chain.as_path(), key.as_path())).unzip();
        let chain = chain(chain_path, chain_pem)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| unusable("a private key", key_path))?;
        Ok((chain, key))
    }
}

impl Contents {
    /// Not cryptographic: who can choose the content can replace the file anyway.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.authorities, &self.identity).hash(&mut hasher);
        hasher.finish()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, HttpErrorKind> {
    fs::read(path).map_err(|error| HttpErrorKind::Tls(format!("read {}: {}", path.display(), error.kind())))
}

fn chain(path: Option<&Path>, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, HttpErrorKind> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| unusable("PEM certificates", path))
}

fn unusable(what: &str, path: Option<&Path>) -> HttpErrorKind {
    HttpErrorKind::Tls(format!("put {what} into {}", path.unwrap_or_else(|| Path::new("the file")).display()))
}

fn tls(error: &rustls::Error) -> HttpErrorKind {
    HttpErrorKind::Tls(error.to_string())
}
