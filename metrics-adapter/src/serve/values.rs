//! Values of metrics on objects, from memory.

mod energy;
mod intensity;
mod policies;

use std::sync::Arc;

use aggregated_apiserver::Status;
use jiff::{SignedDuration, Timestamp};
use kube_sci_cluster::{
    objects::{Labels, Workload},
    snapshot::{PodRecord, Snapshot},
};
use kube_sci_signals::grid::LearnedHours;
use sci_core::intensity::Freshness;

pub(crate) use self::policies::mode;
use super::{
    body::{MetricLabels, Value},
    quantity::Quantity,
    rates::Rates,
    selectors::shown,
};
use crate::{
    catalogue::{Metric, Subject},
    table::{PolicyState, PolicyTable},
};

/// Everything that one answer is made of.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The cluster.
    pub snapshot: &'a Snapshot,
    /// Sums over its pods.
    pub rates: &'a Rates,
    /// The policies.
    pub policies: &'a PolicyTable,
    /// The past of grid zones.
    pub learned: &'a LearnedHours,
    /// The present.
    pub now: Timestamp,
    /// How old values may be.
    pub limits: Limits,
}

/// How old values may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Intensities.
    pub freshness: Freshness,
    /// Windows of energy.
    pub energy: SignedDuration,
}

/// The object that is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Object<'a> {
    /// A policy.
    Policy(&'a Arc<PolicyState>),
    /// A node by name.
    Node(&'a str),
    /// A namespace by name.
    Namespace(&'a str),
    /// A pod with its namespace.
    Pod(&'a str, &'a PodRecord),
    /// What pods belong to.
    Workload(&'a Workload),
}

/// Why there is no value. Shown to whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// No such object.
    #[error("there is no such object")]
    NoObject,
    /// Nothing of the cluster is known yet.
    #[error("the cluster is not known yet, ask again in some seconds")]
    NotSynced,
    /// There is no value, with the cause.
    #[error("{0}")]
    Cause(String),
}

impl Absent {
    fn cause(cause: impl Into<String>) -> Self {
        Self::Cause(cause.into())
    }
}

/// A number before it is checked.
struct Raw<'a> {
    number: f64,
    at: Timestamp,
    window: Option<std::time::Duration>,
    labels: MetricLabels<'a>,
}

impl<'a> Raw<'a> {
    fn checked(self) -> Result<Value<'a>, Absent> {
        let Self { number, at, window, labels } = self;
        let quantity = Quantity::new(number)
            .map_err(|_| Absent::Cause(format!("its value is {number}, which no metric can be")))?;
        Ok(Value { quantity, at, window, labels })
    }
}

impl<'a> View<'a> {
    /// The value of a metric on an object.
    ///
    /// # Errors
    /// [`Absent`] says why there is none.
    pub fn value(&self, metric: Metric, object: Object<'a>) -> Result<Value<'a>, Absent> {
        match object {
            Object::Policy(policy) => self.policy(metric, policy),
            _ if !self.snapshot.synced() => Err(Absent::NotSynced),
            _ => match metric {
                Metric::CarbonIntensity => self.intensity(object),
                Metric::PowerWatts | Metric::CarbonGramsPerHour | Metric::SciGramsPerUnit => {
                    self.energy(metric, object)
                }
                _ => Err(Absent::Cause("it is a metric of policies".to_owned())),
            }
            .and_then(Raw::checked),
        }
    }

    /// A policy by name.
    ///
    /// # Errors
    /// 404 where there is none, or where they are not known yet.
    pub fn policy_named(&self, namespace: &str, name: &str) -> Result<&'a Arc<PolicyState>, Status> {
        self.policies.get(namespace, name).ok_or_else(|| {
            let cause = if self.policies.synced { Absent::NoObject } else { Absent::NotSynced };
            Status::not_found(format!("policy {}/{}: {cause}", shown(namespace), shown(name)))
        })
    }

    /// A pod by name.
    ///
    /// # Errors
    /// [`Absent`].
    pub fn pod(&self, namespace: &str, name: &str) -> Result<&'a PodRecord, Absent> {
        if !self.snapshot.synced() {
            return Err(Absent::NotSynced);
        }
        self.snapshot.directory().pod(namespace, name).ok_or(Absent::NoObject)
    }

    /// Labels of a node.
    pub fn node_labels(&self, name: &str) -> Option<&'a Labels> {
        self.snapshot.directory().node_labels(name)
    }
}

impl Object<'_> {
    /// What it is.
    pub const fn subject(&self) -> Subject {
        match self {
            Self::Policy(_) => Subject::Policy,
            Self::Node(_) => Subject::Node,
            Self::Namespace(_) => Subject::Namespace,
            Self::Pod(..) => Subject::Pod,
            Self::Workload(_) => Subject::Workload,
        }
    }
}
