//! `GET /v1/quality`: what answers for every node and zone at present, since when, and what is missing or not believed.

mod grid;
mod sources;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use jiff::Timestamp;
use kube_sci_cluster::{
    assess::Model,
    energy::{Accounts, MeteredPower, NodeMeters},
    snapshot::NodeRecord,
};
use kube_sci_server::http::HttpError;
use kube_sci_signals::energy::{Gap, RefusedMeter};
use sci_core::quantity::Utilization;
use serde::Serialize;

pub use self::{
    grid::{GridSourceDocument, ZoneDocument},
    sources::EnergySourceDocument,
};

/// The whole answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QualityReport {
    at: Timestamp,
    snapshot_generation: u64,
    summary: Summary,
    energy_sources: Vec<EnergySourceDocument>,
    grid_sources: Vec<GridSourceDocument>,
    zones: Vec<ZoneDocument>,
    nodes: Vec<NodeDocument>,
}

/// Nodes and zones by what answers for them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    nodes_by_quality: BTreeMap<&'static str, usize>,
    zones_by_link: BTreeMap<&'static str, usize>,
    refused_meters: usize,
}

/// One node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeDocument {
    node: String,
    power: PowerDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    silent_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<RefusedDocument>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    gaps: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_gap: Option<GapDocument>,
    /// Energy since start that is in no emissions, because the zone had no intensity.
    #[serde(skip_serializing_if = "Option::is_none")]
    unpriced_joules: Option<f64>,
}

/// A node's power now, and who says so.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PowerDocument {
    watts: f64,
    /// The true value is expected between these.
    low_watts: f64,
    high_watts: f64,
    quality: &'static str,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter: Option<MeterDocument>,
    curve: &'static str,
    curve_source: String,
}

/// The meter that answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MeterDocument {
    source: String,
    route: &'static str,
    exporter: &'static str,
    since: Timestamp,
    window_start: Timestamp,
    window_end: Timestamp,
    age_seconds: f64,
    covered_share: f64,
    utilization: Option<f64>,
    pods_watts: f64,
    system_watts: f64,
    unallocated_watts: f64,
}

/// A meter that is not believed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedDocument {
    source: String,
    route: &'static str,
    exporter: &'static str,
    reason: &'static str,
    text: String,
    since: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GapDocument {
    reason: &'static str,
    start: Timestamp,
    end: Timestamp,
}

/// Nothing can be said about the cluster yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nodes and pods are not listed yet, ask again in some seconds")]
pub struct NotSynced;

impl From<NotSynced> for HttpError {
    fn from(error: NotSynced) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

/// What is known now.
///
/// # Errors
/// [`NotSynced`] before nodes and pods were listed once.
pub fn quality(model: &Model, now: Timestamp) -> Result<QualityReport, NotSynced> {
    let read = model.read();
    let snapshot = read.snapshot();
    if !snapshot.synced() {
        return Err(NotSynced);
    }
    let mut nodes: Vec<NodeDocument> =
        snapshot.nodes().map(|(_, node)| NodeDocument::new(node, snapshot.accounts(), now)).collect();
    nodes.sort_by(|a, b| a.node.cmp(&b.node));
    let zones = grid::zones(model, snapshot, now);
    let mut summary = Summary::default();
    for node in &nodes {
        *summary.nodes_by_quality.entry(node.power.quality).or_default() += 1;
        summary.refused_meters += node.refused.len();
    }
    for zone in &zones {
        *summary.zones_by_link.entry(zone.link()).or_default() += 1;
    }
    Ok(QualityReport {
        at: now,
        snapshot_generation: snapshot.generation(),
        summary,
        energy_sources: snapshot.energy_sources().iter().map(|source| EnergySourceDocument::new(source, now)).collect(),
        grid_sources: model.grid_sources.iter().map(|source| GridSourceDocument::new(&source.load(), now)).collect(),
        zones,
        nodes,
    })
}

impl NodeDocument {
    fn new(node: &NodeRecord, accounts: &Accounts, now: Timestamp) -> Self {
        let unpriced = accounts.node(&node.name).map(|account| &account.node);
        let unpriced = unpriced.map(|account| (account.measured.unpriced + account.modelled.unpriced).get());
        let NodeMeters { silent_since, refused, gaps, last_gap, .. } = &*node.meters;
        Self {
            node: node.name.to_string(),
            power: PowerDocument::new(node, now),
            silent_since: *silent_since,
            refused: refused.iter().map(RefusedDocument::new).collect(),
            gaps: gaps.iter().map(|(reason, count)| (reason.as_str(), *count)).collect(),
            last_gap: last_gap.as_ref().map(GapDocument::new),
            unpriced_joules: unpriced.filter(|&joules| joules > 0.0),
        }
    }
}

impl PowerDocument {
    /// Of one node.
    pub fn new(node: &NodeRecord, now: Timestamp) -> Self {
        let power = node.power();
        let metered = node.meters.power.as_ref();
        Self {
            watts: power.watts.get(),
            low_watts: power.low.get(),
            high_watts: power.high.get(),
            quality: power.quality.as_str(),
            source: metered.map_or_else(|| "power curve at the node's requests".to_owned(), |m| m.meter.to_string()),
            meter: metered.map(|metered| MeterDocument::new(metered, now)),
            curve: node.hardware.provenance.as_str(),
            curve_source: node.hardware.source.to_string(),
        }
    }
}

impl MeterDocument {
    fn new(metered: &MeteredPower, now: Timestamp) -> Self {
        Self {
            source: metered.meter.source.to_string(),
            route: metered.meter.route.as_str(),
            exporter: metered.meter.exporter.as_str(),
            since: metered.since,
            window_start: metered.start,
            window_end: metered.end,
            age_seconds: now.duration_since(metered.end).as_secs_f64().max(0.0),
            covered_share: metered.coverage.get(),
            utilization: metered.utilization.map(Utilization::get),
            pods_watts: metered.pods.get(),
            system_watts: metered.system.get(),
            unallocated_watts: metered.unallocated.get(),
        }
    }
}

impl RefusedDocument {
    fn new(refused: &RefusedMeter) -> Self {
        Self {
            source: refused.meter.source.to_string(),
            route: refused.meter.route.as_str(),
            exporter: refused.meter.exporter.as_str(),
            reason: refused.refusal.as_str(),
            text: refused.refusal.to_string(),
            since: refused.since,
        }
    }
}

impl GapDocument {
    fn new(gap: &Gap) -> Self {
        Self { reason: gap.reason.as_str(), start: gap.start, end: gap.end }
    }
}
