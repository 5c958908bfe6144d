//! What scenarios with measured energy share: nodes whose joules are known, agents that tell of them, and questions to
//! `GET /v1/quality`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use kube_sci_e2e::extender_process::ExtenderProcess;
use kube_sci_e2e::prometheus::{Job, Prometheus, PrometheusOptions, Target};
use kube_sci_e2e::simulation::{
    Agent, AgentServer, AlumetPusher, Fault, HardwareClass, Kepler, LiveNode, PowerCurve, Program, SimulatedNode,
    SimulationClock,
};
use kube_sci_e2e::wait::eventually;
use serde_json::Value;

use super::stage::{HARDWARE_CLASS, SOON, Stage};

/// Time that the simulated machines have run before: their counters are far from zero.
const PASSED: Duration = Duration::from_hours(10);
const THREADS: u32 = 64;
/// All nodes by their table: 68 W idle, 254 W at full load.
const TABLE: &str = "
nodes:
  defaultPue: 1
  hardwareClasses:
    rack: { idleWatts: 68, fullWatts: 254, embodiedKilograms: 500 }
";
/// A measurement that old is not used any more: three windows.
pub const STALE_AFTER: Duration = Duration::from_secs(6);

/// A stage with metered nodes, all of one class and one grid zone.
pub struct MeteredStage {
    pub stage: Stage<'static>,
    server: AgentServer,
    pages: SocketAddr,
    nodes: Vec<(Arc<LiveNode>, &'static str)>,
}

impl MeteredStage {
    /// Nodes by their short names, with the agent on each and how many times its table it draws.
    pub async fn new(name: &'static str, nodes: Vec<(&'static str, Program, f64)>) -> Result<Self> {
        let stage = Stage::shared(name).await?;
        let server = AgentServer::new(SimulationClock::real_time(PASSED));
        let pages = server.listen().await?;
        let builders = nodes.iter().map(|(short, ..)| {
            stage.node_in(short, name).annotation(HARDWARE_CLASS, "rack").capacity(&THREADS.to_string(), "256Gi")
        });
        stage.world.create_nodes(builders).await?;
        let mut live = Vec::new();
        for (short, program, times) in nodes {
            let node = Arc::new(SimulatedNode::new(&stage.full(short), class(times)).start());
            let slug = program.slug();
            server.add(Agent::new(Arc::clone(&node), program));
            live.push((node, slug));
        }
        Ok(Self { stage, server, pages, nodes: live })
    }

