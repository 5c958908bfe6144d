//! Answers a number of requests and ends: what an instruction counter watches.
//!
//! `bench-request NODES REQUESTS [learned]`: `learned` where the pod's workload was measured on every class of hardware.

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use kube_sci_bench::{in_process::Extender, request::names_body, signals::decisions};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let nodes: usize = arguments.next().context("name the number of nodes")?.parse()?;
    let requests: usize = arguments.next().context("name the number of requests")?.parse()?;
    let extender = match arguments.next().as_deref() {
        None => Extender::new(nodes, Timestamp::UNIX_EPOCH)?,
        Some(decisions::LEARNED) => {
            Extender::over(decisions::learned(nodes, Timestamp::UNIX_EPOCH)?, Timestamp::UNIX_EPOCH)?
        }
        Some(unknown) => bail!("{unknown:?} is none of: learned"),
    };
    // One body: building bodies is not what is counted.
    let body = names_body(1, nodes);
    for _ in 0..requests {
        extender.answer(&body)?;
    }
    Ok(())
}
