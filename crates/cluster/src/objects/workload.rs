//! What a pod belongs to: the thing that a person deployed, which outlives its pods.

use std::{
    fmt,
    hash::{BuildHasher, BuildHasherDefault},
    sync::Arc,
};

use rustc_hash::FxHasher;

/// Letters that the API server makes names of its own from.
const SAFE_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Namespace, kind and name of what a pod belongs to: a Deployment rather than its `ReplicaSet`, a `CronJob` rather
/// than its Job. Pods that nobody controls belong to themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Workload {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Kind, such as `Deployment`.
    pub kind: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

/// A [`Workload`] in 8 bytes, the same in every replica and without a copy of its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadKey(u64);

/// The owner that controls a pod, as `metadata.ownerReferences` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Controller<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl WorkloadKey {
    /// The key of what a pod belongs to.
    pub fn of(namespace: &str, pod: &str, controller: Option<Controller<'_>>) -> Self {
        let (kind, name) = belongs_to(pod, controller);
        hashed(namespace, kind, name)
    }
}

impl Workload {
    /// Its key.
    pub fn key(&self) -> WorkloadKey {
        hashed(&self.namespace, &self.kind, &self.name)
    }

    /// What a pod belongs to.
    pub fn of(namespace: &str, pod: &str, controller: Option<Controller<'_>>) -> Self {
        let (kind, name) = belongs_to(pod, controller);
        Self { namespace: namespace.into(), kind: kind.into(), name: name.into() }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

fn hashed(namespace: &str, kind: &str, name: &str) -> WorkloadKey {
    WorkloadKey(BuildHasherDefault::<FxHasher>::default().hash_one((namespace, kind, name)))
}

/// Only names are looked at, so that a pod from the scheduler and one from the API server give the same answer without
/// reading any other object.
fn belongs_to<'a>(pod: &'a str, controller: Option<Controller<'a>>) -> (&'a str, &'a str) {
    match controller {
        None => ("Pod", pod),
        Some(Controller { kind: "ReplicaSet", name }) => match stem(name, is_template_hash) {
            Some(deployment) => ("Deployment", deployment),
            None => ("ReplicaSet", name),
        },
        Some(Controller { kind: "Job", name }) => match stem(name, is_scheduled_minute) {
            Some(cron_job) => ("CronJob", cron_job),
            None => ("Job", name),
        },
        Some(Controller { kind, name }) => (kind, name),
    }
}

fn stem(name: &str, is_suffix: impl Fn(&str) -> bool) -> Option<&str> {
    name.rsplit_once('-').filter(|(stem, suffix)| !stem.is_empty() && is_suffix(suffix)).map(|(stem, _)| stem)
}

/// A Deployment appends a hash of up to ten safe letters to the name of its `ReplicaSet`.
fn is_template_hash(suffix: &str) -> bool {
    (6..=10).contains(&suffix.len()) && suffix.bytes().all(|letter| SAFE_LETTERS.contains(&letter))
}

/// A `CronJob` appends the minute, counted from 1970, to the name of its Job.
fn is_scheduled_minute(suffix: &str) -> bool {
    (8..=10).contains(&suffix.len()) && suffix.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(kind: &str, name: &str) -> String {
        Workload::of("shop", "pod-1", Some(Controller { kind, name })).to_string()
    }

    #[test]
    fn pods_of_a_deployment_belong_to_it_through_every_rollout() {
        assert_eq!(workload("ReplicaSet", "web-7d9c6b5f4"), "Deployment shop/web");
        assert_eq!(workload("ReplicaSet", "web-6b8df7c9c5"), "Deployment shop/web");
        let key = |name| WorkloadKey::of("shop", "x", Some(Controller { kind: "ReplicaSet", name }));
        assert_eq!(key("web-7d9c6b5f4"), key("web-6b8df7c9c5"));
        assert_ne!(key("web-7d9c6b5f4"), WorkloadKey::of("other", "x", None));
    }

    #[test]
    fn a_replica_set_of_its_own_keeps_its_name() {
        assert_eq!(workload("ReplicaSet", "web-frontend"), "ReplicaSet shop/web-frontend");
        assert_eq!(workload("ReplicaSet", "-7d9c6b5f4"), "ReplicaSet shop/-7d9c6b5f4");
    }

    #[test]
    fn jobs_of_a_cron_job_belong_to_it_and_others_to_themselves() {
        assert_eq!(workload("Job", "report-29386500"), "CronJob shop/report");
        assert_eq!(workload("Job", "report-2"), "Job shop/report-2");
    }

    #[test]
    fn everything_else_is_named_as_it_is() {
        assert_eq!(workload("StatefulSet", "db"), "StatefulSet shop/db");
        assert_eq!(Workload::of("shop", "lone", None).to_string(), "Pod shop/lone");
    }
}
