//! The same work on a plain and on a green kube-scheduler, as a table.

mod account;
mod run;
mod scene;
mod signals;
mod table;

use std::io::{IsTerminal as _, Write as _};

use clap::Parser;

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
    let report = run::run(&Arguments::parse()).await?;
    let mut out = std::io::stdout().lock();
    let wide = out.is_terminal();
    out.write_all(table::render(&report, wide).as_bytes())?;
    Ok(())
}
