//! What every program shows of the picture that it answers from.
//!
//! | module | shows |
//! | --- | --- |
//! | [`observer`] | what the tasks that build the snapshot count |
//! | [`snapshot`] | how large and how old the snapshot is |
//! | [`export`] | energy and carbon of nodes, pods and workloads, intensity of zones, how sources fare |
//! | [`quality`] | `GET /v1/quality`: what answers for every node and zone, and what is not believed |
//! | [`set`], [`encode`] | metrics whose series are known at start, and metrics that are read at scrape time |
#![warn(missing_docs)]

pub mod encode;
pub mod export;
pub mod observer;
pub mod quality;
pub mod set;
pub mod snapshot;

pub use self::quality::NotSynced;
