//! One round after the other.

use jiff::Timestamp;

use super::{
    Conditions, Controller, Memory, MetricReading, Outcome, Pod, Reason, ReplicaChange, RescaleReason, Scale, Spec,
    behavior::{Normalizer, record},
    metric::{Round, Tolerances, proposal},
    situation::Condition,
};

/// An autoscaler with its controller.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoscaler {
    /// What it is asked to do.
    pub spec: Spec,
    /// Flags of the controller.
    pub controller: Controller,
    /// What the controller remembers of it.
    pub memory: Memory,
}

impl Autoscaler {
    /// New to its controller.
    pub fn new(spec: Spec, controller: Controller) -> Self {
        Self { spec, controller, memory: Memory::default() }
    }

    /// One round: what the target is asked for, and why. `readings` are in the order of the spec's metrics; one that
    /// is missing has failed.
    pub fn step(&mut self, now: Timestamp, scale: Scale, pods: &[Pod], readings: &[MetricReading]) -> Outcome {
        let current = scale.spec_replicas;
        if self.memory.recommendations.is_empty() {
            self.memory.recommendations.push(ReplicaChange { replicas: current, at: now });
        }
        let mut outcome = Outcome {
            replicas: current,
            rescaled: false,
            rescale_reason: None,
            proposed: None,
            metric: None,
            failed: Vec::new(),
            conditions: Conditions {
                able_to_scale: Some(Condition::yes(Reason::SucceededGetScale)),
                ..Conditions::default()
            },
        };
        let (min, max) = (self.spec.min_replicas, self.spec.max_replicas);
        if current == 0 && !self.wakes() {
            outcome.conditions.scaling_active = Some(Condition::no(Reason::ScalingDisabled));
            return outcome;
        }
        if current > max {
            self.rescale(&mut outcome, current, max, Some(RescaleReason::AboveMaximum), now);
        } else if current != 0 && current < min {
            self.rescale(&mut outcome, current, min, Some(RescaleReason::BelowMinimum), now);
        } else {
            self.follow(&mut outcome, now, scale, pods, readings);
        }
        outcome
    }

    /// Whether a target without replicas is this autoscaler's doing, and may get some again.
    fn wakes(&self) -> bool {
        self.memory.scaled_to_zero && (self.spec.min_replicas != 0 || self.outlives_pods())
    }

    fn outlives_pods(&self) -> bool {
        self.spec.metrics.iter().any(super::MetricSpec::outlives_pods)
    }

    /// The metrics decide.
    fn follow(
        &mut self,
        outcome: &mut Outcome,
        now: Timestamp,
        scale: Scale,
        pods: &[Pod],
        readings: &[MetricReading],
    ) {
        let tolerances = Tolerances::of(&self.spec, &self.controller);
        let round = Round { now, controller: &self.controller, tolerances, scale, pods };
        let proposal = proposal(&round, &self.spec.metrics, readings);
        outcome.failed = proposal.failed;
        let Some((proposed, metric)) = proposal.replicas else {
            outcome.conditions.scaling_active = proposal.reason.map(Condition::no);
            return;
        };
        outcome.conditions.scaling_active = Some(Condition::yes(Reason::ValidMetricFound));
        (outcome.proposed, outcome.metric) = (Some(proposed), metric);

        let current = scale.spec_replicas;
        // A proposal below zero is one that did not fit its integer.
        let wanted = proposed.max(0);
        let mut reason = if wanted > current {
            Some(RescaleReason::MetricAboveTarget)
        } else {
            (wanted < current).then_some(RescaleReason::MetricsBelowTarget)
        };
        let normalizer = Normalizer { now, spec: &self.spec, controller: &self.controller, current };
        let mut replicas = normalizer.normalize(&mut self.memory, wanted, &mut outcome.conditions);
        let min = self.spec.min_replicas;
        if current == 0 && replicas < min {
            replicas = min;
            reason = reason.or(Some(RescaleReason::BelowMinimum));
        }
        if replicas != current {
            self.rescale(outcome, current, replicas, reason, now);
        }
    }

    fn rescale(&mut self, outcome: &mut Outcome, from: i32, to: i32, reason: Option<RescaleReason>, now: Timestamp) {
        (outcome.replicas, outcome.rescaled, outcome.rescale_reason) = (to, true, reason);
        outcome.conditions.able_to_scale = Some(Condition::yes(Reason::SucceededRescale));
        record(&mut self.memory, &self.spec, from, to, now);
        self.memory.scaled_to_zero = from > 0 && to == 0 && self.spec.min_replicas == 0 && self.outlives_pods();
        outcome.conditions.scaled_to_zero = Some(if self.memory.scaled_to_zero {
            Condition::yes(Reason::ScaledToZero)
        } else {
            Condition::no(Reason::NotScaledToZero)
        });
    }
}
