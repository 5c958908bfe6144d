//! What request handlers share: read pointers and the way out for what they found. No lock among it.

use std::sync::Arc;

use jiff::Timestamp;
use kube_sci_cluster::{assess::Model, objects::DefaultRequests};

use crate::{
    config::{ExtenderConfig, FilterConfig, Mode},
    decisions::RecorderHandle,
    events::Notices,
    metrics::{Metrics, state::LastCall},
};

/// Everything that an answer depends on, and where it is reported.
#[derive(Debug)]
pub struct State {
    /// Whether answers steer the scheduler.
    pub mode: Mode,
    /// Limits for pods that set none.
    pub filter: FilterConfig,
    /// What pods without requests are taken to need.
    pub default_requests: DefaultRequests,
    /// Largest body that is read.
    pub max_body_bytes: usize,
    /// The cluster, what was decided about it, and how numbers are made.
    pub model: Model,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// When the scheduler last called.
    pub last_call: LastCall,
    /// Where decisions go.
    pub recorder: RecorderHandle,
    /// Where news for the pod's owner goes, if events are wanted.
    pub notices: Option<Notices>,
    /// The present, for requests that come over the wire.
    pub clock: fn() -> Timestamp,
}

/// The parts of [`State`] that somebody else holds the other end of.
#[derive(Debug)]
pub struct Parts {
    /// The cluster, what was decided about it, and how numbers are made.
    pub model: Model,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// When the scheduler last called.
    pub last_call: LastCall,
    /// Where decisions go.
    pub recorder: RecorderHandle,
    /// Where news for the pod's owner goes, if events are wanted.
    pub notices: Option<Notices>,
}

impl State {
    /// State by configuration.
    pub fn new(config: &ExtenderConfig, parts: Parts) -> Self {
        let Parts { model, metrics, last_call, recorder, notices } = parts;
        Self {
            mode: config.mode,
            filter: config.filter.clone(),
            default_requests: config.score.default_requests(),
            max_body_bytes: config.server.max_body_bytes,
            model,
            metrics,
            last_call,
            recorder,
            notices,
            clock: Timestamp::now,
        }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> Timestamp) -> Self {
        Self { clock, ..self }
    }
}
