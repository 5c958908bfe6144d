//! What a workload draws, class of hardware by class of hardware, compared with what its requests let expect.
//!
//! Requests say what a pod may use, curves what a machine draws when it is used. Between the two lies the workload: one
//! uses a tenth of what it asks for, one keeps the memory busy, one waits on hardware where another one flies. A
//! [`WorkloadProfile`] learns that difference from meters, for all pods of one owner together:
//!
//! ```text
//! r_class = sum E_measured / sum E_expected          over pods of the workload on nodes of the class
//! E_expected = P_class(u) * (requested cores / cores of the node) / pace * t         see `expected_energy`
//! ```
//!
//! and answers with a factor on the marginal power that the node score would otherwise use. Both sums fade with age.
//! What little is known counts little:
//!
//! ```text
//! R        = 1 + (r_all - 1) * n_all / (n_all + 30)                 the workload as a whole
//! f_class  = R + (r_class - R) * n_class / (n_class + 10)           on this class; R where it never ran
//! ```
//!
//! `r_all` is the same ratio over all classes, `n` counts observations. So a class on which the workload never ran
//! is judged by how the workload behaves elsewhere, with more doubt; a workload never seen has no factor.
//!
//! # Lies
//! A measured energy enters as 0.05 to 20 times what was expected, whatever it says. Ratios of single windows may
//! differ as much as a workload that sleeps and works, so unlike the power of machines they have no honest middle that
//! others could be compared with; keep out what a node cannot draw by [`share_out`](crate::sci::sharing::share_out).

mod class;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use self::class::{ClassSums, Faded};
use crate::{
    power::Hardware,
    quantity::{Cores, Joules, Share, Utilization, WorkloadFactor},
};

/// Classes that one profile remembers; the one with the least behind it leaves.
pub const MAX_CLASSES: usize = 16;

/// Observations on a class that weigh as much as what is known of the workload as a whole.
const CLASS_PULL: f64 = 10.0;
/// Observations anywhere that weigh as much as the expectation.
const OVERALL_PULL: f64 = 30.0;

/// How fast to forget, and what counts as one observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileOptions {
    /// After this time an observation counts half.
    pub half_life: Duration,
    /// Observations over less time count in proportion, all others once.
    pub one_observation: Duration,
}

/// What sets how long a workload is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// What is asked of it from outside: a service. Faster hardware is busy for less of the time, and the node score
    /// counts that as work per core already; expecting less there avoids counting it twice.
    Demand,
    /// The hardware: a job that runs as fast as it can, and is done earlier on faster hardware.
    Hardware,
}

/// Pods of a workload on one node over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkloadSample {
    /// Length of the window.
    pub time: Duration,
    /// Cores that the pods request together.
    pub requested: Cores,
    /// Energy of their work by a meter, memory included.
    pub active: Joules,
    /// Its part that is memory, where the meter tells.
    pub dram: Option<Joules>,
    /// CPU time that they used, where somebody tells.
    pub cpu: Option<Duration>,
    /// Energy that their requests let expect, see [`expected_energy`].
    pub expected: Joules,
}

/// What a workload does to the power of a class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfileFactor {
    /// To multiply marginal power with.
    pub ratio: WorkloadFactor,
    /// How much of it is learned: 0 for none of it.
    pub weight: Share,
}

/// What is known of a workload on one class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassProfile {
    /// The class.
    pub class: Arc<str>,
    /// Watts per requested core; not a [`Watts`](crate::quantity::Watts), since it is per core.
    pub watts_per_requested_core: f64,
    /// Used over requested CPU; `None` where nobody told what was used.
    pub usage: Option<f64>,
    /// Memory's part of the energy; `None` where no meter told them apart.
    pub memory_share: Option<Share>,
    /// Measured over expected energy, as it is.
    pub ratio: f64,
    /// Observations, faded with age.
    pub observations: f64,
    /// The factor that follows.
    pub factor: ProfileFactor,
}

/// Learns what one workload draws, keyed outside by its owner. Memory is bounded.
///
/// Up to [`MAX_CLASSES`] classes the order of observations does not matter.
#[derive(Debug, Clone)]
pub struct WorkloadProfile {
    options: ProfileOptions,
    classes: BTreeMap<Arc<str>, ClassSums>,
}

impl Default for ProfileOptions {
    /// Three days, so that a weekend does not hide the week.
    fn default() -> Self {
        Self { half_life: Duration::from_hours(72), one_observation: Duration::from_mins(1) }
    }
}

impl WorkloadProfile {
    /// Knows nothing yet.
    pub fn new(options: ProfileOptions) -> Self {
        Self { options, classes: BTreeMap::new() }
    }

