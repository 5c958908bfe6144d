//! What is exported survives restarts without jumps.

use std::time::Instant;

use anyhow::{Context, Result};
use kube_sci_e2e::extender_process::ExtenderProcess;
use kube_sci_e2e::prometheus::{Job, Series, Target};
use kube_sci_e2e::wait::eventually;

use super::super::signals_stage::{MeteredStage, through};
use super::super::stage::SOON;

const ENERGY: &str = "kube_sci_node_energy_joules_total";
/// Windows that are counted before and after the restart, at some 70 W.
const WORTH_RESTARTING_JOULES: f64 = 600.0;
/// A window that began before the first sample, and two scrapes that Prometheus extrapolates by.
const EDGES_SECONDS: f64 = 6.0;

/// The meters' own counters have run for hours: taken over at the restart they would be a jump of megajoules.
#[tokio::test]
async fn a_killed_extender_leaves_no_jump_in_the_energy_that_prometheus_counts() -> Result<()> {
    let metered = MeteredStage::honest("restarted", ["n1"]).await?;
    let stage = &metered.stage;
    let prometheus = metered.prometheus().await?;
    let config = metered.config(&through(&prometheus.url()))?;
    let begun = Instant::now();
    let mut extender = stage.extender(&config).await?;
    let scraped = Job::new("extender", [Target::new(extender.address())]);
    prometheus.set_jobs(&[metered.job(), scraped]).await?;
    let node = stage.full("n1");
    let first = wait_joules(&extender, &node).await?;
    extender.kill()?;
    extender.restart().await?;
    let second = wait_joules(&extender, &node).await?;

    let counted = format!("sum(increase({ENERGY}{{node=\"{node}\"}}[5m]))");
    let sum = |series: &[Series]| series.first().and_then(Series::value).unwrap_or_default();
    // Prometheus sees what the extender showed a scrape later, and nothing of the last moments before the kill.
    let wanted = 0.8 * (first + second);
    let series = prometheus.wait_for(&counted, |series| sum(series) >= wanted).await?;
    let most = metered.watts("n1")? * (begun.elapsed().as_secs_f64() + EDGES_SECONDS);
    assert!(sum(&series) <= most, "{series:?}, but no more than {most} J were drawn");
    let resets = format!("max(resets({ENERGY}{{node=\"{node}\"}}[5m])) == 1");
    assert_eq!(prometheus.query(&resets).await?.len(), 1, "the restart is a reset like any other");
    Ok(())
}

/// Joules of a node since the extender's start, as soon as they are worth a restart.
async fn wait_joules(extender: &ExtenderProcess, node: &str) -> Result<f64> {
    let found = eventually(SOON, format!("{WORTH_RESTARTING_JOULES} J of {node}"), async || {
        let joules = extender.metric(ENERGY, &[("node", node)]).await.map_err(|error| error.to_string())?;
        joules.filter(|joules| *joules >= WORTH_RESTARTING_JOULES).ok_or_else(|| format!("{joules:?}"))
    });
    found.await.context("energy of a node")
}
