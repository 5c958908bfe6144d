//! What the real autoscaler does in situations that a test makes up, written down in the form in which `sci_core` plays it.
//!
//! ```no_run
//! # async fn scenario() -> anyhow::Result<()> {
//! use kube_sci_e2e::control_plane::Options;
//! use kube_sci_e2e::hpa_recorder::{self, cases};
//! use kube_sci_e2e::testing;
//!
//! let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
//! for recording in hpa_recorder::record(&plane, &cases::all()).await? {
//!     assert_eq!(hpa_recorder::differences(&recording), Vec::<String>::new());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Pods are simulated, metrics are scripted, and the controller is Kubernetes' own. A case of one round is judged by the
//! first round after its autoscaler appeared: nothing is remembered then. Later rounds are told apart by the questions that
//! the controller asks.

mod answers;
pub mod cases;
mod judge;
mod objects;
mod observed;
mod run;
mod stage;
mod text;
mod timing;

use std::collections::BTreeMap;

use sci_core::scaling::hpa::{Outcome, Situation, Spec};

pub use self::judge::differences;
pub use self::run::{RecordError, record};
pub use self::text::to_text;

/// A situation to be made up.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Unique, and the name of its objects.
    pub name: String,
    pub spec: Spec,
    /// Replicas of the deployment at the start, all running.
    pub replicas: i32,
    /// How many of them are not ready.
    pub unready: usize,
    /// What each pod requests of CPU and of memory, in thousandths (of a core, of a byte); `None` requests nothing.
    pub request_milli: Option<i64>,
    /// Further pods that the selector finds and the deployment does not count.
    pub extras: Vec<Extra>,
    /// What each metric answers, by round; one round or several.
    pub rounds: Vec<Vec<Answer>>,
}

/// A pod beside those of the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Extra {
    /// No scheduler has looked at it.
    Pending,
    Failed,
    /// It runs and is not ready.
    Unready,
}

/// What a metric answers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// One number of thousandths, of an object.
    Value(i64),
    /// Any numbers of thousandths, from outside.
    Values(Vec<i64>),
    /// Of the pods in their order, the deployment's before the others; `None` has no value.
    Pods(Vec<Option<PodValue>>),
    /// An error.
    Failed,
}

/// A pod's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodValue {
    pub milli: i64,
    /// When it was taken, in seconds from the start of the case. CPU of a young pod counts only when it was taken well
    /// after the pod became ready, so most are of the future.
    pub taken_seconds: i64,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    pub name: String,
    /// In order. What the controller remembers of earlier ones is not written down: it has to be carried along.
    pub rounds: Vec<Round>,
}

/// What one round of the controller saw and did.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    pub situation: Situation,
    /// As far as it can be seen from outside: conditions stay from earlier rounds, and what the metrics asked for before
    /// bounds and windows is not shown.
    pub outcome: Outcome,
}

impl Answer {
    /// The same number for that many pods, taken late enough to count.
    pub fn pods(milli: i64, count: usize) -> Self {
        Self::Pods(vec![Some(PodValue::late(milli)); count])
    }
}

impl PodValue {
    /// Taken late enough to count.
    pub fn late(milli: i64) -> Self {
        Self { milli, taken_seconds: 120 }
    }

    /// Taken before the pod was ready.
    pub fn early(milli: i64) -> Self {
        Self { milli, taken_seconds: -120 }
    }
}

/// Names of pods to short ones, the deployment's pods first and in order.
fn short_names<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeMap<String, String> {
    names.into_iter().enumerate().map(|(number, name)| (name.to_owned(), format!("p{number}"))).collect()
}
