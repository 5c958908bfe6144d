//! The adapters that are compared: ours as it is shipped, and those of others, all with the same rights.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use jiff::Timestamp;
use kube_sci_e2e::{
    adapter_process::{self, AdapterProcess},
    aggregation::HostService,
    pki::{KeyPairFiles, Subject},
    ports::free_address,
    process::{Process, Program},
};
use tokio::time::{interval, timeout};

use super::{
    objects::{self, ADJUSTED_LOAD, LOAD},
    peers,
    stage::{NAMESPACE, Stage},
};

/// The name of ours in the table, and of its Service.
pub const OURS: &str = "kube-sci-metrics-adapter";
/// What the peer built on the library says.
const CONSTANT: u32 = 321;

/// A running adapter; ends when dropped.
#[derive(Debug)]
pub struct Server {
    /// Which one.
    pub name: &'static str,
    /// What the API server is told to ask.
    pub service: HostService,
    /// Where it serves.
    pub address: SocketAddr,
    /// What it says of every policy: no two say the same.
    pub value: u32,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Ours(Box<AdapterProcess>),
    Peer(Process),
}

impl Server {
    /// All three, ours first.
    ///
    /// # Errors
    /// Where one of them does not start.
    pub async fn all(stage: &Stage) -> anyhow::Result<[Self; 3]> {
        Ok([Self::ours(stage).await?, Self::prometheus_adapter(stage)?, Self::constant_adapter(stage)?])
    }

    async fn ours(stage: &Stage) -> anyhow::Result<Self> {
        let KeyPairFiles { certificate, key } = certificate(stage, OURS)?;
        let options = adapter_process::options(adapter_process::shipped_binary()?, &stage.plane);
        let grid = stage.plane.folder().join("grid.csv");
        std::fs::write(&grid, objects::grid_file(Timestamp::now()))
            .with_context(|| format!("write {}", grid.display()))?;
        let config = format!(
            "  certificate: {{ files: {{ certFile: '{}', keyFile: '{}' }} }}\n  externalMetrics: false\n\
             loads: {{ prometheus: {{ default: {{ url: '{}' }} }} }}\n\
             grid: {{ files: [{{ path: '{}' }}] }}\n",
            certificate.display(),
            key.display(),
            stage.prometheus.url(),
            grid.display()
        );
        let process = AdapterProcess::start(&stage.plane, options.config_lines(&config)).await?;
        let address = process.api_address();
        Ok(Self::new(OURS, address, ADJUSTED_LOAD, Running::Ours(Box::new(process))))
    }

    fn prometheus_adapter(stage: &Stage) -> anyhow::Result<Self> {
        let config = stage.plane.folder().join("prometheus-adapter-rules.yaml");
        // JSON is YAML.
        std::fs::write(&config, objects::prometheus_adapter_config().to_string())
            .with_context(|| format!("write {}", config.display()))?;
        Self::peer(stage, peers::PROMETHEUS_ADAPTER, LOAD, |program| {
            program.flag("prometheus-url", stage.prometheus.url()).file("config", &config)
        })
    }

    fn constant_adapter(stage: &Stage) -> anyhow::Result<Self> {
        Self::peer(stage, peers::CONSTANT_ADAPTER, CONSTANT, |program| program)
    }

    fn peer(
        stage: &Stage,
        name: &'static str,
        value: u32,
        own: impl FnOnce(Program) -> Program,
    ) -> anyhow::Result<Self> {
        let (address, kubeconfig) = (free_address()?, stage.plane.kubeconfig_path());
        let KeyPairFiles { certificate, key } = certificate(stage, name)?;
        let program = Program::new(name, peers::find(name)?)
            .flag("bind-address", address.ip())
            .flag("secure-port", address.port())
            .file("tls-cert-file", &certificate)
            .file("tls-private-key-file", &key)
            .file("authentication-kubeconfig", kubeconfig)
            .file("authorization-kubeconfig", kubeconfig)
            .file("lister-kubeconfig", kubeconfig);
        let process = Process::start(own(program), stage.plane.group(), stage.plane.folder())?;
        Ok(Self::new(name, address, value, Running::Peer(process)))
    }

    fn new(name: &'static str, address: SocketAddr, value: u32, running: Running) -> Self {
        Self { name, service: HostService::new(NAMESPACE, name, address), address, value, running }
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        match &mut self.running {
            Running::Ours(process) => process.process(),
            Running::Peer(process) => process,
        }
    }

    /// What it asked Prometheus of its own accord so far. Peers only ask when they are asked.
    ///
    /// # Errors
    /// Where it does not say it.
    pub async fn own_queries(&self) -> anyhow::Result<f64> {
        match &self.running {
            Running::Ours(process) => Ok(process.metric(OWN_QUERIES, &[]).await?.unwrap_or_default()),
            Running::Peer(_) => Ok(0.0),
        }
    }

    /// Waits until it only does what it always does: a new one of ours first writes the status of every policy.
    ///
    /// # Errors
    /// Where that takes longer than three minutes.
    pub async fn wait_settled(&self) -> anyhow::Result<()> {
        let Running::Ours(process) = &self.running else { return Ok(()) };
        let settled = async {
            let (mut looks, mut before) = (interval(LOOK), f64::NEG_INFINITY);
            loop {
                looks.tick().await;
                let written = process.metric(STATUSES, &[("outcome", "written")]).await?.unwrap_or_default();
                if written - before <= STATUSES_AT_REST {
                    return anyhow::Ok(());
                }
                before = written;
            }
        };
        timeout(SETTLED_WITHIN, settled).await.context("statuses are still written")?
    }
}

/// Statuses of policies that the adapter wrote.
const STATUSES: &str = "kube_sci_adapter_policy_statuses_total";
const LOOK: Duration = Duration::from_secs(2);
/// In one [`LOOK`]: twice what is written where only numbers move.
const STATUSES_AT_REST: f64 = 16.0;
const SETTLED_WITHIN: Duration = Duration::from_mins(3);
/// Counts what the adapter asked of the sources of loads.
const OWN_QUERIES: &str = "kube_sci_load_polls_total";

fn certificate(stage: &Stage, name: &str) -> anyhow::Result<KeyPairFiles> {
    let service = HostService::new(NAMESPACE, name, SocketAddr::from(([127, 0, 0, 1], 0)));
    Ok(stage.authority.issue(stage.plane.folder(), name, &Subject::server(name, &[&service.server_name()]))?)
}
