//! A control plane that stays in the background, for use by hand.

use std::fs::{self, File, TryLockError};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::wait::{Late, eventually};

/// Where the state lies when nothing else is said.
pub const FOLDER: &str = ".local-cluster";
/// What the supervisor prints when the cluster can be used.
const READY: &str = "ready";
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// The background cluster could not be started, found or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalClusterError {
    #[error("use the folder {path}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("a cluster runs from {path} already: end it with `control-plane down`")]
    Running { path: PathBuf },
    #[error("no cluster runs from {path}: start one with `control-plane up`")]
    NotRunning { path: PathBuf },
    #[error("start the supervisor")]
    Supervisor(#[source] std::io::Error),
    #[error("the cluster did not start; {log} says:\n{text}")]
    Failed { log: PathBuf, text: String },
    #[error("end the supervisor, process {pid}")]
    Signal { pid: i32, source: nix::Error },
    #[error(transparent)]
    Late(#[from] Late),
}

/// What is written down about a running cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// The supervisor's process.
    pub pid: i32,
    pub kubeconfig: PathBuf,
    /// URL of the API server.
    pub server: String,
    /// URL of the extender, if one was asked for.
    #[serde(default)]
    pub extender: Option<String>,
    /// Name and process of each component.
    pub processes: Vec<(String, u32)>,
}

/// The folder of one background cluster.
#[derive(Debug, Clone)]
pub struct LocalCluster {
    folder: PathBuf,
}

/// Held by the supervisor as long as it lives.
#[derive(Debug)]
pub struct Claim {
    cluster: LocalCluster,
    _lock: File,
}

impl LocalCluster {
    /// Takes a folder, made if it is missing.
    pub fn open(folder: &Path) -> Result<Self, LocalClusterError> {
        let failed = |source| LocalClusterError::Folder { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        Ok(Self { folder: folder.canonicalize().map_err(failed)? })
    }

    /// Data, certificates and logs of the running cluster.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("supervisor.log")
    }

    /// The running cluster, if one runs.
    pub fn state(&self) -> Result<State, LocalClusterError> {
        let none = || LocalClusterError::NotRunning { path: self.folder.clone() };
        if self.try_lock()?.is_some() {
            return Err(none());
        }
        // Locked without a state: it is just starting.
        let text = fs::read_to_string(self.state_file()).map_err(|_absent| none())?;
        serde_json::from_str(&text).map_err(|_partial| none())
    }

    /// Runs `supervisor`, a command that calls [`Self::claim`] and [`Claim::ready`], in the background until it is ready.
    pub fn up(&self, mut supervisor: Command) -> Result<State, LocalClusterError> {
        if self.try_lock()?.is_none() {
            return Err(LocalClusterError::Running { path: self.folder.clone() });
        }
        let log = File::create(self.log()).map_err(|source| self.failed(source))?;
        let mut child = supervisor
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(LocalClusterError::Supervisor)?;
        if first_line(&mut child).as_deref() == Some(READY) {
            return self.state();
        }
        drop(child.wait());
        Err(LocalClusterError::Failed { log: self.log(), text: fs::read_to_string(self.log()).unwrap_or_default() })
    }

    /// Asks the supervisor to end everything and waits until it has.
    pub async fn down(&self) -> Result<(), LocalClusterError> {
        let state = self.state()?;
        kill(Pid::from_raw(state.pid), Signal::SIGTERM)
            .map_err(|source| LocalClusterError::Signal { pid: state.pid, source })?;
        eventually(STOP_DEADLINE, "the end of the supervisor", async || match self.try_lock() {
            Ok(Some(_free)) => Ok(()),
            Ok(None) => Err("it still runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .await?;
        Ok(())
    }

    /// Makes this process the folder's supervisor. Call it before anything is started.
    pub fn claim(&self) -> Result<Claim, LocalClusterError> {
        let running = || LocalClusterError::Running { path: self.folder.clone() };
        let lock = self.try_lock()?.ok_or_else(running)?;
        let claim = Claim { cluster: self.clone(), _lock: lock };
        // What a supervisor that was killed could not remove.
        claim.clean();
        Ok(claim)
    }

    fn state_file(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    /// `None` while a supervisor holds it. A lock, unlike a process id in a file, cannot outlive its holder.
    fn try_lock(&self) -> Result<Option<File>, LocalClusterError> {
        let file = File::create(self.folder.join("lock")).map_err(|source| self.failed(source))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(self.failed(source)),
        }
    }

    fn failed(&self, source: std::io::Error) -> LocalClusterError {
        LocalClusterError::Folder { path: self.folder.clone(), source }
    }
}

impl Claim {
    /// Writes the state down and tells the waiting `up`. Nothing may be printed on standard output before or after.
    pub fn ready(&self, state: &State, mut output: impl std::io::Write) -> Result<(), LocalClusterError> {
        let text = serde_json::to_string_pretty(state).map_err(|error| self.cluster.failed(error.into()))?;
        fs::write(self.cluster.state_file(), text).map_err(|source| self.cluster.failed(source))?;
        writeln!(output, "{READY}").and_then(|()| output.flush()).map_err(LocalClusterError::Supervisor)
    }

    fn clean(&self) {
        // Neither needs to exist.
        drop(fs::remove_file(self.cluster.state_file()));
        drop(fs::remove_dir_all(self.cluster.data()));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.clean();
    }
}

fn first_line(child: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    lines.next()?.ok()
}
