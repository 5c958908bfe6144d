//! A real Prometheus as a local process.

mod access;
mod answer;
mod config;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub use self::access::{Access, Credentials, PASSWORD, Tls, TlsFiles, USER};
pub use self::answer::{Point, Rule, Series, TargetHealth};
pub use self::config::{Job, Target};
use crate::binaries::{self, BinariesError};
use crate::folder::{Folder, FolderError};
use crate::pki::PkiError;
use crate::ports::{PortError, free_address};
use crate::process::{Group, Process, ProcessError, Program};
use crate::wait::{Late, eventually};

const DEADLINE: Duration = Duration::from_mins(1);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONFIGURATION: &str = "prometheus.yaml";

/// Prometheus could not be started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrometheusError {
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Late(#[from] Late),
    #[error("make an HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("ask {path}")]
    Http { path: &'static str, source: reqwest::Error },
    #[error("{path} is refused ({status}): {message}")]
    Refused { path: &'static str, status: reqwest::StatusCode, message: String },
    #[error("understand the answer of {path}")]
    Answer { path: &'static str, source: serde_json::Error },
}

/// How Prometheus is started.
#[derive(Debug, Clone, Default)]
pub struct PrometheusOptions {
    pub jobs: Vec<Job>,
    /// Rule files, as `{"groups": [...]}`: recording rules and alerts. Each is evaluated as often as it says itself, by
    /// default every second.
    pub rules: Vec<Value>,
    /// Who may ask; by default everybody on this machine, over plain HTTP.
    pub access: Access,
    /// Further arguments, `--name=value`.
    pub arguments: Vec<String>,
}

/// A running Prometheus with an empty database, ended when dropped.
#[derive(Debug)]
pub struct Prometheus {
    // Fields are dropped in this order: the process first.
    process: Process,
    credentials: Credentials,
    rules: Vec<Value>,
    address: SocketAddr,
    folder: Folder,
    _group: Arc<Group>,
}

impl PrometheusOptions {
    #[must_use]
    pub fn job(mut self, job: Job) -> Self {
        self.jobs.push(job);
        self
    }

    #[must_use]
    pub fn rules(mut self, file: Value) -> Self {
        self.rules.push(file);
        self
    }

    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

impl Prometheus {
    /// Starts it and returns when it answers queries: half a second.
    pub async fn start(options: PrometheusOptions) -> Result<Self, PrometheusError> {
        let binary = binaries::find("prometheus")?;
        let folder = Folder::open("prometheus", None)?;
        let group = Group::new(folder.scratch())?;
        let PrometheusOptions { jobs, rules, access, arguments } = options;
        let credentials = Credentials::new(&access, &folder)?;
        config::write(&folder, CONFIGURATION, &jobs, &rules)?;
        let address = free_address()?;
        let program = Program::new("prometheus", binary)
            .file("config.file", &folder.path().join(CONFIGURATION))
            .file("storage.tsdb.path", &folder.path().join("data"))
            .file("web.config.file", credentials.file())
            .flag("web.listen-address", address)
            .argument("--web.enable-lifecycle");
        let program = arguments.into_iter().fold(program, Program::argument);
        let process = Process::start(program, &group, folder.path())?;
        let mut prometheus = Self { process, credentials, rules, address, folder, _group: group };
        prometheus.ready().await?;
        Ok(prometheus)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a client's configuration names it: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.credentials.scheme(), self.address)
    }

    /// Certificates, configuration, log and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a client needs.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The process, to freeze or look at it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it gracefully; the database stays.
    pub async fn stop(&mut self) -> Result<ExitStatus, PrometheusError> {
        Ok(self.process.stop().await?)
    }

    /// Ends it at once.
    pub fn kill(&mut self) -> Result<ExitStatus, PrometheusError> {
        Ok(self.process.kill()?)
    }

    /// Ends it, if it runs, and starts it again on the same port with the same database.
    pub async fn restart(&mut self) -> Result<(), PrometheusError> {
        self.process.restart().await?;
        self.ready().await
    }

    /// Replaces all scrape jobs; a target that stays goes on as before.
    pub async fn set_jobs(&self, jobs: &[Job]) -> Result<(), PrometheusError> {
        config::write(&self.folder, CONFIGURATION, jobs, &self.rules)?;
        let path = "/-/reload";
        let request = self.credentials.request(reqwest::Method::POST, &format!("{}{path}", self.url()));
        let answer = request.timeout(REQUEST_TIMEOUT).send().await;
        let answer = answer.map_err(|source| PrometheusError::Http { path, source })?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(PrometheusError::Refused { path, status, message: answer.text().await.unwrap_or_default() }),
        }
    }

    /// The value of an expression now: one point per series.
    pub async fn query(&self, expression: &str) -> Result<Vec<Series>, PrometheusError> {
        self.ask("/api/v1/query", &[("query", expression)], answer::series).await
    }

    /// The values of an expression at `from`, `from + step`, ... until `to`.
    pub async fn query_range(
        &self,
        expression: &str,
        from: Timestamp,
        to: Timestamp,
        step: Duration,
    ) -> Result<Vec<Series>, PrometheusError> {
        let (start, end, step) = (from.to_string(), to.to_string(), step.as_secs_f64().to_string());
        let parameters = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        self.ask("/api/v1/query_range", &parameters, answer::series).await
    }

    /// Asks until the series are as wanted.
    pub async fn wait_for(
        &self,
        expression: &str,
        wanted: impl Fn(&[Series]) -> bool,
    ) -> Result<Vec<Series>, PrometheusError> {
        let what = format!("the wanted answer to {expression}");
        let attempt = async || match self.query(expression).await {
            Ok(series) if wanted(&series) => Ok(series),
            Ok(series) => Err(format!("{series:?}")),
            Err(error) => Err(error.to_string()),
        };
        Ok(eventually(DEADLINE, what, attempt).await?)
    }

    /// What became of the last scrape of every target.
    pub async fn targets(&self) -> Result<Vec<TargetHealth>, PrometheusError> {
        self.ask("/api/v1/targets", &[("state", "active")], answer::targets).await
    }

    /// Every rule with what its last evaluation said.
    pub async fn rules(&self) -> Result<Vec<Rule>, PrometheusError> {
        self.ask("/api/v1/rules", &[], answer::rules).await
    }

    async fn ready(&mut self) -> Result<(), PrometheusError> {
        let url = format!("{}/-/ready", self.url());
        let credentials = self.credentials.clone();
        let probe = async || credentials.request(reqwest::Method::GET, &url).send().await?.error_for_status().map(drop);
        Ok(self.process.ready::<reqwest::Error, _>(DEADLINE, probe).await?)
    }

    async fn ask<T>(
        &self,
        path: &'static str,
        parameters: &[(&str, &str)],
        read: fn(&str) -> Result<Result<T, String>, serde_json::Error>,
    ) -> Result<T, PrometheusError> {
        let request =
            self.credentials.request(reqwest::Method::GET, &format!("{}{path}", self.url())).query(parameters);
        let failed = |source| PrometheusError::Http { path, source };
        let answer = request.timeout(REQUEST_TIMEOUT).send().await.map_err(failed)?;
        let status = answer.status();
        let text = answer.text().await.map_err(failed)?;
        if status == reqwest::StatusCode::UNAUTHORIZED {
            return Err(PrometheusError::Refused { path, status, message: text });
        }
        read(&text)
            .map_err(|source| PrometheusError::Answer { path, source })?
            .map_err(|message| PrometheusError::Refused { path, status, message })
    }
}
