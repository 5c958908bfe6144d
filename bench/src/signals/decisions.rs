//! What energy costs a decision: the pod's workload has factors of its own on every class of hardware.

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use kube_sci_cluster::{
    index::Index,
    objects::{PodView, WorkloadKey},
};
use kube_sci_signals::energy::{EnergyAnswer, PodRef};
use serde_json::{Value, json};

use super::join::{self, WINDOW};
use crate::{
    counted,
    figure::{Figure, Goal},
    in_process::EXTENDER,
    request::{self, node_name},
    world,
};

/// The argument of bench-request that asks for [`learned`].
pub const LEARNED: &str = "learned";
/// Nodes with a pod of the workload: several of every class.
const NODES_WITH_POD: usize = 60;
const WINDOWS: u32 = 30;

/// Instructions of a request for 500 names with what was learned, beside one without. Empty where valgrind is missing.
///
/// # Errors
/// When a run fails.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    const NAMES: usize = 500;
    let names = NAMES.to_string();
    let Some(plain) = counted::instructions(&[EXTENDER, &names])? else { return Ok(Vec::new()) };
    let learned = counted::instructions(&[EXTENDER, &names, LEARNED])?.context("valgrind was there before")?;
    let name = |what: &str| format!("in process: prioritize {NAMES} names, {what}, instructions");
    Ok(vec![
        Figure::new(name("nothing learned"), plain, "per request"),
        Figure::new(name("nodes and workload learned"), learned, "per request")
            .beside("nothing learned", plain)
            .goal(Goal::RatioAtMost(1.03)),
    ])
}

/// A cluster in which the workload of [`request::pod`] has run under meters for half an hour.
///
/// # Errors
/// When nothing was learned of it, or the benchmark's own objects cannot be read.
pub fn learned(nodes: usize, now: Timestamp) -> anyhow::Result<Index> {
    let mut index = world::index_with(&join::config()?, nodes, nodes * world::PODS_PER_NODE, now)?;
    let measured = NODES_WITH_POD.min(nodes);
    for node in 0..measured {
        index.apply_pod(&running(node)?);
    }
    for number in 0..=WINDOWS {
        let end = now - WINDOW * (WINDOWS - number);
        let windows =
            (0..measured).map(|node| join::window(node, end, vec![pod_ref(node)])).collect::<Result<_, _>>()?;
        index.apply_energy(0, Ok(EnergyAnswer { windows, ..EnergyAnswer::default() }), end);
    }
    ensure!(knows_workload(&mut index, now)?, "nothing was learned of the workload");
    // The last snapshot was this check's.
    index.apply_pod(&world::bound_pod(nodes * world::PODS_PER_NODE, nodes)?);
    Ok(index)
}

fn knows_workload(index: &mut Index, now: Timestamp) -> anyhow::Result<bool> {
    let key: WorkloadKey = running(0)?.workload.key();
    let snapshot = index.publish(now).context("publish")?;
    Ok(snapshot.workload_factors(key).is_some())
}

/// The pod of a request, on a node. The numbers of those that are asked about are smaller.
fn running(node: usize) -> anyhow::Result<PodView> {
    let mut pod = request::pod(number(node));
    let places: [(&str, Value); 2] =
        [("/spec", json!({ "nodeName": node_name(node) })), ("/status", json!({ "phase": "Running" }))];
    for (place, fields) in places {
        let object = pod.pointer_mut(place).and_then(Value::as_object_mut).context("a pod without spec or status")?;
        object.extend(fields.as_object().cloned().unwrap_or_default());
    }
    Ok(serde_json::from_value(pod)?)
}

fn pod_ref(node: usize) -> PodRef {
    let pod = request::pod(number(node));
    let text = |field: &str| pod.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default();
    PodRef { uid: Some(text("uid").into()), namespace: text("namespace").into(), name: text("name").into() }
}

const fn number(node: usize) -> usize {
    1_000_000 + node
}
