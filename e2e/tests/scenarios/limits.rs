//! What pods and namespaces may ask for: limits, and to be left alone.

use anyhow::Result;

use super::stage::{MAX_INTENSITY, OPT_OUT, Stage, counter, wait_intensity};

const ABOVE_LIMIT: &str = "carbon: grid intensity above the limit";

#[tokio::test]
async fn a_pod_with_a_cap_waits_with_our_reason_until_the_grid_is_cleaner() -> Result<()> {
    let stage = Stage::shared("capped").await?;
    stage.world.create_nodes(["n1", "n2"].map(|name| stage.node_in(name, "coal"))).await?;
    let grid = stage.grid(&[("coal", 700.0)])?;
    let (extender, _scheduler) = stage.green(&grid.config()).await?;

    stage.world.create_pod(stage.pod("capped").annotation(MAX_INTENSITY, "200")).await?;
    let condition = stage.world.wait_pending_with_reason("capped", ABOVE_LIMIT).await?;
    assert!(condition.contains(&format!("2 {ABOVE_LIMIT}")), "nodes are counted by reason: {condition}");
    stage.world.wait_event("capped", ABOVE_LIMIT).await?;
    let described = stage.plane.kubectl().run(&["describe", "pod", "capped", "--namespace=capped"]).await?;
    assert!(described.contains(ABOVE_LIMIT), "{described}");
    assert!(counter(&extender, "rejected_candidates", "reason", "intensity_above_limit").await? >= 2);
    // A cap is one pod's wish, not the cluster's.
    stage.place(stage.pod("free")).await?;

    grid.set(&[("coal", 150.0)])?;
    wait_intensity(&extender, &stage.full("n1"), 150.0).await?;
    // A change of the grid is no event of the cluster: the scheduler tries again when a node changes, as one does in
    // any busy cluster, and after five minutes where none does.
    stage.world.annotate_node(&stage.full("n1"), &[("example.org/changed", "true")]).await?;
    stage.bound("capped").await?;
    Ok(())
}

#[tokio::test]
async fn a_cap_never_empties_the_cluster_for_lack_of_data() -> Result<()> {
    let stage = Stage::shared("capped-blind").await?;
    stage.world.create_nodes([stage.node("nowhere")]).await?;
    let (extender, _scheduler) = stage.green("").await?;
    stage.place(stage.pod("capped").annotation(MAX_INTENSITY, "1")).await?;
    assert_eq!(counter(&extender, "unchecked_candidates", "reason", "zone_unknown").await?, 1);
    Ok(())
}

#[tokio::test]
async fn pods_and_namespaces_may_opt_out() -> Result<()> {
    let stage = Stage::shared("opt-out").await?;
    stage.world.create_nodes(["green", "dirty"].map(|zone| stage.node_in(zone, zone))).await?;
    let exempt = stage.world.create_namespace("opt-out-exempt", &[(OPT_OUT, "true")]).await?;
    let grid = stage.grid(&[("green", 30.0), ("dirty", 600.0)])?;
    let (extender, _scheduler) = stage.green(&grid.config()).await?;

    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "in")).await?, "green");
    let out = stage.pod_leaning_to("dirty", "out").annotation(OPT_OUT, "true").annotation(MAX_INTENSITY, "100");
    assert_eq!(stage.place(out).await?, "dirty");
    exempt.create_pod(stage.pod_leaning_to("dirty", "p")).await?;
    assert_eq!(exempt.wait_bound("p").await?, stage.full("dirty"));
    for reason in ["pod_opted_out", "namespace_opted_out"] {
        assert_eq!(counter(&extender, "neutral_answers", "reason", reason).await?, 1, "{reason}");
    }
    Ok(())
}
