//! Arguments.

use std::{
    io::{Write, stdout},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::Parser;
use kube::{Client, Config, config::Kubeconfig};
use kube_sci_server::{
    config::{load_yaml, to_yaml},
    http, supervise, telemetry,
};
use tokio::runtime::Runtime;

use crate::config::ExtenderConfig;

/// Threads for watches, events and the recorder; requests have their own (`server.workers`).
const BACKGROUND_THREADS: usize = 2;

/// A file that hangs, on a network that is away, must not hold up the end of the process for longer.
const BLOCKED_THREADS_GRACE: Duration = Duration::from_millis(500);

/// Tells kube-scheduler which nodes cost the least carbon.
///
/// An HTTP scheduler extender: kube-scheduler sends a pod and the nodes it may go to, and gets a score from 0 to 10
/// for each, by the marginal Software Carbon Intensity of that pod on that node. Every key of the configuration has
/// a default; without a file the extender listens on 127.0.0.1:8888 and uses the embedded annual intensities.
#[derive(Debug, Parser)]
#[command(name = "kube-sci-extender", version)]
pub struct Arguments {
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

impl Arguments {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever keeps the extender from starting, or made it stop.
    pub fn run(self) -> anyhow::Result<()> {
        let Self { config, kubeconfig, check_config, print_default_config } = self;
        if print_default_config {
            let text = to_yaml(&ExtenderConfig::default()).context("write the configuration")?;
            return stdout().write_all(text.as_bytes()).context("write to standard output");
        }
        let config = load(config.as_deref())?;
        if check_config {
            return writeln!(stdout(), "configuration is valid").context("write to standard output");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(BACKGROUND_THREADS)
            .enable_all()
            .build()
            .context("start the runtime")?;
        run_to_end(runtime, serve(config, kubeconfig.as_deref()))
    }
}

/// Dropping a runtime waits for its blocking threads without limit: this does not.
fn run_to_end<T>(runtime: Runtime, program: impl Future<Output = T>) -> T {
    let outcome = runtime.block_on(program);
    runtime.shutdown_timeout(BLOCKED_THREADS_GRACE);
    outcome
}

fn load(path: Option<&Path>) -> anyhow::Result<ExtenderConfig> {
    let config: ExtenderConfig = path.map(load_yaml).transpose()?.unwrap_or_default();
    config.validate().context("check the configuration")?;
    http::check(&config.server).context("check server")?;
    telemetry::check(&config.telemetry).context("check telemetry.logLevel")?;
    Ok(config)
}

async fn serve(config: ExtenderConfig, kubeconfig: Option<&Path>) -> anyhow::Result<()> {
    // Signals first: one that comes while the client connects must not be lost.
    let stop = supervise::termination().context("listen for signals")?;
    let telemetry = telemetry::init(&config.telemetry, crate::SERVICE_NAME).context("start telemetry")?;
    let client = connect(kubeconfig).await.context("find the cluster")?;
    crate::run(config, client, telemetry, stop).await
}

async fn connect(kubeconfig: Option<&Path>) -> anyhow::Result<Client> {
    let config = match kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).with_context(|| format!("read {}", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await?
        }
        None => Config::infer().await?,
    };
    Ok(Client::try_from(config)?)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use clap::CommandFactory;

    use super::*;

    fn check(yaml: &str) -> Result<(), String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), yaml).unwrap();
        let path = file.path().to_str().unwrap();
        let arguments = Arguments::try_parse_from(["kube-sci-extender", "--check-config", "--config", path]).unwrap();
        arguments.run().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_configuration_is_checked_without_a_cluster() {
        assert_eq!(check("mode: shadow\n"), Ok(()));
        let unknown = check("mode: shadow\nmod: shadow\n").unwrap_err();
        assert!(unknown.contains("line 2, column 1"), "{unknown}");
        let senseless = check("grid: { freshFor: 2h, staleAfter: 1h }\n").unwrap_err();
        assert!(senseless.contains("grid.staleAfter"), "{senseless}");
        let open = check("server: { address: \"0.0.0.0:8888\" }\n").unwrap_err();
        assert!(open.contains("server.plainHttp"), "{open}");
        let silent = check("telemetry: { logLevel: warning }\n").unwrap_err();
        assert!(silent.contains("telemetry.logLevel") && silent.contains("warning"), "{silent}");
    }

    #[test]
    fn a_read_that_hangs_does_not_hold_up_the_end() {
        let (hold, held) = mpsc::channel::<()>();
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            run_to_end(runtime, async { drop(tokio::task::spawn_blocking(move || held.recv())) });
            ended.send(()).unwrap();
        });
        end.recv_timeout(Duration::from_secs(20)).unwrap();
        drop(hold);
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
