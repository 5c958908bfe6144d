//! What every policy decides at present, as handlers read it.
//!
//! ```text
//! engine (one writer) --publish--> PolicyTable --load--> any number of request handlers, no lock, no I/O
//! ```
//!
//! A state says what is served, and everything that a user may want to know about how it came to be. What is missing
//! is a [`Problem`] with its cause and age, never a number.

mod state;

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use rustc_hash::FxHashMap;

pub use self::state::{
    BatchDecision, BudgetShare, IntensityProblem, IntensityState, LoadReading, LoadState, Outcome, PlacementBasis,
    PolicyState, Problem, Served, ZoneShare,
};
use crate::budget::BudgetState;

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyKey {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

/// All policies at one instant. Never changes; a newer one has a higher generation.
#[derive(Debug, Clone, Default)]
pub struct PolicyTable {
    /// Counts the tables of this process; 0 is the empty one from before the first.
    pub generation: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Whether policies, budgets and autoscalers were all listed once, and the cluster is known.
    pub synced: bool,
    /// Whether this replica writes statuses and events at present.
    pub leading: bool,
    namespaces: FxHashMap<Arc<str>, FxHashMap<Arc<str>, Arc<PolicyState>>>,
    budgets: Vec<Arc<BudgetState>>,
    policies: usize,
}

/// Where the newest table is found.
#[derive(Debug, Clone, Default)]
pub struct PolicyTableHandle {
    current: Arc<ArcSwap<PolicyTable>>,
}

impl PolicyKey {
    /// From both names.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl PolicyTable {
    /// From all states of one instant.
    pub fn new(
        generation: u64,
        at: Timestamp,
        policies: impl IntoIterator<Item = Arc<PolicyState>>,
        budgets: Vec<Arc<BudgetState>>,
    ) -> Self {
        let mut table = Self { generation, at, budgets, ..Self::default() };
        for state in policies {
            let namespace = table.namespaces.entry(Arc::clone(&state.key.namespace)).or_default();
            table.policies += usize::from(namespace.insert(Arc::clone(&state.key.name), state).is_none());
        }
        table
    }

    /// One policy.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<PolicyState>> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// Policies of a namespace, in no order.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<PolicyState>> {
        self.namespaces.get(namespace).into_iter().flat_map(FxHashMap::values)
    }

    /// Every policy, in no order.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<PolicyState>> {
        self.namespaces.values().flat_map(FxHashMap::values)
    }

    /// How many policies there are.
    pub fn len(&self) -> usize {
        self.policies
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.policies == 0
    }

    /// Every budget, by namespace and name.
    pub fn budgets(&self) -> &[Arc<BudgetState>] {
        &self.budgets
    }
}

impl PolicyTableHandle {
    /// The newest table. The guard is meant for the length of one request, not longer.
    pub fn load(&self) -> Guard<Arc<PolicyTable>> {
        self.current.load()
    }

    /// The newest table, to keep.
    pub fn load_full(&self) -> Arc<PolicyTable> {
        self.current.load_full()
    }

    /// Replaces the table. Only the engine does, and tests.
    pub fn publish(&self, table: PolicyTable) {
        self.current.store(Arc::new(table));
    }
}
