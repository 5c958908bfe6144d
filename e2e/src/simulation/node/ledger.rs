//! Time cut into segments in which nothing changes: energy is a sum of products, exact in whatever order it is asked for.

use std::time::Duration;

use super::{Domain, PodUse, SimulatedNode, Window};
use crate::simulation::hardware::HardwareClass;

/// Part of a package's energy that its cores draw, and its other circuits.
const CORE_SHARE: f64 = 0.7;
const UNCORE_SHARE: f64 = 0.12;
/// Containers of an idle node that are no pod's, for legacy Kepler: `system_processes`.
const SYSTEM_CONTAINERS: f64 = 1.0;

/// Segments from the start on, each beginning where the one before it ends.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    segments: Vec<Segment>,
}

/// Time in which nothing changes.
#[derive(Debug)]
struct Segment {
    start: Duration,
    /// Open-ended where nothing will change.
    end: Duration,
    rates: Rates,
    /// Counters at the start, in joules, not wrapped.
    before: Counters,
}

/// Watts and busy threads.
#[derive(Debug, Default)]
struct Rates {
    package: f64,
    dram: f64,
    platform: Option<f64>,
    idle_package: f64,
    idle_dram: f64,
    busy: f64,
    /// Of each pod of the node.
    pods: Vec<PodRate>,
}

#[derive(Debug, Clone, Copy, Default)]
struct PodRate {
    runs: bool,
    threads: f64,
    legacy_watts: f64,
    legacy_idle_watts: f64,
}

#[derive(Debug, Clone, Default)]
struct Counters {
    package: Vec<f64>,
    dram: f64,
    platform: f64,
}

impl Ledger {
    pub(super) fn window(&mut self, node: &SimulatedNode, from: Duration, to: Duration) -> Window {
        self.extend(node, to);
        let sockets = node.class.sockets;
        let mut sum = Sum::new(node.pods.len());
        let first = self.segments.partition_point(|segment| segment.end <= from);
        for segment in self.segments.iter().skip(first).take_while(|segment| segment.start < to) {
            let span = segment.end.min(to).saturating_sub(segment.start.max(from));
            sum.add(&segment.rates, span.as_secs_f64(), f64::from(node.class.threads));
        }
        let split = |joules: f64| (0..sockets).map(|socket| joules * node.class.socket_share(socket)).collect();
        let mut window = sum.window;
        window.seconds = to.saturating_sub(from).as_secs_f64();
        window.package_joules = split(sum.package);
        window.dram_joules = split(sum.dram);
        window.platform_joules = node.class.platform.map(|_| sum.platform);
        window
    }

    pub(super) fn counter_joules(&mut self, node: &SimulatedNode, domain: Domain, socket: u32, at: Duration) -> f64 {
        self.extend(node, at);
        let index = self.segments.partition_point(|segment| segment.end <= at);
        let Some(segment) = self.segments.get(index).or(self.segments.last()) else { return 0.0 };
        let counters = segment.before.after(&segment.rates, at.saturating_sub(segment.start), &node.class);
        let package = counters.package.get(usize::try_from(socket).unwrap_or_default()).copied().unwrap_or_default();
        match domain {
            Domain::Package => package,
            Domain::Core => package * CORE_SHARE,
            Domain::Uncore => package * UNCORE_SHARE,
            Domain::Dram => counters.dram * node.class.socket_share(socket),
            Domain::Platform => counters.platform,
        }
    }

    /// Drops what lies after this instant: the node has changed there.
    pub(super) fn forget_after(&mut self, at: Duration) {
        self.segments.retain(|segment| segment.start < at);
        if let Some(last) = self.segments.last_mut() {
            last.end = last.end.min(at);
        }
    }

    /// Makes segments until this instant lies in one.
    fn extend(&mut self, node: &SimulatedNode, until: Duration) {
        loop {
            let (start, before) = match self.segments.last() {
                Some(last) if last.end > until => return,
                Some(last) => {
                    (last.end, last.before.after(&last.rates, last.end.saturating_sub(last.start), &node.class))
                }
                None => (Duration::ZERO, Counters::first(node)),
            };
            let rebooted = node.reboots.iter().any(|reboot| reboot.at <= start && start <= reboot.at + reboot.down);
            let before = if rebooted { Counters::zero(&node.class) } else { before };
            let end = next_change(node, start).unwrap_or(Duration::MAX);
            self.segments.push(Segment { start, end, rates: Rates::of(node, start), before });
        }
    }
}

fn next_change(node: &SimulatedNode, after: Duration) -> Option<Duration> {
    let pods = node.pods.iter().filter_map(|pod| pod.next_change(after));
    let boots = node.reboots.iter().flat_map(|reboot| [reboot.at, reboot.at + reboot.down]).filter(|at| *at > after);
    pods.chain(boots).chain(node.system.next_change(after)).min()
}

