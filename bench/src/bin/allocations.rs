//! Prints the allocations of one request, on average: `bench-allocations extender NODES` or
//! `bench-allocations adapter POLICIES`.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use kube_sci_bench::{
    adapter::in_process::{ADAPTER, Adapter},
    in_process::{EXTENDER, Extender},
    request::names_body,
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const WARM_UP: usize = 50;
const REQUESTS: usize = 500;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().context("name the program")?;
    let size = arguments.next().context("name the number of nodes or policies")?.parse()?;
    let _profiler = dhat::Profiler::builder().testing().build();
    let per_request = match program.as_str() {
        EXTENDER => {
            let extender = Extender::new(size, Timestamp::UNIX_EPOCH)?;
            let body = names_body(1, size);
            blocks(|requests| (0..requests).try_for_each(|_| extender.answer(&body).map(drop)))?
        }
        ADAPTER => {
            let adapter = Adapter::new(size)?;
            blocks(|requests| adapter.answer_all(requests))?
        }
        unknown => bail!("{unknown:?} is none of: {EXTENDER}, {ADAPTER}"),
    };
    writeln!(std::io::stdout(), "{per_request}")?;
    Ok(())
}

/// Blocks that one request allocates once all is warm.
fn blocks(answer: impl Fn(usize) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    answer(WARM_UP)?;
    let before = dhat::HeapStats::get().total_blocks;
    answer(REQUESTS)?;
    let blocks = dhat::HeapStats::get().total_blocks - before;
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    Ok(blocks as f64 / REQUESTS as f64)
}
