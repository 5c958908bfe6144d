//! Shadow mode: everything is worked out and recorded, nothing changes.

use anyhow::{Context, Result};
use kube_sci_e2e::wait::eventually;
use serde_json::{Value, json};

use super::stage::{MAX_INTENSITY, SOON, Stage, counter};

#[tokio::test]
async fn shadow_mode_changes_no_binding_and_records_what_it_would_have_done() -> Result<()> {
    let stage = Stage::shared("shadow").await?;
    stage.world.create_nodes(["green", "dirty"].map(|zone| stage.node_in(zone, zone))).await?;
    let grid = stage.grid(&[("green", 30.0), ("dirty", 600.0)])?;
    let (extender, _scheduler) = stage.green(&format!("mode: shadow\n{}", grid.config())).await?;

    // Where kube-scheduler alone would put them, and past a cap that would have refused it.
    for node in ["dirty", "green"] {
        let pod = stage.pod_leaning_to(node, &format!("to-{node}")).annotation(MAX_INTENSITY, "100");
        assert_eq!(stage.place(pod).await?, node);
    }
    assert_eq!(counter(&extender, "neutral_answers", "reason", "shadow").await?, 2);
    assert_eq!(counter(&extender, "prioritize_requests", "outcome", "scored").await?, 0);
    assert_eq!(counter(&extender, "shadow_rejected_candidates", "reason", "intensity_above_limit").await?, 2);
    let answer = extender.post("/v1/prioritize", &stage.request("asked", &["green", "dirty"])).await?;
    assert_eq!(answer, "[]");

    let explained = eventually(SOON, "the binding explained", async || {
        let explained = extender.get_json("/v1/explain/shadow/to-dirty").await.map_err(|error| error.to_string())?;
        if explained["bound"].is_null() { Err(explained.to_string()) } else { Ok(explained) }
    })
    .await?;
    assert_eq!(explained["mode"], json!("shadow"));
    assert_eq!(explained["bound"]["node"], json!(stage.full("dirty")));
    assert_eq!(explained["bound"]["rank"], json!(2));
    let nodes = explained["nodes"].as_array().context("no nodes")?;
    let would_be = nodes.iter().find(|node| node["node"] == json!(stage.full("green"))).context("green is missing")?;
    assert_eq!(would_be["then"]["score"].as_i64(), Some(10));
    let grams = |value: &Value| value.as_f64().context("no footprint");
    assert!(grams(&explained["bound"]["gramsPerHour"])? > grams(&explained["bound"]["bestGramsPerHour"])?);
    Ok(())
}
