//! Records what the real autoscaler does, for tests that compare the model with it.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::hpa_recorder::{self, cases};
use kube_sci_e2e::programs::KUBERNETES_VERSION;
use kube_sci_e2e::testing;

/// Plays some two hundred situations to the autoscaler of a local control plane, and writes down what it did.
///
/// Needs what `control-plane build` builds, and about two minutes. Also says where the model of `sci-core` differs.
#[derive(Debug, Parser)]
#[command(name = "record-hpa", version, max_term_width = 100)]
struct Arguments {
    /// Where the recording goes.
    #[arg(long, value_name = "FILE.json", default_value = "sci-core/tests/hpa/recorded.json")]
    output: PathBuf,
    /// Only situations whose name begins with this.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    only: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let wanted = cases::all().into_iter().filter(|case| case.name.starts_with(&arguments.only));
    let recordings = hpa_recorder::record(&plane, &wanted.collect::<Vec<_>>()).await?;
    for difference in recordings.iter().flat_map(hpa_recorder::differences) {
        say(&difference)?;
    }
    let text = hpa_recorder::to_text(&format!("kube-controller-manager {KUBERNETES_VERSION}"), &recordings)?;
    let file = &arguments.output;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    std::fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
    say(&format!("{} situations in {}", recordings.len(), file.display()))
}

fn say(line: &str) -> Result<()> {
    writeln!(stdout(), "{line}").context("write to standard output")
}
