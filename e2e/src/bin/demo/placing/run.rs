//! One run: cluster, agents, plain scheduler, green scheduler.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, api::ListParams};
use kube_sci_cluster::config::ModelConfig;
use kube_sci_e2e::{
    control_plane::{ControlPlane, SchedulerOptions},
    extender_process::{self, ExtenderProcess, shipped_binary},
    wait::eventually,
    world::World,
};
use serde_json::Value;

use super::{
    account::{Account, settle},
    scene,
    signals::{self, Signals},
};
use crate::progress::Progress;

const PLAIN: &str = "plain";
const GREEN: &str = "green";
/// The pod whose nodes are ranked in the table.
const REFERENCE_POD: &str = "/v1/nodes?cpu=1&memory=1Gi";
const EXPLAINED_WITHIN: Duration = Duration::from_secs(10);
const MEASURED_WITHIN: Duration = Duration::from_mins(1);
/// How much more a pod must cost on the thirsty machine than on its twin before the green scheduler begins. In truth it
/// is about twice as much.
const TOLD_APART: f64 = 1.4;

/// Everything the table shows.
#[derive(Debug)]
pub struct Report {
    /// `GET /v1/nodes` on the empty cluster.
    pub ranking: Value,
    /// The scheduler without us.
    pub plain: Account,
    /// The scheduler with us.
    pub green: Account,
    /// `GET /v1/explain` of one pod.
    pub explanation: Value,
    /// `GET /v1/nodes` once the pods run.
    pub sources: Value,
    /// `GET /v1/quality` then.
    pub quality: Value,
    /// Watts of each node with these pods by the tables alone.
    pub table_watts: BTreeMap<String, f64>,
    /// Pages that Prometheus has scraped.
    pub scrapes: u64,
    /// Weight of the extender in the green scheduler.
    pub weight: u32,
    /// How long the two runs took.
    pub seconds: f64,
}

/// Runs the act on a control plane on which nothing runs yet; progress goes to standard error.
///
/// # Errors
/// When a program does not start or a pod is not bound in time.
pub async fn run(plane: &ControlPlane, signals: Signals, weight: u32, progress: &Progress) -> anyhow::Result<Report> {
    let config: ModelConfig = serde_saphyr::from_str(scene::CONFIGURATION).context("read the demo's configuration")?;
    let truth = signals::truth(config.clone())?;
    let world = plane.world();
    progress.say("adding 14 nodes of three clouds and two sites of our own, five with an agent that measures");
    world.create_nodes(scene::nodes()).await?;
    let configuration = [scene::CONFIGURATION, &signals.configuration(plane.folder())?].concat();
    let options = extender_process::options(shipped_binary()?, plane).config_lines(&configuration);
    let extender = ExtenderProcess::start(plane, options).await?;

    progress.say("placing 60 pods with a plain kube-scheduler");
    let scheduler = plane.start_scheduler(SchedulerOptions::plain(PLAIN)).await?;
    let pods = deploy(&world, PLAIN).await?;
    let plain = account(&world, &truth, &pods).await?;
    world.clear().await?;
    drop(scheduler);

    progress.say("waiting until the meters have told lyon-1 and lyon-2 apart, which are equal by their table");
    let ranking = measured(&extender).await?;
    progress.say("placing the same 60 pods with kube-scheduler and kube-sci");
    let entry = extender.entry().weight(weight);
    let _scheduler = plane.start_scheduler(SchedulerOptions::plain(GREEN).extender(entry)).await?;
    let pods = deploy(&world, GREEN).await?;
    signals.run_pods(&pods);
    let running_since = Timestamp::now();
    let green = account(&world, &truth, &pods).await?;
    let table_watts = account(&world, &config, &pods).await?.watts;
    let explanation = explain(&extender, &pods).await?;

    progress.say("measuring them");
    let quality = measured_since(&extender, running_since).await?;
    let sources = extender.get_json(REFERENCE_POD).await?;
    let (seconds, scrapes) = (progress.elapsed().as_secs_f64(), signals.scrapes());
    Ok(Report { ranking, plain, green, explanation, sources, quality, table_watts, scrapes, weight, seconds })
}

/// The ranking, as soon as the meters have shown that one of two equal machines is not like the other.
async fn measured(extender: &ExtenderProcess) -> anyhow::Result<Value> {
    let ranking = eventually(MEASURED_WITHIN, "lyon-1 and lyon-2 told apart", async || {
        let ranking = extender.get_json(REFERENCE_POD).await.map_err(|error| error.to_string())?;
        let cost = |name: &str| {
            let mut nodes = ranking.get("nodes").and_then(Value::as_array).into_iter().flatten();
            let node = nodes.find(|node| node.get("node").and_then(Value::as_str) == Some(name));
            node.and_then(|node| node.pointer("/gramsPerHour")?.as_f64()).unwrap_or_default()
        };
        let (one, two) = (cost("lyon-1"), cost("lyon-2"));
        if two > TOLD_APART * one { Ok(ranking) } else { Err(format!("{one} and {two} g/h")) }
    });
    Ok(ranking.await?)
}

/// What is known, as soon as every meter that answers has seen a window that began after this instant.
async fn measured_since(extender: &ExtenderProcess, since: Timestamp) -> anyhow::Result<Value> {
    let quality = eventually(MEASURED_WITHIN, "new windows of all meters", async || {
        let quality = extender.get_json("/v1/quality").await.map_err(|error| error.to_string())?;
        let nodes = quality.get("nodes").and_then(Value::as_array).into_iter().flatten();
        let starts = nodes.filter_map(|node| node.pointer("/power/meter/windowStart")?.as_str());
        let begun: Vec<Option<Timestamp>> = starts.map(|start| start.parse().ok()).collect();
        let new = !begun.is_empty() && begun.iter().all(|start| *start >= Some(since));
        if new { Ok(quality) } else { Err(format!("{begun:?}")) }
    });
    Ok(quality.await?)
}

async fn deploy(world: &World, scheduler: &str) -> anyhow::Result<Vec<Pod>> {
    let mut expected = 0;
    for (replicas, deployment) in scene::work(scheduler) {
        expected += replicas;
        world.create_deployment(deployment).await?;
    }
    world.wait_all_bound(expected).await?;
    Ok(world.pods().list(&ListParams::default()).await?.items)
}

async fn account(world: &World, config: &ModelConfig, pods: &[Pod]) -> anyhow::Result<Account> {
    let nodes: Api<Node> = Api::all(world.client());
    let nodes = nodes.list(&ListParams::default()).await?.items;
    let now = Timestamp::now();
    settle(config, &signals::grid_now(now)?, &nodes, pods, now)
}

/// The explanation of a batch pod, once the extender has seen where it was bound.
async fn explain(extender: &ExtenderProcess, pods: &[Pod]) -> anyhow::Result<Value> {
    let names = pods.iter().filter_map(|pod| pod.metadata.name.as_deref());
    let name = names.filter(|name| name.starts_with("batch-")).min().context("no batch pod")?;
    let path = format!("/v1/explain/default/{name}");
    let found = eventually(EXPLAINED_WITHIN, format!("explanation of {name}"), async || extender.get_json(&path).await);
    Ok(found.await?)
}
