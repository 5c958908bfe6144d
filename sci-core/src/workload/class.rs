//! Sums of one workload on one class of hardware.

use std::time::Duration;

use jiff::Timestamp;

use super::WorkloadSample;
use crate::{
    decay::{Decay, part_of},
    quantity::{Share, WorkloadFactor},
};

/// Sums that fade with age.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClassSums {
    decay: Decay,
    sums: Faded,
}

/// The sums as of one instant.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faded {
    pub(super) observations: f64,
    active_joules: f64,
    expected_joules: f64,
    requested_core_seconds: f64,
    /// Of samples that tell used CPU: used and requested.
    used: (f64, f64),
    /// Of samples that tell memory apart: memory and all.
    dram: (f64, f64),
}

impl ClassSums {
    pub(super) fn new(half_life: Duration) -> Self {
        Self { decay: Decay::new(half_life), sums: Faded::default() }
    }

    pub(super) fn observe(&mut self, at: Timestamp, sample: &WorkloadSample, one_observation: Duration) {
        let weights = self.decay.observe(at);
        let added = Faded::of(sample, part_of(sample.time, one_observation));
        self.sums = self.sums.times(weights.old).plus(&added.times(weights.new));
    }

    pub(super) fn at(&self, now: Timestamp) -> Faded {
        self.sums.times(self.decay.at(now))
    }
}

impl Faded {
    fn of(sample: &WorkloadSample, observations: f64) -> Self {
        let expected = sample.expected.get();
        let (least, most) = (WorkloadFactor::MIN.get() * expected, WorkloadFactor::MAX.get() * expected);
        let active = sample.active.get().clamp(least, most);
        let requested = sample.requested.get() * sample.time.as_secs_f64();
        Self {
            observations,
            active_joules: active,
            expected_joules: expected,
            requested_core_seconds: requested,
            used: sample.cpu.map_or((0.0, 0.0), |cpu| (cpu.as_secs_f64(), requested)),
            // Memory in proportion, where all of it was bounded.
            dram: match (sample.dram, Share::of(active, sample.active.get())) {
                (Some(dram), Some(kept)) => (dram.get().min(sample.active.get()) * kept.get(), active),
                _ => (0.0, 0.0),
            },
        }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            observations: self.observations + other.observations,
            active_joules: self.active_joules + other.active_joules,
            expected_joules: self.expected_joules + other.expected_joules,
            requested_core_seconds: self.requested_core_seconds + other.requested_core_seconds,
            used: (self.used.0 + other.used.0, self.used.1 + other.used.1),
            dram: (self.dram.0 + other.dram.0, self.dram.1 + other.dram.1),
        }
    }

    pub(super) fn ratio(&self) -> Option<f64> {
        quotient(self.active_joules, self.expected_joules)
    }

    pub(super) fn watts_per_requested_core(&self) -> Option<f64> {
        quotient(self.active_joules, self.requested_core_seconds)
    }

    pub(super) fn usage(&self) -> Option<f64> {
        quotient(self.used.0, self.used.1)
    }

    pub(super) fn memory_share(&self) -> Option<Share> {
        Share::of(self.dram.0, self.dram.1)
    }

    fn times(&self, factor: f64) -> Self {
        Self {
            observations: self.observations * factor,
            active_joules: self.active_joules * factor,
            expected_joules: self.expected_joules * factor,
            requested_core_seconds: self.requested_core_seconds * factor,
            used: (self.used.0 * factor, self.used.1 * factor),
            dram: (self.dram.0 * factor, self.dram.1 * factor),
        }
    }
}

fn quotient(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}
