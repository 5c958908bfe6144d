//! Why a node gets no opinion, and why it is refused.
//!
//! The texts are constants: kube-scheduler counts equal strings in its events ("0/50 nodes are available: 12
//! carbon: grid intensity above the limit"), so numbers belong into the explanation, not into the reason.

use std::fmt;

use serde::Serialize;

/// Why nothing can be said about a pod on a node. Such a node is scored neutrally: never best, never worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NeutralReason {
    /// The node is in the request but not (yet) in the snapshot.
    NodeUnknown,
    /// Neither annotation, rule nor region gave the node a grid zone.
    ZoneUnknown,
    /// No source has a value for the zone.
    IntensityMissing,
    /// The newest value is older than the configured limit.
    IntensityStale,
    /// The zone's value is of another kind or scope than the configured signal.
    UnlikeSignal,
    /// The node reports no CPU or no memory.
    NoCapacity,
    /// The pod asks for no CPU and no default is configured.
    NoDemand,
}

impl NeutralReason {
    /// Every reason, for metrics and reference pages.
    pub const ALL: [Self; 7] = [
        Self::NodeUnknown,
        Self::ZoneUnknown,
        Self::IntensityMissing,
        Self::IntensityStale,
        Self::UnlikeSignal,
        Self::NoCapacity,
        Self::NoDemand,
    ];

    /// The text shown to people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NodeUnknown => "carbon: node not known yet",
            Self::ZoneUnknown => "carbon: grid zone of the node not known",
            Self::IntensityMissing => "carbon: no intensity for the grid zone",
            Self::IntensityStale => "carbon: intensity of the grid zone is stale",
            Self::UnlikeSignal => "carbon: intensity of the grid zone is of another kind",
            Self::NoCapacity => "carbon: node reports no capacity",
            Self::NoDemand => "carbon: pod asks for no CPU",
        }
    }

    /// A label value for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NodeUnknown => "node_unknown",
            Self::ZoneUnknown => "zone_unknown",
            Self::IntensityMissing => "intensity_missing",
            Self::IntensityStale => "intensity_stale",
            Self::UnlikeSignal => "unlike_signal",
            Self::NoCapacity => "no_capacity",
            Self::NoDemand => "no_demand",
        }
    }
}

impl fmt::Display for NeutralReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for NeutralReason {}

/// Why a node is refused to a pod that set a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectReason {
    /// The zone's intensity is above the pod's `max-intensity`.
    IntensityAboveLimit,
    /// The pod's footprint on the node is above its `max-grams-per-hour`.
    FootprintAboveLimit,
    /// The node's zone is none of the pod's `allowed-zones`.
    ZoneNotAllowed,
}

impl RejectReason {
    /// Every reason, for metrics and reference pages.
    pub const ALL: [Self; 3] = [Self::IntensityAboveLimit, Self::FootprintAboveLimit, Self::ZoneNotAllowed];

    /// The text that `kubectl describe pod` shows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IntensityAboveLimit => "carbon: grid intensity above the limit",
            Self::FootprintAboveLimit => "carbon: grams per hour above the limit",
            Self::ZoneNotAllowed => "carbon: grid zone not allowed",
        }
    }

    /// A label value for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::IntensityAboveLimit => "intensity_above_limit",
            Self::FootprintAboveLimit => "footprint_above_limit",
            Self::ZoneNotAllowed => "zone_not_allowed",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn reasons_are_distinct_constants() {
        let texts: HashSet<String> = NeutralReason::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), NeutralReason::ALL.len());
        let labels: HashSet<&str> = RejectReason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(labels.len(), RejectReason::ALL.len());
    }
}
