//! Benchmarks of kube-sci: ratios and counts, measured side by side in one run.
//!
//! | module | holds |
//! | --- | --- |
//! | [`figure`] | one measured number with its goal; the table and the JSON file |
//! | [`request`] | scheduler requests of realistic size |
//! | [`samples`] | quantiles of latencies |
//! | [`peer`] | the no-op extender in Go, built and started |
//! | [`world`] | the cluster of in-process measurements |
//! | [`forecast`] | the forecast of carbon intensity on recorded traces |
//! | [`in_process`], [`wire`], [`scheduler`], [`snapshot`] | the four parts of the extender's benchmark |
//! | [`adapter`] | the metrics adapter beside adapters of others |
//! | [`signals`] | measured energy and grid intensity on their way in |
//! | [`usage`], [`counted`] | CPU time and memory of processes; allocations and instructions of a request |

pub mod adapter;
pub mod counted;
pub mod figure;
pub mod forecast;
pub mod in_process;
pub mod peer;
pub mod request;
pub mod samples;
pub mod scheduler;
pub mod signals;
pub mod snapshot;
pub mod usage;
pub mod wire;
pub mod world;
