//! The extender's answer without a network: time, allocations, instructions.

use std::{
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
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    counted,
    figure::{Figure, Goal},
    request::names_body,
    samples::Samples,
    world,
};

/// The argument of the counting programs that asks for the extender.
pub const EXTENDER: &str = "extender";

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
        let arguments = [EXTENDER, &nodes.to_string()];
        figures.push(Figure::new(name("allocations"), counted::allocations(&arguments)?, "per request"));
        if let Some(instructions) = counted::instructions(&arguments)? {
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
