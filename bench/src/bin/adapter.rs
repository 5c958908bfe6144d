//! The metrics adapter's benchmark: a table, and the same as JSON.

use std::{io::Write as _, path::PathBuf};

use clap::Parser;
use kube_sci_bench::{adapter, figure};
use tokio::task::block_in_place;

/// Measures the metrics adapter as autoscalers use it, beside adapters of others in the same run.
#[derive(Debug, Parser)]
#[command(name = "bench-adapter", version)]
struct Arguments {
    /// Where the figures are written as JSON.
    #[arg(long, default_value = "target/bench/adapter.json")]
    output: PathBuf,
    /// Parts to run.
    #[arg(long, value_delimiter = ',', default_values_t = ["in-process", "served"].map(String::from))]
    parts: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = Arguments::parse();
    let wants = |part: &str| arguments.parts.iter().any(|wanted| wanted == part);
    let mut figures = Vec::new();
    if wants("in-process") {
        figures.extend(block_in_place(adapter::in_process::figures)?);
    }
    if wants("served") {
        block_in_place(adapter::peers::build)?;
        figures.extend(adapter::figures().await?);
    }
    figure::write_json(&arguments.output, &figures)?;
    std::io::stdout().lock().write_all(figure::table(&figures).as_bytes())?;
    Ok(())
}
