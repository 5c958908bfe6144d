//! Answers a number of requests and ends: what an instruction counter watches.
//!
//! ```text
//! bench-request REQUESTS extender NODES [learned]
//! bench-request REQUESTS adapter POLICIES
//! ```
//!
//! `learned` where the pod's workload was measured on every class of hardware.

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use kube_sci_bench::{
    adapter::in_process::{ADAPTER, Adapter},
    in_process::{EXTENDER, Extender},
    request::names_body,
    signals::decisions,
};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let requests: usize = arguments.next().context("name the number of requests")?.parse()?;
    let program = arguments.next().context("name the program")?;
    let size: usize = arguments.next().context("name the number of nodes or policies")?.parse()?;
    match (program.as_str(), arguments.next().as_deref()) {
        (EXTENDER, None) => extend(requests, size, &Extender::new(size, Timestamp::UNIX_EPOCH)?),
        (EXTENDER, Some(decisions::LEARNED)) => {
            let index = decisions::learned(size, Timestamp::UNIX_EPOCH)?;
            extend(requests, size, &Extender::over(index, Timestamp::UNIX_EPOCH)?)
        }
        (ADAPTER, None) => Adapter::new(size)?.answer_all(requests),
        unknown => bail!("{unknown:?} is none of: {EXTENDER}, {EXTENDER} {}, {ADAPTER}", decisions::LEARNED),
    }
}

fn extend(requests: usize, nodes: usize, extender: &Extender) -> anyhow::Result<()> {
    // One body: building bodies is not what is counted.
    let body = names_body(1, nodes);
    for _ in 0..requests {
        extender.answer(&body)?;
    }
    Ok(())
}
