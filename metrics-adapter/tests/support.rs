//! A cluster in memory, policies on it, and the API in front of both.

pub mod cluster;
pub mod policies;
pub mod server;

use std::sync::Arc;

use aggregated_apiserver::ServerMetrics;
use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use kube_sci_cluster::{assess::Model, snapshot::SnapshotHandle, wanted::WantedZones};
use kube_sci_metrics_adapter::{
    catalogue::Groups,
    serve::{AdapterApi, Parts, resources::Resources, values::Limits},
    table::{PolicyTable, PolicyTableHandle},
};

pub use self::{
    cluster::Cluster,
    policies::Policy,
    server::{TENANT, World},
};

pub fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// What the API answers from, to be changed while it runs.
pub struct Adapter {
    pub api: Arc<AdapterApi>,
    pub policies: PolicyTableHandle,
    pub groups: Arc<ArcSwap<Groups>>,
    pub wanted: WantedZones,
    pub model: Model,
}

impl Adapter {
    pub fn new(cluster: &Cluster, policies: Vec<Policy>) -> Self {
        let model = Model::new(SnapshotHandle::new(cluster.snapshot()), &cluster.config);
        let table = PolicyTableHandle::default();
        table.publish(table_of(policies));
        let groups = Arc::new(ArcSwap::from_pointee(Groups::ALL));
        let wanted = WantedZones::default();
        let parts = Parts {
            model: model.clone(),
            policies: table.clone(),
            resources: Resources::default(),
            wanted: wanted.clone(),
            groups: Arc::clone(&groups),
            limits: Limits { freshness: model.options.freshness, energy: SignedDuration::from_mins(3) },
            metrics: ServerMetrics::default(),
            clock: now,
        };
        Self { api: Arc::new(AdapterApi::new(parts)), policies: table, groups, wanted, model }
    }
}

pub fn table_of(policies: Vec<Policy>) -> PolicyTable {
    let states = policies.into_iter().map(|policy| Arc::new(policy.state()));
    let mut table = PolicyTable::new(1, now(), states, Vec::new());
    table.synced = true;
    table
}
