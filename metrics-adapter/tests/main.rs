//! The adapter as clients see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails is to fail the test that called it; clippy.toml only covers the tests themselves"
)]

mod crds;
mod custom;
mod explanations;
mod external;
mod loads;
mod queries;
mod reference;
mod run;
mod support;
mod upstream;
