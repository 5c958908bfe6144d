//! Hardware classes: what a machine draws at which load, and how its energy counters wrap.

/// Range of an Intel RAPL counter with the usual energy unit, in joules.
pub const RAPL_RANGE_JOULES: f64 = 262_143.328_85;

/// Watts over the load, straight between points.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerCurve {
    /// Pairs of load (0 to 1) and watts, by rising load.
    points: Vec<(f64, f64)>,
}

/// A meter of the whole machine (psys, platform).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlatformMeter {
    /// Watts of fans, disks and boards, at every load.
    pub constant_watts: f64,
    /// Watts at the socket for one watt of packages and memory.
    pub factor: f64,
}

/// Machines that draw alike.
#[derive(Debug, Clone, PartialEq)]
pub struct HardwareClass {
    /// Its name; workloads name their power factors by it.
    pub name: String,
    /// Hardware threads.
    pub threads: u32,
    /// CPU packages.
    pub sockets: u32,
    /// Watts of all packages, over the busy share of threads.
    pub package: PowerCurve,
    /// Watts of all memory, over its activity.
    pub dram: PowerCurve,
    /// Joules at which the counter of one package wraps.
    pub package_range_joules: f64,
    /// Joules at which the counter of one package's memory wraps.
    pub dram_range_joules: f64,
    /// The whole machine's meter, where it has one.
    pub platform: Option<PlatformMeter>,
}

impl PowerCurve {
    /// A straight line from idle to full load.
    pub fn line(idle_watts: f64, full_watts: f64) -> Self {
        Self { points: vec![(0.0, idle_watts), (1.0, full_watts)] }
    }

    /// Through these pairs of load and watts.
    pub fn points(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut points: Vec<(f64, f64)> = points.into_iter().collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { points }
    }

    /// Watts at this load; beyond the last point as at the last point.
    pub fn watts(&self, load: f64) -> f64 {
        let above = self.points.iter().position(|&(at, _)| at >= load);
        match above {
            Some(0) => self.points.first().map_or(0.0, |&(_, watts)| watts),
            Some(index) => match (self.points.get(index - 1), self.points.get(index)) {
                (Some(&(from, low)), Some(&(to, high))) => low + (high - low) * (load - from) / (to - from),
                _ => 0.0,
            },
            None => self.points.last().map_or(0.0, |&(_, watts)| watts),
        }
    }
}

impl HardwareClass {
    /// Straight lines from idle to full watts; RAPL's usual range; no platform meter.
    pub fn new(name: &str, threads: u32, sockets: u32, package: PowerCurve, dram: PowerCurve) -> Self {
        Self {
            name: name.to_owned(),
            threads,
            sockets: sockets.max(1),
            package,
            dram,
            package_range_joules: RAPL_RANGE_JOULES,
            dram_range_joules: RAPL_RANGE_JOULES,
            platform: None,
        }
    }

    /// An efficient machine with one package: 64 threads, 60 to 230 W, 8 to 24 W of memory.
    pub fn efficient() -> Self {
        Self::new("efficient", 64, 1, PowerCurve::line(60.0, 230.0), PowerCurve::line(8.0, 24.0))
    }

    /// An old machine with two packages: 32 threads, 110 to 340 W in a bent curve, 14 to 34 W of memory.
    pub fn old() -> Self {
        let package = PowerCurve::points([(0.0, 110.0), (0.25, 200.0), (0.5, 260.0), (1.0, 340.0)]);
        Self::new("old", 32, 2, package, PowerCurve::line(14.0, 34.0))
    }

    /// A small machine that meters itself whole: 16 threads, 12 to 65 W, 2 to 5 W of memory, 9 W for the rest.
    pub fn small() -> Self {
        let class = Self::new("small", 16, 1, PowerCurve::line(12.0, 65.0), PowerCurve::line(2.0, 5.0));
        class.with_platform(PlatformMeter { constant_watts: 9.0, factor: 1.1 })
    }

    /// The same with a meter of the whole machine.
    #[must_use]
    pub fn with_platform(mut self, platform: PlatformMeter) -> Self {
        self.platform = Some(platform);
        self
    }

    /// The same without a meter of the whole machine.
    #[must_use]
    pub fn without_platform(mut self) -> Self {
        self.platform = None;
        self
    }

    /// Most that packages, memory and the rest draw together, in watts.
    pub fn full_watts(&self) -> f64 {
        let metered = self.package.watts(1.0) + self.dram.watts(1.0);
        self.platform.map_or(metered, |meter| metered * meter.factor + meter.constant_watts)
    }

    /// Part of the packages' watts that this socket draws. The first works a little harder than the others.
    pub(super) fn socket_share(&self, socket: u32) -> f64 {
        const FIRST: f64 = 1.2;
        let all = FIRST + f64::from(self.sockets - 1);
        if socket == 0 { FIRST / all } else { 1.0 / all }
    }
}

#[cfg(test)]
mod tests {
    use super::{HardwareClass, PowerCurve};

    #[test]
    fn a_curve_is_straight_between_its_points_and_flat_beyond() {
        let curve = PowerCurve::points([(0.5, 100.0), (0.0, 20.0), (1.0, 120.0)]);
        for (load, watts) in [(0.0, 20.0), (0.25, 60.0), (0.5, 100.0), (0.75, 110.0), (1.0, 120.0), (1.5, 120.0)] {
            assert!((curve.watts(load) - watts).abs() < 1e-9, "at {load}: {}", curve.watts(load));
        }
    }

    #[test]
    fn shares_of_sockets_make_a_whole() {
        for sockets in [1, 2, 4] {
            let class = HardwareClass { sockets, ..HardwareClass::old() };
            let whole: f64 = (0..sockets).map(|socket| class.socket_share(socket)).sum();
            assert!((whole - 1.0).abs() < 1e-12);
        }
    }
}
