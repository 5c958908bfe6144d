//! Names of resources as people and clients write them: plural, singular, short, with and without group.
//!
//! A few kinds are known without asking. The rest comes from discovery, read now and then by a task of its own: a
//! request with a name that nobody knows is answered from memory too, and has the task look again.

use std::{collections::HashSet, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use kube::{
    Client,
    core::discovery::v2::{APIGroupDiscovery, APIResourceDiscovery},
};
use rustc_hash::FxHashMap;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{catalogue::Subject, policy};

/// How often discovery is read without need.
const REFRESH: Duration = Duration::from_mins(10);
/// How soon again where a name was asked for in vain, or discovery could not be read.
const SOONEST: Duration = Duration::from_secs(30);
/// One reading.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the task says that it is alive.
const BEAT: Duration = Duration::from_secs(5);
/// Most kinds that are kept. Far more than any cluster has.
const MAX_KINDS: usize = 20_000;

/// A kind of object that metrics can describe.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceKind {
    /// Group; empty for core kinds.
    pub group: Box<str>,
    /// Plural.
    pub resource: Box<str>,
    /// Kind.
    pub kind: Box<str>,
    /// Group and version.
    pub api_version: Box<str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    aliases: Vec<Box<str>>,
}

/// Every kind that is known. Clones share it.
#[derive(Debug, Clone)]
pub struct Resources {
    known: Arc<ArcSwap<Table>>,
    missed: Arc<Notify>,
}

/// Kinds by every name, lower case, without group; in the order of preference.
type Table = FxHashMap<Box<str>, Vec<Arc<ResourceKind>>>;

impl ResourceKind {
    fn new(group: &str, version: &str, names: &[&str], kind: &str, namespaced: bool) -> Self {
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        Self {
            group: group.into(),
            resource: names.first().copied().unwrap_or_default().into(),
            kind: kind.into(),
            api_version: api_version.into(),
            namespaced,
            aliases: names.iter().skip(1).map(|&name| name.into()).collect(),
        }
    }

    /// What metrics of it are of.
    pub fn subject(&self) -> Option<Subject> {
        match (&*self.group, &*self.kind) {
            (policy::GROUP, "GreenScalingPolicy") => Some(Subject::Policy),
            ("", "Node") => Some(Subject::Node),
            ("", "Namespace") => Some(Subject::Namespace),
            ("", "Pod") => Some(Subject::Pod),
            _ => self.namespaced.then_some(Subject::Workload),
        }
    }

    /// As in paths.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.resource.to_string() } else { format!("{}.{}", self.resource, self.group) }
    }

    fn is_builtin(&self) -> bool {
        builtin().iter().any(|known| known.group == self.group && known.resource == self.resource)
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self { known: Arc::new(ArcSwap::from_pointee(table(builtin()))), missed: Arc::default() }
    }
}

impl Resources {
    /// The kind of `RESOURCE` or `RESOURCE.GROUP`, in whatever case. Without a group any group will do.
    pub fn resolve(&self, text: &str) -> Option<Arc<ResourceKind>> {
        let lower = text.to_ascii_lowercase();
        let (name, group) = lower.split_once('.').unwrap_or((&lower, ""));
        let known = self.known.load();
        let kinds = known.get(name).map(Vec::as_slice).unwrap_or_default();
        let found =
            kinds.iter().find(|kind| *kind.group == *group).or_else(|| kinds.first().filter(|_| group.is_empty()));
        if found.is_none() {
            self.missed.notify_one();
        }
        found.cloned()
    }

    /// Takes what discovery says, beside what is known without it.
    pub fn learn(&self, groups: &[APIGroupDiscovery]) {
        let mut kinds = builtin();
        let mut seen: HashSet<(Box<str>, Box<str>)> =
            kinds.iter().map(|kind| (kind.group.clone(), kind.resource.clone())).collect();
        for kind in groups.iter().flat_map(discovered) {
            if kinds.len() < MAX_KINDS && seen.insert((kind.group.clone(), kind.resource.clone())) {
                kinds.push(kind);
            }
        }
        self.known.store(Arc::new(table(kinds)));
    }

    /// Reads discovery for ever.
    pub async fn run(self, client: Client, heartbeat: impl Fn()) {
        let mut failing = false;
        loop {
            let read =
                timeout(PATIENCE, self.read(&client)).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            heartbeat();
            match &read {
                Ok(()) if failing => tracing::info!("discovery is read again"),
                Err(error) if !failing => tracing::warn!(error, "discovery cannot be read"),
                _ => {}
            }
            failing = read.is_err();
            let soonest = Instant::now() + SOONEST;
            let latest = Instant::now() + if failing { SOONEST } else { REFRESH };
            while Instant::now() < latest {
                let pause = timeout_at((Instant::now() + BEAT).min(latest), self.missed.notified()).await;
                heartbeat();
                if pause.is_ok() {
                    break;
                }
            }
            while Instant::now() < soonest {
                sleep(BEAT).await;
                heartbeat();
            }
        }
    }

    async fn read(&self, client: &Client) -> Result<(), String> {
        let core = client.list_core_api_versions_aggregated().await.map_err(|error| error.to_string())?;
        let groups = client.list_api_groups_aggregated().await.map_err(|error| error.to_string())?;
        self.learn(&[core.items, groups.items].concat());
        Ok(())
    }
}

