//! Keeps the authentication configuration current.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::time;

use super::authorities::{self, Authorities, ConfigurationError};
use crate::{delegation::Delegation, metrics::ServerMetrics};

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// The configuration could not be read at the start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot be read.
    #[error("cannot read ConfigMap kube-system/extension-apiserver-authentication")]
    Read(#[source] Box<kube::Error>),
    /// Nobody answered in time.
    #[error("no answer about ConfigMap kube-system/extension-apiserver-authentication in time")]
    Timeout,
    /// It is there and cannot be used.
    #[error("ConfigMap kube-system/extension-apiserver-authentication cannot be used")]
    Configuration(#[source] ConfigurationError),
}

/// Reads the configuration for the first time. Without it nobody could be identified, so an error here ends the start.
pub(crate) async fn first(delegation: &Delegation, metrics: &ServerMetrics) -> Result<Authorities, StartError> {
    let mut last = None;
    let mut pause = delegation.first_pause;
    let attempts = async {
        loop {
            match api(delegation).get(NAME).await {
                Ok(found) => return found,
                Err(error) => {
                    tracing::warn!(%error, "cannot read the authentication configuration yet");
                    last = Some(error);
                }
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    };
    let found = time::timeout(delegation.start_timeout, attempts).await;
    let found = match (found, last) {
        (Ok(found), _) => found,
        (Err(_), Some(error)) => return Err(StartError::Read(Box::new(error))),
        (Err(_), None) => return Err(StartError::Timeout),
    };
    let first = Authorities::parse(&data(found), 1).map_err(StartError::Configuration)?;
    first.report(metrics);
    Ok(first)
}

/// Follows the configuration until dropped.
pub(crate) async fn follow(delegation: Delegation, current: Arc<ArcSwap<Authorities>>, metrics: ServerMetrics) {
    let only = watcher::Config::default().fields("metadata.name=extension-apiserver-authentication");
    let events = watcher(api(&delegation), only).default_backoff();
    pin_mut!(events);
    let mut seen: Option<BTreeMap<String, String>> = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(found) | watcher::Event::InitApply(found)) => {
                let data = data(found);
                if seen.as_ref() == Some(&data) {
                    continue;
                }
                match authorities::replace(&current, &data, &metrics) {
                    Ok(()) => {
                        metrics.count_configuration("applied");
                        tracing::info!("authentication configuration of the cluster taken over");
                    }
                    Err(error) => {
                        metrics.count_configuration("refused");
                        tracing::error!(%error, source = ?std::error::Error::source(&error), "authentication configuration refused, the last good one stays");
                    }
                }
                seen = Some(data);
            }
            Ok(watcher::Event::Delete(_)) => {
                seen = None;
                metrics.count_configuration("gone");
                tracing::error!("authentication configuration of the cluster is gone, the last good one stays");
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
            Err(error) => tracing::warn!(%error, "watch of the authentication configuration interrupted"),
        }
    }
}

fn api(delegation: &Delegation) -> Api<ConfigMap> {
    Api::namespaced(delegation.client.clone(), NAMESPACE)
}

fn data(found: ConfigMap) -> BTreeMap<String, String> {
    found.data.unwrap_or_default().into_iter().collect()
}
