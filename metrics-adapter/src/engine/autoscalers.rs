//! Autoscalers of the cluster, found by target and by the policy they read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{autoscaler::Autoscaler, policy::TargetRef, table::PolicyKey};

/// All autoscalers.
#[derive(Debug, Default)]
pub(super) struct Autoscalers {
    namespaces: FxHashMap<Arc<str>, Namespace>,
    /// During a full list: who was named.
    listed: Option<FxHashSet<PolicyKey>>,
    touched: Touched,
}

#[derive(Debug, Default)]
struct Namespace {
    all: BTreeMap<Arc<str>, Arc<Autoscaler>>,
    by_target: FxHashMap<(String, String), BTreeSet<Arc<str>>>,
    by_policy: FxHashMap<Box<str>, BTreeSet<Arc<str>>>,
}

/// Whose report may have changed.
#[derive(Debug, Default)]
pub(super) struct Touched {
    targets: FxHashSet<(Arc<str>, String, String)>,
    policies: FxHashSet<(Arc<str>, Box<str>)>,
}

impl Touched {
    /// Whether the report on a policy has to be made anew.
    pub(super) fn concerns(&self, key: &PolicyKey, target: &TargetRef) -> bool {
        let namespace = || Arc::clone(&key.namespace);
        self.policies.contains(&(namespace(), (*key.name).into()))
            || self.targets.contains(&(namespace(), target.kind.clone(), target.name.clone()))
    }
}

impl Autoscalers {
    pub(super) fn begin(&mut self) {
        self.listed = Some(FxHashSet::default());
    }

    /// A full list is complete: what it did not name is gone.
    pub(super) fn end(&mut self) {
        let Some(listed) = self.listed.take() else { return };
        let known = self.namespaces.iter().flat_map(|(namespace, known)| {
            known.all.keys().map(|name| PolicyKey { namespace: Arc::clone(namespace), name: Arc::clone(name) })
        });
        let gone: Vec<PolicyKey> = known.filter(|key| !listed.contains(key)).collect();
        for key in gone {
            self.remove(&key.namespace, &key.name);
        }
    }

    pub(super) fn keep(&mut self, namespace: &str, name: &str) {
        if let Some(listed) = &mut self.listed {
            listed.insert(PolicyKey::new(namespace, name));
        }
    }

    pub(super) fn apply(&mut self, autoscaler: Autoscaler) {
        self.keep(&autoscaler.namespace, &autoscaler.name);
        let namespace = self.namespaces.entry(Arc::clone(&autoscaler.namespace)).or_default();
        if namespace.all.get(&autoscaler.name).is_some_and(|known| **known == autoscaler) {
            return;
        }
        namespace.unlink(&autoscaler.name, &mut self.touched);
        namespace.link(autoscaler, &mut self.touched);
    }

    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(known) = self.namespaces.get_mut(namespace) {
            known.unlink(name, &mut self.touched);
            if known.all.is_empty() {
                self.namespaces.remove(namespace);
            }
        }
    }

    /// Those that scale the target or read the policy.
    pub(super) fn about(&self, key: &PolicyKey, target: &TargetRef) -> Vec<Arc<Autoscaler>> {
        let Some(namespace) = self.namespaces.get(&key.namespace) else { return Vec::new() };
        let on_target = namespace.by_target.get(&(target.kind.clone(), target.name.clone()));
        let reading = namespace.by_policy.get(&*key.name);
        let names: BTreeSet<&Arc<str>> = on_target.into_iter().flatten().chain(reading.into_iter().flatten()).collect();
        names.into_iter().filter_map(|name| namespace.all.get(name).cloned()).collect()
    }

    /// Whose report may have changed since this was asked last.
    pub(super) fn touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }
}

impl Namespace {
    fn link(&mut self, autoscaler: Autoscaler, touched: &mut Touched) {
        let name = Arc::clone(&autoscaler.name);
        let TargetRef { kind, name: target, .. } = &autoscaler.target;
        self.by_target.entry((kind.clone(), target.clone())).or_default().insert(Arc::clone(&name));
        touched.targets.insert((Arc::clone(&autoscaler.namespace), kind.clone(), target.clone()));
        for policy in policies(&autoscaler) {
            self.by_policy.entry(policy.into()).or_default().insert(Arc::clone(&name));
            touched.policies.insert((Arc::clone(&autoscaler.namespace), policy.into()));
        }
        self.all.insert(name, Arc::new(autoscaler));
    }

    fn unlink(&mut self, name: &str, touched: &mut Touched) {
        let Some(old) = self.all.remove(name) else { return };
        let TargetRef { kind, name: target, .. } = &old.target;
        let target = (kind.clone(), target.clone());
        if let Some(names) = self.by_target.get_mut(&target) {
            names.remove(name);
            if names.is_empty() {
                self.by_target.remove(&target);
            }
        }
        touched.targets.insert((Arc::clone(&old.namespace), target.0, target.1));
        for policy in policies(&old) {
            if let Some(names) = self.by_policy.get_mut(policy) {
                names.remove(name);
                if names.is_empty() {
                    self.by_policy.remove(policy);
                }
            }
            touched.policies.insert((Arc::clone(&old.namespace), policy.into()));
        }
    }
}

/// Names of the policies whose metrics it reads.
fn policies(autoscaler: &Autoscaler) -> impl Iterator<Item = &str> {
    autoscaler.metrics.iter().filter_map(|(metric, _)| metric.policy())
}