fn table(kinds: Vec<ResourceKind>) -> Table {
    let mut table = Table::default();
    // Names of built-in kinds come first, then plurals, then everything else: a short name never hides a plural.
    let kinds: Vec<Arc<ResourceKind>> = kinds.into_iter().map(Arc::new).collect();
    for kind in &kinds {
        table.entry(kind.resource.to_ascii_lowercase().into()).or_default().push(Arc::clone(kind));
    }
    for kind in &kinds {
        for alias in &kind.aliases {
            let entry = table.entry(alias.to_ascii_lowercase().into()).or_default();
            if !entry.contains(kind) {
                entry.push(Arc::clone(kind));
            }
        }
    }
    for kinds in table.values_mut() {
        kinds.sort_by_key(|kind| !kind.is_builtin());
    }
    table
}

fn discovered(group: &APIGroupDiscovery) -> impl Iterator<Item = ResourceKind> {
    let name = group.metadata.as_ref().and_then(|metadata| metadata.name.as_deref()).unwrap_or_default();
    group.versions.iter().flat_map(move |version| {
        let number = version.version.as_deref().unwrap_or_default();
        version.resources.iter().filter_map(move |resource| discovered_kind(name, number, resource))
    })
}

fn discovered_kind(group: &str, version: &str, resource: &APIResourceDiscovery) -> Option<ResourceKind> {
    let plural = resource.resource.as_deref().filter(|plural| !plural.contains('/'))?;
    let kind = resource.response_kind.as_ref()?.kind.as_deref()?;
    let mut names = vec![plural];
    names.extend(resource.singular_resource.as_deref().filter(|singular| !singular.is_empty()));
    names.extend(resource.short_names.iter().map(String::as_str));
    let namespaced = resource.scope.as_deref() == Some("Namespaced");
    Some(ResourceKind::new(group, version, &names, kind, namespaced))
}

fn builtin() -> Vec<ResourceKind> {
    let kind = ResourceKind::new;
    vec![
        kind("", "v1", &["pods", "pod", "po"], "Pod", true),
        kind("", "v1", &["nodes", "node", "no"], "Node", false),
        kind("", "v1", &["namespaces", "namespace", "ns"], "Namespace", false),
        kind("", "v1", &["replicationcontrollers", "replicationcontroller", "rc"], "ReplicationController", true),
        kind("apps", "v1", &["deployments", "deployment", "deploy"], "Deployment", true),
        kind("apps", "v1", &["statefulsets", "statefulset", "sts"], "StatefulSet", true),
        kind("apps", "v1", &["daemonsets", "daemonset", "ds"], "DaemonSet", true),
        kind("apps", "v1", &["replicasets", "replicaset", "rs"], "ReplicaSet", true),
        kind("batch", "v1", &["jobs", "job"], "Job", true),
        kind("batch", "v1", &["cronjobs", "cronjob", "cj"], "CronJob", true),
        kind(
            policy::GROUP,
            policy::VERSION,
            &["greenscalingpolicies", "greenscalingpolicy", "gsp"],
            "GreenScalingPolicy",
            true,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolved(resources: &Resources, text: &str) -> Option<String> {
        resources.resolve(text).map(|kind| format!("{} {}", kind.api_version, kind.kind))
    }

    fn rollouts() -> Vec<APIGroupDiscovery> {
        let resource = |plural: &str, kind: &str, short: &str| {
            json!({
                "resource": plural, "scope": "Namespaced", "singularResource": kind.to_lowercase(),
                "shortNames": [short], "verbs": ["get"],
                "responseKind": { "group": "argoproj.io", "version": "v1alpha1", "kind": kind }
            })
        };
        let versions = json!([
            { "version": "v1alpha1", "resources": [resource("rollouts", "Rollout", "ro"), resource("deployments", "Deployment", "po")] },
            { "version": "v1beta1", "resources": [resource("rollouts", "Rollout", "ro")] }
        ]);
        vec![serde_json::from_value(json!({ "metadata": { "name": "argoproj.io" }, "versions": versions })).unwrap()]
    }

    #[test]
    fn every_name_of_a_kind_finds_it() {
        let resources = Resources::default();
        for text in ["deployments.apps", "deployment.apps", "deploy", "Deployments", "DEPLOYMENT.apps"] {
            assert_eq!(resolved(&resources, text).as_deref(), Some("apps/v1 Deployment"), "{text}");
        }
        assert_eq!(resolved(&resources, "po").as_deref(), Some("v1 Pod"));
        assert_eq!(
            resolved(&resources, "gsp.kube-sci.dev").as_deref(),
            Some("kube-sci.dev/v1alpha1 GreenScalingPolicy")
        );
        for text in ["deployments.extensions", "blah", "", "pods.apps", "."] {
            assert_eq!(resolved(&resources, text), None, "{text}");
        }
    }

    #[test]
    fn discovery_adds_kinds_and_hides_none() {
        let resources = Resources::default();
        assert_eq!(resolved(&resources, "rollouts.argoproj.io"), None);
        resources.learn(&rollouts());
        for text in ["rollouts.argoproj.io", "rollout", "ro"] {
            // The version that the server prefers.
            assert_eq!(resolved(&resources, text).as_deref(), Some("argoproj.io/v1alpha1 Rollout"), "{text}");
        }
        assert_eq!(resolved(&resources, "deployments").as_deref(), Some("apps/v1 Deployment"));
        assert_eq!(resolved(&resources, "po").as_deref(), Some("v1 Pod"));
        assert_eq!(resources.resolve("rollouts").unwrap().subject(), Some(Subject::Workload));
    }
}
