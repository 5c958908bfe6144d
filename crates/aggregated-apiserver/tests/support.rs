//! A cluster that is not there, authorities that nobody else trusts, and clients that behave or do not.

pub mod client;
pub mod cluster;
pub mod pki;
pub mod world;
