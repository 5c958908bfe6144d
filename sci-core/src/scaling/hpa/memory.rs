//! What the controller remembers of an autoscaler between rounds.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Empty after a restart of the controller.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Memory {
    /// What the metrics asked for, for the stabilisation windows.
    pub recommendations: Vec<ReplicaChange>,
    /// Replicas that were added, for the policies of a behaviour.
    pub scale_ups: Vec<ReplicaChange>,
    /// Replicas that were taken.
    pub scale_downs: Vec<ReplicaChange>,
    /// Whether the `ScaledToZero` condition holds. It stands in the object and outlives the controller.
    pub scaled_to_zero: bool,
}

/// A number of replicas at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaChange {
    /// How many.
    pub replicas: i32,
    /// When.
    pub at: Timestamp,
}

/// In place of the last entry that is outdated, or at the end. So the list stays as long as its windows need.
pub(super) fn keep(list: &mut Vec<ReplicaChange>, entry: ReplicaChange, outdated: impl Fn(&ReplicaChange) -> bool) {
    match list.iter_mut().rev().find(|old| outdated(old)) {
        Some(old) => *old = entry,
        None => list.push(entry),
    }
}

/// Replicas changed after `now - period`.
pub(super) fn changed_within(list: &[ReplicaChange], period_seconds: u32, now: Timestamp) -> i32 {
    let cutoff = before(now, period_seconds);
    list.iter().filter(|change| change.at > cutoff).fold(0, |sum, change| sum.wrapping_add(change.replicas))
}

/// The instant that many seconds earlier.
pub(super) fn before(now: Timestamp, seconds: u32) -> Timestamp {
    now.checked_sub(Duration::from_secs(u64::from(seconds))).unwrap_or(Timestamp::MIN)
}
