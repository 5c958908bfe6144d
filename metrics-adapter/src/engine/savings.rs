//! What a replica costs that is there although nothing needs it.

use std::sync::Arc;

use kube_sci_cluster::snapshot::{PodRecord, Snapshot};
use sci_core::{
    quantity::{GramsPerHour, Pue, Watts},
    scaling::savings::{Basis, ReplicaOverhead},
};

/// Nothing is known, and nothing claimed.
pub(super) const UNKNOWN: ReplicaOverhead = ReplicaOverhead {
    idle: Watts::ZERO,
    machine_share: Watts::ZERO,
    embodied: GramsPerHour::ZERO,
    basis: Basis::Assumed,
};

/// The mean over a workload's pods, by their accounts: their share of the idle power of their machines, and of the
/// machines' embodied carbon. What a process draws when it has nothing to do cannot be told from its work by a meter,
/// so it is left out. `None` where no pod has an account yet.
pub(super) fn overhead(snapshot: &Snapshot, namespace: &str, pods: &[Arc<PodRecord>]) -> Option<ReplicaOverhead> {
    let (mut idle, mut embodied, mut count, mut measured) = (0.0, 0.0, 0u32, true);
    for pod in pods {
        let Some(account) = snapshot.accounts().pod(namespace, &pod.name) else { continue };
        let seconds = account.latest.length.as_secs_f64();
        if seconds <= 0.0 {
            continue;
        }
        idle += account.latest.tally.idle.get() / seconds;
        embodied += account.latest.tally.embodied.get() / seconds * 3_600.0;
        measured &= account.latest.measured;
        count += 1;
    }
    let mean = |sum: f64| sum / f64::from(count);
    (count > 0).then(|| ReplicaOverhead {
        idle: Watts::ZERO,
        machine_share: Watts::clamped(mean(idle)),
        embodied: GramsPerHour::clamped(mean(embodied)),
        basis: if measured { Basis::Measured } else { Basis::Modelled },
    })
}

/// The mean overhead of the sites where pods run.
pub(super) fn pue(snapshot: &Snapshot, pods: &[Arc<PodRecord>]) -> Option<Pue> {
    let known = pods.iter().filter_map(|pod| Some(snapshot.node_named(&pod.node)?.identity.pue.get()));
    let (sum, count) = known.fold((0.0, 0u32), |(sum, count), pue| (sum + pue, count + 1));
    (count > 0).then(|| Pue::clamped(sum / f64::from(count)))
}
