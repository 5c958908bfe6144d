//! The cluster's authentication configuration, as `kube-system/extension-apiserver-authentication` has it.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use http::HeaderName;

use super::{
    headers::HeaderNames,
    trust::{TrustDomain, TrustError},
};
use crate::metrics::ServerMetrics;

/// Two sets of authorities with two meanings. A chain to the one stands for itself; a chain to the other may say who is
/// calling. They are never mixed.
#[derive(Debug)]
pub(crate) struct Authorities {
    /// Grows with every change; verdicts of an earlier generation are void.
    pub(crate) generation: u64,
    pub(crate) clients: Option<TrustDomain>,
    pub(crate) proxy: Option<FrontProxy>,
}

/// Whose word about callers is taken.
#[derive(Debug)]
pub(crate) struct FrontProxy {
    pub(crate) trust: TrustDomain,
    /// Common names; empty allows every certificate of these authorities.
    pub(crate) allowed_names: Vec<String>,
    pub(crate) headers: HeaderNames,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// A bundle of authorities is unusable.
    #[error("{key} cannot be used")]
    Bundle {
        /// Its key in the ConfigMap.
        key: &'static str,
        /// Reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A list is no JSON array of strings.
    #[error("{key} is no list of strings")]
    List {
        /// Its key in the ConfigMap.
        key: &'static str,
        /// Reason.
        source: serde_json::Error,
    },
    /// A name in a list can be no header.
    #[error("{key} has a name that can be no header")]
    HeaderName {
        /// Its key in the ConfigMap.
        key: &'static str,
    },
    /// Neither kind of authority is configured, so nobody could ever be identified by certificate.
    #[error("neither client-ca-file nor requestheader-client-ca-file is there")]
    Nothing,
}

type Data = BTreeMap<String, String>;

impl Authorities {
    /// Reads the data of the ConfigMap.
    pub(crate) fn parse(data: &Data, generation: u64) -> Result<Self, ConfigurationError> {
        let clients = bundle(data, "client-ca-file")?;
        let proxy = match bundle(data, "requestheader-client-ca-file")? {
            None => None,
            Some(trust) => Some(FrontProxy {
                trust,
                allowed_names: list(data, "requestheader-allowed-names")?,
                headers: HeaderNames {
                    username: header_names(data, "requestheader-username-headers")?,
                    uid: header_names(data, "requestheader-uid-headers")?,
                    groups: header_names(data, "requestheader-group-headers")?,
                    extra: list(data, "requestheader-extra-headers-prefix")?
                        .iter()
                        .filter(|prefix| !prefix.is_empty())
                        .map(|prefix| prefix.to_ascii_lowercase())
                        .collect(),
                },
            }),
        };
        if clients.is_none() && proxy.is_none() {
            return Err(ConfigurationError::Nothing);
        }
        Ok(Self { generation, clients, proxy })
    }

    /// The headers of the front proxy, if there is one.
    pub(crate) fn proxy_headers(&self) -> Option<&HeaderNames> {
        self.proxy.as_ref().map(|proxy| &proxy.headers)
    }

    pub(crate) fn report(&self, metrics: &ServerMetrics) {
        if let Some(clients) = &self.clients {
            metrics.set_not_after("client_authority", clients.not_after());
        }
        if let Some(proxy) = &self.proxy {
            metrics.set_not_after("proxy_authority", proxy.trust.not_after());
        }
    }
}

impl FrontProxy {
    pub(crate) fn allows(&self, common_name: &str) -> bool {
        self.allowed_names.is_empty() || self.allowed_names.iter().any(|allowed| allowed == common_name)
    }
}

/// Takes over what the ConfigMap says now. What cannot be used is refused in favour of what is in use.
pub(crate) fn replace(
    current: &ArcSwap<Authorities>,
    data: &Data,
    metrics: &ServerMetrics,
) -> Result<(), ConfigurationError> {
    let next = Authorities::parse(data, current.load().generation + 1)?;
    next.report(metrics);
    current.store(Arc::new(next));
    Ok(())
}

fn bundle(data: &Data, key: &'static str) -> Result<Option<TrustDomain>, ConfigurationError> {
    let Some(pem) = data.get(key).filter(|pem| !pem.trim().is_empty()) else { return Ok(None) };
    TrustDomain::from_pem(pem)
        .map(Some)
        .map_err(|source: TrustError| ConfigurationError::Bundle { key, source: Box::new(source) })
}

/// A JSON array inside of a string; absent is empty.
fn list(data: &Data, key: &'static str) -> Result<Vec<String>, ConfigurationError> {
    match data.get(key).filter(|text| !text.trim().is_empty()) {
        None => Ok(Vec::new()),
        Some(text) => serde_json::from_str(text).map_err(|source| ConfigurationError::List { key, source }),
    }
}

fn header_names(data: &Data, key: &'static str) -> Result<Vec<HeaderName>, ConfigurationError> {
    list(data, key)?
        .iter()
        .map(|name| HeaderName::from_bytes(name.as_bytes()).map_err(|_| ConfigurationError::HeaderName { key }))
        .collect()
}
