//! The listener as its clients see it: real sockets, real handshakes, real signals to stop.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails is to fail the test that called it; clippy.toml only covers the tests themselves"
)]

mod limits;
mod otlp;
mod pki;
mod readiness;
mod shutdown;
mod support;
mod tls;
