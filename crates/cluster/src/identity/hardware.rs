//! Hardware of a node; equal machines share one description.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rustc_hash::FxHashMap;
use sci_core::{
    node::Resources,
    power::{self, Hardware, Provenance},
    quantity::{GramsCo2e, RelativePerformance},
    region::Provider,
};

use super::{HardwareOrigin, RefusedAnnotation, refusal};
use crate::{
    annotations,
    config::{ConfigError, HardwareClassConfig, HardwareRule, NodesConfig},
    objects::{NodeView, annotation, label},
};

const GRAMS_PER_KILOGRAM: f64 = 1_000.0;
const SECONDS_PER_YEAR: f64 = 365.25 * 86_400.0;
/// Sizes of nodes are few; should something invent new ones all the time, the cache starts over.
const MAX_CACHED: usize = 4_096;

#[derive(Debug)]
pub(super) struct HardwareTable {
    classes: BTreeMap<String, Arc<Hardware>>,
    rules: Vec<HardwareRule>,
    looked_up: FxHashMap<Key, Option<Arc<Hardware>>>,
}

/// Everything that a table answers by. Amounts are kept by their bits: equal machines report equal amounts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Family(Box<str>, Size),
    Instance(Provider, Box<str>),
    Capacity(Size),
}

type Size = (u64, u64);

impl HardwareTable {
    pub(super) fn new(nodes: &NodesConfig) -> Result<Self, ConfigError> {
        let mut classes = BTreeMap::new();
        for (name, class) in &nodes.hardware_classes {
            classes.insert(name.clone(), Arc::new(configured(name, class)?));
        }
        Ok(Self { classes, rules: nodes.hardware_rules.clone(), looked_up: FxHashMap::default() })
    }

    pub(super) fn of(
        &mut self,
        node: &NodeView,
        labels: &BTreeMap<String, String>,
        provider: Option<Provider>,
        capacity: Resources,
        refused: &mut Vec<RefusedAnnotation>,
    ) -> (Arc<Hardware>, HardwareOrigin) {
        if let Some(name) = annotation(&node.metadata, annotations::HARDWARE_CLASS) {
            if let Some(hardware) = self.class(name.trim(), capacity) {
                return (hardware, HardwareOrigin::Annotation);
            }
            let problem = "name a class of nodes.hardwareClasses or a SPECpower family";
            refused.push(refusal(annotations::HARDWARE_CLASS, name, problem));
        }
        let rule = self.rules.iter().find(|rule| rule.selector.matches(labels)).map(|rule| rule.class.clone());
        if let Some(hardware) = rule.and_then(|class| self.class(&class, capacity)) {
            return (hardware, HardwareOrigin::Rule);
        }
        let instance_type = label(&node.metadata, annotations::INSTANCE_TYPE);
        if let Some((provider, name)) = provider.zip(instance_type) {
            let key = Key::Instance(provider, name.into());
            if let Some(hardware) = self.look_up(key, || power::instance_by_family(provider, name)) {
                return (hardware, HardwareOrigin::InstanceType);
            }
        }
        let by_size = || power::default_for(capacity.cpu, capacity.memory);
        let hardware = self.look_up(Key::Capacity(size(capacity)), || Some(by_size()));
        (hardware.unwrap_or_else(|| Arc::new(by_size())), HardwareOrigin::Capacity)
    }

    fn class(&mut self, name: &str, capacity: Resources) -> Option<Arc<Hardware>> {
        if let Some(hardware) = self.classes.get(name) {
            return Some(Arc::clone(hardware));
        }
        let key = Key::Family(name.into(), size(capacity));
        self.look_up(key, || power::family(name, capacity.cpu, capacity.memory))
    }

    fn look_up(&mut self, key: Key, find: impl FnOnce() -> Option<Hardware>) -> Option<Arc<Hardware>> {
        if self.looked_up.len() >= MAX_CACHED {
            self.looked_up.clear();
        }
        self.looked_up.entry(key).or_insert_with(|| find().map(Arc::new)).clone()
    }
}

fn size(capacity: Resources) -> Size {
    (capacity.cpu.get().to_bits(), capacity.memory.get().to_bits())
}

/// The operator's own figures are taken as they are.
fn configured(name: &str, class: &HardwareClassConfig) -> Result<Hardware, ConfigError> {
    let number = |problem| ConfigError::Number { field: format!("nodes.hardwareClasses.{name}"), problem };
    Ok(Hardware {
        class: name.into(),
        curve: class.curve()?,
        embodied: GramsCo2e::new(class.embodied_kilograms * GRAMS_PER_KILOGRAM).map_err(number)?,
        lifetime: Duration::from_secs_f64(class.lifetime_years * SECONDS_PER_YEAR),
        relative_performance: RelativePerformance::new(class.relative_performance).map_err(number)?,
        provenance: if class.points.is_empty() { Provenance::Modelled } else { Provenance::Measured },
        source: "configuration".into(),
        error_band: (1.0, 1.0),
    })
}
