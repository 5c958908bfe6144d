//! The single writer with energy: windows of all nodes arrive, time passes, a pod comes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use kube_sci_cluster::{config::ModelConfig, index::Index};
use kube_sci_signals::energy::{EnergyAnswer, Exporter, MeterId, NodeJoules, NodeWindow, PodRef, PodWindow, Route};
use sci_core::quantity::{Joules, Utilization};
use serde_json::json;

use crate::{
    figure::{Figure, Goal},
    request::node_name,
    samples::Samples,
    world::{self, PODS_PER_NODE},
};

const NODES: usize = 5_000;
const PODS: usize = NODES * PODS_PER_NODE;
/// Length of a window.
pub const WINDOW: Duration = Duration::from_mins(1);
/// The first one, in which everything is new, is not counted.
const WINDOWS: u32 = 15;
const EVENTS: usize = 2_000;
/// The first two ticks start the clock and make the accounts.
const WARM_UP_TICKS: u32 = 2;
const TICKS: u32 = 15;
/// Two minutes after the last window no meter is stale yet.
const MEASURED_TICKS: u32 = 1;
const SOURCE: &str = "agents";

/// Times of the writer with 5,000 nodes and 50,000 pods.
///
/// # Errors
/// When the benchmark's own objects cannot be read.
pub fn figures(now: Timestamp) -> anyhow::Result<Vec<Figure>> {
    let mut bare = world::index(NODES, PODS, now)?;
    let event_before = pod_events(&mut bare, now)?;
    let modelled = ticks(&mut bare, now, TICKS)?;
    drop(bare);

    let mut index = world::index_with(&config()?, NODES, PODS, now)?;
    let (rebuild, now) = windows(&mut index, now)?;
    let event_after = pod_events(&mut index, now)?;
    let measured = ticks(&mut index, now, MEASURED_TICKS)?;

    let name = |what: &str| format!("snapshot: 5,000 nodes, 50,000 pods, {what}");
    let (before, after) = (event_before.quantile_milliseconds(0.5), event_after.quantile_milliseconds(0.5));
    Ok(vec![
        Figure::new(name("windows of all nodes, p50"), rebuild.quantile_milliseconds(0.5), "ms"),
        Figure::new(name("windows of all nodes, slowest"), rebuild.quantile_milliseconds(1.0), "ms"),
        Figure::new(name("one pod event, p50"), after, "ms").beside("without meters", before).goal(Goal::AtMost(1.0)),
        Figure::new(name("one pod event, p99"), event_after.quantile_milliseconds(0.99), "ms").goal(Goal::AtMost(1.0)),
        Figure::new(name("tick, every node measured"), measured.quantile_milliseconds(0.5), "ms"),
        Figure::new(name("tick, every node modelled anew, p50"), modelled.quantile_milliseconds(0.5), "ms"),
    ])
}

/// The default with one source.
///
/// # Errors
/// Never for the values here; the reader of the configuration checks them.
pub fn config() -> anyhow::Result<ModelConfig> {
    let source = json!({ "name": SOURCE, "scrape": { "labelSelector": "app=kepler" } });
    Ok(serde_json::from_value(json!({ "energy": { "sources": [source] } }))?)
}

/// One window of a node that draws 80 W, with 4 W for each of its pods.
///
/// # Errors
/// Never for the values here; the quantities check them.
pub fn window(node: usize, end: Timestamp, pods: Vec<PodRef>) -> anyhow::Result<NodeWindow> {
    let seconds = WINDOW.as_secs_f64();
    let pod = |pod: PodRef| -> anyhow::Result<PodWindow> {
        Ok(PodWindow {
            pod,
            energy: Joules::new(4.0 * seconds)?,
            dram: Some(Joules::new(0.4 * seconds)?),
            cpu: Some(WINDOW / 10),
            covered: WINDOW,
        })
    };
    Ok(NodeWindow {
        node: node_name(node).into(),
        meter: MeterId { source: SOURCE.into(), route: Route::Scrape, exporter: Exporter::Kepler },
        start: end - WINDOW,
        end,
        covered: WINDOW,
        energy: NodeJoules {
            package: Some(Joules::new(72.0 * seconds)?),
            dram: Some(Joules::new(8.0 * seconds)?),
            ..NodeJoules::default()
        },
        utilization: Some(Utilization::clamped(0.2)),
        sampled: false,
        modelled: false,
        pods: pods.into_iter().map(pod).collect::<Result<_, _>>()?,
    })
}

/// What all agents say of the minute before `end`.
fn answer(end: Timestamp) -> anyhow::Result<EnergyAnswer> {
    let windows = (0..NODES).map(|node| window(node, end, (node..PODS).step_by(NODES).map(pod_ref).collect()));
    Ok(EnergyAnswer { windows: windows.collect::<Result<_, _>>()?, ..EnergyAnswer::default() })
}

fn pod_ref(number: usize) -> PodRef {
    let (uid, name) = world::pod_names(number);
    PodRef { uid: Some(uid.into()), namespace: "default".into(), name: name.into() }
}

/// Minute by minute, each applied and published. Also returns the time after the last.
fn windows(index: &mut Index, start: Timestamp) -> anyhow::Result<(Samples, Timestamp)> {
    let mut samples = Samples::new()?;
    let mut now = start;
    // A reader holds the last snapshot, as in life: the writer may not reuse it.
    let mut held = index.publish(now).context("publish the start")?;
    for number in 0..=WINDOWS {
        now += WINDOW;
        let answer = answer(now)?;
        let started = Instant::now();
        index.apply_energy(0, Ok(answer), now);
        held = index.publish(now).context("publish windows")?;
        if number > 0 {
            samples.record(started.elapsed());
        }
    }
    let pods = held.accounts().pods().count();
    ensure!(held.accounts().nodes().count() == NODES && pods > 0, "the windows did not reach the accounts");
    Ok((samples, now))
}

/// One more pod each time, published.
fn pod_events(index: &mut Index, now: Timestamp) -> anyhow::Result<Samples> {
    let mut samples = Samples::new()?;
    let mut held = index.publish(now);
    for event in 0..EVENTS {
        let pod = world::bound_pod(PODS + event, NODES)?;
        let started = Instant::now();
        index.apply_pod(&pod);
        held = Some(index.publish(now).context("publish an event")?);
        samples.record(started.elapsed());
    }
    drop(held);
    Ok(samples)
}

/// Minute by minute, so that modelled energy is due every time.
fn ticks(index: &mut Index, start: Timestamp, count: u32) -> anyhow::Result<Samples> {
    let mut samples = Samples::new()?;
    let mut now = start;
    let mut held = index.publish(now);
    for number in 0..WARM_UP_TICKS + count {
        let started = Instant::now();
        index.tick(now);
        let published = index.publish(now);
        if number >= WARM_UP_TICKS {
            samples.record(started.elapsed());
        }
        held = published.or(held);
        now += WINDOW;
    }
    drop(held);
    Ok(samples)
}
