//! Arguments in, the adapter out.

fn main() -> anyhow::Result<()> {
    kube_sci_server::config::install_crypto_provider();
    Ok(())
}
