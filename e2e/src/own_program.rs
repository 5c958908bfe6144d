//! A program of ours under test as a process of its own, as it is shipped: a configuration file, a kubeconfig, ports that
//! nobody else has, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::control_plane::{ControlPlane, ControlPlaneError, loopback_client};
use crate::metrics_text;
use crate::ports::{PortError, free_address};
use crate::process::{Group, Process, ProcessError, Program};

/// Stands in a configuration text for the address that answers probes, metrics and whatever is plain HTTP.
pub const ADDRESS: &str = "{address}";

const DEADLINE: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The program could not be started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnProgramError {
    #[error("{path} is not there: run `make release` or name the binary in {variable}")]
    NoBinary { path: PathBuf, variable: &'static str },
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

/// How a program is started.
#[derive(Debug, Clone)]
pub struct OwnProgramOptions {
    /// Names the log and the configuration file; unlike for two programs of one control plane.
    pub name: String,
    pub binary: PathBuf,
    pub kubeconfig: PathBuf,
    /// The configuration file's text; every [`ADDRESS`] in it becomes `127.0.0.1:PORT`, every other of the `places` one
    /// with a port of its own.
    pub config: String,
    /// What stands in the text for further addresses.
    pub places: &'static [&'static str],
    /// Further arguments.
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Where [`ADDRESS`] serves TLS: a client that trusts it and shows a certificate if one is asked for.
    pub https: Option<reqwest::Client>,
}

/// A running program, ended when dropped.
#[derive(Debug)]
pub struct OwnProgram {
    process: Process,
    addresses: Vec<(&'static str, SocketAddr)>,
    config: PathBuf,
    http: reqwest::Client,
    scheme: &'static str,
}

impl OwnProgramOptions {
    /// A program with all rights in the cluster.
    pub fn new(name: &str, binary: impl Into<PathBuf>, plane: &ControlPlane, config: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            binary: binary.into(),
            kubeconfig: plane.kubeconfig_path().to_owned(),
            config: config.into(),
            places: &[],
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

impl OwnProgram {
    /// Starts it among the processes of a control plane and waits until it is ready.
    pub async fn start(plane: &ControlPlane, options: OwnProgramOptions) -> Result<Self, OwnProgramError> {
        let mut program = Self::spawn(plane.group(), plane.folder(), options)?;
        program.wait_ready().await?;
        Ok(program)
    }

    /// Starts it without waiting.
    pub fn spawn(group: &Arc<Group>, folder: &Path, options: OwnProgramOptions) -> Result<Self, OwnProgramError> {
        let OwnProgramOptions { name, binary, kubeconfig, config, places, arguments, environment, https } = options;
        let mut addresses = vec![(ADDRESS, free_address()?)];
        for &place in places {
            addresses.push((place, free_address()?));
        }
        let path = folder.join(format!("{name}.yaml"));
        write(&path, &filled(&config, &addresses))?;
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
        Ok(Self { process, addresses, config: path, http, scheme })
    }

    /// Waits until `/readyz` answers 200.
    pub async fn wait_ready(&mut self) -> Result<(), OwnProgramError> {
        let (http, url) = (self.http.clone(), self.url("/readyz"));
        let probe = async || {
            let answer = http.get(&url).send().await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let text = answer.text().await.unwrap_or_default();
            if status.is_success() { Ok(()) } else { Err(format!("{status}: {text}")) }
        };
        Ok(self.process.ready(DEADLINE, probe).await?)
    }

    /// Where it answers probes.
    pub fn address(&self) -> SocketAddr {
        self.address_of(ADDRESS)
    }

    /// What stands in its configuration in the place of one of its addresses. A place that there is none of is that of the
    /// probes.
    pub fn address_of(&self, place: &str) -> SocketAddr {
        let found = self.addresses.iter().find(|(own, _)| *own == place).or(self.addresses.first());
        found.map_or(SocketAddr::from(([127, 0, 0, 1], 0)), |(_, address)| *address)
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address())
    }

    /// The process: suspend, resume, log.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Freezes it: connections are accepted by the kernel, nobody answers.
    pub fn suspend(&self) -> Result<(), OwnProgramError> {
        Ok(self.process.suspend()?)
    }

    pub fn resume(&self) -> Result<(), OwnProgramError> {
        Ok(self.process.resume()?)
    }

    pub fn kill(&mut self) -> Result<ExitStatus, OwnProgramError> {
        Ok(self.process.kill()?)
    }

    /// Ends it gracefully and starts it again on the same ports, with the configuration file as it lies there.
    pub async fn restart(&mut self) -> Result<(), OwnProgramError> {
        self.process.restart().await?;
        self.wait_ready().await
    }

    /// Replaces the configuration file; it is read at the next start.
    pub fn write_config(&self, text: &str) -> Result<(), OwnProgramError> {
        write(&self.config, &filled(text, &self.addresses))
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// GET that must succeed.
    pub async fn get_text(&self, path: &str) -> Result<String, OwnProgramError> {
        self.fetch(path, self.http.get(self.url(path))).await
    }

    pub async fn get_json(&self, path: &str) -> Result<Value, OwnProgramError> {
        let url = self.url(path);
        let answer =
            async { self.http.get(&url).timeout(REQUEST_TIMEOUT).send().await?.error_for_status()?.json().await };
        answer.await.map_err(|source| OwnProgramError::Http { url, source })
    }

    /// POST of a JSON body that must succeed; the answer's bytes as text.
    pub async fn post(&self, path: &str, body: &Value) -> Result<String, OwnProgramError> {
        self.fetch(path, self.http.post(self.url(path)).json(body)).await
    }

    /// Sum of all series of a metric with these labels; see [`metrics_text::value`].
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<Option<f64>, OwnProgramError> {
        Ok(metrics_text::value(&self.get_text("/metrics").await?, name, labels))
    }

    async fn fetch(&self, path: &str, request: reqwest::RequestBuilder) -> Result<String, OwnProgramError> {
        let answer = async { request.timeout(REQUEST_TIMEOUT).send().await?.error_for_status()?.text().await };
        answer.await.map_err(|source| OwnProgramError::Http { url: self.url(path), source })
    }
}

/// A program as it is shipped: the binary that the variable names, else the release build beside the running program.
pub(crate) fn shipped(name: &str, variable: &'static str) -> Result<PathBuf, OwnProgramError> {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => target_folder().join("release").join(name),
    };
    if path.is_file() { Ok(path) } else { Err(OwnProgramError::NoBinary { path, variable }) }
}

/// Tests run as `target/debug/deps/NAME`, programs as `target/PROFILE/NAME`.
fn target_folder() -> PathBuf {
    let current = std::env::current_exe().unwrap_or_default();
    let profile = current.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    profile.and_then(Path::parent).unwrap_or(Path::new("target")).to_owned()
}

fn filled(text: &str, addresses: &[(&str, SocketAddr)]) -> String {
    addresses.iter().fold(text.to_owned(), |text, (place, address)| text.replace(place, &address.to_string()))
}

fn write(path: &Path, text: &str) -> Result<(), OwnProgramError> {
    std::fs::write(path, text).map_err(|source| OwnProgramError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_gets_its_own_address() {
        let addresses = [(ADDRESS, SocketAddr::from(([127, 0, 0, 1], 1))), ("{api}", ([127, 0, 0, 1], 2).into())];
        let text = filled("server: {address}\napi: {api}\nagain: {address}\nkept: {other}\n", &addresses);
        assert_eq!(text, "server: 127.0.0.1:1\napi: 127.0.0.1:2\nagain: 127.0.0.1:1\nkept: {other}\n");
    }
}
