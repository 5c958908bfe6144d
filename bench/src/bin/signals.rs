//! The benchmark of signals: a table, and the same as JSON.

use std::{io::Write as _, path::PathBuf};

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use kube_sci_bench::{
    figure,
    signals::{agents, decisions, exposition, join, route::Route, routes},
};
use tokio::task::block_in_place;

/// Measures energy on its way in: text, a thousand agents directly and through Prometheus, the join, decisions.
#[derive(Debug, Parser)]
#[command(name = "bench-signals", version)]
struct Arguments {
    /// Where the figures are written as JSON.
    #[arg(long, default_value = "target/bench/signals.json")]
    output: PathBuf,
    /// Parts to run.
    #[arg(long, value_delimiter = ',', default_values_t = ["exposition", "routes", "join", "decisions"].map(String::from))]
    parts: Vec<String>,
    #[command(subcommand)]
    helper: Option<Helper>,
}

/// What this program is when it starts itself.
#[derive(Debug, Subcommand)]
enum Helper {
    /// The agents.
    #[command(hide = true)]
    Agents,
    /// One route, measured.
    #[command(flatten)]
    Route(Route),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = Arguments::parse();
    match arguments.helper {
        Some(Helper::Agents) => return agents::serve().await,
        Some(Helper::Route(route)) => return route.run().await,
        None => {}
    }
    let wants = |part: &str| arguments.parts.iter().any(|wanted| wanted == part);
    let mut figures = Vec::new();
    if wants("exposition") {
        figures.extend(block_in_place(exposition::figures)?);
    }
    if wants("routes") {
        figures.extend(routes::figures().await?);
    }
    if wants("join") {
        figures.extend(block_in_place(|| join::figures(Timestamp::now()))?);
    }
    if wants("decisions") {
        figures.extend(block_in_place(decisions::figures)?);
    }
    figure::write_json(&arguments.output, &figures)?;
    std::io::stdout().lock().write_all(figure::table(&figures).as_bytes())?;
    Ok(())
}
