//! Measured energy and grid intensity on their way in.

pub mod exposition;
