//! One node's energy over a window among the pods that were there.

use std::time::Duration;

use jiff::Timestamp;
use kube_sci_signals::energy::{NodeWindow, PodWindow, SCALE_FROM};
use rustc_hash::FxHashMap;
use sci_core::{
    quantity::{Cores, GramsCo2e, GramsPerKwh, Joules, Pue, Share, Utilization, WallFactor, Watts},
    sci::{
        EmbodiedCarbon,
        sharing::{IdlePolicy, NodeUse, PodEnergy, PodUse, Work, share_out},
    },
};

use super::super::pods::{BoundPod, PodsByNode, Presence};
use crate::{
    energy::{MeteredPower, PodEntry, PowerQuality, Tally},
    objects::{CpuMillis, MemoryBytes, PodUid, resources},
    snapshot::NodeRecord,
};

/// Energy of a node, shared out.
#[derive(Debug, Clone)]
pub(super) struct NodeShare<'a> {
    /// The time it is of.
    pub length: Duration,
    pub node: Joules,
    pub system: Joules,
    pub unallocated: Joules,
    pub utilization: Option<Utilization>,
    pub pods: Vec<PodShare<'a>>,
}

/// One pod's part.
#[derive(Debug, Clone)]
pub(super) struct PodShare<'a> {
    pub pod: &'a BoundPod,
    pub energy: PodEnergy,
    /// Of the pod's work: memory, where it is told apart.
    pub dram: Option<Joules>,
    /// CPU time, where it is known.
    pub cpu: Option<Duration>,
    /// What it keeps of the node's idle energy and embodied carbon.
    pub reserved: Share,
    /// A meter spoke of it.
    pub metered: bool,
    /// Seconds of requested cores.
    pub core_seconds: f64,
    asked: Cores,
}

/// What joules and seconds of one node cost in grams.
#[derive(Debug)]
pub(super) struct Split {
    price: Option<(Pue, GramsPerKwh)>,
    /// Embodied carbon of the whole node over the window.
    embodied: GramsCo2e,
}

/// Pods of a window by what exporters call them.
struct Claims<'w> {
    by_uid: FxHashMap<PodUid, &'w PodWindow>,
    by_name: FxHashMap<(&'w str, &'w str), &'w PodWindow>,
}

impl<'a> NodeShare<'a> {
    /// Shares out what a meter saw, scaled up to the whole window, and to the wall where the meter does not see the
    /// whole machine. `None` where too little of the window is covered.
    pub(super) fn of_window(
        window: &NodeWindow,
        record: &NodeRecord,
        pods: &PodsByNode<'a>,
        wall_factor: WallFactor,
    ) -> Option<Self> {
        let coverage = window.coverage().get();
        let total = window.energy.total()?;
        if coverage < SCALE_FROM {
            return None;
        }
        let length: Duration = window.end.duration_since(window.start).try_into().ok()?;
        let wall = if window.energy.platform.is_some() { WallFactor::NONE } else { wall_factor };
        let scale = |energy: Joules| Joules::clamped(energy.get() * wall.get() / coverage);
        let claims = Claims::new(window);
        let mut rows: Vec<PodShare<'a>> = Vec::new();
        let mut uses = Vec::new();
        for &(uid, pod, presence) in pods.on(record.slot) {
            let claim = claims.of(uid, pod);
            // Whoever left during the window still worked in it, but reserves nothing any more.
            if presence == Presence::Departed && claim.is_none() {
                continue;
            }
            let row = PodShare::new(pod, claim, presence, record, length);
            let work = claim.map(|claim| Work::Measured(scale(claim.energy)));
            uses.push(PodUse { work, reserved: row.reserved });
            rows.push(PodShare { dram: row.dram.map(scale), ..row });
        }
        let utilization = window.utilization.or_else(|| busy(window, record));
        let node = NodeUse { energy: scale(total), utilization };
        Some(Self::shared(length, &node, rows, &uses))
    }

