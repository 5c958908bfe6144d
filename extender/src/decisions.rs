//! What was decided, what came of it.
//!
//! One task owns the [`ledger`]: request handlers hand a [`Decision`] over a bounded channel and never wait, the
//! observer tells which node a pod was really bound to, and the explanation asks over a channel of its own. What
//! does not fit is dropped and counted; the ledger is for people and metrics, no answer depends on it.

pub mod ledger;
mod recorder;
mod report;

use std::sync::Arc;

use jiff::Timestamp;
use kube_sci_cluster::objects::WorkloadKey;
use sci_core::node::{Footprint, NeutralReason, PodDemand, Score};

pub use self::{
    recorder::{DecisionQuery, Recorder, RecorderHandle, channels},
    report::BoundReport,
};
use crate::config::Mode;

/// Names a pod for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PodKey {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name there.
    pub name: Arc<str>,
}

/// One ranking that was made.
#[derive(Debug, Clone)]
pub struct Decision {
    /// For whom.
    pub pod: PodKey,
    /// Tells a pod from an earlier one of the same name.
    pub uid: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// Generation of the snapshot that was read.
    pub generation: u64,
    /// Whether the scheduler was told.
    pub mode: Mode,
    /// What the pod asks for.
    pub demand: PodDemand,
    /// What it belongs to.
    pub workload: WorkloadKey,
    /// All candidates, in the order of the request.
    pub candidates: Vec<Candidate>,
}

/// One node of a ranking.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its name.
    pub node: Arc<str>,
    /// What it was given, or would have been in shadow mode.
    pub score: Score,
    /// Its footprint, or why there is none.
    pub terms: Result<Terms, NeutralReason>,
}

/// A footprint in half the space: the ledger holds many, and seven digits are more than the inputs have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Intensity of the node's grid zone.
    pub grams_per_kwh: f32,
    /// Power added by the pod.
    pub marginal_watts: f32,
    /// Idle power charged for waking the node.
    pub activation_watts: f32,
    /// Operational part.
    pub operational_grams_per_hour: f32,
    /// Embodied part.
    pub embodied_grams_per_hour: f32,
    /// Both, per core-hour of work: what nodes are compared by.
    pub grams_per_core_hour: f32,
}

impl Terms {
    /// Keeps what an explanation needs.
    pub fn new(footprint: &Footprint, grams_per_kwh: f64) -> Self {
        Self {
            grams_per_kwh: narrow(grams_per_kwh),
            marginal_watts: narrow(footprint.marginal_power.get()),
            activation_watts: narrow(footprint.activation_power.get()),
            operational_grams_per_hour: narrow(footprint.operational.get()),
            embodied_grams_per_hour: narrow(footprint.embodied.get()),
            grams_per_core_hour: narrow(footprint.per_core_hour.get()),
        }
    }

    /// Operational and embodied.
    pub fn grams_per_hour(&self) -> f32 {
        self.operational_grams_per_hour + self.embodied_grams_per_hour
    }
}

#[allow(clippy::cast_possible_truncation)] // rounding to the nearest f32 is what is wanted; quantities stay below 1e18
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests;