    /// Takes what pods of the workload did on a node of a class. `false` where it does not count: no time, nothing
    /// requested or nothing expected.
    pub fn observe(&mut self, at: Timestamp, class: &Arc<str>, sample: &WorkloadSample) -> bool {
        if sample.time.is_zero() || sample.requested <= Cores::ZERO || sample.expected <= Joules::ZERO {
            return false;
        }
        if !self.classes.contains_key(class) {
            self.make_room(at);
        }
        let options = self.options;
        let sums = self.classes.entry(Arc::clone(class)).or_insert_with(|| ClassSums::new(options.half_life));
        sums.observe(at, sample, options.one_observation);
        true
    }

    /// The factor on a class as of `now`; `None` where the workload was never seen anywhere.
    pub fn factor(&self, class: &str, now: Timestamp) -> Option<ProfileFactor> {
        let all = self.overall(now)?;
        Some(factor(&all, self.classes.get(class).map(|sums| sums.at(now)).as_ref()))
    }

    /// What is known on each class as of `now`, by name.
    pub fn classes(&self, now: Timestamp) -> impl Iterator<Item = ClassProfile> {
        let all = self.overall(now);
        self.classes.iter().filter_map(move |(class, sums)| {
            let faded = sums.at(now);
            Some(ClassProfile {
                class: Arc::clone(class),
                watts_per_requested_core: faded.watts_per_requested_core()?,
                usage: faded.usage(),
                memory_share: faded.memory_share(),
                ratio: faded.ratio()?,
                observations: faded.observations,
                factor: factor(all.as_ref()?, Some(&faded)),
            })
        })
    }

    /// Observations on all classes as of `now`, faded with age.
    pub fn observations(&self, now: Timestamp) -> f64 {
        self.overall(now).map_or(0.0, |all| all.observations)
    }

    fn overall(&self, now: Timestamp) -> Option<Faded> {
        self.classes.values().map(|sums| sums.at(now)).reduce(|one, other| one.plus(&other))
    }

    /// Before a class is added: the one with the fewest observations leaves if there are as many as may be.
    fn make_room(&mut self, now: Timestamp) {
        if self.classes.len() < MAX_CLASSES {
            return;
        }
        let observations = |sums: &ClassSums| sums.at(now).observations;
        let least = self.classes.iter().min_by(|a, b| observations(a.1).total_cmp(&observations(b.1)));
        if let Some(class) = least.map(|(class, _)| Arc::clone(class)) {
            self.classes.remove(&class);
        }
    }
}

/// What a meter would attribute to pods that use all the CPU they ask for, and nothing special otherwise:
///
/// ```text
/// E = P(u) * requested / cores / pace * t            [J]
/// ```
///
/// `P(u)` is the node's curve at its measured load, and energy is attributed by CPU time as all exporters do, so that
/// like is compared with like. `pace` is the node's relative performance for [`Pace::Demand`], 1 for
/// [`Pace::Hardware`]. Nothing is expected of a node without cores.
///
/// ```
/// use std::time::Duration;
/// use sci_core::{
///     power::{default_for, PowerCurve},
///     quantity::{Bytes, Cores, Utilization, Watts},
///     workload::{Pace, expected_energy},
/// };
///
/// let mut hardware = default_for(Cores::new(8.0)?, Bytes::new(32e9)?);
/// hardware.curve = PowerCurve::linear(Watts::new(100.0)?, Watts::new(300.0)?)?;
/// let (half, all) = (Utilization::new(0.5)?, Cores::new(8.0)?);
/// // 200 W, a quarter of the cores, one minute.
/// let energy = expected_energy(&hardware, half, Cores::new(2.0)?, all, Pace::Hardware, Duration::from_mins(1));
/// assert!((energy.get() - 3_000.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn expected_energy(
    hardware: &Hardware,
    utilization: Utilization,
    requested: Cores,
    cores: Cores,
    pace: Pace,
    time: Duration,
) -> Joules {
    let share = Share::of(requested.get(), cores.get()).unwrap_or(Share::NONE);
    let pace = match pace {
        Pace::Demand => hardware.relative_performance.get(),
        Pace::Hardware => 1.0,
    };
    let energy = hardware.curve.at(utilization) * share * time;
    Joules::clamped(energy.get() / pace)
}

/// By the formulas at the head of this module.
fn factor(all: &Faded, class: Option<&Faded>) -> ProfileFactor {
    let overall_weight = all.observations / (all.observations + OVERALL_PULL);
    let overall = 1.0 + (all.ratio().unwrap_or(1.0) - 1.0) * overall_weight;
    let (ratio, class_weight) = class
        .and_then(|class| Some((class.ratio()?, class.observations / (class.observations + CLASS_PULL))))
        .unwrap_or((overall, 0.0));
    ProfileFactor {
        ratio: WorkloadFactor::clamped(overall + (ratio - overall) * class_weight),
        weight: Share::clamped(1.0 - (1.0 - overall_weight) * (1.0 - class_weight)),
    }
}
