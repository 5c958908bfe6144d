//! Arguments.

use anyhow::Context;
use clap::Parser;
use kube_sci_cluster::connect::connect;
use kube_sci_server::{
    cli::{ProgramArguments, run_to_end},
    supervise, telemetry,
};

use crate::config::AdapterConfig;

/// Lets a plain HorizontalPodAutoscaler follow carbon intensity.
///
/// An aggregated API server for custom.metrics.k8s.io and external.metrics.k8s.io: on every GreenScalingPolicy it serves
/// the load of a workload times a factor that falls while electricity is dirty, but never below what the policy's guard
/// allows. Every key of the configuration has a default; without a file the adapter serves all APIs on port 8443 and
/// uses the embedded annual intensities.
// Clap prints this: no Markdown.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Parser)]
#[command(name = "kube-sci-metrics-adapter", version)]
pub struct Arguments {
    /// What every program takes.
    #[command(flatten)]
    pub program: ProgramArguments,
}

impl Arguments {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever keeps the adapter from starting, or made it stop.
    pub fn run(self) -> anyhow::Result<()> {
        let Some(config) = self.program.prepare()? else { return Ok(()) };
        run_to_end(serve(config, self.program)).context("start the runtime")?
    }
}

async fn serve(config: AdapterConfig, arguments: ProgramArguments) -> anyhow::Result<()> {
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

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_configuration_is_checked_without_a_cluster() {
        let check = |yaml: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), yaml).unwrap();
            let path = file.path().to_str().unwrap();
            let arguments = Arguments::try_parse_from(["adapter", "--check-config", "--config", path]).unwrap();
            arguments.run().map_err(|error| format!("{error:#}"))
        };
        assert_eq!(check("api: { externalMetrics: false }\n"), Ok(()));
        let wrong =
            check("api: { certificate: { files: { certFile: a, keyFile: b }, selfSigned: {} } }\n").unwrap_err();
        assert!(wrong.contains("api.certificate"), "{wrong}");
    }
}
