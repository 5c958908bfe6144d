//! Integration tests: one binary, real TLS, a cluster that is played.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "helpers of tests fail loudly, and counts in metrics are whole numbers"
)]

mod aggregator;
mod certificates;
mod example;
mod matrix;
mod support;