impl Rates {
    fn of(node: &SimulatedNode, at: Duration) -> Self {
        if !node.is_up(at) {
            return Self { pods: vec![PodRate::default(); node.pods.len()], ..Self::default() };
        }
        let class = &node.class;
        let threads = f64::from(class.threads);
        let running = || node.pods.iter().filter(|pod| pod.runs_at(at));
        let wanted = node.system.at(at) + running().map(|pod| pod.cpu.at(at)).sum::<f64>();
        // Nobody gets more than there is: everyone gets the same part of what they want.
        let granted = if wanted > threads { threads / wanted } else { 1.0 };
        let used = |cpu: f64| cpu * granted;

        let work: f64 = running().map(|pod| used(pod.cpu.at(at)) * pod.factor_on(&class.name)).sum();
        let memory: f64 = running().map(|pod| used(pod.cpu.at(at)) * pod.memory_activity).sum();
        let package = class.package.watts((work + used(node.system.at(at))) / threads);
        let dram = class.dram.watts((memory + used(node.system.at(at))) / threads);
        let (idle_package, idle_dram) = (class.package.watts(0.0), class.dram.watts(0.0));
        let busy = wanted.min(threads);

        let containers: usize = running().map(|pod| pod.containers.len()).sum();
        let containers = f64::from(u32::try_from(containers).unwrap_or(u32::MAX)) + SYSTEM_CONTAINERS;
        let (dynamic, idle) = (package + dram - idle_package - idle_dram, idle_package + idle_dram);
        let pods = node.pods.iter().map(|pod| {
            if !pod.runs_at(at) {
                return PodRate::default();
            }
            let threads = used(pod.cpu.at(at));
            let share = if busy > 0.0 { threads / busy } else { 0.0 };
            let own = f64::from(u32::try_from(pod.containers.len()).unwrap_or(u32::MAX));
            let legacy_idle_watts = idle * own / containers;
            PodRate { runs: true, threads, legacy_watts: dynamic * share + legacy_idle_watts, legacy_idle_watts }
        });
        let platform = class.platform.map(|meter| (package + dram) * meter.factor + meter.constant_watts);
        Self { package, dram, platform, idle_package, idle_dram, busy, pods: pods.collect() }
    }
}

impl Counters {
    fn zero(class: &HardwareClass) -> Self {
        Self { package: (0..class.sockets).map(|_| 0.0).collect(), dram: 0.0, platform: 0.0 }
    }

    fn first(node: &SimulatedNode) -> Self {
        let mut counters = Self::zero(&node.class);
        for (counter, first) in counters.package.iter_mut().zip(&node.first_readings_joules) {
            *counter = *first;
        }
        counters
    }

    fn after(&self, rates: &Rates, time: Duration, class: &HardwareClass) -> Self {
        let seconds = time.as_secs_f64();
        let package = self.package.iter().zip(0..);
        Self {
            package: package
                .map(|(counter, socket)| counter + rates.package * class.socket_share(socket) * seconds)
                .collect(),
            dram: self.dram + rates.dram * seconds,
            platform: self.platform + rates.platform.unwrap_or_default() * seconds,
        }
    }
}

/// A window in the making.
struct Sum {
    window: Window,
    package: f64,
    dram: f64,
    platform: f64,
}

impl Sum {
    fn new(pods: usize) -> Self {
        let window = Window { pods: vec![PodUse::default(); pods], ..Window::default() };
        Self { window, package: 0.0, dram: 0.0, platform: 0.0 }
    }

    fn add(&mut self, rates: &Rates, seconds: f64, threads: f64) {
        let platform = rates.platform.unwrap_or_default();
        self.package += rates.package * seconds;
        self.dram += rates.dram * seconds;
        self.platform += platform * seconds;
        self.window.idle_joules.package += rates.idle_package * seconds;
        self.window.idle_joules.dram += rates.idle_dram * seconds;
        self.window.busy_seconds += rates.busy * seconds;
        for (sum, rate) in self.window.pods.iter_mut().zip(&rates.pods) {
            let share = rate.threads / threads;
            sum.seconds += if rate.runs { seconds } else { 0.0 };
            sum.cpu_seconds += rate.threads * seconds;
            sum.package_joules += rates.package * share * seconds;
            sum.dram_joules += rates.dram * share * seconds;
            sum.platform_joules += platform * share * seconds;
            sum.legacy_joules += rate.legacy_watts * seconds;
            sum.legacy_idle_joules += rate.legacy_idle_watts * seconds;
        }
    }
}
