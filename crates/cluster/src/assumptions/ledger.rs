//! The persistent tables behind the assumptions. Amounts are integers, so that removing undoes adding exactly.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::{
    node::{NodeLoad, PodDemand, Resources},
    quantity::{Bytes, Cores},
};

use super::{MAX_NODES_PER_POD, MAX_PODS};
use crate::{
    objects::{PodUid, float},
    snapshot::{ChunkedVec, Slot},
};

/// Shards of the pod table; a write copies one shard, which holds a dozen pods when full.
const SHARDS: u128 = 256;
/// A weight of 1.
const WHOLE: u32 = 1 << 20;
const MICROS_PER_CORE: f64 = 1e6;

/// What is assumed at one moment. Clones share what does not change.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pods: ChunkedVec<Arc<Vec<AssumedPod>>>,
    nodes: ChunkedVec<NodeSum>,
    count: usize,
}

/// One pod.
#[derive(Debug, Clone)]
pub(super) struct AssumedPod {
    uid: PodUid,
    since: Timestamp,
    cpu_micros: u64,
    memory_bytes: u64,
    candidates: Candidates,
}

/// The nodes it may land on, and how much of it each is charged with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidates {
    nodes: [(Slot, u32); MAX_NODES_PER_POD],
    len: usize,
}

/// What is assumed on one node. `epoch` tells whose it is: a node that took over the place starts from nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct NodeSum {
    epoch: u32,
    part: Part,
}

/// An amount on one node, or its sum over pods.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Part {
    cpu_micros: u64,
    memory_bytes: u64,
    weight: u64,
}

impl Candidates {
    /// `None` for no nodes and for too many.
    pub(super) fn of(nodes: &[(Slot, f64)]) -> Option<Self> {
        let mut all = Self { nodes: [(Slot { index: 0, epoch: 0 }, 0); MAX_NODES_PER_POD], len: nodes.len() };
        if nodes.is_empty() || nodes.len() > MAX_NODES_PER_POD {
            return None;
        }
        for (place, &(slot, weight)) in all.nodes.iter_mut().zip(nodes) {
            *place = (slot, whole_number(weight.clamp(0.0, 1.0) * f64::from(WHOLE)).try_into().unwrap_or(WHOLE));
        }
        Some(all)
    }

    fn iter(&self) -> impl Iterator<Item = (Slot, u32)> {
        self.nodes.iter().copied().take(self.len)
    }
}

impl AssumedPod {
    pub(super) fn new(uid: PodUid, demand: &PodDemand, candidates: Candidates, since: Timestamp) -> Self {
        Self {
            uid,
            since,
            cpu_micros: whole_number(demand.cpu.get() * MICROS_PER_CORE),
            memory_bytes: whole_number(demand.memory.get()),
            candidates,
        }
    }

    pub(super) fn names(&self, slot: Slot) -> bool {
        self.candidates.iter().any(|(candidate, _)| candidate == slot)
    }

    fn part(&self, weight: u32) -> Part {
        let share = |amount: u64| {
            u64::try_from(u128::from(amount) * u128::from(weight) / u128::from(WHOLE)).unwrap_or(u64::MAX)
        };
        Part { cpu_micros: share(self.cpu_micros), memory_bytes: share(self.memory_bytes), weight: weight.into() }
    }
}

impl Part {
    fn plus(self, other: Self) -> Self {
        Self {
            cpu_micros: self.cpu_micros.saturating_add(other.cpu_micros),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            weight: self.weight.saturating_add(other.weight),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            cpu_micros: self.cpu_micros.saturating_sub(other.cpu_micros),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
            weight: self.weight.saturating_sub(other.weight),
        }
    }

    fn load(self) -> NodeLoad {
        NodeLoad {
            requested: Resources {
                cpu: Cores::new(float(self.cpu_micros) / MICROS_PER_CORE).unwrap_or(Cores::MAX),
                memory: Bytes::new(float(self.memory_bytes)).unwrap_or(Bytes::MAX),
            },
            workload_pods: float(self.weight) / f64::from(WHOLE),
        }
    }
}

