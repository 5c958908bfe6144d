//! In a real kube-scheduler: throughput without an extender, with the no-op one and with ours, in turn; and the
//! extender's memory with a large cluster behind it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use kube_sci_e2e::{
    control_plane::{ControlPlane, ExtenderEntry, Options, Scheduler, SchedulerOptions},
    extender_process::{self, ExtenderProcess, shipped_binary},
    wait::eventually,
    world::{NodeBuilder, node, pod},
};

use crate::{
    figure::{Figure, Goal},
    peer::NoopExtender,
    request::node_name,
    samples::median,
    usage, wire,
};

const SIZES: [usize; 2] = [500, 5_000];
const PODS: usize = 2_000;
const ROUNDS: usize = 3;
const BOUND_WITHIN: Duration = Duration::from_mins(3);
const NODES_WITHIN: Duration = Duration::from_mins(10);
/// Requests under way at once while a cluster is filled.
const WRITERS: usize = 48;
/// The first tenth is left out: the scheduler's caches are still filling.
const COUNT_FROM: f64 = 0.1;
const ATTEMPTS: &str = "scheduler_schedule_attempts_total";
const ALGORITHM: &str = "scheduler_scheduling_algorithm_duration_seconds";

/// Which extender the scheduler has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setup {
    None,
    Noop,
    Ours,
}

/// One round.
#[derive(Debug, Clone, Copy)]
struct Round {
    pods_per_second: f64,
    algorithm_milliseconds: f64,
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no extender",
            Self::Noop => "no-op extender",
            Self::Ours => "kube-sci",
        })
    }
}

/// Throughput and latency at both sizes.
///
/// # Errors
/// When a program does not start or pods are not bound in time.
pub async fn figures() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for nodes in SIZES {
        figures.extend(at_size(nodes).await.with_context(|| format!("with {nodes} nodes"))?);
    }
    Ok(figures)
}

async fn at_size(nodes: usize) -> anyhow::Result<Vec<Figure>> {
    let plane = cluster(nodes).await?;
    let extender = ExtenderProcess::start(&plane, extender_process::options(shipped_binary()?, &plane)).await?;
    let noop = NoopExtender::start()?;
    plane.quieten()?;

    let ours_url = extender.url("/v1/prioritize");
    let noop_url = format!("http://{}/v1/prioritize", noop.address);
    let mut figures = wire::figures(&ours_url, &noop_url, nodes).await?;

    let (mut none, mut with_noop, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for (setup, rounds) in [(Setup::None, &mut none), (Setup::Noop, &mut with_noop), (Setup::Ours, &mut ours)] {
            let entry = match setup {
                Setup::None => None,
                Setup::Noop => Some(ExtenderEntry::prioritize(format!("http://{}/v1", noop.address)).weight(3)),
                Setup::Ours => Some(extender.entry().weight(3)),
            };
            let name = format!("bench-{round}");
            rounds.push(run(&plane, &name, entry).await.with_context(|| format!("round {round}, {setup}"))?);
        }
    }
    figures.extend(compare(nodes, &none, &with_noop, &ours));
    Ok(figures)
}

/// Ratios are medians of pairs from the same round, so that the machine's moods drop out.
fn compare(nodes: usize, none: &[Round], noop: &[Round], ours: &[Round]) -> Vec<Figure> {
    let middle = |rounds: &[Round], of: fn(&Round) -> f64| median(&mut rounds.iter().map(of).collect::<Vec<_>>());
    let ratio = |peers: &[Round], of: fn(&Round) -> f64| {
        median(&mut ours.iter().zip(peers).map(|(ours, peer)| of(ours) / of(peer)).collect::<Vec<_>>())
    };
    let throughput: fn(&Round) -> f64 = |round| round.pods_per_second;
    let algorithm: fn(&Round) -> f64 = |round| round.algorithm_milliseconds;
    let name = |what: &str| format!("scheduler: {nodes} nodes, {PODS} pods, {what}");
    vec![
        Figure::new(name("pods/s without extender"), middle(none, throughput), "pods/s"),
        Figure::new(name("pods/s with no-op"), middle(noop, throughput), "pods/s"),
        Figure::new(name("pods/s with kube-sci"), middle(ours, throughput), "pods/s")
            .with_ratio(Setup::Noop.to_string(), ratio(noop, throughput))
            .goal(Goal::RatioAtLeast(0.98)),
        Figure::new(name("pods/s with kube-sci, beside none"), middle(ours, throughput), "pods/s")
            .with_ratio(Setup::None.to_string(), ratio(none, throughput))
            .goal(Goal::RatioAtLeast(0.85)),
        Figure::new(name("mean algorithm time without extender"), middle(none, algorithm), "ms"),
        Figure::new(name("mean algorithm time with no-op"), middle(noop, algorithm), "ms"),
        Figure::new(name("mean algorithm time with kube-sci"), middle(ours, algorithm), "ms")
            .with_ratio(Setup::Noop.to_string(), ratio(noop, algorithm)),
    ]
}

