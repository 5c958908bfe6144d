//! Integration tests of `sci-core`, one binary.

// `cfg(test)` tells clippy that the helpers in here are test code too.
#[cfg(test)]
mod compile_fail;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod purity;
#[cfg(test)]
mod vectors;
