//! The outside world as time series.
//!
//! | module | holds |
//! | --- | --- |
//! | [`energy`] | energy of nodes and pods: exporters, and the routes on which their values come |
//! | [`grid`] | carbon intensity of grid zones: sources, the chain behind every zone |
//! | [`exposition`] | Prometheus and OpenMetrics text |
//! | [`http`] | outside services: limits, secrets from files, entity tags |
//! | [`config`] | all of it as configured |
//!
//! Sources are asked at their own pace and answer with values that say where they come from; nothing here knows of
//! pods' requests, scores or decisions.
#![warn(missing_docs)]

pub mod config;
pub mod energy;
pub mod exposition;
pub mod grid;
pub mod http;
