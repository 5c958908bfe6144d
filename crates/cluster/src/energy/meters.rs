//! What meters say of a node.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube_sci_signals::energy::{Gap, GapReason, MeterId, NodeWindow, RefusedMeter};
use sci_core::quantity::{Share, Utilization, Watts};

/// How a node's power is known at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PowerQuality {
    /// A meter counts all of it.
    Measured,
    /// A meter was looked at now and then: ALUMET's page without aggregation.
    Sampled,
    /// The exporter's own model.
    Estimated,
    /// The node's power curve at its load: no meter.
    Modelled,
}

impl PowerQuality {
    /// Every quality, best first.
    pub const ALL: [Self; 4] = [Self::Measured, Self::Sampled, Self::Estimated, Self::Modelled];

    /// As in metrics and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Sampled => "sampled",
            Self::Estimated => "estimated",
            Self::Modelled => "modelled",
        }
    }

    /// What the true power is expected between, as factors of what is said. `None`: the power curve has a band of its
    /// own.
    ///
    /// A second of a steady load of 110 W was seen as 102 to 113 W by a meter that is only looked at; two accepted
    /// models of one instance differ by 2.6 times.
    pub const fn error_band(self) -> Option<(f64, f64)> {
        match self {
            Self::Measured => Some((1.0, 1.0)),
            Self::Sampled => Some((0.9, 1.1)),
            Self::Estimated => Some((0.5, 2.0)),
            Self::Modelled => None,
        }
    }

    /// How well the meter of a window knows.
    pub fn of(window: &NodeWindow) -> Self {
        match (window.modelled, window.sampled) {
            (true, _) => Self::Estimated,
            (false, true) => Self::Sampled,
            (false, false) => Self::Measured,
        }
    }
}

/// What a meter said last of one node.
#[derive(Debug, Clone, PartialEq)]
pub struct MeteredPower {
    /// Which meter.
    pub meter: MeterId,
    /// How well it knows.
    pub quality: PowerQuality,
    /// Since when it answers without a break.
    pub since: Timestamp,
    /// The window.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// Covered part of it.
    pub coverage: Share,
    /// Mean power over the covered part.
    pub power: Watts,
    /// Busy share of the node, where it is known.
    pub utilization: Option<Utilization>,
    /// Mean power of the pods' work.
    pub pods: Watts,
    /// Mean power of work that belongs to no known pod.
    pub system: Watts,
    /// Mean idle power that nobody reserved.
    pub unallocated: Watts,
}

/// Everything that meters said of one node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeMeters {
    /// The answer in force; `None`: the node is modelled.
    pub power: Option<MeteredPower>,
    /// Since when no meter answers, if one ever did.
    pub silent_since: Option<Timestamp>,
    /// Meters that are not believed.
    pub refused: Vec<RefusedMeter>,
    /// Gaps since start, by reason.
    pub gaps: BTreeMap<GapReason, u64>,
    /// The newest gap.
    pub last_gap: Option<Gap>,
}

impl NodeMeters {
    pub(crate) fn add_gap(&mut self, gap: Gap) {
        *self.gaps.entry(gap.reason).or_default() += 1;
        self.last_gap = Some(gap);
    }
}
