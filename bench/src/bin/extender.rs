//! The extender's benchmark: a table, and the same as JSON.

use std::{io::Write as _, path::PathBuf};

use clap::Parser;
use jiff::Timestamp;
use kube_sci_bench::{figure, in_process, scheduler, snapshot};

/// Measures the extender in process, over the wire and in a real kube-scheduler, each beside its peer in the same run.
#[derive(Debug, Parser)]
#[command(name = "bench-extender", version)]
struct Arguments {
    /// Where the figures are written as JSON.
    #[arg(long, default_value = "target/bench/extender.json")]
    output: PathBuf,
    /// Parts to run.
    #[arg(long, value_delimiter = ',', default_values_t = ["snapshot", "in-process", "scheduler", "memory"].map(String::from))]
    parts: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = Arguments::parse();
    let wants = |part: &str| arguments.parts.iter().any(|wanted| wanted == part);
    let now = Timestamp::now();
    let mut figures = Vec::new();
    if wants("snapshot") {
        figures.extend(tokio::task::block_in_place(|| snapshot::figures(now))?);
    }
    if wants("in-process") {
        figures.extend(tokio::task::block_in_place(|| in_process::figures(now))?);
    }
    if wants("scheduler") {
        figures.extend(scheduler::figures().await?);
    }
    if wants("memory") {
        figures.extend(scheduler::memory().await?);
    }
    figure::write_json(&arguments.output, &figures)?;
    std::io::stdout().lock().write_all(figure::table(&figures).as_bytes())?;
    Ok(())
}
