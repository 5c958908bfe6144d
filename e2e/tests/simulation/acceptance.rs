//! An hour of simulated time through the project's readers and meters, beside the truth.
//!
//! | source | node over the hour | in any one window of a minute | pod over the hour |
//! | --- | --- | --- | --- |
//! | counters; ALUMET pushed | 1 % | 10 %, where ends of windows lie between scrapes | 3 % |
//! | ALUMET's sums | 1 % | 30 %, where a lost page leaves a sum without its time | 3 % |
//! | ALUMET without aggregation: 1 s of 15 | 2 %, marked `sampled` | 20 % | 5 % |
//!
//! A pod that starts or ends has half an interval of measurement more: nobody says when within it.
//!
//! Only covered time is compared, so that a meter may have gaps, but nothing is silently wrong. How much must be covered
//! depends on the fault. With `SHOW_VERDICTS=1` and `--nocapture` all numbers are printed.

mod judge;
mod lies;
mod run;

use std::time::Duration;

use kube_sci_e2e::simulation::{
    Alumet, AlumetVersion, CpuUse, Fault, HardwareClass, Kepler, KeplerLegacy, Program, Scaphandre, SimulatedNode,
    SimulatedPod,
};

use self::judge::{Attribution, Standard, Tolerance};
use self::run::Run;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A program on a machine, with the truth that it claims to tell.
pub struct Setup {
    name: &'static str,
    program: Program,
    class: HardwareClass,
    standard: Standard,
    otlp: bool,
    /// Interval of ALUMET's aggregation, where the meter is told.
    aggregation: Option<Duration>,
    /// Differs from another setup in names alone: the mildest and the worst trouble are enough.
    variant: bool,
}

/// What goes wrong, and how much must be covered all the same.
struct Trouble {
    name: &'static str,
    faults: Vec<Fault>,
    wraps: bool,
    reboots: bool,
    least_coverage: f64,
}

impl Setup {
    fn new(name: &'static str, program: Program, class: HardwareClass) -> Self {
        let (attribution, tolerance) = match &program {
            Program::Alumet(Alumet { aggregation: Some(_), .. }) => (Attribution::Package, Tolerance::SUMMED),
            Program::Alumet(_) => (Attribution::Package, Tolerance::SAMPLED),
            Program::KeplerLegacy(_) => (Attribution::Legacy, Tolerance::LOSSLESS),
            _ => (Attribution::PackageAndDram, Tolerance::LOSSLESS),
        };
        let standard = Standard { platform: class.platform.is_some(), attribution, tolerance };
        Self { name, program, class, standard, otlp: false, aggregation: None, variant: false }
    }

    /// The meter is told ALUMET's interval.
    fn told(mut self, seconds: u64) -> Self {
        self.aggregation = Some(Duration::from_secs(seconds));
        self
    }

    fn variant(mut self) -> Self {
        self.variant = true;
        self
    }

    /// Pushed instead of scraped.
    fn pushed(mut self) -> Self {
        self.otlp = true;
        self.standard.tolerance = Tolerance::LOSSLESS;
        self
    }

    fn node(&self, trouble: &Trouble) -> SimulatedNode {
        let mut node = busy(SimulatedNode::new("n1", self.class.clone()));
        if trouble.reboots {
            node = node.reboot(MINUTE * 25, MINUTE);
        }
        if trouble.wraps { node.wrapping_at(Duration::from_secs(1_003)) } else { node }
    }
}

/// Services that stay, a load that comes and goes, jobs long and short.
fn busy(node: SimulatedNode) -> SimulatedNode {
    let scale = f64::from(node.class.threads) / 32.0;
    let at = |minutes: u32, seconds: u64| MINUTE * minutes + Duration::from_secs(seconds);
    let cpu = |threads: f64| CpuUse::Constant(threads * scale);
    let wave = CpuUse::Diurnal { mean: 4.0 * scale, swing: 3.0 * scale, period: HOUR };
    let noise = CpuUse::Noisy { mean: 3.0 * scale, spread: scale, every: Duration::from_secs(20), seed: 7 };
    node.pod(SimulatedPod::new("shop", "web-7d9c6b5f4-abcde", cpu(5.0)).container("proxy", "/proxy --for=:80,\"x\""))
        .pod(SimulatedPod::new("shop", "front-0", wave).power_factor("old", 1.3).memory_activity(0.3))
        .pod(SimulatedPod::new("jobs", "noisy-0", noise))
        .pod(SimulatedPod::new("jobs", "batch-0", cpu(6.0)).from(at(10, 7)).until(at(25, 0)))
        .pod(SimulatedPod::new("jobs", "short-0", cpu(4.0)).from(at(33, 0)).until(at(34, 41)))
        .pod(SimulatedPod::new("jobs", "late-0", cpu(4.0)).from(at(40, 3)))
}