impl Ledger {
    /// Pods assumed.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Nothing is assumed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is assumed on a node, without the part of `except`: a pod that is asked about again does not compete
    /// with itself. `None` where that is nothing.
    pub fn load_for(&self, slot: Slot, except: PodUid) -> Option<NodeLoad> {
        if self.is_empty() {
            return None;
        }
        let sum =
            self.nodes.get(slot.position()).filter(|sum| sum.epoch == slot.epoch && sum.part != Part::default())?;
        let own = self.pod(except).into_iter().flat_map(|pod| pod.candidates.iter().map(|(s, w)| (s, pod.part(w))));
        let own = own.filter(|&(candidate, _)| candidate == slot).map(|(_, part)| part);
        let others = own.fold(sum.part, Part::minus);
        (others != Part::default()).then(|| others.load())
    }

    /// Every pod assumed.
    pub(crate) fn uids(&self) -> impl Iterator<Item = PodUid> {
        self.pods.iter().flat_map(|shard| shard.iter()).map(|pod| pod.uid)
    }

    pub(super) fn contains(&self, uid: PodUid) -> bool {
        self.pod(uid).is_some()
    }

    /// Takes the pod in; false where there is no room.
    pub(super) fn insert(&mut self, pod: &AssumedPod) -> bool {
        if self.count >= MAX_PODS {
            return false;
        }
        let Some(shard) = self.pods.entry(shard(pod.uid)) else { return false };
        Arc::make_mut(shard).push(pod.clone());
        self.count += 1;
        for (slot, weight) in pod.candidates.iter() {
            let Some(sum) = self.nodes.entry(slot.position()) else { continue };
            if sum.epoch != slot.epoch {
                *sum = NodeSum { epoch: slot.epoch, part: Part::default() };
            }
            sum.part = sum.part.plus(pod.part(weight));
        }
        true
    }

    pub(super) fn remove(&mut self, uid: PodUid) -> Option<AssumedPod> {
        if !self.contains(uid) {
            return None;
        }
        let shard = Arc::make_mut(self.pods.entry(shard(uid))?);
        let position = shard.iter().position(|pod| pod.uid == uid)?;
        let pod = shard.swap_remove(position);
        self.count -= 1;
        for (slot, weight) in pod.candidates.iter() {
            if let Some(sum) = self.nodes.entry(slot.position()).filter(|sum| sum.epoch == slot.epoch) {
                sum.part = sum.part.minus(pod.part(weight));
            }
        }
        Some(pod)
    }

    pub(super) fn remove_older_than(&mut self, now: Timestamp, lifetime: Duration) -> usize {
        let age = |pod: &AssumedPod| Duration::try_from(now.duration_since(pod.since)).unwrap_or(Duration::ZERO);
        let old: Vec<PodUid> = self
            .pods
            .iter()
            .flat_map(|shard| shard.iter())
            .filter(|pod| age(pod) >= lifetime)
            .map(|pod| pod.uid)
            .collect();
        old.into_iter().filter(|&uid| self.remove(uid).is_some()).count()
    }

    fn pod(&self, uid: PodUid) -> Option<&AssumedPod> {
        self.pods.get(shard(uid))?.iter().find(|pod| pod.uid == uid)
    }
}

fn shard(uid: PodUid) -> usize {
    usize::try_from(uid.bits() % SHARDS).unwrap_or(0)
}

/// The nearest whole number at or below; zero for what is negative or no number.
fn whole_number(value: f64) -> u64 {
    const HALF: f64 = 4_294_967_296.0;
    let value = if value.is_finite() { value.clamp(0.0, 9e15).trunc() } else { 0.0 };
    let (high, low) = ((value / HALF).trunc(), value % HALF);
    (u64::from(word(high)) << 32) | u64::from(word(low))
}

/// A whole number below 2^32 as an integer, bit by bit: there is no checked conversion from a float.
fn word(value: f64) -> u32 {
    let (mut rest, mut bits) = (value, 0);
    for bit in (0..u32::BITS).rev() {
        let weight = f64::from(1u32 << bit);
        if rest >= weight {
            rest -= weight;
            bits |= 1 << bit;
        }
    }
    bits
}
