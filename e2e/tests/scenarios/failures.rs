//! Whatever happens to an extender, pods are bound.

use std::time::{Duration, Instant};

use anyhow::Result;
use kube_sci_e2e::control_plane::ExtenderEntry;
use kube_sci_e2e::misbehaving::{Behaviour, Misbehaving};

use super::stage::{Stage, both_verbs};

const TIMEOUT: Duration = Duration::from_millis(500);
/// Two calls, filter and prioritize, each at its time limit; the rest is the scheduler's and a busy machine's.
const TWO_TIMEOUTS: Duration = Duration::from_secs(5);

/// A green and a dirty node, and a scheduler that asks our extender.
async fn two_nodes(name: &'static str) -> Result<(Stage<'static>, String)> {
    let stage = Stage::shared(name).await?;
    stage.world.create_nodes(["green", "dirty"].map(|zone| stage.node_in(zone, zone))).await?;
    let config = stage.grid(&[("green", 30.0), ("dirty", 600.0)])?.config();
    Ok((stage, config))
}

#[tokio::test]
async fn pods_are_bound_when_the_extender_is_killed() -> Result<()> {
    let (stage, config) = two_nodes("killed").await?;
    let (mut extender, _scheduler) = stage.green(&config).await?;
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "with")).await?, "green");
    extender.kill()?;
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "without")).await?, "dirty");
    Ok(())
}

#[tokio::test]
async fn pods_are_bound_within_the_timeouts_when_the_extender_hangs() -> Result<()> {
    let (stage, config) = two_nodes("hung").await?;
    let extender = stage.extender(&config).await?;
    let _scheduler = stage.scheduler([both_verbs(&extender).timeout(TIMEOUT)]).await?;
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "with")).await?, "green");
    extender.suspend()?;
    let start = Instant::now();
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "without")).await?, "dirty");
    assert!((TIMEOUT..TWO_TIMEOUTS).contains(&start.elapsed()), "{:?}", start.elapsed());
    extender.resume()?;
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "with-again")).await?, "green");
    Ok(())
}

#[tokio::test]
async fn a_slow_extender_is_obeyed_within_its_timeout_and_ignored_beyond() -> Result<()> {
    let (stage, _) = two_nodes("slow").await?;
    let favourite = stage.full("green");
    for (name, delay, expected) in [("in-time", TIMEOUT / 5, "green"), ("late", TIMEOUT * 4, "dirty")] {
        let slow = Misbehaving::start(Behaviour::Slow(favourite.clone(), delay)).await?;
        let entry = ExtenderEntry::filter_and_prioritize(slow.url_prefix()).timeout(TIMEOUT);
        let _scheduler = stage.scheduler_named(name, entry).await?;
        let pod = stage.pod_leaning_to("dirty", name).scheduler(&stage.full(name));
        assert_eq!(stage.place(pod).await?, expected, "{name}");
        assert_eq!(slow.requests(), 2, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn extenders_that_answer_nonsense_are_ignored_and_ours_is_still_obeyed() -> Result<()> {
    let (stage, config) = two_nodes("nonsense").await?;
    let extender = stage.extender(&config).await?;
    let behaviours = [
        Behaviour::Garbage,
        Behaviour::WrongNames,
        Behaviour::WrongTypes,
        Behaviour::Status(500),
        Behaviour::CutOff,
        Behaviour::Hang,
    ];
    let mut peers = Vec::new();
    for behaviour in behaviours {
        peers.push(Misbehaving::start(behaviour).await?);
    }
    let entries = peers.iter().map(|peer| ExtenderEntry::filter_and_prioritize(peer.url_prefix()).timeout(TIMEOUT));
    let _scheduler = stage.scheduler(entries.chain([both_verbs(&extender)])).await?;
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "p")).await?, "green");
    let asked: Vec<u64> = peers.iter().map(Misbehaving::requests).collect();
    assert!(asked.iter().all(|&requests| requests >= 2), "{asked:?}");
    Ok(())
}

#[tokio::test]
async fn scores_beyond_the_scale_bind_the_pod_too() -> Result<()> {
    let (stage, _) = two_nodes("wrong-scores").await?;
    let peer = Misbehaving::start(Behaviour::WrongScores(stage.full("green"))).await?;
    let _scheduler = stage.scheduler([ExtenderEntry::prioritize(peer.url_prefix())]).await?;
    // kube-scheduler does not clamp what it is told.
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "p")).await?, "green");
    Ok(())
}
