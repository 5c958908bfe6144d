//! What fewer replicas save, and how sure that is.

use serde::{Deserialize, Serialize};

use super::Replicas;
use crate::quantity::{GramsPerHour, GramsPerKwh, Pue, Watts};

/// What one more replica draws although the load is the same: its process when idle, and its share of a machine that
/// is on because of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplicaOverhead {
    /// Of the process itself when it has nothing to do.
    pub idle: Watts,
    /// Of the machine's idle power, by requests. Saved only where machines go away or sleep.
    pub machine_share: Watts,
    /// Embodied carbon of the machine's share. Saved only where machines go away for good.
    pub embodied: GramsPerHour,
    /// How the watts are known.
    pub basis: Basis,
}

/// How watts are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Basis {
    /// From meters of this workload's pods.
    Measured,
    /// From power curves and requests.
    Modelled,
    /// Nobody knows.
    Assumed,
}

/// What becomes of the room that replicas leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FreedRoom {
    /// Machines leave when they are empty: a cluster autoscaler, or the like.
    Removed,
    /// Machines stay on.
    Kept,
    /// Nobody knows; counted as kept.
    Unknown,
}

/// An estimate with what it leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Saving {
    /// Avoided now, by what is known.
    pub grams_per_hour: GramsPerHour,
    /// Avoided in addition where the machines go away.
    pub grams_per_hour_if_machines_leave: GramsPerHour,
    /// Replicas that it is about.
    pub replicas: u32,
    /// How far to believe it.
    pub note: SavingNote,
}

/// How honest an estimate is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SavingNote {
    /// No replica less than without the policy.
    Nothing,
    /// Idle power by meters, and machines leave.
    Measured,
    /// Idle power by meters; machines stay on, their part is not counted.
    MeasuredIdleOnly,
    /// Idle power by a model, and machines leave.
    Modelled,
    /// Idle power by a model; machines stay on, their part is not counted.
    ModelledIdleOnly,
    /// Nothing is known of the replicas' power: not claimed.
    Unknown,
}

impl SavingNote {
    /// A sentence for status and reports.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Nothing => "no replica is saved at the moment",
            Self::Measured => "measured idle power of the saved replicas and their machines, which go away when empty",
            Self::MeasuredIdleOnly => "measured idle power of the saved replicas only, the machines stay on",
            Self::Modelled => "modelled idle power of the saved replicas and their machines, which go away when empty",
            Self::ModelledIdleOnly => "modelled idle power of the saved replicas only, the machines stay on",
            Self::Unknown => "the power of a replica is not known, so no saving is claimed",
        }
    }
}

/// What the replicas that a policy saves would emit. The energy of the work itself is not in it: the load is the same
/// and the remaining replicas do all of it.
///
/// ```text
/// saved = (plain - green) * (idle + machine share where machines leave) * PUE * I / 1000 + embodied where they leave
/// ```
pub fn saving(
    replicas: Replicas,
    overhead: &ReplicaOverhead,
    freed: FreedRoom,
    intensity: GramsPerKwh,
    pue: Pue,
) -> Saving {
    let saved = replicas.saved();
    let grams = |watts: Watts| watts * pue * intensity;
    let times = |rate: GramsPerHour| GramsPerHour::clamped(rate.get() * f64::from(saved));
    let idle = times(grams(overhead.idle));
    let machines = times(grams(overhead.machine_share) + overhead.embodied);
    let (counted, further) = match freed {
        FreedRoom::Removed => (idle + machines, GramsPerHour::ZERO),
        FreedRoom::Kept | FreedRoom::Unknown => (idle, machines),
    };
    let note = match (overhead.basis, freed) {
        _ if saved == 0 => SavingNote::Nothing,
        (Basis::Measured, FreedRoom::Removed) => SavingNote::Measured,
        (Basis::Measured, _) => SavingNote::MeasuredIdleOnly,
        (Basis::Modelled, FreedRoom::Removed) => SavingNote::Modelled,
        (Basis::Modelled, _) => SavingNote::ModelledIdleOnly,
        (Basis::Assumed, _) => SavingNote::Unknown,
    };
    let claimed = |rate| if note == SavingNote::Unknown { GramsPerHour::ZERO } else { rate };
    Saving {
        grams_per_hour: claimed(counted),
        grams_per_hour_if_machines_leave: claimed(further),
        replicas: saved,
        note,
    }
}