/// Pods first, then the scheduler, so that the API server's writing of pods is not measured.
async fn run(plane: &ControlPlane, name: &str, entry: Option<ExtenderEntry>) -> anyhow::Result<Round> {
    let pods = (0..PODS).map(|number| pod(format!("{name}-{number}")).scheduler(name).build());
    create(plane, pods.collect()).await?;
    let mut options = SchedulerOptions::plain(name);
    options.extenders.extend(entry);
    let scheduler = plane.start_scheduler(options).await?;
    let pods_per_second = throughput(&scheduler).await?;
    let sum = scheduler.metric(&format!("{ALGORITHM}_sum"), &[]).await?.context("no algorithm time")?;
    let count = scheduler.metric(&format!("{ALGORITHM}_count"), &[]).await?.context("no algorithm count")?;
    drop(scheduler);
    clear(plane).await?;
    Ok(Round { pods_per_second, algorithm_milliseconds: 1e3 * sum / count })
}

/// From the moment a tenth is bound until all are.
async fn throughput(scheduler: &Scheduler) -> anyhow::Result<f64> {
    let all = u32::try_from(PODS).map(f64::from)?;
    let mut first = None;
    let measured = eventually(BOUND_WITHIN, format!("{PODS} pods bound"), async || {
        let bound = scheduler.metric(ATTEMPTS, &[("result", "scheduled")]).await.ok().flatten().unwrap_or(0.0);
        let now = Instant::now();
        if bound >= all * COUNT_FROM && first.is_none() {
            first = Some((bound, now));
        }
        match first {
            Some((from, started)) if bound >= all => Ok((bound - from) / (now - started).as_secs_f64()),
            _ => Err(format!("{bound} bound")),
        }
    });
    Ok(measured.await?)
}

/// Resident memory of the extender with 5,000 nodes and 50,000 pods behind it.
///
/// # Errors
/// As [`figures`].
pub async fn memory() -> anyhow::Result<Vec<Figure>> {
    const NODES: usize = 5_000;
    const BOUND_PODS: usize = 50_000;
    let plane = cluster(NODES).await?;
    plane.quieten()?;
    let pods = (0..BOUND_PODS).map(|number| pod(format!("pod-{number}")).on_node(&node_name(number % NODES)).build());
    create(&plane, pods.collect()).await?;
    let mut extender = ExtenderProcess::start(&plane, extender_process::options(shipped_binary()?, &plane)).await?;
    let seen = extender.metric("kube_sci_snapshot_pods", &[]).await?.unwrap_or_default();
    if seen < 50_000.0 {
        bail!("the extender knows {seen} pods only");
    }
    let resident = usage::resident_mebibytes_of(extender.process().id())?;
    let name = "memory: extender with 5,000 nodes and 50,000 pods, resident";
    Ok(vec![Figure::new(name, resident, "MiB").goal(Goal::AtMost(64.0))])
}

async fn cluster(nodes: usize) -> anyhow::Result<ControlPlane> {
    let plane = ControlPlane::start(Options::default()).await?;
    plane.world().within(NODES_WITHIN).create_nodes((0..nodes).map(bench_node)).await?;
    Ok(plane)
}

fn bench_node(index: usize) -> NodeBuilder {
    let place = node(node_name(index)).capacity("32", "128Gi").max_pods(250);
    match index % 4 {
        0 => place.aws("eu-north-1", "m5.8xlarge"),
        1 => place.aws("us-east-1", "m6i.8xlarge"),
        2 => place.azure("polandcentral", "Standard_D32s_v3"),
        _ => place.gcp("us-central1", "n2-standard-32"),
    }
}

async fn create(plane: &ControlPlane, pods: Vec<Pod>) -> anyhow::Result<()> {
    let api: Api<Pod> = plane.world().pods();
    let parameters = PostParams::default();
    let writes: Vec<_> = pods.iter().map(|pod| api.create(&parameters, pod)).collect();
    stream::iter(writes).buffer_unordered(WRITERS).try_for_each(|_| async { Ok(()) }).await.context("create pods")
}

async fn clear(plane: &ControlPlane) -> anyhow::Result<()> {
    let api: Api<Pod> = plane.world().pods();
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    let cleared = eventually(BOUND_WITHIN, "all pods gone", async || {
        api.delete_collection(&at_once, &ListParams::default()).await.map_err(|error| error.to_string())?;
        let left = api.list(&ListParams::default().limit(1)).await.map_err(|error| error.to_string())?.items.len();
        if left == 0 { Ok(()) } else { Err("pods are left".to_owned()) }
    });
    Ok(cleared.await?)
}
