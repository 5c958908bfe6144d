//! Decisions from measured energy, and what becomes of them when meters fall silent or lie.

mod counters;
mod direct;
mod exporters;
mod prometheus;

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use kube_sci_e2e::extender_process::ExtenderProcess;
use kube_sci_e2e::prometheus::{Prometheus, PrometheusOptions};
use kube_sci_e2e::simulation::{KeplerFake, Program};
use kube_sci_e2e::wait::eventually;
use serde_json::{Value, json};

use super::signals_stage::{MeteredStage, STALE_AFTER, entry, kepler, through, wait_metric};
use super::stage::{SOON, ranked};

const POWER: &str = "kube_sci_node_power_watts";
const METER_AGE: &str = "kube_sci_node_meter_age_seconds";
/// The clock of the one writer, and a busy machine.
const SLACK: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_node_that_draws_more_than_its_table_says_loses() -> Result<()> {
    let metered = MeteredStage::new("thirsty", vec![("hungry", kepler(), 3.0), ("frugal", kepler(), 1.0)]).await?;
    let stage = &metered.stage;
    // Nothing is scraped yet.
    let prometheus = Prometheus::start(PrometheusOptions::default()).await?;
    let (extender, _scheduler) = stage.green(&metered.config(&through(&prometheus.url()))?).await?;
    let [hungry, frugal] = grams(&metered, &extender).await?;
    assert!((hungry - frugal).abs() < 1e-9, "equal by their table, but {hungry} and {frugal} g/h");
    assert_eq!(stage.place(stage.pod_leaning_to("hungry", "unmeasured")).await?, "hungry");
    stage.world.clear().await?;

    prometheus.set_jobs(&[metered.job()]).await?;
    eventually(SOON, "the meters to tell the two apart", async || {
        let [hungry, frugal] = grams(&metered, &extender).await.map_err(|error| format!("{error:#}"))?;
        if hungry > 1.5 * frugal { Ok(()) } else { Err(format!("{hungry} and {frugal} g/h")) }
    })
    .await?;
    for name in ["p1", "p2", "p3"] {
        assert_eq!(stage.place(stage.pod_leaning_to("hungry", name)).await?, "frugal");
    }
    for short in ["hungry", "frugal"] {
        let energy = ranked(&extender, "", &stage.full(short)).await?["energy"].take();
        let (shown, truth) = (energy["power"]["watts"].as_f64().context("watts")?, metered.watts(short)?);
        assert!((shown / truth - 1.0).abs() < 0.01, "{short}: {shown} W, in truth {truth} W");
        assert_eq!(energy["power"]["source"], json!("kepler by prometheus (meters)"));
        assert_eq!(energy["power"]["quality"], json!("measured"));
    }
    Ok(())
}

#[tokio::test]
async fn a_node_whose_agent_dies_is_modelled_within_the_stale_limit_and_still_gets_pods() -> Result<()> {
    let metered = MeteredStage::honest("agent-dies", ["dying", "living"]).await?;
    let stage = &metered.stage;
    let prometheus = metered.prometheus().await?;
    let (extender, _scheduler) = stage.green(&metered.config(&through(&prometheus.url()))?).await?;
    let (dying, living) = (stage.full("dying"), stage.full("living"));
    for short in ["dying", "living"] {
        metered.wait_measured(&extender, short).await?;
    }

    let died = Timestamp::now();
    metered.end_agent("dying")?;
    eventually(SOON, "the meter to grow old", async || {
        let age = extender.metric(METER_AGE, &[("node", &dying)]).await.map_err(|error| error.to_string())?;
        if age.is_some_and(|age| age > 3.0) { Ok(()) } else { Err(format!("{age:?}")) }
    })
    .await?;
    let node = metered.wait_quality(&extender, "dying", "modelled").await?;
    let silent_since: Timestamp = node["silentSince"].as_str().context("silentSince")?.parse()?;
    let limit = died + STALE_AFTER + SLACK;
    assert!((died..limit).contains(&silent_since), "died {died}, silent since {silent_since}");
    assert_eq!(node["power"]["source"], json!("power curve at the node's requests"));
    assert_eq!(extender.metric(METER_AGE, &[("node", &dying)]).await?, None);
    assert!(extender.metric(POWER, &[("node", &dying), ("quality", "modelled")]).await?.is_some());
    assert!(extender.metric(POWER, &[("node", &living), ("quality", "measured")]).await?.is_some());
    for short in ["dying", "living"] {
        let pod = stage.pod(format!("to-{short}")).node_selector("kubernetes.io/hostname", &stage.full(short));
        assert_eq!(stage.place(pod).await?, short);
    }
    Ok(())
}

#[tokio::test]
async fn keplers_fake_meter_is_refused_with_a_reason_and_its_node_modelled() -> Result<()> {
    let fake = Program::KeplerFake(KeplerFake { interval: Duration::from_secs(1) });
    let metered = MeteredStage::new("fake-meter", vec![("invented", fake, 1.0), ("real", kepler(), 1.0)]).await?;
    let stage = &metered.stage;
    let prometheus = metered.prometheus().await?;
    let (extender, _scheduler) = stage.green(&metered.config(&through(&prometheus.url()))?).await?;
    metered.wait_measured(&extender, "real").await?;
    wait_metric(&extender, "kube_sci_refused_meters", &[("reason", "fake-meter")], 1.0).await?;

    let report = extender.get_json("/v1/quality").await?;
    assert_eq!(report["summary"]["refusedMeters"], json!(1));
    let node = entry(&report, "nodes", "node", &stage.full("invented"));
    assert_eq!(node["power"]["quality"], json!("modelled"));
    let refused = &node["refused"][0];
    assert_eq!((&refused["exporter"], &refused["reason"]), (&json!("kepler"), &json!("fake-meter")));
    let text = refused["text"].as_str().context("text")?;
    assert!(text.contains("fake CPU meter") && text.contains("dev.fake-cpu-meter"), "{text}");
    assert_eq!(entry(&report, "nodes", "node", &stage.full("real")).get("refused"), None);
    // What the fake meter shows would make the node the best by far.
    assert_eq!(stage.place(stage.pod_leaning_to("real", "p")).await?, "real");
    Ok(())
}

/// What a pod costs on the nodes of the first scenario, in g/h.
async fn grams(metered: &MeteredStage, extender: &ExtenderProcess) -> Result<[f64; 2]> {
    let mut grams = [0.0; 2];
    for (place, short) in grams.iter_mut().zip(["hungry", "frugal"]) {
        let entry = ranked(extender, "?cpu=1", &metered.stage.full(short)).await?;
        *place = entry.pointer("/gramsPerHour").and_then(Value::as_f64).context("no footprint")?;
    }
    Ok(grams)
}
