//! One run: cluster, plain scheduler, green scheduler.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, api::ListParams};
use kube_sci_cluster::config::ModelConfig;
use kube_sci_e2e::{
    control_plane::{ControlPlane, Options, SchedulerOptions},
    extender_process::{ExtenderOptions, ExtenderProcess, shipped_binary},
    wait::eventually,
    world::World,
};
use serde_json::Value;

use crate::{
    Arguments,
    account::{Account, settle},
    scene,
};

const PLAIN: &str = "plain";
const GREEN: &str = "green";
/// The pod whose nodes are ranked in the table.
const REFERENCE_POD: &str = "/v1/nodes?cpu=1&memory=1Gi";
const EXPLAINED_WITHIN: Duration = Duration::from_secs(10);

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
    /// Weight of the extender in the green scheduler.
    pub weight: u32,
    /// How long the two runs took.
    pub seconds: f64,
}

/// Runs the demo; progress goes to standard error.
///
/// # Errors
/// When a program does not start or a pod is not bound in time.
pub async fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let started = Instant::now();
    let progress = Progress::new();
    let config: ModelConfig = serde_saphyr::from_str(scene::CONFIGURATION).context("read the demo's configuration")?;

    progress.say("starting etcd, kube-apiserver, kube-controller-manager and kwok");
    let plane = ControlPlane::start(Options::default()).await?;
    let world = plane.world();
    progress.say("adding 12 nodes of three clouds and one site of our own");
    world.create_nodes(scene::nodes()).await?;

    progress.say("placing 60 pods with a plain kube-scheduler");
    let scheduler = plane.start_scheduler(SchedulerOptions::plain(PLAIN)).await?;
    let plain = place(&world, &config, PLAIN).await?;
    drop(scheduler);

    progress.say("placing the same 60 pods with kube-scheduler and kube-sci");
    let options = ExtenderOptions::new(shipped_binary()?, &plane).config_lines(scene::CONFIGURATION);
    let extender = ExtenderProcess::start(&plane, options).await?;
    let ranking = extender.get_json(REFERENCE_POD).await?;
    let entry = extender.entry().weight(arguments.weight);
    let _scheduler = plane.start_scheduler(SchedulerOptions::plain(GREEN).extender(entry)).await?;
    let pods = deploy(&world, GREEN).await?;
    let green = account(&world, &config, &pods).await?;
    let explanation = explain(&extender, &pods).await?;

    progress.say("ending the cluster");
    let seconds = started.elapsed().as_secs_f64();
    Ok(Report { ranking, plain, green, explanation, weight: arguments.weight, seconds })
}

async fn place(world: &World, config: &ModelConfig, scheduler: &str) -> anyhow::Result<Account> {
    let pods = deploy(world, scheduler).await?;
    let account = account(world, config, &pods).await?;
    world.clear().await?;
    Ok(account)
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
    settle(config, &nodes.list(&ListParams::default()).await?.items, pods, Timestamp::now())
}

/// The explanation of a batch pod, once the extender has seen where it was bound.
async fn explain(extender: &ExtenderProcess, pods: &[Pod]) -> anyhow::Result<Value> {
    let names = pods.iter().filter_map(|pod| pod.metadata.name.as_deref());
    let name = names.filter(|name| name.starts_with("batch-")).min().context("no batch pod")?;
    let path = format!("/v1/explain/default/{name}");
    let found = eventually(EXPLAINED_WITHIN, format!("explanation of {name}"), async || extender.get_json(&path).await);
    Ok(found.await?)
}

/// Steps with their time, on standard error.
struct Progress {
    started: Instant,
    dim: bool,
}

impl Progress {
    fn new() -> Self {
        Self { started: Instant::now(), dim: std::io::stderr().is_terminal() }
    }

    fn say(&self, step: &str) {
        let (on, off) = if self.dim { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        // A closed standard error is no reason to stop.
        let _ = writeln!(std::io::stderr(), "{on}{:5.1} s  {step}{off}", self.started.elapsed().as_secs_f64());
    }
}
