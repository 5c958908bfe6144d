//! The extender's answer without a network: time, allocations, instructions.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use kube_sci_cluster::{assess::Model, index::Index, snapshot::SnapshotHandle};
use kube_sci_extender::{
    config::{ExtenderConfig, Mode},
    decisions,
    metrics::{Metrics, state::LastCall},
    prioritize::prioritize,
    state::{Parts, State},
};
use kube_sci_server::metrics::MetricsRegistry;
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    figure::{Figure, Goal},
    request::names_body,
    samples::Samples,
    world,
};

const WARM_UP: usize = 200;
const REQUESTS: usize = 3_000;

/// The extender's state over a still cluster, with its recorder at work on another thread.
#[derive(Debug)]
pub struct Extender {
    state: State,
    now: Timestamp,
    stop: CancellationToken,
    _runtime: Runtime,
}

impl Extender {
    /// A cluster of that many nodes, each with ten pods.
    ///
    /// # Errors
    /// When the benchmark's own objects cannot be read.
    pub fn new(nodes: usize, now: Timestamp) -> anyhow::Result<Self> {
        Self::over(world::index(nodes, nodes * world::PODS_PER_NODE, now)?, now)
    }

    /// Whatever the index has.
    ///
    /// # Errors
    /// When the index has nothing new to publish.
    pub fn over(mut index: Index, now: Timestamp) -> anyhow::Result<Self> {
        let config = ExtenderConfig::default();
        let snapshot = index.publish(now).context("publish")?;
        let model = Model::new(SnapshotHandle::new(snapshot), &config.model());
        let metrics = Arc::new(Metrics::register(&MetricsRegistry::new("bench", "0"), Mode::Enforce));
        let (recorder, task) = decisions::channels(config.decisions.max_candidates, metrics.clone(), None);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let stop = CancellationToken::new();
        let (bound, bindings) = mpsc::channel(1);
        let until = stop.clone();
        runtime.spawn(async move {
            let _open = bound;
            task.run(bindings, || {}, until).await;
        });
        let parts = Parts { model, metrics, last_call: LastCall::new(now), recorder, notices: None };
        Ok(Self { state: State::new(&config, parts), now, stop, _runtime: runtime })
    }

    /// Answers one request and returns the length of the answer.
    ///
    /// # Errors
    /// When the body is no request.
    pub fn answer(&self, body: &[u8]) -> anyhow::Result<usize> {
        Ok(prioritize(&self.state, body, self.now)?.len())
    }
}

impl Drop for Extender {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Times, allocations and, where valgrind is installed, instructions for 500 and 5,000 names.
///
/// # Errors
/// When a request is not answered or a helper program fails.
pub fn figures(now: Timestamp) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for nodes in [500, 5_000] {
        let samples = latencies(nodes, now)?;
        let name = |what: &str| format!("in process: prioritize {nodes} names, 10 KB pod, {what}");
        let p50 = Figure::new(name("p50"), samples.quantile_milliseconds(0.5), "ms");
        let p99 = Figure::new(name("p99"), samples.quantile_milliseconds(0.99), "ms");
        if nodes == 500 {
            figures.extend([p50.goal(Goal::AtMost(0.3)), p99.goal(Goal::AtMost(1.0))]);
        } else {
            figures.extend([p50, p99]);
        }
        figures.push(Figure::new(name("allocations"), allocations(nodes)?, "per request"));
        if let Some(instructions) = instructions(nodes, &[])? {
            figures.push(Figure::new(name("instructions"), instructions, "per request"));
        }
    }
    Ok(figures)
}

fn latencies(nodes: usize, now: Timestamp) -> anyhow::Result<Samples> {
    let extender = Extender::new(nodes, now)?;
    let mut samples = Samples::new()?;
    for number in 0..WARM_UP + REQUESTS {
        let body = names_body(number, nodes);
        let started = Instant::now();
        let length = extender.answer(&body)?;
        let latency: Duration = started.elapsed();
        ensure!(length > 2, "no opinion: nothing is measured");
        if number >= WARM_UP {
            samples.record(latency);
        }
    }
    Ok(samples)
}

/// Counted by a program of its own, whose allocator counts.
fn allocations(nodes: usize) -> anyhow::Result<f64> {
    let output = Command::new(sibling("bench-allocations")?).arg(nodes.to_string()).output()?;
    ensure!(output.status.success(), "bench-allocations failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().context("read the count of allocations")
}

/// Counted by valgrind over two runs of unlike length, so that start-up drops out, with further `arguments` of
/// bench-request. `None` where it is not installed.
///
/// # Errors
/// When a run fails.
pub fn instructions(nodes: usize, arguments: &[&str]) -> anyhow::Result<Option<f64>> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Ok(None);
    }
    let (few, many) = (20_u32, 120_u32);
    let fewer = instructions_of(nodes, few, arguments)?;
    let more = instructions_of(nodes, many, arguments)?;
    Ok(Some((more - fewer) / f64::from(many - few)))
}

fn instructions_of(nodes: usize, requests: u32, arguments: &[&str]) -> anyhow::Result<f64> {
    let folder = TempDir::with_prefix("kube-sci-instructions-").context("make a folder for the counts")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .arg(format!("--callgrind-out-file={}", folder.path().join("count").display()))
        .arg(sibling("bench-request")?)
        .args([nodes.to_string(), requests.to_string()])
        .args(arguments)
        .output()?;
    // The first thread answers. How many decisions the recorder's takes up meanwhile is chance.
    let counted = fs::read_to_string(folder.path().join("count-01"))
        .with_context(|| format!("valgrind counted nothing: {}", String::from_utf8_lossy(&output.stderr)))?;
    let total = counted.lines().find_map(|line| line.strip_prefix("totals:")).context("valgrind wrote no total")?;
    total.trim().parse().context("read the count of instructions")
}

/// Another program of this package, beside the running one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let current = env::current_exe().context("find this program")?;
    Ok(current.parent().unwrap_or(Path::new(".")).join(name))
}
