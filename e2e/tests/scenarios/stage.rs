//! What scenarios share: one control plane, and on it for each of them nodes, a namespace and a scheduler of its own.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, PreferredSchedulingTerm,
};
use kube_sci_e2e::control_plane::{ControlPlane, ExtenderEntry, Options, Scheduler, SchedulerOptions, client_from};
use kube_sci_e2e::extender_process::{self, ExtenderProcess, shipped_binary};
use kube_sci_e2e::grid_file::GridFile;
use kube_sci_e2e::wait::eventually;
use kube_sci_e2e::world::{NodeBuilder, PodBuilder, World, node, pod};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub const GRID_ZONE: &str = "kube-sci.dev/grid-zone";
pub const HARDWARE_CLASS: &str = "kube-sci.dev/hardware-class";
pub const MAX_INTENSITY: &str = "kube-sci.dev/max-intensity";
pub const OPT_OUT: &str = "kube-sci.dev/opt-out";
/// Generous for what takes milliseconds in quiet.
pub const SOON: Duration = Duration::from_secs(20);

/// Keeps a scenario's pods on its nodes.
const SCENARIO: &str = "scenario";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Lives until the process ends; the watchdog of its process group ends it then. It takes no slot: it would hold it
/// to the end, and on one core nobody else would ever get one.
static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();

/// One scenario's part of a control plane.
pub struct Stage<'p> {
    pub plane: &'p ControlPlane,
    pub world: World,
    name: &'static str,
}

impl Stage<'static> {
    /// A part of the control plane that all quiet scenarios share.
    pub async fn shared(name: &'static str) -> Result<Self> {
        let plane = SHARED.get_or_try_init(|| ControlPlane::start(Options::default())).await?;
        // Not the plane's own client: that one ends with the runtime of the test that came first.
        let world = World::new(client_from(plane.kubeconfig_path()).await?).create_namespace(name, &[]).await?;
        Ok(Self { plane, world, name })
    }
}

impl<'p> Stage<'p> {
    /// All of a control plane, in its default namespace.
    pub fn alone(plane: &'p ControlPlane, name: &'static str) -> Self {
        Self { plane, world: plane.world(), name }
    }

    /// A node of the scenario; its real name is longer, see [`Self::full`].
    pub fn node(&self, short: &str) -> NodeBuilder {
        node(self.full(short)).label(SCENARIO, self.name)
    }

    /// A node in a grid zone, all else like its neighbours.
    pub fn node_in(&self, short: &str, zone: &str) -> NodeBuilder {
        self.node(short).annotation(GRID_ZONE, zone)
    }

    /// Of the namespace, the scheduler and the beginning of every node.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Names are unique over all scenarios.
    pub fn full(&self, short: &str) -> String {
        format!("{}-{short}", self.name)
    }

    /// A pod for the scenario's scheduler and nodes.
    pub fn pod(&self, name: impl Into<String>) -> PodBuilder {
        pod(name).scheduler(self.name).node_selector(SCENARIO, self.name)
    }

