//! Prints the allocations of one request, on average: `bench-allocations NODES`.

use std::io::Write as _;

use anyhow::Context as _;
use jiff::Timestamp;
use kube_sci_bench::{in_process::Extender, request::names_body};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const WARM_UP: u32 = 50;
const REQUESTS: u32 = 500;

fn main() -> anyhow::Result<()> {
    let nodes = std::env::args().nth(1).context("name the number of nodes")?.parse()?;
    let _profiler = dhat::Profiler::builder().testing().build();
    let extender = Extender::new(nodes, Timestamp::UNIX_EPOCH)?;
    let body = names_body(1, nodes);
    for _ in 0..WARM_UP {
        extender.answer(&body)?;
    }
    let before = dhat::HeapStats::get().total_blocks;
    for _ in 0..REQUESTS {
        extender.answer(&body)?;
    }
    let blocks = dhat::HeapStats::get().total_blocks - before;
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    let per_request = blocks as f64 / f64::from(REQUESTS);
    writeln!(std::io::stdout(), "{per_request}")?;
    Ok(())
}
