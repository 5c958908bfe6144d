//! The carbon model of kube-sci.
//!
//! One equation stands behind every number of the project, Software Carbon Intensity
//! (SCI specification v1.1.0, Green Software Foundation):
//!
//! ```text
//! SCI = ((E x I) + M) per R
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`quantity`] | checked newtypes with only the operators that mean something |
//! | [`sci`] | operational and embodied carbon, the functional unit, the equation |
//! | [`intensity`] | one reading of a grid zone and a series of them, with kind, scope, quality, source and age |
//! | [`forecast`] | hours ahead of a zone's intensity, with bounds and a score |
//! | [`power`] | the power curve of a node, learned from meters, and the tables it falls back to |
//! | [`node`] | marginal footprint of one pod on one node, and the score that follows |
//! | [`workload`] | what a workload draws on each class of hardware, compared with what its requests let expect |
//! | [`scaling`] | Green HPA: load times a factor of the intensity, with a floor, damping and reasons; the HPA itself |
//! | [`region`] | cloud regions: grid zone, coordinates, residency, PUE; annual intensities |
//!
//! The crate is pure. It knows no cluster, no network, no file, no environment and no clock: instants are
//! parameters. A test in `tests/main/purity.rs` holds it to that.
#![warn(missing_docs)]

mod decay;
mod embedded;
pub mod forecast;
pub mod intensity;
pub mod node;
pub mod power;
pub mod quantity;
pub mod region;
pub mod scaling;
pub mod sci;
pub mod workload;
