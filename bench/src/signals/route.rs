//! One route from the agents to windows of joules, in a process of its own: nothing else is in its figures.

use std::{collections::BTreeSet, env, io::Write as _, process::Command, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use jiff::Timestamp;
use kube_sci_signals::{
    config::EnergyConfig,
    energy::{self, EnergySource},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    agents::{self, NODES},
    api_server,
};
use crate::usage;

/// From one question to the next, and from one scrape of Prometheus to the next. A third of what is usual, as is the
/// window, so that a window has as many observations as usual and the benchmark takes a third of the time.
pub const PERIOD: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(20);
/// Three windows.
pub const SCRAPE_CYCLES: u32 = 12;
/// Two windows.
const PROMETHEUS_CYCLES: u32 = 8;
/// After so many periods, a query for some of them finds samples all along.
const PROMETHEUS_WARM_UP: u32 = SCRAPE_CYCLES - PROMETHEUS_CYCLES;

/// A route as an argument of the process that is measured.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Route {
    /// The agents' pages.
    #[command(hide = true)]
    Scrape {
        /// Port of the agents.
        port: u16,
    },
    /// A Prometheus that has scraped them.
    #[command(hide = true)]
    Prometheus {
        /// Its address.
        url: String,
        /// Since when.
        since: Timestamp,
    },
}

/// What one cycle costs the process, on average after the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// CPU time in user and system mode.
    pub cpu_seconds: f64,
    /// From question to answer.
    pub wall_seconds: f64,
    /// Most resident memory of all cycles above what there was before the first.
    pub memory_mebibytes: f64,
    /// Samples that were wanted.
    pub samples: f64,
    /// Cycles that were asked for, the first included.
    pub cycles: u32,
}

/// A source that is asked again and again.
struct Run {
    source: Box<dyn EnergySource>,
    resident_before: f64,
    cpu_before: Duration,
    wall: Duration,
    samples: u64,
    cycles: u32,
    measured: BTreeSet<Arc<str>>,
}

impl Route {
    /// Starts this program again to measure a route, and waits for the result.
    ///
    /// # Errors
    /// When the route does not work.
    pub fn measure(&self) -> anyhow::Result<Cost> {
        let mut command = Command::new(env::current_exe().context("find this program")?);
        match self {
            Self::Scrape { port } => command.arg("scrape").arg(port.to_string()),
            Self::Prometheus { url, since } => command.args(["prometheus", url]).arg(since.to_string()),
        };
        let output = command.output().context("start the process of a route")?;
        ensure!(output.status.success(), "{self:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("read what a route costs")
    }

    /// What that process does: prints the [`Cost`].
    ///
    /// # Errors
    /// When the source does not answer, or not for every node.
    pub async fn run(&self) -> anyhow::Result<()> {
        let cost = match self {
            Self::Scrape { port } => scrape(*port).await,
            Self::Prometheus { url, since } => prometheus(url, *since).await,
        };
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&cost?)?)?;
        Ok(())
    }
}

async fn scrape(port: u16) -> anyhow::Result<Cost> {
    let client = api_server::client(&agents::pods(port)?);
    let mut run = Run::new(&json!({ "scrape": { "labelSelector": "app=kepler" } }), &client)?;
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..=SCRAPE_CYCLES {
        ticks.tick().await;
        run.cycle(Timestamp::now()).await?;
    }
    // What connections cost between the cycles is a cost, too.
    ticks.tick().await;
    run.cost()
}

/// Asks at instants of the past: the samples are there.
async fn prometheus(url: &str, since: Timestamp) -> anyhow::Result<Cost> {
    let source = json!({ "prometheus": { "http": { "url": url }, "scrapeInterval": text(PERIOD) } });
    let mut run = Run::new(&source, &api_server::client(&[]))?;
    for cycle in 0..=PROMETHEUS_CYCLES {
        run.cycle(since + PERIOD * (PROMETHEUS_WARM_UP + cycle)).await?;
    }
    run.cost()
}

impl Run {
    fn new(route: &Value, client: &kube::Client) -> anyhow::Result<Self> {
        let mut source = json!({ "name": "agents", "period": text(PERIOD) });
        if let (Some(source), Some(route)) = (source.as_object_mut(), route.as_object()) {
            source.extend(route.clone());
        }
        let config: EnergyConfig = serde_json::from_value(json!({ "window": text(WINDOW), "sources": [source] }))?;
        let directory = agents::directory()?;
        let resident_before = usage::resident_mebibytes()?;
        let source = energy::sources(&config, client, &directory)?.pop().context("no source")?;
        let (cpu_before, wall) = (Duration::ZERO, Duration::ZERO);
        Ok(Self { source, resident_before, cpu_before, wall, samples: 0, cycles: 0, measured: BTreeSet::new() })
    }

    /// The first one makes connections and is not counted.
    async fn cycle(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let started = Instant::now();
        let answer = self.source.poll(now).await?;
        let wall = started.elapsed();
        ensure!(answer.refused.is_empty(), "meters are refused: {:?}", answer.refused.first());
        if let Some(problem) = answer.partial {
            anyhow::bail!("cycle {} lacks nodes: {problem}", self.cycles);
        }
        self.measured.extend(answer.windows.iter().map(|window| Arc::clone(&window.node)));
        self.cycles += 1;
        if self.cycles == 1 {
            self.cpu_before = usage::cpu_time()?;
        } else {
            self.wall += wall;
            self.samples += answer.counts.parsed;
        }
        Ok(())
    }

    fn cost(self) -> anyhow::Result<Cost> {
        let measured = self.measured.len();
        ensure!(measured == NODES, "{measured} nodes of {NODES} have a window");
        let counted = f64::from(self.cycles.saturating_sub(1).max(1));
        let cpu = usage::cpu_time()?.saturating_sub(self.cpu_before);
        #[allow(clippy::cast_precision_loss)] // far below 2^53
        let samples = self.samples as f64;
        Ok(Cost {
            cpu_seconds: cpu.as_secs_f64() / counted,
            wall_seconds: self.wall.as_secs_f64() / counted,
            memory_mebibytes: usage::peak_resident_mebibytes()? - self.resident_before,
            samples: samples / counted,
            cycles: self.cycles,
        })
    }
}

fn text(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}
