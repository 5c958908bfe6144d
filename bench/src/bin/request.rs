//! Answers a number of requests and ends: what an instruction counter watches.
//!
//! `bench-request NODES REQUESTS`

use anyhow::Context as _;
use jiff::Timestamp;
use kube_sci_bench::{in_process::Extender, request::names_body};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let nodes = arguments.next().context("name the number of nodes")??;
    let requests = arguments.next().context("name the number of requests")??;
    let extender = Extender::new(nodes, Timestamp::UNIX_EPOCH)?;
    // One body: building bodies is not what is counted.
    let body = names_body(1, nodes);
    for _ in 0..requests {
        extender.answer(&body)?;
    }
    Ok(())
}
