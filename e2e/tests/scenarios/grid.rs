//! The grid changes, ages, or is not known.

use std::time::Duration;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use kube_sci_e2e::wait::eventually;

use super::stage::{Stage, counter};

#[tokio::test]
async fn the_next_pods_follow_the_grid_within_five_seconds() -> Result<()> {
    let stage = Stage::shared("grid-changes").await?;
    stage.world.create_nodes(["north", "south"].map(|zone| stage.node_in(zone, zone))).await?;
    let grid = stage.grid(&[("north", 50.0), ("south", 500.0)])?;
    let _green = stage.green(&grid.config()).await?;
    assert_eq!(stage.place(stage.pod("windy")).await?, "north");

    grid.set(&[("north", 600.0), ("south", 60.0)])?;
    let mut probe = 0;
    eventually(Duration::from_secs(5), "a pod in the south", async || {
        probe += 1;
        match stage.place(stage.pod(format!("probe-{probe}"))).await {
            Ok(node) if node == "south" => Ok(()),
            Ok(node) => Err(node),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    for name in ["calm-1", "calm-2", "calm-3"] {
        assert_eq!(stage.place(stage.pod_leaning_to("north", name)).await?, "south");
    }
    Ok(())
}

#[tokio::test]
async fn stale_data_are_neutral_and_counted() -> Result<()> {
    let stage = Stage::shared("stale-data").await?;
    stage.world.create_nodes(["stale", "known", "dirty"].map(|zone| stage.node_in(zone, zone))).await?;
    let grid = stage.grid(&[])?;
    let (now, day) = (Timestamp::now(), Duration::from_hours(24));
    // The slot ended seven hours ago, and values are believed for six. It would be the best by far.
    let over = now - day - Duration::from_hours(7);
    grid.write([("stale", 1.0, over), ("known", 400.0, now - day / 2), ("dirty", 800.0, now - day / 2)])?;
    let (extender, _scheduler) = stage.green(&grid.config()).await?;

    for name in ["p1", "p2", "p3"] {
        assert_eq!(stage.place(stage.pod_leaning_to("stale", name)).await?, "known");
    }
    assert_eq!(counter(&extender, "neutral_candidates", "reason", "intensity_stale").await?, 3);
    // As good as the median of the known ones, not best and not worst.
    let answer = extender.post("/v1/prioritize", &stage.request("asked", &["dirty", "stale", "known"])).await?;
    let [dirty, stale, known] = scores(&answer)?.try_into().map_err(|_| anyhow!("three nodes, but {answer}"))?;
    assert!(known == 10 && stale == dirty && (1..10).contains(&stale), "{answer}");
    Ok(())
}

#[tokio::test]
async fn missing_data_are_neutral_and_counted_and_never_best() -> Result<()> {
    let stage = Stage::shared("missing-data").await?;
    let nodes = [stage.node("nowhere"), stage.node_in("unheard-of", "unheard-of"), stage.node_in("coal", "coal")];
    stage.world.create_nodes(nodes).await?;
    let grid = stage.grid(&[("coal", 1_000.0)])?;
    let (extender, _scheduler) = stage.green(&grid.config()).await?;

    for (name, lean) in [("p1", "nowhere"), ("p2", "unheard-of")] {
        assert_eq!(stage.place(stage.pod_leaning_to(lean, name)).await?, "coal");
    }
    assert_eq!(counter(&extender, "neutral_candidates", "reason", "zone_unknown").await?, 2);
    assert_eq!(counter(&extender, "neutral_candidates", "reason", "intensity_missing").await?, 2);
    Ok(())
}

#[tokio::test]
async fn nothing_known_at_all_is_no_opinion() -> Result<()> {
    let stage = Stage::shared("nothing-known").await?;
    stage.world.create_nodes(["n1", "n2"].map(|name| stage.node(name))).await?;
    let (extender, _scheduler) = stage.green("").await?;
    for node in ["n1", "n2"] {
        assert_eq!(stage.place(stage.pod_leaning_to(node, &format!("to-{node}"))).await?, node);
    }
    assert_eq!(counter(&extender, "neutral_answers", "reason", "nothing_known").await?, 2);
    Ok(())
}

/// The scores of an answer in its order.
fn scores(answer: &str) -> Result<Vec<i64>> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct HostPriority {
        score: i64,
    }
    let list: Vec<HostPriority> = serde_json::from_str(answer)?;
    Ok(list.into_iter().map(|entry| entry.score).collect())
}
