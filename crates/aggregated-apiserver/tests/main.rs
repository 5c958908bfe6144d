//! Integration tests: one binary, real TLS, a cluster that is played.

mod smoke;
mod support;
