//! A node, what it really draws, and the counters of its hardware.

mod ledger;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::ledger::Ledger;
use super::hardware::HardwareClass;
use super::random::{bits, seed_of, uniform};
use super::workload::{CpuUse, SimulatedPod};

/// The machine is off for a while and its counters start again at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reboot {
    pub at: Duration,
    pub down: Duration,
}

/// A node in the making.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedNode {
    pub name: String,
    pub class: HardwareClass,
    pub pods: Vec<SimulatedPod>,
    /// Busy threads of everything that is no pod.
    pub system: CpuUse,
    /// What the package counter of each socket shows at the start, in joules; zero where missing.
    pub first_readings_joules: Vec<f64>,
    pub reboots: Vec<Reboot>,
}

/// A running node: the ground truth. It answers the same for the same instants, in whatever order it is asked.
#[derive(Debug)]
pub struct LiveNode {
    name: String,
    class: HardwareClass,
    state: Mutex<State>,
}

/// Pods in the order in which they were added.
pub type Pods = Arc<[Arc<SimulatedPod>]>;

/// A domain of energy with a counter of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    Package,
    /// Part of the package.
    Core,
    /// Part of the package.
    Uncore,
    Dram,
    /// The whole machine.
    Platform,
}

/// What happened on a node between two instants.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Window {
    pub seconds: f64,
    /// Joules of each package.
    pub package_joules: Vec<f64>,
    /// Joules of each package's memory.
    pub dram_joules: Vec<f64>,
    /// Joules of the whole machine, where it has a meter.
    pub platform_joules: Option<f64>,
    /// Joules that packages and memory would have drawn without any load.
    pub idle_joules: IdleJoules,
    /// CPU time used by anything.
    pub busy_seconds: f64,
    /// One for each pod of the node, in the order in which they were added; all zero for one that did not run.
    pub pods: Vec<PodUse>,
}

/// Joules of a machine without load.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct IdleJoules {
    pub package: f64,
    pub dram: f64,
}

/// What a pod used, with its energy by the formula of ALUMET, Kepler 0.10 and Scaphandre: power of the node x share of
/// its threads.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PodUse {
    /// Time in which it ran.
    pub seconds: f64,
    /// CPU time used.
    pub cpu_seconds: f64,
    pub package_joules: f64,
    pub dram_joules: f64,
    /// Zero where the machine has no meter of the whole.
    pub platform_joules: f64,
    /// By legacy Kepler's formula, packages and memory: load by share of what is used, idle power evenly by containers.
    pub legacy_joules: f64,
    /// The part of them that is idle power.
    pub legacy_idle_joules: f64,
}

#[derive(Debug)]
struct State {
    node: SimulatedNode,
    /// The node's pods, to hand out.
    pods: Pods,
    ledger: Ledger,
}

impl SimulatedNode {
    /// A node without pods on which the system uses a fiftieth of the threads.
    pub fn new(name: &str, class: HardwareClass) -> Self {
        let system = CpuUse::Constant(f64::from(class.threads) / 50.0);
        Self {
            name: name.to_owned(),
            class,
            pods: Vec::new(),
            system,
            first_readings_joules: Vec::new(),
            reboots: Vec::new(),
        }
    }

    /// A node with `pods` pods of changing use that together keep about half of its threads busy.
    pub fn seeded(name: &str, class: HardwareClass, pods: u32, seed: u64) -> Self {
        let seed = seed ^ seed_of(name);
        let each = f64::from(class.threads) / 2.0 / f64::from(pods.max(1));
        let mut node = Self::new(name, class);
        for number in 0..pods {
            let place = u64::from(number);
            let mean = each * (0.5 + uniform(seed, place));
            let every = Duration::from_secs(20 + bits(seed, place) % 40);
            let cpu = CpuUse::Noisy { mean, spread: mean * 0.4, every, seed: bits(seed, !place) };
            let pod = SimulatedPod::new("load", &format!("{name}-{number}"), cpu);
            node.pods.push(pod.memory_activity(0.5 + uniform(!seed, place)));
        }
        node
    }

    #[must_use]
    pub fn pod(mut self, pod: SimulatedPod) -> Self {
        self.pods.push(pod);
        self
    }

    #[must_use]
    pub fn reboot(mut self, at: Duration, down: Duration) -> Self {
        self.reboots.push(Reboot { at, down });
        self
    }

