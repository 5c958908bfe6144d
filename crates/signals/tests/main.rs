//! One binary for all integration tests of the crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper that fails is to fail the test that called it; clippy.toml only covers the tests themselves"
)]
#![allow(clippy::float_cmp, reason = "halves and whole numbers are exact; everything else is compared by difference")]

mod exposition;
mod exposition_pages;
mod exposition_properties;
mod fetch;
mod fetch_secrets;
mod fetch_support;
mod grid_config;
mod grid_config_map;
mod grid_files;
mod grid_history;
mod http;
mod http_tls;
mod meters;
mod providers;
mod routes;
