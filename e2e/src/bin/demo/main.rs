//! The same work on a plain and on a green kube-scheduler, as a table.

mod placing;
mod progress;

use std::io::{IsTerminal as _, Write as _};

use clap::Parser;
use kube_sci_e2e::control_plane::{ControlPlane, Options};

use self::{placing::Signals, progress::Progress};

/// Starts a control plane of its own with fourteen simulated nodes and a Prometheus that scrapes agents on five of them,
/// places the same pods with a plain kube-scheduler and with one that asks kube-sci, and prints what that changed and
/// where the numbers came from.
#[derive(Debug, Clone, Parser)]
#[command(name = "demo", version)]
pub struct Arguments {
    /// Points that a score of 10 is worth beside the scheduler's own plugins, as in its configuration: they add up
    /// to 1,200, and a weight of w gives up to 100 w.
    #[arg(long, default_value_t = 12)]
    pub weight: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = Arguments::parse();
    let progress = Progress::new();
    progress.say("starting etcd, kube-apiserver, kube-controller-manager, kwok and Prometheus");
    let (plane, signals) = tokio::join!(ControlPlane::start(Options::default()), Signals::start());
    let (plane, signals) = (plane?, signals?);
    let report = placing::run(&plane, signals, arguments.weight, &progress).await?;
    let mut out = std::io::stdout().lock();
    let wide = out.is_terminal();
    out.write_all(placing::render(&report, wide).as_bytes())?;
    Ok(())
}