fn setups() -> Vec<Setup> {
    use AlumetVersion::{Main, V0_8, V0_9_0, V0_9_3};
    let (old, efficient, small) = (HardwareClass::old, HardwareClass::efficient, HardwareClass::small);
    let plain = || small().without_platform();
    let sums = |version, seconds| Program::Alumet(Alumet::aggregated(version, Duration::from_secs(seconds)));
    let raw = |version| Program::Alumet(Alumet::raw(version));
    let psys = Kepler::full().with_psys();
    vec![
        Setup::new("kepler, two sockets", Program::Kepler(Kepler::default()), old()),
        Setup::new("kepler, one socket", Program::Kepler(Kepler::default()), efficient()),
        Setup::new("kepler, all zones", Program::Kepler(psys), small()),
        Setup::new("kepler-legacy", Program::KeplerLegacy(KeplerLegacy::default()), plain()),
        Setup::new("scaphandre, two sockets", Program::Scaphandre(Scaphandre::default()), old()),
        Setup::new("scaphandre, one socket", Program::Scaphandre(Scaphandre::default()), efficient()),
        Setup::new("alumet 0.9.5", raw(V0_9_3), old()),
        Setup::new("alumet 0.8", raw(V0_8), plain()).variant(),
        Setup::new("alumet main, platform", raw(Main), small()).variant(),
        Setup::new("alumet 0.9.5, sums of 15 s", sums(V0_9_3, 15), old()).told(15),
        Setup::new("alumet 0.9.0, sums of 15 s", sums(V0_9_0, 15), plain()).told(15).variant(),
        Setup::new("alumet main, sums of 30 s", sums(Main, 30), efficient()).told(30),
        Setup::new("alumet main, unknown sums", sums(Main, 30), efficient()),
        Setup::new("alumet main, pushed", raw(Main), old()).pushed(),
    ]
}

fn troubles(setup: &Setup) -> Vec<Trouble> {
    let seconds = Duration::from_secs;
    let restart = Fault::AgentRestart { at: MINUTE * 30 + seconds(4), down: seconds(20) };
    let loss = Fault::ScrapesLost { share: 0.05, seed: 11 };
    let skew = Fault::ClockSkew { seconds: -3.0 };
    let pair = Fault::HaPair { offset: seconds(7) };
    let lost = Fault::ScrapeLost { from: MINUTE * 20, to: MINUTE * 21 };
    let still = Fault::ZonesReadZero { at: MINUTE * 20 + seconds(2) };
    // Counters know what happened while nobody looked; a lost sum, or push, is a hole of a quarter of a window or more.
    let with_loss = if setup.aggregation.is_some() || setup.otlp { 0.7 } else { 0.9 };
    let trouble = |name, faults, least_coverage| Trouble { name, faults, wraps: false, reboots: false, least_coverage };
    let mut troubles = vec![
        trouble("nothing wrong", vec![], 0.95),
        Trouble { wraps: true, ..trouble("a wrap", vec![], 0.95) },
        trouble("a restart", vec![restart], 0.93),
        trouble("lost scrapes", vec![loss], with_loss),
        trouble("a minute lost", vec![lost], 0.9),
        trouble("a second scraper", vec![pair], 0.95),
        trouble("a skewed clock", vec![skew], 0.95),
        Trouble { reboots: true, ..trouble("a reboot", vec![], 0.9) },
        Trouble { wraps: true, ..trouble("everything", vec![restart, loss, skew, pair], with_loss) },
    ];
    if matches!(setup.program, Program::Kepler(_)) {
        troubles.push(trouble("zones that stand still", vec![still], 0.95));
    }
    if setup.otlp {
        // Nobody scrapes, and the hardware's counters are ALUMET's own affair.
        let of_scrapes = ["a wrap", "a minute lost", "a second scraper", "a skewed clock"];
        troubles.retain(|trouble| !of_scrapes.contains(&trouble.name));
    }
    if setup.variant {
        troubles.retain(|trouble| ["nothing wrong", "everything"].contains(&trouble.name));
    }
    troubles
}

/// Verdicts on one setup, with what is wrong.
fn examine(setup: &Setup) -> Vec<String> {
    let mut report = Vec::new();
    for trouble in troubles(setup) {
        let outcome = Run::new(setup.node(&trouble).start(), setup).faults(&trouble.faults).hour();
        let verdict = setup.standard.judge(&outcome);
        if std::env::var_os("SHOW_VERDICTS").is_some() {
            println!("{:27} {:23} {verdict}", setup.name, trouble.name);
        }
        let faults = verdict.faults(trouble.least_coverage);
        report.extend(faults.into_iter().map(|fault| format!("{}, {}: {fault}", setup.name, trouble.name)));
    }
    report
}

#[test]
fn an_hour_of_every_exporter_with_every_fault_is_right_or_a_gap() {
    let setups = setups();
    let report: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = setups.iter().map(|setup| scope.spawn(|| examine(setup))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(report.is_empty(), "{} faults:\n{}", report.len(), report.join("\n"));
}
