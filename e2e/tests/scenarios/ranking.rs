//! Which node is best: by grid, by hardware, by what runs there, by embodied carbon.

use anyhow::{Context, Result};
use serde_json::Value;

use super::stage::{HARDWARE_CLASS, Stage, ranked};

/// Two machines of 10 threads. Over four years (35,064 h) a tenth of them owns, in g/h:
/// old 200,000 / 35,064 / 10 = 0.5704, new 2,000,000 / 35,064 / 10 = 5.7039.
const OLD_AND_NEW: &str = "
nodes:
  defaultPue: 1
  hardwareClasses:
    old: { idleWatts: 40, fullWatts: 240, embodiedKilograms: 200 }
    new: { idleWatts: 20, fullWatts: 120, embodiedKilograms: 2000 }
";

#[tokio::test]
async fn the_greener_region_wins() -> Result<()> {
    let stage = Stage::shared("greener-region").await?;
    let nodes = [("stockholm", "eu-north-1"), ("frankfurt", "eu-central-1"), ("mumbai", "ap-south-1")];
    stage.world.create_nodes(nodes.map(|(name, region)| stage.node(name).aws(region, "m5.xlarge"))).await?;
    // Nothing configured: the embedded catalogue knows 25, 371 and 747 g/kWh.
    let _green = stage.green("").await?;
    for name in ["p1", "p2", "p3", "p4"] {
        assert_eq!(stage.place(stage.pod_leaning_to("mumbai", name)).await?, "stockholm");
    }
    Ok(())
}

#[tokio::test]
async fn in_one_zone_the_more_efficient_node_wins() -> Result<()> {
    let stage = Stage::shared("efficient-node").await?;
    // Graviton2 draws 21 W where Skylake draws 39.9 W for the same four vCPUs.
    let nodes = [("skylake", "m5.xlarge"), ("graviton", "m6g.xlarge")];
    stage.world.create_nodes(nodes.map(|(name, size)| stage.node(name).aws("eu-central-1", size))).await?;
    let _green = stage.green("").await?;
    for name in ["p1", "p2", "p3"] {
        assert_eq!(stage.place(stage.pod_leaning_to("skylake", name)).await?, "graviton");
    }
    Ok(())
}

#[tokio::test]
async fn a_busy_node_wins_over_an_empty_one() -> Result<()> {
    let stage = Stage::shared("busy-node").await?;
    let nodes = ["empty", "busy"].map(|name| stage.node(name).aws("eu-central-1", "m5.xlarge"));
    stage.world.create_nodes(nodes).await?;
    stage.world.create_pod(stage.pod("before").cpu("1").on_node(&stage.full("busy"))).await?;
    let _green = stage.green("").await?;
    for name in ["p1", "p2", "p3"] {
        assert_eq!(stage.place(stage.pod_leaning_to("empty", name)).await?, "busy");
    }
    Ok(())
}

/// In a grid of 20 g/kWh, for one of ten threads, in g/h:
///
/// | | marginal W | activation W | operational | with embodied |
/// | --- | --- | --- | --- | --- |
/// | old | 20 | 4 | 24 x 20 / 1000 = 0.48 | 1.0504 |
/// | new | 10 | 2 | 12 x 20 / 1000 = 0.24 | 5.9439 |
#[tokio::test]
async fn the_embodied_knob_flips_the_ranking_in_a_clean_grid() -> Result<()> {
    let stage = Stage::shared("embodied-knob").await?;
    let nodes =
        ["old", "new"].map(|name| stage.node_in(name, "hydro").annotation(HARDWARE_CLASS, name).capacity("10", "64Gi"));
    stage.world.create_nodes(nodes).await?;
    let grid = stage.grid(&[("hydro", 20.0)])?;
    for (weight, winner, old_grams, new_grams) in [(0, "new", 0.48, 0.24), (1, "old", 1.0504, 5.9439)] {
        let config = format!("{}{OLD_AND_NEW}score:\n  embodiedWeight: {weight}\n", grid.config());
        let (extender, _scheduler) = stage.green(&config).await?;
        for (node, by_hand) in [("old", old_grams), ("new", new_grams)] {
            let entry = ranked(&extender, "?cpu=1&memory=1Gi", &stage.full(node)).await?;
            let grams = entry.get("gramsPerHour").and_then(Value::as_f64).context("no footprint")?;
            assert!((grams - by_hand).abs() < 1e-3, "weight {weight}, {node}: {grams}, by hand {by_hand}");
        }
        let loser = if winner == "old" { "new" } else { "old" };
        let pod = stage.pod_leaning_to(loser, "p").cpu("1").memory("1Gi");
        assert_eq!(stage.place(pod).await?, winner, "weight {weight}");
        stage.world.clear().await?;
    }
    Ok(())
}