    /// Kepler on nodes that draw what their table says.
    pub async fn honest<const N: usize>(name: &'static str, nodes: [&'static str; N]) -> Result<Self> {
        Self::new(name, nodes.map(|short| (short, kepler(), 1.0)).to_vec()).await
    }

    /// Where the pages of all agents are.
    pub fn pages(&self) -> SocketAddr {
        self.pages
    }

    /// Path of a node's page there.
    pub fn path(&self, short: &str) -> String {
        let full = self.stage.full(short);
        let slug = self.nodes.iter().find(|(node, _)| node.name() == full).map_or("", |(_, slug)| slug);
        AgentServer::path(&full, slug)
    }

    /// A Prometheus that scrapes every agent each second.
    pub async fn prometheus(&self) -> Result<Prometheus> {
        Ok(Prometheus::start(PrometheusOptions::default().job(self.job())).await?)
    }

    /// What [`Self::prometheus`] scrapes.
    pub fn job(&self) -> Job {
        let target = |(node, slug): &(Arc<LiveNode>, &str)| {
            Target::new(self.pages).path(&AgentServer::path(node.name(), slug)).label("instance", node.name())
        };
        Job::new("agents", self.nodes.iter().map(target))
    }

    /// The extender's configuration with one source of energy named `meters` on this route, of Kepler.
    pub fn config(&self, route: &str) -> Result<String> {
        self.config_of("kepler", Duration::from_secs(2), route)
    }

    /// The same with other exporters, separated by commas, and windows of this length.
    pub fn config_of(&self, exporters: &str, window: Duration, route: &str) -> Result<String> {
        let (grid, seconds) = (self.stage.grid(&[(self.stage.name(), 400.0)])?, window.as_secs());
        Ok(format!(
            "{}{TABLE}energy:\n  window: {seconds}s\n  staleAfter: {seconds}s\n  sources:\n  - name: meters\n    \
             exporters: [{exporters}]\n    period: 1s\n{route}",
            grid.config()
        ))
    }

    /// The agents' points pushed to this address each second.
    pub fn push_to(&self, address: SocketAddr) -> Result<AlumetPusher> {
        let agents = Arc::clone(self.server.agents());
        Ok(AlumetPusher::start(agents, &format!("http://{address}"), Duration::from_secs(1))?)
    }

    /// The agent of a node stops for good.
    pub fn end_agent(&self, short: &str) -> Result<()> {
        let dead = Fault::AgentDead { from: Duration::ZERO };
        let found = self.server.agents().with(&self.stage.full(short), "kepler", |agent| agent.add_fault(dead));
        found.with_context(|| format!("no agent on {short}"))
    }

    /// What a node draws now.
    pub fn watts(&self, short: &str) -> Result<f64> {
        let full = self.stage.full(short);
        let found = self.nodes.iter().find(|(node, _)| node.name() == full);
        let (node, _) = found.with_context(|| format!("no node {short}"))?;
        Ok(node.watts(self.server.agents().clock().elapsed()))
    }

    /// Waits until a node is measured; what `/v1/quality` says of it.
    pub async fn wait_measured(&self, extender: &ExtenderProcess, short: &str) -> Result<Value> {
        self.wait_quality(extender, short, "measured").await
    }

    /// Waits until a node's power is of this quality; what `/v1/quality` says of it.
    pub async fn wait_quality(&self, extender: &ExtenderProcess, short: &str, quality: &str) -> Result<Value> {
        let name = self.stage.full(short);
        wait_for(extender, &format!("{name} {quality}"), |report| {
            let node = entry(report, "nodes", "node", &name);
            let found = node.pointer("/power/quality").is_some_and(|found| found == quality);
            found.then(|| node.clone())
        })
        .await
    }

    /// Waits until the source of energy is in this state; what `/v1/quality` says of it.
    pub async fn wait_source(&self, extender: &ExtenderProcess, state: &str) -> Result<Value> {
        let found = wait_for(extender, &format!("the source {state}"), |report| {
            let source = entry(report, "energySources", "name", "meters");
            (source["state"] == state).then(|| source.clone())
        })
        .await?;
        wait_metric(extender, "kube_sci_energy_source_up", &[("source", "meters"), ("state", state)], 1.0).await?;
        Ok(found)
    }
}

/// Kepler 0.11 that measures each second.
pub fn kepler() -> Program {
    Program::Kepler(Kepler { interval: Duration::from_secs(1), ..Kepler::default() })
}

/// The route to a Prometheus, or to what looks like one.
pub fn through(url: &str) -> String {
    route_over(&format!("url: \"{url}\""), Duration::from_secs(1))
}

/// The route to a Prometheus by what else is needed to reach it, and by how often it scrapes.
pub fn route_over(http: &str, scrape_interval: Duration) -> String {
    let seconds = scrape_interval.as_secs();
    format!("    prometheus:\n      http: {{ {http}, timeout: 2s }}\n      scrapeInterval: {seconds}s\n")
}

/// Waits until `/v1/quality` holds what is looked for.
pub async fn wait_for<T>(extender: &ExtenderProcess, what: &str, look: impl Fn(&Value) -> Option<T>) -> Result<T> {
    let found = eventually(SOON, what, async || {
        let report = extender.get_json("/v1/quality").await.map_err(|error| error.to_string())?;
        look(&report).ok_or_else(|| report.to_string())
    });
    Ok(found.await?)
}

/// Waits until a metric of the extender has this value.
pub async fn wait_metric(extender: &ExtenderProcess, name: &str, labels: &[(&str, &str)], value: f64) -> Result<()> {
    let found = eventually(SOON, format!("{name}{labels:?} {value}"), async || {
        let seen = extender.metric(name, labels).await.map_err(|error| error.to_string())?;
        if seen.is_some_and(|seen| (seen - value).abs() < 1e-9) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    Ok(found.await?)
}

/// The entry of a list in `/v1/quality` that goes by this name; null where there is none.
pub fn entry<'r>(report: &'r Value, list: &str, key: &str, name: &str) -> &'r Value {
    let mut entries = report[list].as_array().into_iter().flatten();
    entries.find(|entry| entry[key] == name).unwrap_or(&Value::Null)
}

/// Draws so many times what the table says.
fn class(times: f64) -> HardwareClass {
    let line = |idle: f64, full: f64| PowerCurve::line(idle * times, full * times);
    HardwareClass::new("rack", THREADS, 1, line(60.0, 230.0), line(8.0, 24.0))
}
