//! A scheduler that sends whole nodes (`nodeCacheCapable: false`).

use anyhow::Result;

use super::stage::{MAX_INTENSITY, Stage, both_verbs, counter};

#[tokio::test]
async fn a_scheduler_that_sends_whole_nodes_is_served_by_both_verbs() -> Result<()> {
    let stage = Stage::shared("full-nodes").await?;
    stage.world.create_nodes(["hydro", "wind", "coal"].map(|zone| stage.node_in(zone, zone))).await?;
    let grid = stage.grid(&[("hydro", 20.0), ("wind", 90.0), ("coal", 800.0)])?;
    let extender = stage.extender(&grid.config()).await?;
    let _scheduler = stage.scheduler([both_verbs(&extender).full_nodes()]).await?;

    // Filter alone: the node that the pod leans to is refused. Prioritize alone: of the two left, the greener one.
    let capped = stage.pod_leaning_to("coal", "capped").annotation(MAX_INTENSITY, "100");
    assert_eq!(stage.place(capped).await?, "hydro");
    assert_eq!(stage.place(stage.pod_leaning_to("coal", "free")).await?, "hydro");
    assert_eq!(counter(&extender, "filter_requests", "outcome", "rejected_some").await?, 1);
    assert_eq!(counter(&extender, "prioritize_requests", "outcome", "scored").await?, 2);
    assert_eq!(counter(&extender, "prioritize_requests", "outcome", "error").await?, 0);

    let impossible = stage.pod("impossible").annotation(MAX_INTENSITY, "10");
    stage.world.create_pod(impossible).await?;
    let condition = stage.world.wait_pending_with_reason("impossible", "carbon:").await?;
    assert!(condition.contains("3 carbon: grid intensity above the limit"), "{condition}");
    Ok(())
}
