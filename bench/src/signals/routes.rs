//! The same agents by direct scrape, and through a real Prometheus.

use std::{net::SocketAddr, time::Duration};

use anyhow::ensure;
use jiff::Timestamp;
use kube_sci_e2e::prometheus::{Job, Prometheus, PrometheusOptions, Target};

use super::{
    agents::{self, Agents, NODES},
    route::{Cost, PERIOD, Route},
};
use crate::{
    figure::{Figure, Goal},
    usage,
    world::PODS_PER_NODE,
};

/// CPU time, memory and duration of both routes. Prometheus scrapes while the pages are read directly, and rests while
/// it is asked.
///
/// # Errors
/// When agents or Prometheus do not start, or a node has no window.
pub async fn figures() -> anyhow::Result<Vec<Figure>> {
    let agents = Agents::start()?;
    let page = page_bytes(&agents).await?;
    let targets = (0..NODES).map(|number| Ok(Target::new(SocketAddr::from((agents::address(number)?, agents.port)))));
    let targets: Vec<Target> = targets.collect::<anyhow::Result<_>>()?;
    let job = Job::new("kepler", targets).interval(PERIOD);
    let mut prometheus = Prometheus::start(PrometheusOptions::default().job(job)).await?;
    let since = Timestamp::now();

    let scrape = measure(Route::Scrape { port: agents.port }).await?;
    prometheus.set_jobs(&[]).await?;
    drop(agents);
    let process = prometheus.process().id();
    let before = usage::cpu_time_of(process)?;
    let through = measure(Route::Prometheus { url: prometheus.url(), since }).await?;
    let its_own = usage::cpu_time_of(process)?.saturating_sub(before);

    let mut figures = vec![Figure::new("agents: page of one node", page, "kB")];
    figures.extend(scrape_figures(&scrape));
    figures.extend(prometheus_figures(&through, &scrape, its_own));
    Ok(figures)
}

async fn measure(route: Route) -> anyhow::Result<Cost> {
    tokio::task::spawn_blocking(move || route.measure()).await?
}

fn scrape_figures(cost: &Cost) -> [Figure; 4] {
    let name = |what: &str| format!("scrape: {NODES} nodes, {PODS_PER_NODE} pods each, {what}");
    [
        Figure::new(name("CPU of one cycle"), cost.cpu_seconds, "s").goal(Goal::AtMost(0.5)),
        Figure::new(name("duration of one cycle"), cost.wall_seconds, "s"),
        Figure::new(name("peak of resident memory"), cost.memory_mebibytes, "MiB").goal(Goal::AtMost(64.0)),
        Figure::new(name("samples of one cycle"), cost.samples, "samples"),
    ]
}

fn prometheus_figures(cost: &Cost, scrape: &Cost, its_own: Duration) -> [Figure; 5] {
    let name = |what: &str| format!("Prometheus: the same nodes, {what}");
    let its_own = its_own.as_secs_f64() / f64::from(cost.cycles.max(1));
    [
        Figure::new(name("CPU of one poll"), cost.cpu_seconds, "s").beside("direct scrape", scrape.cpu_seconds),
        Figure::new(name("CPU that Prometheus takes for it"), its_own, "s"),
        Figure::new(name("duration of one poll"), cost.wall_seconds, "s"),
        Figure::new(name("peak of resident memory"), cost.memory_mebibytes, "MiB"),
        Figure::new(name("samples of one poll"), cost.samples, "samples"),
    ]
}

async fn page_bytes(agents: &Agents) -> anyhow::Result<f64> {
    let url = format!("http://{}:{}/metrics", agents::address(0)?, agents.port);
    let page = reqwest::get(url).await?.error_for_status()?.bytes().await?;
    ensure!(!page.is_empty(), "an agent has no page");
    Ok(f64::from(u32::try_from(page.len())?) / 1e3)
}
