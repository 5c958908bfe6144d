//! Arguments in, the extender out.

use clap::Parser;
use kube_sci_extender::cli::Arguments;

fn main() -> anyhow::Result<()> {
    kube_sci_server::config::install_crypto_provider();
    Arguments::parse().run()
}
