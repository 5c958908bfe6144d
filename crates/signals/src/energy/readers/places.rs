//! Which node a sample is of, by its labels.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Unplaced, labels::text};
use crate::{
    energy::{directory::NodeNames, reading::key_of, window::Exporter},
    exposition::Labels,
};

/// Unknown places that are told one by one; the rest are many places with one fault.
const MAX_UNPLACED: usize = 100;

/// One of the places of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PlaceId(usize);

/// All places that samples of an observation named.
#[derive(Debug, Default)]
pub(super) struct Places {
    ids: FxHashMap<u64, PlaceId>,
    places: Vec<Place>,
}

/// Places with the nodes that they are.
#[derive(Debug)]
pub(super) struct Resolved {
    nodes: Vec<Option<Arc<str>>>,
    /// The target hands out one value for several nodes.
    mixed: Vec<bool>,
}

#[derive(Debug)]
struct Place {
    exporter: Exporter,
    /// What may be the node's name or address, strongest first.
    candidates: Vec<Box<str>>,
    /// The scraped target.
    target: Box<str>,
}

impl Places {
    /// On a node's own page only the nodes of ALUMET's pods are of interest: a relay has several.
    pub(super) fn by_pod_only(&mut self, exporter: Exporter, labels: &Labels<'_>) -> PlaceId {
        let node = match exporter {
            Exporter::Alumet => text(labels, "node").unwrap_or_default(),
            Exporter::Kepler | Exporter::KeplerLegacy | Exporter::Scaphandre => "",
        };
        self.id(exporter, &[node], "")
    }

    /// The place of a sample that came through somebody else.
    pub(super) fn of(&mut self, exporter: Exporter, labels: &Labels<'_>, node_label: Option<&str>) -> PlaceId {
        let get = |label: &str| text(labels, label).unwrap_or_default();
        // The exporter's own word comes before labels of the target, which may be a relay or a gateway.
        let candidates = [
            node_label.map_or("", get),
            get("node_name"),
            get("exported_node"),
            get("node"),
            get("kubernetes_node_name"),
            get("k8s_node_name"),
            get("exported_instance"),
            get("instance"),
        ];
        self.id(exporter, &candidates, get("instance"))
    }

    /// Whether these places name more than one node.
    pub(super) fn several_nodes(&self, places: impl Iterator<Item = PlaceId>) -> bool {
        let mut named = places.filter_map(|id| self.places.get(id.0)?.candidates.first());
        let first = named.next();
        first.is_some_and(|first| named.any(|other| other != first))
    }

    /// Finds the nodes.
    pub(super) fn resolve(&self, nodes: &NodeNames) -> Resolved {
        let find = |place: &Place| {
            let mut found = place.candidates.iter().filter_map(|name| nodes.named(name).or_else(|| nodes.at(name)));
            found.next().map(|facts| Arc::clone(&facts.name))
        };
        let nodes: Vec<_> = self.places.iter().map(find).collect();
        let mut of_target: FxHashMap<&str, FxHashSet<&Arc<str>>> = FxHashMap::default();
        for (place, node) in self.places.iter().zip(&nodes) {
            if let Some(node) = node
                && place.exporter == Exporter::Alumet
                && !place.target.is_empty()
            {
                of_target.entry(&*place.target).or_default().insert(node);
            }
        }
        let mixed = self.places.iter().map(|place| of_target.get(&*place.target).is_some_and(|of| of.len() > 1));
        Resolved { mixed: mixed.collect(), nodes }
    }

    /// Tells the places that are no node's, the largest first.
    pub(super) fn unplaced(&self, counts: FxHashMap<(Exporter, PlaceId), u64>) -> Vec<Unplaced> {
        let mut sums: FxHashMap<(Exporter, &str), u64> = FxHashMap::default();
        for ((exporter, id), samples) in counts {
            let said = self.places.get(id.0).and_then(|place| place.candidates.last()).map_or("", |name| name);
            *sums.entry((exporter, said)).or_default() += samples;
        }
        let unplaced = sums.into_iter();
        let mut unplaced: Vec<_> =
            unplaced.map(|((exporter, said), samples)| Unplaced { exporter, instance: said.into(), samples }).collect();
        unplaced.sort_by(|one, other| other.samples.cmp(&one.samples).then_with(|| one.instance.cmp(&other.instance)));
        unplaced.truncate(MAX_UNPLACED);
        unplaced
    }

    fn id(&mut self, exporter: Exporter, candidates: &[&str], target: &str) -> PlaceId {
        let key = key_of(candidates) ^ exporter as u64;
        *self.ids.entry(key).or_insert_with(|| {
            let candidates = candidates.iter().filter(|name| !name.is_empty()).map(|name| Box::from(*name)).collect();
            self.places.push(Place { exporter, candidates, target: target.into() });
            PlaceId(self.places.len() - 1)
        })
    }
}

impl Resolved {
    /// The node of a sample. `None` where nobody knows, and for a value of the node that is of several in truth.
    pub(super) fn node(&self, place: PlaceId, exporter: Exporter, of_node: bool) -> Option<&Arc<str>> {
        let mixed = exporter == Exporter::Alumet && of_node && self.mixed.get(place.0).is_some_and(|mixed| *mixed);
        if mixed { None } else { self.nodes.get(place.0)?.as_ref() }
    }
}
