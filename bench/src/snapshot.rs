//! The single writer: one pod event, and a full relist.

use std::time::Instant;

use anyhow::Context as _;
use jiff::Timestamp;
use kube_sci_cluster::index::ObjectKind;

use crate::{
    figure::{Figure, Goal},
    samples::Samples,
    world,
};

const EVENTS: usize = 2_000;

/// Measures at a tenth of the size and at full size, so that growth shows.
///
/// # Errors
/// When the benchmark's own objects cannot be read.
pub fn figures(now: Timestamp) -> anyhow::Result<Vec<Figure>> {
    let small = pod_event(500, now)?;
    let large = pod_event(5_000, now)?;
    let relist = relist(5_000, now)?;
    let p50 = large.quantile_milliseconds(0.5);
    Ok(vec![
        Figure::new("snapshot: one pod event, 5,000 nodes, 50,000 pods, p50", p50, "ms")
            .beside("the same at 500 nodes, 5,000 pods", small.quantile_milliseconds(0.5))
            .goal(Goal::AtMost(1.0)),
        Figure::new("snapshot: one pod event, 5,000 nodes, p99", large.quantile_milliseconds(0.99), "ms")
            .goal(Goal::AtMost(1.0)),
        Figure::new("snapshot: full relist of 5,000 nodes and 50,000 pods", relist, "ms"),
    ])
}

/// One more pod, then gone again, each published, on a cluster that is otherwise still.
fn pod_event(nodes: usize, now: Timestamp) -> anyhow::Result<Samples> {
    let pods = nodes * world::PODS_PER_NODE;
    let mut index = world::index(nodes, pods, now)?;
    // A reader holds the last snapshot, as in life: the writer may not reuse it.
    let mut held = index.publish(now).context("publish the start")?;
    let mut samples = Samples::new()?;
    for event in 0..EVENTS {
        let pod = world::bound_pod(pods + event, nodes)?;
        let started = Instant::now();
        index.apply_pod(&pod);
        held = index.publish(now).context("publish an event")?;
        samples.record(started.elapsed());
    }
    drop(held);
    Ok(samples)
}

/// Everything once more into an index that knows it already, in milliseconds.
fn relist(nodes: usize, now: Timestamp) -> anyhow::Result<f64> {
    let pods = nodes * world::PODS_PER_NODE;
    let mut index = world::index(nodes, pods, now)?;
    let node_views: Vec<_> = (0..nodes).map(world::node).collect::<Result<_, _>>()?;
    let pod_views: Vec<_> = (0..pods).map(|number| world::bound_pod(number, nodes)).collect::<Result<_, _>>()?;
    let started = Instant::now();
    for kind in ObjectKind::ALL {
        index.begin_list(kind);
    }
    for node in &node_views {
        index.apply_node(node, now);
    }
    for pod in &pod_views {
        index.apply_pod(pod);
    }
    for kind in ObjectKind::ALL {
        index.end_list(kind);
    }
    index.publish(now);
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
