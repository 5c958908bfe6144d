//! The real Scaphandre on simulated counters of energy, and what the product makes of its page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use kube_sci_e2e::metrics_text;
use kube_sci_e2e::prometheus::{Job, Prometheus, PrometheusOptions, Target};
use kube_sci_e2e::scaphandre::{PROTOCOL, REFRESH, Scaphandre, Zone};
use kube_sci_e2e::wait::eventually;
use kube_sci_signals::energy::{Exporter, Meter, MeterOptions, NodeWindow, PageReader, ReaderOptions, Route, readers};
use kube_sci_signals::exposition;
use sci_core::quantity::{Cores, Joules, Watts};
use tokio::time::MissedTickBehavior;

const DEADLINE: Duration = Duration::from_secs(30);
/// Longer than [`REFRESH`], or there is nothing new to read.
const INTERVAL: Duration = Duration::from_millis(2_500);
const SOCKET: &str = "scaph_socket_energy_microjoules";

/// Two processors with memory: 124 watts together, as on the recorded pages. The first processor wraps.
fn server(wrap_after: Duration) -> [Zone; 5] {
    [
        Zone::package(0, 60.0).wraps_after(wrap_after),
        Zone::core(0, 40.0),
        Zone::dram(0, 8.0),
        Zone::package(1, 50.0),
        Zone::dram(1, 6.0),
    ]
}

fn socket(page: &str, number: &str) -> Result<f64> {
    metrics_text::value(page, SOCKET, &[("socket_id", number)]).context("a counter of the socket")
}

#[tokio::test]
async fn counters_are_read_anew_only_after_a_pause() -> Result<()> {
    let mut scaphandre = Scaphandre::start(server(Duration::from_mins(10))).await?;
    let asked = Instant::now();
    let first = scaphandre.page().await?;
    let core = [("domain_name", "core"), ("socket_id", "0")];
    assert!(metrics_text::value(&first, "scaph_domain_energy_microjoules", &core).is_some(), "{first}");
    let zones = first.lines().filter(|line| line.starts_with("scaph_") && line.contains("energy_microjoules"));
    assert_eq!(zones.count(), 6, "two sockets, three domains, the host");
    let pids = first.lines().filter_map(|line| Some(line.split_once("pid=\"")?.1.split_once('"')?.0));
    let own = scaphandre.process().id().to_string();
    assert!(pids.clone().count() > 0 && pids.clone().all(|pid| pid == own), "it sees itself alone: {first}");

    let used = scaphandre.powercap().joules();
    eventually(DEADLINE, "running counters", async || {
        if scaphandre.powercap().joules() > used + 20.0 { Ok(()) } else { Err("no more energy used") }
    })
    .await?;
    let second = scaphandre.page().await?;
    if asked.elapsed() < REFRESH {
        assert!((socket(&second, "1")? - socket(&first, "1")?).abs() < 1.0, "asked too soon");
    }

    scaphandre.restart().await?;
    let third = scaphandre.page().await?;
    assert!(socket(&third, "1")? > socket(&second, "1")?, "the counters are the machine's, not the program's");
    Ok(())
}

#[tokio::test]
async fn prometheus_has_to_be_told_how_to_read_the_page() -> Result<()> {
    let scaphandre = Scaphandre::start(server(Duration::from_mins(10))).await?;
    let job = |name| Job::new(name, [Target::new(scaphandre.address())]).interval(INTERVAL);
    let prometheus = Prometheus::start(PrometheusOptions::default().job(job("untold"))).await?;
    eventually(DEADLINE, "a refused page", async || {
        let targets = prometheus.targets().await.map_err(|error| error.to_string())?;
        let errors: Vec<String> = targets.into_iter().map(|target| target.last_error).collect();
        if errors.iter().any(|error| error.contains("Content-Type")) { Ok(()) } else { Err(format!("{errors:?}")) }
    })
    .await?;

    prometheus.set_jobs(&[job("told").fallback_protocol(PROTOCOL)]).await?;
    let rising = format!("increase({SOCKET}{{job=\"told\"}}[30s]) > 0");
    prometheus.wait_for(&rising, |series| series.len() == 2).await?;
    Ok(())
}

/// What it takes from a page to joules, as in the product.
struct Observer {
    meter: Meter,
    windows: Vec<NodeWindow>,
}

impl Observer {
    fn new(window: Duration) -> Result<Self> {
        let options = MeterOptions {
            node: Arc::from("n1"),
            source: Arc::from("agents"),
            route: Route::Scrape,
            window,
            max_power: Watts::new(300.0)?,
            cores: Cores::new(32.0)?,
            alumet_poll_interval: Duration::from_secs(1),
            alumet_aggregation_interval: None,
            stale_after: Duration::from_mins(1),
            scrape_interval: INTERVAL,
        };
        Ok(Self { meter: Meter::new(options), windows: Vec::new() })
    }

    fn observe(&mut self, page: &str, received_at: Timestamp) -> Result<()> {
        let exporters = [Exporter::Scaphandre];
        let options = ReaderOptions { route: Route::Scrape, node_label: None };
        let mut reader = PageReader::new(&exporters, options);
        let wanted = |name: &str| readers::wanted(&exporters, name);
        exposition::parse(page.as_bytes(), wanted, |sample| reader.sample(&sample, received_at))?;
        self.meter.observe(reader.finish());
        let output = self.meter.take(received_at);
        if !(output.gaps.is_empty() && output.refused.is_empty()) {
            bail!("unexpected: {output:?}");
        }
        self.windows.extend(output.windows);
        Ok(())
    }
}

#[tokio::test]
async fn joules_over_a_wrap_are_true_within_a_hundredth() -> Result<()> {
    const WATTS: f64 = 60.0 + 8.0 + 50.0 + 6.0;
    let wrap_after = Duration::from_secs(12);
    let scaphandre = Scaphandre::start(server(wrap_after)).await?;
    let window = Duration::from_secs(8);
    let mut observer = Observer::new(window)?;
    let mut readings = Vec::new();
    let mut clock = tokio::time::interval(INTERVAL);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while observer.windows.len() < 3 {
        clock.tick().await;
        let page = scaphandre.page().await?;
        observer.observe(&page, Timestamp::now())?;
        readings.push(socket(&page, "0")?);
    }

    let falls = readings.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert_eq!(falls, 1, "the first socket wrapped once: {readings:?}");
    let mut joules = 0.0;
    let mut truth = 0.0;
    for found in &observer.windows {
        let parts = [found.energy.package, found.energy.dram];
        joules += parts.into_iter().flatten().map(Joules::get).sum::<f64>();
        truth += WATTS * window.as_secs_f64();
        assert!(found.covered.abs_diff(window) < Duration::from_millis(1), "all of it is covered: {found:?}");
    }
    assert!((joules / truth - 1.0).abs() < 0.01, "{joules} J instead of {truth} J");
    Ok(())
}
