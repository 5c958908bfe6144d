//! From readings to replicas: one metric, then all of them.

use jiff::Timestamp;

use super::{
    MetricReading, MetricSpec, Pod, Reason, ResourceTarget, Scale, Spec, Target,
    object::{external_average, object_average, sum, value},
    pods::{Podwise, mean_of_pods, utilization_of_pods},
    spec::Controller,
};

/// Deviations that change nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerances {
    up: f64,
    down: f64,
}

impl Tolerances {
    pub(super) fn of(spec: &Spec, controller: &Controller) -> Self {
        let own = |rules: fn(&super::Behavior) -> &super::Rules| {
            spec.behavior.as_ref().and_then(|behavior| rules(behavior).tolerance).unwrap_or(controller.tolerance)
        };
        Self { up: own(|behavior| &behavior.scale_up), down: own(|behavior| &behavior.scale_down) }
    }

    pub(super) fn hold(self, ratio: f64) -> bool {
        (1.0 - self.down) <= ratio && ratio <= (1.0 + self.up)
    }
}

/// What a round knows while it reads metrics.
#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub(super) now: Timestamp,
    pub(super) controller: &'a Controller,
    pub(super) tolerances: Tolerances,
    pub(super) scale: Scale,
    pub(super) pods: &'a [Pod],
}

/// What all metrics ask for together.
pub(super) struct Proposal {
    /// `None` where nothing may be done.
    pub(super) replicas: Option<(i32, Option<usize>)>,
    pub(super) failed: Vec<(usize, String)>,
    /// Of the first that failed.
    pub(super) reason: Option<Reason>,
}

/// The largest of what the metrics ask for. Where any failed, nothing below the replicas of now.
pub(super) fn proposal(round: &Round<'_>, metrics: &[MetricSpec], readings: &[MetricReading]) -> Proposal {
    let missing = MetricReading::Failed("no reading".to_owned());
    let (mut replicas, mut metric) = (0, None);
    let (mut failed, mut reason) = (Vec::new(), None);
    for (index, spec) in metrics.iter().enumerate() {
        match replicas_for(round, spec, readings.get(index).unwrap_or(&missing)) {
            Ok(wanted) => {
                if replicas == 0 || wanted > replicas {
                    (replicas, metric) = (wanted, Some(index));
                }
            }
            Err(error) => {
                reason = reason.or(Some(reason_of(spec)));
                failed.push((index, error));
            }
        }
    }
    let blocked = failed.len() >= metrics.len() || (!failed.is_empty() && replicas < round.scale.spec_replicas);
    Proposal { replicas: (!blocked).then_some((replicas, metric)), failed, reason }
}

fn replicas_for(round: &Round<'_>, spec: &MetricSpec, reading: &MetricReading) -> Result<i32, String> {
    match (spec, reading) {
        (_, MetricReading::Failed(error)) => Err(error.clone()),
        (MetricSpec::Object { target }, MetricReading::Value(milli)) => match *target {
            Target::ValueMilli(target) => value(round, *milli, target),
            Target::AverageValueMilli(target) => Ok(object_average(round, *milli, target)),
        },
        (MetricSpec::External { target }, MetricReading::Values(values)) if !values.is_empty() => match *target {
            Target::ValueMilli(target) => value(round, sum(values), target),
            Target::AverageValueMilli(target) => Ok(external_average(round, values, target)),
        },
        (MetricSpec::External { .. }, MetricReading::Values(_)) => Err("no metrics returned".to_owned()),
        (MetricSpec::Pods { average_value_milli }, MetricReading::Pods(readings)) => {
            mean_of_pods(round, &Podwise { readings, cpu: false }, *average_value_milli)
        }
        (
            MetricSpec::Resource { name, target } | MetricSpec::ContainerResource { name, target },
            MetricReading::Pods(readings),
        ) => {
            let podwise = Podwise { readings, cpu: &**name == "cpu" };
            match *target {
                ResourceTarget::AverageUtilization(percent) => utilization_of_pods(round, &podwise, percent),
                ResourceTarget::AverageValueMilli(milli) => mean_of_pods(round, &podwise, milli),
            }
        }
        _ => Err("the reading is of another type than the metric".to_owned()),
    }
}

fn reason_of(spec: &MetricSpec) -> Reason {
    match spec {
        MetricSpec::Object { .. } => Reason::FailedGetObjectMetric,
        MetricSpec::External { .. } => Reason::FailedGetExternalMetric,
        MetricSpec::Pods { .. } => Reason::FailedGetPodsMetric,
        MetricSpec::Resource { .. } => Reason::FailedGetResourceMetric,
        MetricSpec::ContainerResource { .. } => Reason::FailedGetContainerResourceMetric,
    }
}
