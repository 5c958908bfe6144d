//! The forecast's benchmark: a table, and the same as JSON.

use std::{io::Write as _, path::PathBuf};

use anyhow::Context as _;
use clap::Parser;
use kube_sci_bench::{figure, forecast};

/// Scores the forecast of carbon intensity on recorded traces, beside simpler methods and a provider's forecasts.
#[derive(Debug, Parser)]
#[command(name = "bench-forecast", version)]
struct Arguments {
    /// Folder with `hourly/ZONE/YEAR.csv.gz` and, if at hand, `forecasts/NAME.csv.gz`.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Where the figures are written as JSON.
    #[arg(long, default_value = "target/bench/forecast.json")]
    output: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let data = arguments.data.context(format!("--data is missing: {}", forecast::HOW_TO_GET_DATA))?;
    let figures = forecast::figures(&data)?;
    figure::write_json(&arguments.output, &figures)?;
    std::io::stdout().lock().write_all(figure::table(&figures).as_bytes())?;
    Ok(())
}