    /// Shares out what the power curve says of the node's requests.
    pub(super) fn modelled(record: &NodeRecord, pods: &PodsByNode<'a>, length: Duration) -> Self {
        let capacity = record.identity.capacity;
        let utilization = Utilization::of(record.load.requested.cpu, capacity.cpu).unwrap_or(Utilization::IDLE);
        let mut rows = Vec::new();
        let mut uses = Vec::new();
        for &(_, pod, presence) in pods.on(record.slot) {
            if presence == Presence::Here {
                let row = PodShare::new(pod, None, presence, record, length);
                let used = resources(CpuMillis(pod.part.cpu_millis), MemoryBytes(0)).cpu;
                let work = Share::of(used.get(), capacity.cpu.get()).map(Work::CpuTime);
                uses.push(PodUse { work, reserved: row.reserved });
                rows.push(row);
            }
        }
        let node = NodeUse { energy: record.hardware.curve.at(utilization) * length, utilization: Some(utilization) };
        Self::shared(length, &node, rows, &uses)
    }

    fn shared(length: Duration, node: &NodeUse, rows: Vec<PodShare<'a>>, uses: &[PodUse]) -> Self {
        let shared = share_out(node, uses, IdlePolicy::Reserved);
        let pods = rows.into_iter().zip(shared.pods).map(|(row, energy)| PodShare { energy, ..row }).collect();
        Self {
            length,
            node: node.energy,
            system: shared.system,
            unallocated: shared.unallocated,
            utilization: node.utilization,
            pods,
        }
    }

    /// The same for a part of the time.
    pub(super) fn scaled(&self, part: Share) -> Self {
        let pods = self.pods.iter().map(|pod| PodShare {
            energy: PodEnergy { active: pod.energy.active * part, idle: pod.energy.idle * part },
            core_seconds: pod.core_seconds * part.get(),
            ..pod.clone()
        });
        Self {
            length: self.length.mul_f64(part.get()),
            node: self.node * part,
            system: self.system * part,
            unallocated: self.unallocated * part,
            utilization: self.utilization,
            pods: pods.collect(),
        }
    }

    /// Mean power over the window.
    pub(super) fn power(&self) -> Watts {
        self.mean(self.node)
    }

    /// As the node's record shows it.
    pub(super) fn metered(&self, window: &NodeWindow, since: Timestamp) -> MeteredPower {
        let pods = self.node.saturating_sub(self.system).saturating_sub(self.unallocated);
        MeteredPower {
            meter: window.meter.clone(),
            quality: PowerQuality::of(window),
            since,
            start: window.start,
            end: window.end,
            coverage: window.coverage(),
            power: self.power(),
            utilization: self.utilization,
            pods: self.mean(pods),
            system: self.mean(self.system),
            unallocated: self.mean(self.unallocated),
        }
    }

    fn mean(&self, energy: Joules) -> Watts {
        let seconds = self.length.as_secs_f64();
        if seconds > 0.0 { Watts::clamped(energy.get() / seconds) } else { Watts::ZERO }
    }
}

impl<'a> PodShare<'a> {
    fn new(
        pod: &'a BoundPod,
        claim: Option<&PodWindow>,
        presence: Presence,
        record: &NodeRecord,
        length: Duration,
    ) -> Self {
        let asked = resources(CpuMillis(pod.part.cpu_millis), MemoryBytes(pod.part.memory_bytes));
        let allocatable = record.identity.allocatable;
        let here = presence == Presence::Here;
        let share = |asked: f64, of: f64| Share::of(asked, of).unwrap_or(Share::NONE);
        let cpu = share(asked.cpu.get(), allocatable.cpu.get());
        let memory = share(asked.memory.get(), allocatable.memory.get());
        let reserved = if cpu >= memory { cpu } else { memory };
        Self {
            pod,
            energy: PodEnergy::default(),
            dram: claim.and_then(|claim| claim.dram),
            metered: claim.is_some(),
            cpu: claim.and_then(|claim| claim.cpu),
            reserved: if here { reserved } else { Share::NONE },
            core_seconds: if here { asked.cpu.get() * length.as_secs_f64() } else { 0.0 },
            asked: asked.cpu,
        }
    }

