//! From what the metrics ask for to what is done: windows, policies, bounds.

use jiff::Timestamp;

use super::{
    ChangePolicy, Conditions, Controller, Memory, PolicyType, Reason, ReplicaChange, Rules, SelectPolicy, Spec,
    memory::{before, changed_within, keep},
    number::to_i32,
    situation::Condition,
};

const UP: [ChangePolicy; 2] = [
    ChangePolicy { kind: PolicyType::Pods, value: 4, period_seconds: 15 },
    ChangePolicy { kind: PolicyType::Percent, value: 100, period_seconds: 15 },
];
const DOWN: [ChangePolicy; 1] = [ChangePolicy { kind: PolicyType::Percent, value: 100, period_seconds: 15 }];

/// A way through windows, policies and bounds.
pub(super) struct Normalizer<'a> {
    pub(super) now: Timestamp,
    pub(super) spec: &'a Spec,
    pub(super) controller: &'a Controller,
    pub(super) current: i32,
}

impl Normalizer<'_> {
    pub(super) fn normalize(&self, memory: &mut Memory, wanted: i32, conditions: &mut Conditions) -> i32 {
        let (stable, held_by) = self.stabilized(memory, wanted);
        let able = if stable == wanted { Reason::ReadyForNewScale } else { held_by };
        conditions.able_to_scale = Some(Condition::yes(able));
        let (limited, reason) = match &self.spec.behavior {
            Some(behavior) if stable > self.current => self.limited_up(memory, &behavior.scale_up, stable),
            Some(behavior) if stable < self.current => self.limited_down(memory, &behavior.scale_down, stable),
            Some(_) => (stable, Reason::DesiredWithinRange),
            None => self.limited_without_behavior(stable),
        };
        conditions.scaling_limited =
            Some(if limited == stable { Condition::no(reason) } else { Condition::yes(reason) });
        limited
    }

    /// The windows. Without a behaviour there is only the one on the way down.
    fn stabilized(&self, memory: &mut Memory, wanted: i32) -> (i32, Reason) {
        let own = self.controller.downscale_stabilization_seconds;
        let entry = ReplicaChange { replicas: wanted, at: self.now };
        let Some(behavior) = &self.spec.behavior else {
            let cutoff = before(self.now, own);
            let recent = memory.recommendations.iter().filter(|old| old.at >= cutoff).map(|old| old.replicas);
            let stable = recent.fold(wanted, i32::max);
            keep(&mut memory.recommendations, entry, |old| old.at < cutoff);
            return (stable, Reason::ScaleDownStabilized);
        };
        let up = before(self.now, behavior.scale_up.stabilization_window_seconds.unwrap_or(0));
        let down = before(self.now, behavior.scale_down.stabilization_window_seconds.unwrap_or(own));
        let within = |cutoff| memory.recommendations.iter().filter(move |old| old.at > cutoff).map(|old| old.replicas);
        let lowest = within(up).fold(wanted, i32::min);
        let highest = within(down).fold(wanted, i32::max);
        let stable = self.current.max(lowest).min(highest);
        keep(&mut memory.recommendations, entry, |old| old.at < up && old.at < down);
        (stable, if wanted >= self.current { Reason::ScaleUpStabilized } else { Reason::ScaleDownStabilized })
    }

    fn limited_up(&self, memory: &Memory, rules: &Rules, wanted: i32) -> (i32, Reason) {
        let policies = rules.policies.as_deref().unwrap_or(&UP);
        let proposals = policies.iter().map(|policy| {
            let start = self.at_period_start(memory, policy.period_seconds);
            match policy.kind {
                PolicyType::Pods => start.wrapping_add(policy.value),
                PolicyType::Percent => to_i32((f64::from(start) * (1.0 + f64::from(policy.value) / 100.0)).ceil()),
            }
        });
        let limit = match rules.select_policy.unwrap_or_default() {
            SelectPolicy::Disabled => self.current,
            SelectPolicy::Min => proposals.fold(i32::MAX, i32::min),
            SelectPolicy::Max => proposals.fold(i32::MIN, i32::max),
        };
        let limit = limit.max(self.current);
        let (most, reason) = if self.spec.max_replicas > limit {
            (limit, Reason::ScaleUpLimit)
        } else {
            (self.spec.max_replicas, Reason::TooManyReplicas)
        };
        if wanted > most { (most, reason) } else { (wanted, Reason::DesiredWithinRange) }
    }

    fn limited_down(&self, memory: &Memory, rules: &Rules, wanted: i32) -> (i32, Reason) {
        let policies = rules.policies.as_deref().unwrap_or(&DOWN);
        let proposals = policies.iter().map(|policy| {
            let start = self.at_period_start(memory, policy.period_seconds);
            match policy.kind {
                PolicyType::Pods => start.wrapping_sub(policy.value),
                PolicyType::Percent => to_i32(f64::from(start) * (1.0 - f64::from(policy.value) / 100.0)),
            }
        });
        let limit = match rules.select_policy.unwrap_or_default() {
            SelectPolicy::Disabled => self.current,
            SelectPolicy::Min => proposals.fold(i32::MIN, i32::max),
            SelectPolicy::Max => proposals.fold(i32::MAX, i32::min),
        };
        let limit = limit.min(self.current);
        let (fewest, reason) = if self.spec.min_replicas < limit {
            (limit, Reason::ScaleDownLimit)
        } else {
            (self.spec.min_replicas, Reason::TooFewReplicas)
        };
        if wanted < fewest { (fewest, reason) } else { (wanted, Reason::DesiredWithinRange) }
    }

    /// No more than twice as many, or 4.
    fn limited_without_behavior(&self, wanted: i32) -> (i32, Reason) {
        let limit = to_i32((2.0 * f64::from(self.current)).max(4.0));
        let (most, reason) = if self.spec.max_replicas > limit {
            (limit, Reason::ScaleUpLimit)
        } else {
            (self.spec.max_replicas, Reason::TooManyReplicas)
        };
        if wanted < self.spec.min_replicas {
            (self.spec.min_replicas, Reason::TooFewReplicas)
        } else if wanted > most {
            (most, reason)
        } else {
            (wanted, Reason::DesiredWithinRange)
        }
    }

    /// Replicas before what was done within the period.
    fn at_period_start(&self, memory: &Memory, period_seconds: u32) -> i32 {
        let added = changed_within(&memory.scale_ups, period_seconds, self.now);
        let taken = changed_within(&memory.scale_downs, period_seconds, self.now);
        self.current.wrapping_sub(added).wrapping_add(taken)
    }
}

/// Remembers a change; without a behaviour nobody asks for it.
pub(super) fn record(memory: &mut Memory, spec: &Spec, from: i32, to: i32, now: Timestamp) {
    let Some(behavior) = &spec.behavior else { return };
    let (list, rules, defaults, replicas) = if to > from {
        (&mut memory.scale_ups, &behavior.scale_up, &UP[..], to.wrapping_sub(from))
    } else {
        (&mut memory.scale_downs, &behavior.scale_down, &DOWN[..], from.wrapping_sub(to))
    };
    let policies = rules.policies.as_deref().unwrap_or(defaults);
    let longest = policies.iter().map(|policy| policy.period_seconds).max().unwrap_or(0);
    let cutoff = before(now, longest);
    keep(list, ReplicaChange { replicas, at: now }, |old| old.at < cutoff);
}
