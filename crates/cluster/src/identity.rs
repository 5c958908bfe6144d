//! What a node is: its grid zone, its hardware, the overhead of its site. Every answer says where it comes from.
//!
//! | question | sources, strongest first |
//! | --- | --- |
//! | grid zone | annotation, rule, provider and region label, region label alone where it is nobody else's |
//! | hardware | annotation, rule, instance type, capacity |
//! | PUE | annotation, rule, region, provider's average, configured default, assumption for on-premises sites |

mod hardware;
mod origin;

use std::{collections::BTreeMap, sync::Arc};

use kube_sci_signals::grid::ZoneIndex;
use rustc_hash::FxHashMap;
use sci_core::{
    intensity::Zone,
    node::Resources,
    power::Hardware,
    quantity::Pue,
    region::{self, Provider, Region},
};

use self::hardware::HardwareTable;
pub use self::origin::{HardwareOrigin, PueOrigin, ZoneOrigin};
use crate::{
    annotations,
    config::{ConfigError, LabelSelector, ModelConfig, NodesConfig},
    objects::{NodeView, annotation, label},
};

/// Longest part of a refused value that is kept for the log.
const MAX_SHOWN: usize = 80;

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeIdentity {
    /// Its grid zone under today's name.
    pub zone: Option<Zone>,
    /// Where the snapshot keeps that zone's intensity; `None` also for a zone too many.
    pub zone_index: Option<ZoneIndex>,
    /// Who said so.
    pub zone_origin: ZoneOrigin,
    /// Its cloud.
    pub provider: Option<Provider>,
    /// Its entry in the catalogue of cloud regions.
    pub region: Option<&'static Region>,
    /// Its region label, in the catalogue or not.
    pub region_label: Option<Arc<str>>,
    /// Power curve and embodied carbon.
    pub hardware: Arc<Hardware>,
    /// Who said so.
    pub hardware_origin: HardwareOrigin,
    /// Overhead of its site.
    pub pue: Pue,
    /// Who said so.
    pub pue_origin: PueOrigin,
    /// What the machine has.
    pub capacity: Resources,
    /// What pods may request of it.
    pub allocatable: Resources,
    /// Host names and IP addresses.
    pub addresses: Vec<Box<str>>,
    /// Annotations that could not be used.
    pub refused: Vec<RefusedAnnotation>,
}

/// An annotation that could not be used; the next source was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedAnnotation {
    /// Which one.
    pub key: &'static str,
    /// The beginning of its value.
    pub value: String,
    /// What to do.
    pub problem: String,
}

/// Turns nodes into identities, by configuration, tables and labels.
#[derive(Debug)]
pub struct Resolver {
    zone_rules: Vec<CompiledRule>,
    hardware: HardwareTable,
    default_pue: Option<Pue>,
    /// Regions by bare name, for nodes whose provider is not known.
    by_name: FxHashMap<&'static str, Vec<&'static Region>>,
}

#[derive(Debug)]
struct CompiledRule {
    selector: LabelSelector,
    zone: Zone,
    pue: Option<Pue>,
}

/// Provider and region of a node.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    provider: Option<Provider>,
    region: Option<&'static Region>,
    /// The provider was told by the region's name only.
    by_label_alone: bool,
}

impl Resolver {
    /// Checks the configuration and prepares the tables.
    pub fn new(config: &ModelConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut by_name: FxHashMap<&'static str, Vec<&'static Region>> = FxHashMap::default();
        for region in region::catalogue().regions() {
            by_name.entry(region.name).or_default().push(region);
        }
        Ok(Self {
            zone_rules: compile(&config.nodes),
            hardware: HardwareTable::new(&config.nodes)?,
            default_pue: config.nodes.default_pue.and_then(|pue| Pue::new(pue).ok()),
            by_name,
        })
    }

    /// What `node` is. The zone's place is filled in by the owner of the zone table.
    pub fn resolve(&mut self, node: &NodeView) -> NodeIdentity {
        static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();
        let labels = node.metadata.labels.as_ref().unwrap_or(&NO_LABELS);
        let mut refused = Vec::new();
        let place = self.place(node);
        let rule = self.zone_rules.iter().find(|rule| rule.selector.matches(labels));
        let (zone, zone_origin) = zone(node, rule, place, &mut refused);
        let (pue, pue_origin) = self.pue(node, rule, place, &mut refused);
        let capacity = node.status.capacity.resources();
        let (hardware, hardware_origin) = self.hardware.of(node, labels, place.provider, capacity, &mut refused);
        NodeIdentity {
            zone,
            zone_index: None,
            zone_origin,
            provider: place.provider,
            region: place.region,
            region_label: label(&node.metadata, annotations::TOPOLOGY_REGION).map(Arc::from),
            hardware,
            hardware_origin,
            pue,
            pue_origin,
            capacity,
            allocatable: node.status.allocatable.resources(),
            addresses: node.status.addresses.iter().map(|address| address.address.as_str().into()).collect(),
            refused,
        }
    }

