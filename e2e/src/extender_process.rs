//! The extender under test as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::control_plane::{ControlPlane, ControlPlaneError, ExtenderEntry, loopback_client};
use crate::metrics_text;
use crate::ports::{PortError, free_address};
use crate::process::{Group, Process, ProcessError, Program};

/// Stands in a configuration text for the address that the extender is to listen on.
pub const ADDRESS: &str = "{address}";
/// Path of the extender's binary, where it is not `target/release/kube-sci-extender`.
pub const BINARY_VARIABLE: &str = "KUBE_SCI_EXTENDER_BIN";

const BINARY: &str = "kube-sci-extender";
const DEADLINE: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The extender could not be started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtenderProcessError {
    #[error("{path} is not there: run `make release` or name the binary in {BINARY_VARIABLE}")]
    NoBinary { path: PathBuf },
    #[error(transparent)]
    Client(#[from] ControlPlaneError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("write {path}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("ask {url}")]
    Http { url: String, source: reqwest::Error },
}

/// How an extender is started.
#[derive(Debug, Clone)]
pub struct ExtenderOptions {
    /// Names the log and the configuration file; unlike for two extenders of one control plane.
    pub name: String,
    pub binary: PathBuf,
    pub kubeconfig: PathBuf,
    /// The configuration file's text; every [`ADDRESS`] in it becomes `127.0.0.1:PORT`.
    pub config: String,
    /// Further arguments.
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Where the extender serves TLS: a client that trusts it and shows a certificate if one is asked for.
    pub https: Option<reqwest::Client>,
}

/// A running extender, ended when dropped.
#[derive(Debug)]
pub struct ExtenderProcess {
    process: Process,
    address: SocketAddr,
    config: PathBuf,
    http: reqwest::Client,
    scheme: &'static str,
}

impl ExtenderOptions {
    /// Plain HTTP on a loopback port, all else by default, with all rights in the cluster.
    pub fn new(binary: impl Into<PathBuf>, plane: &ControlPlane) -> Self {
        Self {
            name: "extender".to_owned(),
            binary: binary.into(),
            kubeconfig: plane.kubeconfig_path().to_owned(),
            config: format!("server:\n  address: {ADDRESS}\n"),
            arguments: Vec::new(),
            environment: Vec::new(),
            https: None,
        }
    }

    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    #[must_use]
    pub fn kubeconfig(mut self, kubeconfig: PathBuf) -> Self {
        self.kubeconfig = kubeconfig;
        self
    }

    /// Replaces the whole configuration text; it has to place [`ADDRESS`].
    #[must_use]
    pub fn config(mut self, text: impl Into<String>) -> Self {
        self.config = text.into();
        self
    }

    /// Appends top-level keys to the configuration text.
    #[must_use]
    pub fn config_lines(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self.config.push('\n');
        self
    }

    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn https(mut self, client: reqwest::Client) -> Self {
        self.https = Some(client);
        self
    }
}

impl ExtenderProcess {
    /// Starts it among the processes of a control plane and waits until it is ready.
    pub async fn start(plane: &ControlPlane, options: ExtenderOptions) -> Result<Self, ExtenderProcessError> {
        let mut extender = Self::spawn(plane.group(), plane.folder(), options)?;
        extender.wait_ready().await?;
        Ok(extender)
    }

    /// Starts it without waiting.
    pub fn spawn(group: &Arc<Group>, folder: &Path, options: ExtenderOptions) -> Result<Self, ExtenderProcessError> {
        let ExtenderOptions { name, binary, kubeconfig, config, arguments, environment, https } = options;
        let address = free_address()?;
        let path = folder.join(format!("{name}.yaml"));
        write(&path, &config.replace(ADDRESS, &address.to_string()))?;
        let program = Program {
            name,
            path: binary,
            arguments: [format!("--config={}", path.display()), format!("--kubeconfig={}", kubeconfig.display())]
                .into_iter()
                .chain(arguments)
                .collect(),
            environment,
        };
        let process = Process::start(program, group, folder)?;
        let (http, scheme) = match https {
            Some(client) => (client, "https"),
            None => (loopback_client()?, "http"),
        };
        Ok(Self { process, address, config: path, http, scheme })
    }

    /// Waits until `/readyz` answers 200.
    pub async fn wait_ready(&mut self) -> Result<(), ExtenderProcessError> {
        let (http, url) = (self.http.clone(), self.url("/readyz"));
        let probe = async || {
            let answer = http.get(&url).send().await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let text = answer.text().await.unwrap_or_default();
            if status.is_success() { Ok(()) } else { Err(format!("{status}: {text}")) }
        };
        Ok(self.process.ready(DEADLINE, probe).await?)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// What a scheduler's configuration calls `urlPrefix`.
    pub fn url_prefix(&self) -> String {
        self.url("/v1")
    }

    /// A scheduler's entry for it: prioritize only, weight 100.
    pub fn entry(&self) -> ExtenderEntry {
        ExtenderEntry::prioritize(self.url_prefix())
    }

    /// The process: suspend, resume, log.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Freezes it: connections are accepted by the kernel, nobody answers.
    pub fn suspend(&self) -> Result<(), ExtenderProcessError> {
        Ok(self.process.suspend()?)
    }

    pub fn resume(&self) -> Result<(), ExtenderProcessError> {
        Ok(self.process.resume()?)
    }

    pub fn kill(&mut self) -> Result<ExitStatus, ExtenderProcessError> {
        Ok(self.process.kill()?)
    }

    /// Ends it gracefully and starts it again on the same port, with the configuration file as it lies there.
    pub async fn restart(&mut self) -> Result<(), ExtenderProcessError> {
        self.process.restart().await?;
        self.wait_ready().await
    }

    /// Replaces the configuration file; it is read at the next start.
    pub fn write_config(&self, text: &str) -> Result<(), ExtenderProcessError> {
        write(&self.config, &text.replace(ADDRESS, &self.address.to_string()))
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// GET that must succeed.
    pub async fn get_text(&self, path: &str) -> Result<String, ExtenderProcessError> {
        self.fetch(self.http.get(self.url(path))).await
    }

    pub async fn get_json(&self, path: &str) -> Result<Value, ExtenderProcessError> {
        let url = self.url(path);
        let answer =
            async { self.http.get(&url).timeout(REQUEST_TIMEOUT).send().await?.error_for_status()?.json().await };
        answer.await.map_err(|source| ExtenderProcessError::Http { url, source })
    }

    /// POST of a JSON body that must succeed; the answer's bytes as text.
    pub async fn post(&self, path: &str, body: &Value) -> Result<String, ExtenderProcessError> {
        self.fetch(self.http.post(self.url(path)).json(body)).await
    }

    /// Sum of all series of a metric with these labels; see [`metrics_text::value`].
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<Option<f64>, ExtenderProcessError> {
        Ok(metrics_text::value(&self.get_text("/metrics").await?, name, labels))
    }

    async fn fetch(&self, request: reqwest::RequestBuilder) -> Result<String, ExtenderProcessError> {
        let answer = async { request.timeout(REQUEST_TIMEOUT).send().await?.error_for_status()?.text().await };
        answer.await.map_err(|source| ExtenderProcessError::Http { url: self.url(""), source })
    }
}

/// The extender as it is shipped: `KUBE_SCI_EXTENDER_BIN`, else the release build beside the running program.
pub fn shipped_binary() -> Result<PathBuf, ExtenderProcessError> {
    let path = match std::env::var_os(BINARY_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => target_folder().join("release").join(BINARY),
    };
    if path.is_file() { Ok(path) } else { Err(ExtenderProcessError::NoBinary { path }) }
}

/// Tests run as `target/debug/deps/NAME`, programs as `target/PROFILE/NAME`.
fn target_folder() -> PathBuf {
    let current = std::env::current_exe().unwrap_or_default();
    let profile = current.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    profile.and_then(Path::parent).unwrap_or(Path::new("target")).to_owned()
}

fn write(path: &Path, text: &str) -> Result<(), ExtenderProcessError> {
    std::fs::write(path, text).map_err(|source| ExtenderProcessError::Write { path: path.to_owned(), source })
}
