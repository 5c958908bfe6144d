//! Integration tests: one binary, real TLS, a cluster that is played.

mod matrix;
mod smoke;
mod support;
