//! Two replicas are one extender.

use anyhow::Result;
use kube_sci_e2e::extender_process::ExtenderProcess;
use kube_sci_e2e::wait::eventually;
use serde_json::Value;

use super::stage::{MAX_INTENSITY, SOON, Stage, both_verbs, ranked};

const PODS: usize = 30;
/// Of one node: 30 pods of 300 millicores, nodes of 4 cores.
const ALL_PODS: f64 = 2.25;

#[tokio::test]
async fn two_replicas_give_byte_equal_answers() -> Result<()> {
    let stage = Stage::shared("replicas").await?;
    let names = ["hydro", "wind", "gas", "coal"];
    stage.world.create_nodes(names.map(|zone| stage.node_in(zone, zone))).await?;
    let config = stage.grid(&[("hydro", 80.0), ("wind", 90.0), ("gas", 100.0), ("coal", 700.0)])?.config();
    let (one, two) = tokio::try_join!(stage.extender_named("one", &config), stage.extender_named("two", &config))?;
    // Only the first one decides; the second learns of it from the API server.
    let _scheduler = stage.scheduler([both_verbs(&one)]).await?;
    stage.world.create_pods((0..PODS).map(|number| stage.pod(format!("p{number}")).cpu("300m"))).await?;
    stage.world.wait_all_bound(PODS).await?;
    eventually(SOON, "both see the same loads", async || {
        let (seen_by_one, seen_by_two) = (loads(&one, &stage, &names).await, loads(&two, &stage, &names).await);
        match (seen_by_one, seen_by_two) {
            (Ok(one), Ok(two)) if one == two && (one.iter().sum::<f64>() - ALL_PODS).abs() < 1e-6 => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await?;

    for number in 0..20 {
        let mut request = stage.request(&format!("asked-{number}"), &names);
        request["Pod"]["metadata"]["annotations"] = serde_json::json!({ MAX_INTENSITY: "500" });
        for verb in ["/v1/filter", "/v1/prioritize"] {
            let answers = (one.post(verb, &request).await?, two.post(verb, &request).await?);
            assert_eq!(answers.0, answers.1, "{verb} of request {number}");
            assert!(answers.0.contains(&stage.full("coal")), "{}", answers.0);
        }
    }
    Ok(())
}

/// Utilisation of the scenario's nodes as a replica sees it.
async fn loads(extender: &ExtenderProcess, stage: &Stage<'_>, names: &[&str]) -> Result<Vec<f64>> {
    let mut loads = Vec::new();
    for name in names {
        let entry = ranked(extender, "", &stage.full(name)).await?;
        loads.push(entry.pointer("/energy/utilization").and_then(Value::as_f64).unwrap_or(f64::NAN));
    }
    Ok(loads)
}
