//! The API server crashes and comes back.

use anyhow::Result;
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;

use super::stage::{SOON, Stage, wait_intensity};

#[tokio::test]
async fn the_extender_answers_without_the_api_server_and_catches_up_afterwards() -> Result<()> {
    let mut plane = testing::control_plane().await?;
    let stage = Stage::alone(&plane, "outage");
    stage.world.create_nodes(["wind", "gas"].map(|zone| stage.node_in(zone, zone))).await?;
    let grid = stage.grid(&[("wind", 100.0), ("gas", 450.0), ("hydro", 10.0)])?;
    let (mut extender, mut scheduler) = stage.green(&grid.config()).await?;
    assert_eq!(stage.place(stage.pod_leaning_to("gas", "before")).await?, "wind");
    let request = stage.request("asked", &["gas", "wind"]);
    let in_quiet = extender.post("/v1/prioritize", &request).await?;

    plane.apiserver().kill()?;
    assert_eq!(extender.post("/v1/prioritize", &request).await?, in_quiet);
    plane.restart_apiserver().await?;

    let stage = Stage::alone(&plane, "outage");
    stage.world.create_nodes([stage.node_in("hydro", "hydro")]).await?;
    wait_intensity(&extender, &stage.full("hydro"), 10.0).await?;
    // The scheduler watches on its own and may learn of the node a moment after the extender.
    let mut pods = 0;
    eventually(SOON, "a pod on the new node", async || {
        pods += 1;
        match stage.place(stage.pod_leaning_to("gas", &format!("after-{pods}"))).await {
            Ok(node) if node == "hydro" => Ok(()),
            Ok(node) if node == "wind" => Err(node),
            Ok(node) => panic!("bound to {node}: without advice"),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    extender.process().check()?;
    scheduler.process().check()?;
    extender.wait_ready().await?;
    Ok(())
}
