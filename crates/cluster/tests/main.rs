//! One binary for all integration tests of the crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper that fails is to fail the test that called it; clippy.toml only covers the tests themselves"
)]
#![allow(clippy::float_cmp, reason = "halves and whole numbers are exact; everything else is compared by difference")]

mod assessment;
mod energy;
mod fake_api;
mod fixtures;
mod index_properties;
mod observing;
mod zone_demand;
