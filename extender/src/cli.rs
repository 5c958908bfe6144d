//! Arguments.

use anyhow::Context;
use clap::Parser;
use kube_sci_cluster::connect::connect;
use kube_sci_server::{
    cli::{ProgramArguments, run_to_end},
    supervise, telemetry,
};

use crate::config::ExtenderConfig;

/// Tells kube-scheduler which nodes cost the least carbon.
///
/// An HTTP scheduler extender: kube-scheduler sends a pod and the nodes it may go to, and gets a score from 0 to 10
/// for each, by the marginal Software Carbon Intensity of that pod on that node. Every key of the configuration has
/// a default; without a file the extender listens on 127.0.0.1:8888 and uses the embedded annual intensities.
#[derive(Debug, Parser)]
#[command(name = "kube-sci-extender", version)]
pub struct Arguments {
    /// What every program takes.
    #[command(flatten)]
    pub program: ProgramArguments,
}

impl Arguments {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever keeps the extender from starting, or made it stop.
    pub fn run(self) -> anyhow::Result<()> {
        let Some(config) = self.program.prepare()? else { return Ok(()) };
        run_to_end(serve(config, self.program)).context("start the runtime")?
    }
}

async fn serve(config: ExtenderConfig, arguments: ProgramArguments) -> anyhow::Result<()> {
    // Signals first: one that comes while the client connects must not be lost.
    let stop = supervise::termination().context("listen for signals")?;
    let telemetry = telemetry::init(&config.telemetry, crate::SERVICE_NAME).context("start telemetry")?;
    let client = connect(arguments.kubeconfig.as_deref()).await.context("find the cluster")?;
    crate::run(config, client, telemetry, stop).await
}

#[cfg(test)]
mod tests {
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
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