    fn place(&self, node: &NodeView) -> Place {
        let name = label(&node.metadata, annotations::TOPOLOGY_REGION);
        let provider_id = node.spec.provider_id.as_deref().unwrap_or_default();
        if let Some(provider) = Provider::from_provider_id(provider_id) {
            let region = name.and_then(|name| region::catalogue().region(provider, name));
            return Place { provider: Some(provider), region, by_label_alone: false };
        }
        if !stands_nowhere(provider_id) {
            return Place::default();
        }
        match name.and_then(|name| self.by_name.get(name)).map(Vec::as_slice) {
            Some([region]) => Place { provider: Some(region.provider), region: Some(region), by_label_alone: true },
            _ => Place::default(),
        }
    }

    fn pue(
        &self,
        node: &NodeView,
        rule: Option<&CompiledRule>,
        place: Place,
        refused: &mut Vec<RefusedAnnotation>,
    ) -> (Pue, PueOrigin) {
        if let Some(text) = annotation(&node.metadata, annotations::PUE) {
            let value = text.trim().parse().map_err(|_| "write a number from 1 to 10".to_owned());
            match value.and_then(|value| Pue::new(value).map_err(|error| error.to_string())) {
                Ok(pue) => return (pue, PueOrigin::Annotation),
                Err(problem) => refused.push(refusal(annotations::PUE, text, problem)),
            }
        }
        if let Some(pue) = rule.and_then(|rule| rule.pue) {
            return (pue, PueOrigin::Rule);
        }
        if let Some(pue) = place.region.and_then(|region| region.pue.as_ref()) {
            return (pue.value, PueOrigin::Region { year: pue.year });
        }
        match (place.provider, self.default_pue) {
            (None, Some(pue)) => (pue, PueOrigin::Configuration),
            (provider, _) => {
                let (pue, source) = region::default_pue(provider);
                let origin = if provider.is_some() { PueOrigin::Provider } else { PueOrigin::Assumption };
                (pue, origin(source))
            }
        }
    }
}

fn compile(nodes: &NodesConfig) -> Vec<CompiledRule> {
    let compiled = nodes.zone_rules.iter().map(|rule| {
        let zone = Zone::new(&rule.zone).ok()?;
        let pue = rule.pue.and_then(|pue| Pue::new(pue).ok());
        Some(CompiledRule { selector: rule.selector.clone(), zone, pue })
    });
    compiled.flatten().collect()
}

fn zone(
    node: &NodeView,
    rule: Option<&CompiledRule>,
    place: Place,
    refused: &mut Vec<RefusedAnnotation>,
) -> (Option<Zone>, ZoneOrigin) {
    if let Some(text) = annotation(&node.metadata, annotations::GRID_ZONE) {
        match Zone::new(text.trim()) {
            Ok(zone) => return (Some(zone), ZoneOrigin::Annotation),
            Err(error) => refused.push(refusal(annotations::GRID_ZONE, text, error.to_string())),
        }
    }
    if let Some(rule) = rule {
        return (Some(rule.zone.clone()), ZoneOrigin::Rule);
    }
    match place.region.map(|region| region.zone.clone()) {
        Some(zone) if place.by_label_alone => (Some(zone), ZoneOrigin::RegionLabel),
        Some(zone) => (Some(zone), ZoneOrigin::ProviderRegion),
        None => (None, ZoneOrigin::Unknown),
    }
}

/// Whether only the label can say where the node stands: nobody provides it, or a tool that runs it locally. Any
/// other provider has regions of its own, and names such as `eu-west-1` mean another city with each.
fn stands_nowhere(provider_id: &str) -> bool {
    provider_id.is_empty() || ["kind://", "kwok://", "k3s://"].iter().any(|local| provider_id.starts_with(local))
}

fn refusal(key: &'static str, value: &str, problem: impl Into<String>) -> RefusedAnnotation {
    RefusedAnnotation { key, value: value.chars().take(MAX_SHOWN).collect(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