    /// A pod that kube-scheduler alone would put on this node: what carries it elsewhere is the extender.
    pub fn pod_leaning_to(&self, short: &str, name: &str) -> PodBuilder {
        let hostname = NodeSelectorRequirement {
            key: HOSTNAME.to_owned(),
            operator: "In".to_owned(),
            values: Some(vec![self.full(short)]),
        };
        let preference = NodeSelectorTerm { match_expressions: Some(vec![hostname]), ..NodeSelectorTerm::default() };
        let preferred = vec![PreferredSchedulingTerm { preference, weight: 100 }];
        let affinity = NodeAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(preferred),
            ..NodeAffinity::default()
        };
        self.pod(name).spec(|spec| {
            spec.affinity = Some(Affinity { node_affinity: Some(affinity), ..Affinity::default() });
        })
    }

    /// The extender with these further lines of configuration, ready.
    pub async fn extender(&self, config: &str) -> Result<ExtenderProcess> {
        self.extender_named("extender", config).await
    }

    pub async fn extender_named(&self, short: &str, config: &str) -> Result<ExtenderProcess> {
        let options =
            extender_process::options(shipped_binary()?, self.plane).name(&self.full(short)).config_lines(config);
        Ok(ExtenderProcess::start(self.plane, options).await?)
    }

    /// The scenario's scheduler.
    pub async fn scheduler(&self, entries: impl IntoIterator<Item = ExtenderEntry>) -> Result<Scheduler> {
        let options = entries.into_iter().fold(SchedulerOptions::plain(self.name), SchedulerOptions::extender);
        Ok(self.plane.start_scheduler(options).await?)
    }

    /// A further scheduler, for pods that name it: `pod.scheduler(&stage.full(short))`.
    pub async fn scheduler_named(&self, short: &str, entry: ExtenderEntry) -> Result<Scheduler> {
        let options = SchedulerOptions::plain(self.full(short)).extender(entry);
        Ok(self.plane.start_scheduler(options).await?)
    }

    /// Extender and scheduler, filter and prioritize.
    pub async fn green(&self, config: &str) -> Result<(ExtenderProcess, Scheduler)> {
        let extender = self.extender(config).await?;
        let scheduler = self.scheduler([both_verbs(&extender)]).await?;
        Ok((extender, scheduler))
    }

    /// Creates a pod and waits for its node; the node's short name.
    pub async fn place(&self, pod: PodBuilder) -> Result<String> {
        let name = pod.clone().build().metadata.name.context("a pod without name")?;
        self.world.create_pod(pod).await?;
        self.bound(&name).await
    }

    /// The short name of the node that a pod is bound to.
    pub async fn bound(&self, pod: &str) -> Result<String> {
        Ok(self.short(&self.world.wait_bound(pod).await?))
    }

    /// The last part of a node's name.
    pub fn short(&self, full: &str) -> String {
        full.strip_prefix(self.name).and_then(|rest| rest.strip_prefix('-')).unwrap_or(full).to_owned()
    }

    /// A file with one value for each zone, for all of today.
    pub fn grid(&self, zones: &[(&str, f64)]) -> Result<GridFile> {
        Ok(GridFile::create(self.plane.folder(), &self.full("grid"), zones)?)
    }

    /// What the scheduler would send about a pod of 100 millicores and these nodes, given by their short names.
    pub fn request(&self, uid: &str, nodes: &[&str]) -> Value {
        let names: Vec<String> = nodes.iter().map(|short| self.full(short)).collect();
        json!({
            "Pod": {
                "metadata": { "name": uid, "namespace": self.name, "uid": uid },
                "spec": { "containers": [{ "name": "main", "resources": { "requests": { "cpu": "100m" } } }] },
            },
            "Nodes": null,
            "NodeNames": names,
        })
    }
}

/// A scheduler's entry with both verbs.
pub fn both_verbs(extender: &ExtenderProcess) -> ExtenderEntry {
    ExtenderEntry::filter_and_prioritize(extender.url_prefix())
}

/// A counter of the extender with one label, zero where there is none.
pub async fn counter(extender: &ExtenderProcess, name: &str, label: &str, value: &str) -> Result<u64> {
    let count = extender.metric(&format!("kube_sci_extender_{name}_total"), &[(label, value)]).await?;
    Ok(count.unwrap_or_default().to_string().parse()?)
}

/// The entry of a node in the ranking of `GET /v1/nodes`.
pub async fn ranked(extender: &ExtenderProcess, query: &str, node: &str) -> Result<Value> {
    let ranking = extender.get_json(&format!("/v1/nodes{query}")).await?;
    let nodes = ranking.get("nodes").and_then(Value::as_array).context("no list of nodes")?;
    let found = nodes.iter().find(|entry| entry.get("node").and_then(Value::as_str) == Some(node));
    found.cloned().with_context(|| format!("{node} is not ranked"))
}

/// Waits until the extender believes this of a node's grid.
pub async fn wait_intensity(extender: &ExtenderProcess, node: &str, grams_per_kwh: f64) -> Result<()> {
    let what = format!("{grams_per_kwh} g/kWh at {node}");
    eventually(SOON, what, async || {
        let entry = ranked(extender, "", node).await.map_err(|error| error.to_string())?;
        let seen = entry.pointer("/intensity/gramsPerKwh").and_then(Value::as_f64);
        if seen == Some(grams_per_kwh) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await?;
    Ok(())
}