    /// Lets the package counter of the first socket wrap at this instant for the first time.
    #[must_use]
    pub fn wrapping_at(mut self, at: Duration) -> Self {
        self.first_readings_joules = Vec::new();
        let until = self.clone().start().window(Duration::ZERO, at);
        let range = self.class.package_range_joules;
        let used = until.package_joules.first().copied().unwrap_or_default();
        self.first_readings_joules = vec![(range - used).rem_euclid(range)];
        self
    }

    /// Starts it.
    pub fn start(self) -> LiveNode {
        let state = State { pods: shared(&self.pods), ledger: Ledger::default(), node: self };
        LiveNode { name: state.node.name.clone(), class: state.node.class.clone(), state: Mutex::new(state) }
    }

    pub(super) fn is_up(&self, at: Duration) -> bool {
        !self.reboots.iter().any(|reboot| reboot.at <= at && at < reboot.at + reboot.down)
    }
}

impl LiveNode {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn class(&self) -> &HardwareClass {
        &self.class
    }

    /// Adds a pod. What was asked about time before its start stays true.
    pub fn start_pod(&self, pod: SimulatedPod) {
        let mut state = self.state();
        let start = pod.start;
        state.node.pods.push(pod);
        state.changed(start);
    }

    /// Ends a pod. What was asked about time before `at` stays true.
    pub fn stop_pod(&self, uid: &str, at: Duration) {
        let mut state = self.state();
        if let Some(pod) = state.node.pods.iter_mut().find(|pod| pod.uid == uid) {
            pod.stop = Some(at);
        }
        state.changed(at);
    }

    /// All pods, also those that do not run now; a window lists them in this order.
    pub fn pods(&self) -> Pods {
        Arc::clone(&self.state().pods)
    }

    /// False while it reboots.
    pub fn is_up(&self, at: Duration) -> bool {
        self.state().node.is_up(at)
    }

    /// When it came up last, at or before this instant.
    pub fn booted(&self, at: Duration) -> Duration {
        let state = self.state();
        let boots = state.node.reboots.iter().map(|reboot| reboot.at + reboot.down);
        boots.filter(|boot| *boot <= at).max().unwrap_or_default()
    }

    /// What happens between two instants.
    pub fn window(&self, from: Duration, to: Duration) -> Window {
        let mut state = self.state();
        let State { node, ledger, .. } = &mut *state;
        ledger.window(node, from, to)
    }

    /// What one pod does between two instants.
    pub fn pod_window(&self, uid: &str, from: Duration, to: Duration) -> Option<PodUse> {
        let index = self.state().node.pods.iter().position(|pod| pod.uid == uid)?;
        self.window(from, to).pods.get(index).copied()
    }

    /// Power of the whole node at this instant, in watts: the platform where it is metered, else packages and memory.
    pub fn watts(&self, at: Duration) -> f64 {
        let second = self.window(at, at + Duration::from_millis(1));
        second.joules() / second.seconds
    }

    /// What a hardware counter shows, in whole microjoules, wrapped.
    pub fn counter_microjoules(&self, domain: Domain, socket: u32, at: Duration) -> f64 {
        let mut state = self.state();
        let State { node, ledger, .. } = &mut *state;
        let joules = ledger.counter_joules(node, domain, socket, at);
        let range = (self.range_joules(domain) * 1e6).round();
        (joules * 1e6).floor().rem_euclid(range)
    }

    /// Where a counter wraps, in joules.
    pub fn range_joules(&self, domain: Domain) -> f64 {
        match domain {
            Domain::Dram => self.class.dram_range_joules,
            Domain::Package | Domain::Core | Domain::Uncore | Domain::Platform => self.class.package_range_joules,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn changed(&mut self, from: Duration) {
        self.pods = shared(&self.node.pods);
        self.ledger.forget_after(from);
    }
}

impl Window {
    /// Energy of the node: the whole machine where it is metered, else packages and memory.
    pub fn joules(&self) -> f64 {
        self.platform_joules.unwrap_or_else(|| self.package() + self.dram())
    }

    /// Joules of all packages.
    pub fn package(&self) -> f64 {
        self.package_joules.iter().sum()
    }

    /// Joules of all memory.
    pub fn dram(&self) -> f64 {
        self.dram_joules.iter().sum()
    }

    /// Busy share of the threads.
    pub fn utilization(&self, threads: u32) -> f64 {
        if self.seconds > 0.0 { self.busy_seconds / self.seconds / f64::from(threads) } else { 0.0 }
    }
}

impl PodUse {
    /// Packages and memory together.
    pub fn joules(&self) -> f64 {
        self.package_joules + self.dram_joules
    }
}

fn shared(pods: &[SimulatedPod]) -> Pods {
    pods.iter().cloned().map(Arc::new).collect()
}