    /// What it asks for; nothing where it has left.
    pub(super) fn requested(&self) -> Cores {
        if self.core_seconds > 0.0 { self.asked } else { Cores::ZERO }
    }

    pub(super) fn entry(&self) -> PodEntry<'_> {
        PodEntry { name: &self.pod.name, key: self.pod.key, workload: &self.pod.workload }
    }
}

impl<'w> Claims<'w> {
    fn new(window: &'w NodeWindow) -> Self {
        let by_uid = window.pods.iter().filter_map(|pod| Some((PodUid::new(pod.pod.uid.as_deref()?), pod)));
        let unnamed = window.pods.iter().filter(|pod| pod.pod.uid.is_none());
        Self {
            by_uid: by_uid.collect(),
            by_name: unnamed.map(|pod| ((&*pod.pod.namespace, &*pod.pod.name), pod)).collect(),
        }
    }

    /// By UID where the exporter knows it: a name may have been taken over by a later pod.
    fn of(&self, uid: PodUid, pod: &BoundPod) -> Option<&'w PodWindow> {
        let named = || self.by_name.get(&(&*pod.workload.namespace, &*pod.name));
        self.by_uid.get(&uid).or_else(named).copied()
    }
}

/// Busy share of a node by the CPU time of its pods: what runs beside them is missing, so it is a little low.
fn busy(window: &NodeWindow, record: &NodeRecord) -> Option<Utilization> {
    let used: f64 = window.pods.iter().filter_map(|pod| pod.cpu).map(|cpu| cpu.as_secs_f64()).sum();
    let has = record.identity.capacity.cpu.get() * window.covered.as_secs_f64();
    (used > 0.0 && has > 0.0).then(|| Utilization::clamped(used / has))
}

impl Split {
    pub(super) fn new(record: &NodeRecord, intensity: Option<GramsPerKwh>, length: Duration) -> Self {
        let hardware = &record.identity.hardware;
        let embodied = EmbodiedCarbon::new(hardware.embodied, hardware.lifetime)
            .map_or(GramsCo2e::ZERO, |embodied| embodied.charge(length, Share::ALL));
        Self { price: intensity.map(|intensity| (record.identity.pue, intensity)), embodied }
    }

    pub(super) fn pod(&self, pod: &PodShare<'_>) -> Tally {
        Tally {
            active: pod.energy.active,
            idle: pod.energy.idle,
            operational: self.grams(pod.energy.total()),
            unpriced: self.unpriced(pod.energy.total()),
            embodied: self.embodied * pod.reserved,
            core_seconds: pod.core_seconds,
        }
    }

    /// All of the node, its system part and its unallocated part.
    pub(super) fn node(&self, share: &NodeShare<'_>) -> (Tally, Tally, Tally) {
        let active = |energy| self.tally(energy, Joules::ZERO);
        let idle: Joules = share.pods.iter().map(|pod| pod.energy.idle).sum::<Joules>() + share.unallocated;
        let whole = Tally { embodied: self.embodied, ..self.tally(share.node.saturating_sub(idle), idle) };
        (whole, active(share.system), self.tally(Joules::ZERO, share.unallocated))
    }

    fn tally(&self, active: Joules, idle: Joules) -> Tally {
        let energy = active + idle;
        Tally { active, idle, operational: self.grams(energy), unpriced: self.unpriced(energy), ..Tally::default() }
    }

    fn grams(&self, energy: Joules) -> GramsCo2e {
        self.price.map_or(GramsCo2e::ZERO, |(pue, intensity)| energy * pue * intensity)
    }

    fn unpriced(&self, energy: Joules) -> Joules {
        if self.price.is_none() { energy } else { Joules::ZERO }
    }
}
