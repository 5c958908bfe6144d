use jiff::Timestamp;
use kube_sci_cluster::{assess::Assessment, identity::NodeIdentity, snapshot::NodeRecord};
use kube_sci_signals::grid::ZoneValue;
use sci_core::node::{Footprint, NeutralReason, Score};
use serde::Serialize;

use kube_sci_report::quality::PowerDocument;

/// One node with every term of the equation and where it comes from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeTerms {
    /// Its name.
    pub node: String,
    /// What it would be given among the others of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// Why nothing can be said, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Operational and embodied.
    pub grams_per_hour: Option<f64>,
    /// What nodes are compared by.
    pub grams_per_core_hour: Option<f64>,
    /// How far the score may move away from neutral, 0 to 1.
    pub confidence: f64,
    /// E: energy.
    pub energy: EnergyTerm,
    /// I: carbon intensity.
    pub intensity: IntensityTerm,
    /// M: embodied carbon.
    pub embodied: EmbodiedTerm,
}

/// E: what the pod adds to the node's power.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnergyTerm {
    requested_cores: f64,
    requested_memory_bytes: f64,
    workload_pods: f64,
    utilization: Option<f64>,
    added_utilization: Option<f64>,
    marginal_watts: Option<f64>,
    activation_watts: Option<f64>,
    operational_grams_per_hour: Option<f64>,
    idle_watts: f64,
    full_watts: f64,
    relative_performance: f64,
    error_factors: [f64; 2],
    hardware_class: String,
    hardware_origin: String,
    hardware_source: String,
    provenance: &'static str,
    /// What the node draws as a whole, and who says so.
    power: PowerDocument,
    workload_factor: Option<f64>,
    power_usage_effectiveness: f64,
    power_usage_effectiveness_origin: String,
}

/// I: the intensity of the node's grid zone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntensityTerm {
    grams_per_kwh: Option<f64>,
    zone: Option<String>,
    zone_origin: String,
    region: Option<String>,
    value: Option<IntensityValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct IntensityValue {
    /// The node's own zone, an older name of it, or its parent.
    published_for_zone: String,
    source: String,
    quality: &'static str,
    chain_link: &'static str,
    signal: &'static str,
    scope: &'static str,
    start: Timestamp,
    duration_seconds: u64,
    age_seconds: u64,
}

/// M: the hardware's part.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbodiedTerm {
    grams_per_hour: Option<f64>,
    resource_share: Option<f64>,
    node_grams: f64,
    lifetime_hours: f64,
}

impl NodeTerms {
    /// Spells out one assessed node.
    pub fn new(record: &NodeRecord, assessment: &Assessment<'_>, score: Option<Score>, now: Timestamp) -> Self {
        let known = assessment.footprint.as_ref().ok();
        Self {
            node: record.name.to_string(),
            score,
            reason: assessment.footprint.err().map(NeutralReason::as_str),
            grams_per_hour: known.map(|known| known.total.get()),
            grams_per_core_hour: known.map(|known| known.per_core_hour.get()),
            confidence: assessment.confidence().get(),
            energy: EnergyTerm::new(record, assessment, now),
            intensity: IntensityTerm::new(&record.identity, assessment.intensity.as_ref(), now),
            embodied: EmbodiedTerm::new(&record.identity, known),
        }
    }
}

impl EnergyTerm {
    fn new(record: &NodeRecord, assessment: &Assessment<'_>, now: Timestamp) -> Self {
        let (identity, hardware, load) = (&record.identity, &record.hardware, &assessment.load);
        let known = assessment.footprint.as_ref().ok();
        let (low, high) = hardware.error_band;
        Self {
            requested_cores: load.requested.cpu.get(),
            requested_memory_bytes: load.requested.memory.get(),
            workload_pods: load.workload_pods,
            utilization: known.map(|known| known.utilization.get()),
            added_utilization: known.map(|known| known.delta_utilization),
            marginal_watts: known.map(|known| known.marginal_power.get()),
            activation_watts: known.map(|known| known.activation_power.get()),
            operational_grams_per_hour: known.map(|known| known.operational.get()),
            idle_watts: hardware.curve.idle().get(),
            full_watts: hardware.curve.full().get(),
            relative_performance: hardware.relative_performance.get(),
            error_factors: [low, high],
            hardware_class: hardware.class.to_string(),
            hardware_origin: identity.hardware_origin.to_string(),
            hardware_source: hardware.source.to_string(),
            provenance: hardware.provenance.as_str(),
            power: PowerDocument::new(record, now),
            workload_factor: known.map(|known| known.workload_factor.get()),
            power_usage_effectiveness: identity.pue.get(),
            power_usage_effectiveness_origin: identity.pue_origin.to_string(),
        }
    }
}

impl IntensityTerm {
    fn new(identity: &NodeIdentity, value: Option<&ZoneValue<'_>>, now: Timestamp) -> Self {
        Self {
            grams_per_kwh: value.map(|value| value.reading.value.get()),
            zone: identity.zone.as_ref().map(ToString::to_string),
            zone_origin: identity.zone_origin.to_string(),
            region: identity.region_label.as_deref().map(str::to_owned),
            value: value.map(|value| IntensityValue::new(value, now)),
        }
    }
}

impl IntensityValue {
    fn new(value: &ZoneValue<'_>, now: Timestamp) -> Self {
        let reading = value.reading;
        Self {
            published_for_zone: reading.zone.to_string(),
            source: reading.source.to_string(),
            quality: reading.quality.as_str(),
            chain_link: value.link.as_str(),
            signal: reading.signal.kind.as_str(),
            scope: reading.signal.scope.as_str(),
            start: reading.start,
            duration_seconds: reading.duration.as_secs(),
            age_seconds: reading.age(now).as_secs(),
        }
    }
}

impl EmbodiedTerm {
    fn new(identity: &NodeIdentity, known: Option<&Footprint>) -> Self {
        Self {
            grams_per_hour: known.map(|known| known.embodied.get()),
            resource_share: known.map(|known| known.resource_share.get()),
            node_grams: identity.hardware.embodied.get(),
            lifetime_hours: identity.hardware.lifetime.as_secs_f64() / 3_600.0,
        }
    }
}
