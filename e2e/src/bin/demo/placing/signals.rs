//! The world outside the cluster: agents whose pages a real Prometheus scrapes, and a grid API.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube_sci_cluster::config::{GridConfig, HardwareClassConfig, ModelConfig};
use kube_sci_e2e::{
    grid_api::{Api, GridApi, GridApiOptions, TOKEN},
    prometheus::{Job, Prometheus, PrometheusOptions, Target},
    simulation::{Agent, AgentServer, CpuUse, LiveNode, SimulatedNode, SimulatedPod, SimulationClock},
};
use sci_core::{
    intensity::{Quality, Series, Slot, Zone},
    quantity::GramsPerKwh,
};

use super::scene::{self, Metered};

/// Time that the machines have run before.
const PASSED: Duration = Duration::from_hours(24);
const DAY: Duration = Duration::from_hours(24);

/// Runs until dropped.
pub struct Signals {
    nodes: Vec<Arc<LiveNode>>,
    server: AgentServer,
    prometheus: Prometheus,
    grid: GridApi,
}

impl Signals {
    /// Starts everything; no pod runs yet.
    pub async fn start() -> anyhow::Result<Self> {
        let server = AgentServer::new(SimulationClock::real_time(PASSED));
        let pages = server.listen().await?;
        let (mut nodes, mut targets) = (Vec::new(), Vec::new());
        for Metered { node, class, program } in scene::metered() {
            targets.push(Target::new(pages).path(&AgentServer::path(node, program.slug())).label("instance", node));
            let node = Arc::new(SimulatedNode::new(node, class).start());
            server.add(Agent::new(Arc::clone(&node), program));
            nodes.push(node);
        }
        let job = Job::new("energy-agents", targets);
        let prometheus = Prometheus::start(PrometheusOptions::default().job(job)).await?;
        let grid = GridApi::start(GridApiOptions::default()).await?;
        for (zone, grams_per_kwh) in scene::GRID {
            grid.set(zone, grams_per_kwh);
        }
        Ok(Self { nodes, server, prometheus, grid })
    }

    /// What the extender's configuration says of them; the token is a file in `folder`.
    pub fn configuration(&self, folder: &Path) -> anyhow::Result<String> {
        let token = folder.join("grid-token");
        std::fs::write(&token, TOKEN).context("write the token of the grid API")?;
        let zones = scene::GRID.map(|(zone, _)| zone).join(", ");
        Ok(format!(
            "grid:\n  sources:\n  - {{name: electricity-maps, http: {{url: \"{}\"}}, tokenFile: {}, onlyZones: [{zones}], \
             electricityMaps: {{}}}}\n\
             energy:\n  window: 2s\n  staleAfter: 6s\n  sources:\n  - name: agents\n    period: 1s\n    prometheus: \
             {{http: {{url: \"{}\"}}, scrapeInterval: 1s}}\n",
            self.grid.url(Api::ElectricityMaps),
            token.display(),
            self.prometheus.url(),
        ))
    }

    /// Every pod on a machine with an agent keeps as many threads busy as it asked for, from now on.
    pub fn run_pods(&self, pods: &[Pod]) {
        let now = self.server.agents().clock().elapsed();
        for pod in pods {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            let Some(node) = self.nodes.iter().find(|machine| Some(machine.name()) == node) else { continue };
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let meta = &pod.metadata;
            let busy = CpuUse::Constant(requested_cores(pod));
            let work = SimulatedPod::new(&text(&meta.namespace), &text(&meta.name), busy);
            node.start_pod(work.uid(&text(&meta.uid)).from(now));
        }
    }

    /// Pages that were asked for so far.
    pub fn scrapes(&self) -> u64 {
        self.server.agents().scrapes()
    }
}

/// The configuration as it would be if it knew what the machines really draw.
pub fn truth(mut config: ModelConfig) -> anyhow::Result<ModelConfig> {
    let (node, class, idle_watts, full_watts) = scene::TRUE_CLASS;
    let declared = config.nodes.hardware_classes.get("small").context("the class of the node")?;
    let real = HardwareClassConfig { idle_watts, full_watts, ..declared.clone() };
    config.nodes.hardware_classes.insert(class.to_owned(), real);
    let rule = format!("{{selector: {{matchLabels: {{kubernetes.io/hostname: {node}}}}}, class: {class}}}");
    config.nodes.hardware_rules.insert(0, serde_saphyr::from_str(&rule).context("a rule for the node")?);
    Ok(config)
}

/// What the grid API says for today.
pub fn grid_now(now: Timestamp) -> anyhow::Result<Vec<Series>> {
    let start = now.checked_sub(DAY / 2).context("this morning")?;
    let signal = GridConfig::default().signal();
    let series = scene::GRID.map(|(zone, value)| {
        let slot = Slot { start, duration: DAY, value: GramsPerKwh::new(value)? };
        Ok(Series::new(Zone::new(zone)?, signal, Quality::Estimated, "grid API", vec![slot])?)
    });
    series.into_iter().collect()
}

/// Of all containers, in cores.
fn requested_cores(pod: &Pod) -> f64 {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let requests = containers.filter_map(|container| container.resources.as_ref()?.requests.as_ref()?.get("cpu"));
    let cores = requests.map(|quantity| match quantity.0.strip_suffix('m') {
        Some(millis) => millis.parse().unwrap_or(0.0) / 1_000.0,
        None => quantity.0.parse().unwrap_or(0.0),
    });
    cores.sum()
}
