//! A real Scaphandre as a local process, on simulated hardware.

mod machine;
mod powercap;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

pub use self::powercap::{Powercap, PowercapError, Zone};
use crate::binaries::{self, BinariesError};
use crate::folder::{Folder, FolderError};
use crate::pki::install_crypto_provider;
use crate::ports::{PortError, free_address};
use crate::process::{Group, Process, ProcessError, Program};

/// Scaphandre reads its counters anew only for a question that comes more than this after the one before, whoever asked.
/// Asked more often, it shows the same values for ever.
pub const REFRESH: Duration = Duration::from_secs(2);
/// How Prometheus 3 has to read the page (`fallback_scrape_protocol`): it comes without a content type.
pub const PROTOCOL: &str = "PrometheusText0.0.4";

const DEADLINE: Duration = Duration::from_mins(1);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Scaphandre could not be started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScaphandreError {
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Powercap(#[from] PowercapError),
    #[error("Scaphandre needs `physical id` in /proc/cpuinfo, which processors of this machine do not have")]
    NoSockets,
    #[error("compile the stand-in for /proc/modules: install a C compiler as `cc` ({reason})")]
    StandIn { reason: String },
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("make an HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("read {url}")]
    Http { url: String, source: reqwest::Error },
}

/// A running Scaphandre, ended when dropped, and the counters it reads.
///
/// Of the machine's processes it sees itself alone: what else runs here is nobody's business and would make the page of
/// every run another one.
#[derive(Debug)]
pub struct Scaphandre {
    // Fields are dropped in this order: the process first.
    process: Process,
    powercap: Powercap,
    address: SocketAddr,
    http: reqwest::Client,
    folder: Folder,
    _group: Arc<Group>,
}

impl Scaphandre {
    /// Starts it on hardware with these counters, which run from now on.
    pub async fn start(zones: impl IntoIterator<Item = Zone>) -> Result<Self, ScaphandreError> {
        install_crypto_provider();
        let binary = binaries::find("scaphandre")?;
        let folder = Folder::open("scaphandre", None)?;
        let group = Group::new(folder.scratch())?;
        let stand_in = machine::StandIn::prepare(&folder)?;
        let powercap = Powercap::start(&folder.path().join("powercap"), zones)?;
        let address = free_address()?;
        let program = Program::new("scaphandre", binary)
            .argument("--vm")
            .argument("--no-header")
            .argument("prometheus")
            .flag("address", address.ip())
            .flag("port", address.port())
            .environment("SCAPHANDRE_POWERCAP_PATH", powercap.folder().display().to_string());
        let process = Process::start(stand_in.apply(program), &group, folder.path())?;
        let http = reqwest::Client::builder().no_proxy().build().map_err(ScaphandreError::Client)?;
        let mut scaphandre = Self { process, powercap, address, http, folder, _group: group };
        scaphandre.ready().await?;
        Ok(scaphandre)
    }

    /// What its counters read.
    pub fn powercap(&self) -> &Powercap {
        &self.powercap
    }

    /// Where its page is, at `/metrics`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counters and log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process, to freeze or look at it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it at once; the counters run on.
    pub fn kill(&mut self) -> Result<ExitStatus, ScaphandreError> {
        Ok(self.process.kill()?)
    }

    /// Ends it, if it runs, and starts it again on the same port and counters.
    pub async fn restart(&mut self) -> Result<(), ScaphandreError> {
        self.process.restart().await?;
        self.ready().await
    }

    /// The page, with new values if nobody asked for it within [`REFRESH`].
    pub async fn page(&self) -> Result<String, ScaphandreError> {
        self.get("/metrics").await
    }

    /// Its start page answers without touching the counters.
    async fn ready(&mut self) -> Result<(), ScaphandreError> {
        let (http, url) = (self.http.clone(), format!("http://{}/", self.address));
        let probe = async || http.get(&url).send().await?.error_for_status().map(drop);
        Ok(self.process.ready::<reqwest::Error, _>(DEADLINE, probe).await?)
    }

    async fn get(&self, path: &str) -> Result<String, ScaphandreError> {
        let url = format!("http://{}{path}", self.address);
        let answer =
            async { self.http.get(&url).timeout(REQUEST_TIMEOUT).send().await?.error_for_status()?.text().await };
        answer.await.map_err(|source| ScaphandreError::Http { url, source })
    }
}
