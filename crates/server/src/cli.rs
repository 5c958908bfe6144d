//! The command line that every program has, and the runtime that it ends with.

use std::{
    error::Error,
    future::Future,
    io::{self, Write, stdout},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde::{Serialize, de::DeserializeOwned};
use tokio::runtime::Runtime;

use crate::{
    config::{ConfigError, ListenConfig, TelemetryConfig, load_yaml, to_yaml},
    http::{self, ServeError},
    telemetry::{self, TelemetryError},
};

/// Threads for watches and whatever else a program does beside answering requests, which has threads of its own
/// (`server.workers`).
const BACKGROUND_THREADS: usize = 2;

/// A file that hangs, on a network that is away, must not hold up the end of the process for longer.
const BLOCKED_THREADS_GRACE: Duration = Duration::from_millis(500);

// No doc comment: clap would take it for the description of the program.
#[allow(missing_docs)]
#[derive(Debug, Args)]
pub struct ProgramArguments {
    /// Configuration file (YAML). Without it every key takes its default.
    #[arg(long, value_name = "FILE", env = "KUBE_SCI_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,

    /// Kubeconfig of the cluster. Without it the service account of the pod is used, or the file that $KUBECONFIG or
    /// ~/.kube/config names.
    #[arg(long, value_name = "FILE", env = "KUBE_SCI_KUBECONFIG", hide_env_values = true)]
    pub kubeconfig: Option<PathBuf>,

    /// Read and check the configuration, say what is wrong with it, and end.
    #[arg(long)]
    pub check_config: bool,

    /// Print the configuration with every default as YAML, and end.
    #[arg(long, conflicts_with = "check_config")]
    pub print_default_config: bool,
}

/// The one document that a program is configured with.
pub trait ProgramConfig: Default + Serialize + DeserializeOwned {
    /// How it listens.
    fn server(&self) -> &ListenConfig;

    /// Logs, traces and pushed metrics.
    fn telemetry(&self) -> &TelemetryConfig;

    /// Checks what the types alone cannot, without touching files or the network. `server` and `telemetry` are checked
    /// besides.
    ///
    /// # Errors
    /// What is wrong, with the path of the field and the remedy.
    fn validate(&self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Why a program does not get as far as to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The document cannot be read or written.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The document cannot be meant.
    #[error("check the configuration")]
    Invalid(#[source] Box<dyn Error + Send + Sync>),
    /// The listener cannot be meant.
    #[error("check server")]
    Server(#[source] ServeError),
    /// The log level cannot be meant.
    #[error("check telemetry.logLevel")]
    Telemetry(#[source] TelemetryError),
    /// Nobody reads what is printed.
    #[error("write to standard output")]
    Output(#[source] io::Error),
}

impl ProgramArguments {
    /// Does what needs no cluster. The configuration to run with, or `None` where nothing else was asked for.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn prepare<C: ProgramConfig>(&self) -> Result<Option<C>, CliError> {
        let Self { config, kubeconfig: _, check_config, print_default_config } = self;
        if *print_default_config {
            print(&to_yaml(&C::default())?)?;
            return Ok(None);
        }
        let config = load(config.as_deref())?;
        if *check_config {
            print("configuration is valid\n")?;
            return Ok(None);
        }
        Ok(Some(config))
    }
}

fn load<C: ProgramConfig>(path: Option<&Path>) -> Result<C, CliError> {
    let config: C = path.map(load_yaml).transpose()?.unwrap_or_default();
    config.validate().map_err(CliError::Invalid)?;
    http::check(config.server()).map_err(CliError::Server)?;
    telemetry::check(config.telemetry()).map_err(CliError::Telemetry)?;
    Ok(config)
}

fn print(text: &str) -> Result<(), CliError> {
    stdout().write_all(text.as_bytes()).map_err(CliError::Output)
}

/// Runs a program on a runtime of its own, to its end.
///
/// # Errors
/// The runtime cannot be started.
pub fn run_to_end<T>(program: impl Future<Output = T>) -> io::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(BACKGROUND_THREADS).enable_all().build()?;
    Ok(run_on(runtime, program))
}

/// Dropping a runtime waits for its blocking threads without limit: this does not.
fn run_on<T>(runtime: Runtime, program: impl Future<Output = T>) -> T {
    let outcome = runtime.block_on(program);
    runtime.shutdown_timeout(BLOCKED_THREADS_GRACE);
    outcome
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn a_read_that_hangs_does_not_hold_up_the_end() {
        let (hold, held) = mpsc::channel::<()>();
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            run_to_end(async { drop(tokio::task::spawn_blocking(move || held.recv())) }).unwrap();
            ended.send(()).unwrap();
        });
        end.recv_timeout(Duration::from_secs(20)).unwrap();
        drop(hold);
    }
}
