//! A `ConfigMap` with a forecast, as Azure's carbon-intensity-exporter writes it.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use rustc_hash::FxHashSet;
use sci_core::intensity::Zone;
use tokio::time::timeout;

use super::{
    Answer, Failure, IntensitySource, SourceError, SourceStatus, StatusHandle, ZoneDemand,
    providers::{AzureConfigMapConfig, ZoneRequest, azure_config_map},
};
use crate::config::GridSourceConfig;

/// The map is written a few times a day; a look at it is cheap.
const PERIOD: Duration = Duration::from_secs(30);
/// kube has no limit of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at the map by name: it is deleted and made again at every change, which a watch would show as a loss.
pub(super) struct ConfigMapSource {
    maps: Api<ConfigMap>,
    config: AzureConfigMapConfig,
    only: Vec<Zone>,
    ids: Vec<(Zone, Arc<str>)>,
    demand: ZoneDemand,
    /// What was read last: the version of the map, and the zones it was held against.
    seen: Option<(Option<String>, Vec<ZoneRequest>)>,
    last_seen: Option<Timestamp>,
    status: SourceStatus,
    handle: StatusHandle,
}

impl ConfigMapSource {
    pub(super) fn new(
        client: Client,
        config: &AzureConfigMapConfig,
        source: &GridSourceConfig,
        demand: ZoneDemand,
    ) -> Self {
        let status = SourceStatus::new(&source.name, "azureConfigMap");
        Self {
            maps: Api::namespaced(client, &config.namespace),
            config: config.clone(),
            only: source.only(),
            ids: source.ids(),
            demand,
            seen: None,
            last_seen: None,
            handle: StatusHandle::new(status.clone()),
            status,
        }
    }

    /// Zones that the location may be a name of.
    fn zones(&self) -> Vec<ZoneRequest> {
        let demanded = self.demand.zones();
        let named = self.ids.iter().map(|(zone, _)| zone).chain(demanded.iter().map(|demanded| &demanded.zone));
        let mut seen = FxHashSet::default();
        named
            .filter(|zone| self.only.is_empty() || self.only.contains(zone))
            .filter(|zone| seen.insert((*zone).clone()))
            .map(|zone| {
                let id = self.ids.iter().find(|(named, _)| named == zone).map(|(_, id)| Arc::clone(id));
                ZoneRequest { id, ..ZoneRequest::new(zone.clone()) }
            })
            .collect()
    }

    async fn look(&mut self, now: Timestamp) -> Result<Option<Answer>, (&'static str, String)> {
        let asked = timeout(PATIENCE, self.maps.get_opt(&self.config.name)).await;
        let found = asked
            .map_err(|_| ("transport", "the API server did not answer within 10 seconds".to_owned()))?
            .map_err(|error| ("transport", error.to_string()))?;
        let place = || format!("{}/{}", self.config.namespace, self.config.name);
        let Some(map) = found else {
            let replaced = |last| now.duration_since(last).unsigned_abs() <= azure_config_map::REPLACEMENT_GAP;
            return match self.last_seen {
                Some(last) if replaced(last) => Ok(None),
                _ => Err(("no_data", format!("there is no ConfigMap {}", place()))),
            };
        };
        self.last_seen = Some(now);
        let seen = Some((map.metadata.resource_version.clone(), self.zones()));
        if seen == self.seen {
            return Ok(None);
        }
        let zones = seen.as_ref().map(|(_, zones)| zones.as_slice()).unwrap_or_default();
        let read = azure_config_map::read(&map, &self.config, zones, now);
        let answer = read.map_err(|error| (error.kind(), format!("ConfigMap {}: {error}", place())))?;
        self.seen = seen;
        Ok(Some(answer))
    }

    async fn round(&mut self, now: Timestamp) -> Result<Option<Answer>, SourceError> {
        let looked = self.look(now).await;
        match &looked {
            Ok(answer) => {
                self.status.calls.made += 1;
                self.status.succeeded(now);
                if let Some(answer) = answer {
                    self.status.left_out(answer);
                }
            }
            Err((kind, text)) => self.status.failed(Failure { at: now, kind, text: text.as_str().into() }),
        }
        self.handle.store(self.status.clone());
        looked.map_err(|(_, text)| SourceError::Other(text))
    }
}

impl IntensitySource for ConfigMapSource {
    fn name(&self) -> &str {
        &self.status.name
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    fn status(&self) -> Option<StatusHandle> {
        Some(self.handle.clone())
    }

    fn poll(&mut self, now: Timestamp) -> BoxFuture<'_, Result<Option<Answer>, SourceError>> {
        self.round(now).boxed()
    }
}
