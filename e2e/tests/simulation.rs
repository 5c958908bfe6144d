//! The simulated world: its pages beside recorded ones, its server, and the readers and meters of the project on it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails is to fail the test that called it; clippy.toml only covers the tests themselves"
)]

mod acceptance;
mod pages;
mod served;
