//! Arguments in, the adapter out.

use clap::Parser;
use kube_sci_metrics_adapter::cli::Arguments;

fn main() -> anyhow::Result<()> {
    kube_sci_server::config::install_crypto_provider();
    Arguments::parse().run()
}
