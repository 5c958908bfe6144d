//! Integration tests of `sci-core`, one binary.

// `cfg(test)` tells clippy that the helpers in here are test code too.
#[cfg(test)]
mod compile_fail;
#[cfg(test)]
mod forecast;
#[cfg(test)]
mod learning;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod purity;
#[cfg(test)]
mod scaling;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod vectors;
