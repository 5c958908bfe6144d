//! Many pods at once: each decision counts the ones before it, seen or not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use sci_core::node::{EmbodiedWeight, NodeInput, NodeLoad, Resources, marginal_footprint};
use sci_core::power::{Hardware, PowerCurve, Provenance};
use sci_core::quantity::{Bytes, Cores, GramsCo2e, GramsPerKwh, Pue, RelativePerformance, Utilization, Watts};
use serde_json::{Value, json};

use super::stage::{HARDWARE_CLASS, Stage};

const PODS: usize = 200;
const NODE_CORES: f64 = 40.0;
const POD_CORES: f64 = 0.2;
const PUE: f64 = 1.2;
const GIB: f64 = 1_073_741_824.0;
/// Each tenth of the machine adds a quarter more watts than the one before.
const CURVE: [f64; 11] = [60.0, 70.0, 82.5, 98.1, 117.6, 142.0, 172.5, 210.6, 258.2, 317.7, 392.1];
const NODES: [(&str, f64); 4] = [("clean", 100.0), ("fair", 134.7), ("poor", 181.3), ("foul", 900.0)];
/// Scores are rounded: nodes within 5 % of the best tie, and the scheduler chooses among them by its own rules. The
/// intensities keep the tenths of any two nodes 7 % apart, so that only pods between two tenths can tie.
const TOLERANCE: usize = 4;

#[tokio::test]
async fn a_burst_of_200_pods_spreads_as_the_model_says() -> Result<()> {
    let stage = Stage::shared("burst").await?;
    let config = prepare(&stage).await?;
    let _green = stage.green(&config).await?;
    let burst = (0..PODS).map(|number| stage.pod(format!("p{number}")).cpu("200m").memory("128Mi"));
    stage.world.create_pods(burst).await?;
    stage.world.wait_all_bound(PODS).await?;
    check(&stage, &stage.world.pods_per_node().await?)
}

/// The same burst without a scheduler that binds and a watch that tells: all that the extender can go by is what it
/// answered before.
#[tokio::test]
async fn pods_that_were_decided_but_never_seen_count_too() -> Result<()> {
    let stage = Stage::shared("burst-unseen").await?;
    let extender = stage.extender(&prepare(&stage).await?).await?;
    let mut counts = BTreeMap::new();
    for number in 0..PODS {
        let mut request = stage.request(&format!("p{number}"), &NODES.map(|(name, _)| name));
        request["Pod"]["spec"]["containers"][0]["resources"]["requests"] = json!({ "cpu": "200m", "memory": "128Mi" });
        let scores: Vec<Value> = serde_json::from_str(&extender.post("/v1/prioritize", &request).await?)?;
        let best = scores.iter().max_by_key(|entry| entry["Score"].as_i64()).context("no scores")?;
        *counts.entry(best["Host"].as_str().context("no host")?.to_owned()).or_insert(0) += 1;
    }
    check(&stage, &counts)
}

/// Creates the nodes; the extender's configuration.
async fn prepare(stage: &Stage<'_>) -> Result<String> {
    let nodes = NODES.map(|(name, _)| {
        let node = stage.node_in(name, name).annotation(HARDWARE_CLASS, "convex");
        node.capacity("40", "256Gi").max_pods(250)
    });
    stage.world.create_nodes(nodes).await?;
    Ok(format!("{}{}", stage.grid(&NODES)?.config(), hardware_config()))
}

fn check(stage: &Stage<'_>, found: &BTreeMap<String, usize>) -> Result<()> {
    let expected = greedy()?;
    for (name, _) in NODES {
        let expected = expected.get(name).copied().unwrap_or(0);
        let found = found.get(&stage.full(name)).copied().unwrap_or(0);
        assert!(expected.abs_diff(found) <= TOLERANCE, "{name}: {found} pods, the model says {expected}");
    }
    // Every pod alone would choose the cleanest node, and all of them fit there.
    assert!(found.get(&stage.full("clean")).is_some_and(|&count| count < PODS * 3 / 4), "{found:?}");
    assert!(found.len() >= 3, "{found:?}");
    Ok(())
}

/// One pod after the other to the node where it costs least, by the model's own functions.
fn greedy() -> Result<BTreeMap<&'static str, usize>> {
    let hardware = hardware()?;
    let machine = Resources { cpu: Cores::new(NODE_CORES)?, memory: Bytes::new(256.0 * GIB)? };
    let pod = Resources { cpu: Cores::new(POD_CORES)?, memory: Bytes::new(GIB / 8.0)? };
    let mut loads = NODES.map(|_| NodeLoad::default());
    let mut counts = BTreeMap::new();
    for _ in 0..PODS {
        let mut best = (f64::INFINITY, 0);
        for (index, ((_, grams_per_kwh), load)) in NODES.iter().zip(&loads).enumerate() {
            let node = NodeInput {
                hardware: &hardware,
                capacity: machine,
                allocatable: machine,
                load: *load,
                intensity: GramsPerKwh::new(*grams_per_kwh)?,
                pue: Pue::new(PUE)?,
            };
            let cost = marginal_footprint(&pod.into(), &node, EmbodiedWeight::default())?.per_core_hour.get();
            best = if cost < best.0 { (cost, index) } else { best };
        }
        if let (Some(load), Some((name, _))) = (loads.get_mut(best.1), NODES.get(best.1)) {
            *load = NodeLoad { requested: load.requested + pod, workload_pods: load.workload_pods + 1.0 };
            *counts.entry(*name).or_insert(0) += 1;
        }
    }
    Ok(counts)
}

/// The class `convex` as the model sees it; 35,064 hours are four years.
fn hardware() -> Result<Hardware> {
    let points =
        (0u32..).zip(CURVE).map(|(tenth, watts)| Ok((Utilization::new(f64::from(tenth) / 10.0)?, Watts::new(watts)?)));
    Ok(Hardware {
        class: Arc::from("convex"),
        curve: PowerCurve::from_points(&points.collect::<Result<Vec<_>>>()?)?,
        embodied: GramsCo2e::new(10_000.0)?,
        lifetime: Duration::from_hours(35_064),
        relative_performance: RelativePerformance::REFERENCE,
        provenance: Provenance::Measured,
        source: Arc::from("this scenario"),
        error_band: (1.0, 1.0),
    })
}

/// The same class as the extender is told.
fn hardware_config() -> String {
    let [idle, tenths @ .., full] = CURVE;
    let points =
        (1u32..).zip(tenths).map(|(tenth, watts)| format!("        - {{ utilization: 0.{tenth}, watts: {watts} }}\n"));
    format!(
        "nodes:\n  defaultPue: {PUE}\n  hardwareClasses:\n    convex:\n      idleWatts: {idle}\n      fullWatts: {full}\n      \
         embodiedKilograms: 10\n      points:\n{}",
        points.collect::<String>()
    )
}
