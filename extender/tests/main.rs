//! Everything between the scheduler's bytes and ours, without an API server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails is to fail the test that called it; clippy.toml only covers the tests themselves"
)]

mod answers;
mod explain;
mod filter;
mod http;
mod peers;
mod properties;
mod quality;
mod reference;
mod run;
mod support;
