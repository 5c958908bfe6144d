//! The cluster's nodes, as far as sources need to know them.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use rustc_hash::FxHashMap;
use sci_core::quantity::{Cores, Watts};

/// What a source knows of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeFacts {
    /// Its name.
    pub name: Arc<str>,
    /// Host names and IP addresses from `status.addresses`.
    pub addresses: Vec<Box<str>>,
    /// Hardware threads.
    pub cores: Cores,
    /// What says more than this is wrong.
    pub max_power: Watts,
}

/// All nodes of one moment, by name and by address.
#[derive(Debug, Default)]
pub struct NodeNames {
    by_name: FxHashMap<Arc<str>, Arc<NodeFacts>>,
    by_address: FxHashMap<Box<str>, Arc<NodeFacts>>,
}

/// The newest [`NodeNames`]; the cluster's writer replaces them, sources read them.
#[derive(Debug, Clone, Default)]
pub struct NodeDirectory {
    current: Arc<ArcSwap<NodeNames>>,
}

impl NodeNames {
    /// All of `nodes`.
    pub fn new(nodes: impl IntoIterator<Item = NodeFacts>) -> Self {
        let mut names = Self::default();
        for facts in nodes {
            let facts = Arc::new(facts);
            for address in &facts.addresses {
                names.by_address.insert(address.clone(), Arc::clone(&facts));
            }
            names.by_name.insert(Arc::clone(&facts.name), facts);
        }
        names
    }

    /// The node of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<NodeFacts>> {
        self.by_name.get(name)
    }

    /// The node that a Prometheus label `instance` speaks of: its name or one of its addresses, with or without a port.
    pub fn at(&self, instance: &str) -> Option<&Arc<NodeFacts>> {
        let host = match instance.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => instance,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let find = |text: &str| self.by_name.get(text).or_else(|| self.by_address.get(text));
        find(host).or_else(|| find(instance))
    }

    /// Known nodes.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// No node is known.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

impl NodeDirectory {
    /// The newest names.
    pub fn load(&self) -> Guard<Arc<NodeNames>> {
        self.current.load()
    }

    /// Replaces all names. Only the cluster's writer does.
    pub fn publish(&self, names: NodeNames) {
        self.current.store(Arc::new(names));
    }
}
