//! Joules over a window of time, and what is missing from it.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::quantity::{Joules, Share, Utilization, Watts};

use crate::config::ExporterConfig;

/// A window is scaled up to its whole length from this covered share on; below, it has no value.
pub const SCALE_FROM: f64 = 0.8;

/// A program that measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exporter {
    /// ALUMET.
    Alumet,
    /// Kepler 0.10 and later.
    Kepler,
    /// Kepler up to 0.9.
    KeplerLegacy,
    /// Scaphandre.
    Scaphandre,
}

/// The way on which values come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Route {
    /// From the agent's own page.
    Scrape,
    /// Through a Prometheus.
    Prometheus,
    /// Pushed by OTLP.
    Otlp,
}

/// Who measured: unlike meters on one node are alternatives, never added.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterId {
    /// Name of the configured source.
    pub source: Arc<str>,
    /// The way on which values come.
    pub route: Route,
    /// The program that measures.
    pub exporter: Exporter,
}

/// Energy of a node over a window, by domain. Domains that overlap are not both present.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NodeJoules {
    /// CPU packages. With [`platform`](Self::platform): for information, not part of the total.
    pub package: Option<Joules>,
    /// Memory. With [`platform`](Self::platform): for information, not part of the total.
    pub dram: Option<Joules>,
    /// The whole machine, where something measures it.
    pub platform: Option<Joules>,
    /// Accelerators, where the platform does not contain them.
    pub accelerators: Option<Joules>,
}

/// What one meter says of one node and its pods, from `start` to `end`.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeWindow {
    /// Name of the node in Kubernetes.
    pub node: Arc<str>,
    /// Who measured.
    pub meter: MeterId,
    /// Since when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// Part of the time that the joules are of.
    pub covered: Duration,
    /// Energy within the covered time.
    pub energy: NodeJoules,
    /// Busy share of the node's hardware threads, where the exporter says it.
    pub utilization: Option<Utilization>,
    /// Values are samples of a quantity that was not watched all the time, such as ALUMET's gauges without aggregation.
    pub sampled: bool,
    /// The model of the exporter, not a meter, made the values (legacy Kepler's `trained_power_model`).
    pub modelled: bool,
    /// Energy that the exporter attributes to pods.
    pub pods: Vec<PodWindow>,
}

/// What the exporter attributes to one pod.
#[derive(Debug, Clone, PartialEq)]
pub struct PodWindow {
    /// Which pod.
    pub pod: PodRef,
    /// Energy within the covered time.
    pub energy: Joules,
    /// Its part that is memory, where domains are told apart.
    pub dram: Option<Joules>,
    /// CPU time used within the covered time, where the exporter says it.
    pub cpu: Option<Duration>,
    /// Part of the time that the joules are of.
    pub covered: Duration,
}

/// A pod as its exporter knows it. Whether it exists, only the API server knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodRef {
    /// UID, where the exporter says it.
    pub uid: Option<Arc<str>>,
    /// Namespace; empty where the exporter does not say it.
    pub namespace: Arc<str>,
    /// Name; empty where the exporter does not say it.
    pub name: Arc<str>,
}

/// Time without a value: it is missing, not zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    /// Which node.
    pub node: Arc<str>,
    /// Whose value is missing.
    pub meter: MeterId,
    /// Since when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// Why.
    pub reason: GapReason,
}

/// Why time has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GapReason {
    /// The agent or the Prometheus did not answer.
    NoAnswer,
    /// A counter fell and its range is not known: a restart, or a wrap.
    CounterReset,
    /// More than the hardware can draw.
    Implausible,
    /// Too little of the window is covered.
    Coverage,
    /// Time stamps that do not rise, or are far off.
    Clock,
    /// Points came faster than they could be kept.
    Overflow,
}

/// A meter that is not believed.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedMeter {
    /// Which node.
    pub node: Arc<str>,
    /// Which meter.
    pub meter: MeterId,
    /// Why, and what to do.
    pub refusal: Refusal,
    /// Since when.
    pub since: Timestamp,
}

/// Why a meter is not believed. The text tells an operator what to do.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Kepler's simulated meter, by its `path`.
    #[error(
        "this is Kepler's fake CPU meter: it shows invented numbers; turn off dev.fake-cpu-meter, or let the node be modelled"
    )]
    FakeMeter,
    /// Below what any machine draws.
    #[error("{watts} W is less than any machine draws; check whether the agent reads a real meter")]
    TooLow {
        /// What it says.
        watts: f64,
    },
    /// Above what this machine can draw.
    #[error(
        "{watts} W is more than this node can draw ({max_watts} W); check the agent, or set the node's hardware class"
    )]
    TooHigh {
        /// What it says.
        watts: f64,
        /// The bound.
        max_watts: f64,
    },
    /// All energy is called idle although the node is busy.
    #[error(
        "all of the node's power is called idle while it is {busy_percent} % busy; the agent does not see its load"
    )]
    AllIdle {
        /// Busy share of the node, in percent.
        busy_percent: f64,
    },
    /// It does not move at all.
    #[error("the meter has not moved for {seconds} s; the agent is stuck or reads a frozen counter")]
    Frozen {
        /// For how long.
        seconds: u64,
    },
    /// Nobody can tell which node it speaks of.
    #[error("no label names a node of this cluster; add the node's name by relabelling, or scrape per node")]
    UnknownNode,
}

impl From<ExporterConfig> for Exporter {
    fn from(exporter: ExporterConfig) -> Self {
        match exporter {
            ExporterConfig::Alumet => Self::Alumet,
            ExporterConfig::Kepler => Self::Kepler,
            ExporterConfig::KeplerLegacy => Self::KeplerLegacy,
            ExporterConfig::Scaphandre => Self::Scaphandre,
        }
    }
}

impl Exporter {
    /// Every exporter.
    pub const ALL: [Self; 4] = [Self::Alumet, Self::Kepler, Self::KeplerLegacy, Self::Scaphandre];

    /// As in metrics and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alumet => "alumet",
            Self::Kepler => "kepler",
            Self::KeplerLegacy => "kepler-legacy",
            Self::Scaphandre => "scaphandre",
        }
    }
}

impl Route {
    /// As in metrics and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scrape => "scrape",
            Self::Prometheus => "prometheus",
            Self::Otlp => "otlp",
        }
    }
}

impl fmt::Display for MeterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {} ({})", self.exporter.as_str(), self.route.as_str(), self.source)
    }
}

impl NodeJoules {
    /// Energy of the node: the platform where it is measured, else packages and memory; accelerators on top.
    /// `None` where no domain was measured.
    pub fn total(&self) -> Option<Joules> {
        let machine = match (self.platform, self.package, self.dram) {
            (Some(platform), ..) => platform,
            (None, Some(package), dram) => package + dram.unwrap_or(Joules::ZERO),
            (None, None, _) => return self.accelerators,
        };
        Some(machine + self.accelerators.unwrap_or(Joules::ZERO))
    }
}

impl NodeWindow {
    /// Covered share of the window.
    pub fn coverage(&self) -> Share {
        let length: Duration = self.end.duration_since(self.start).try_into().unwrap_or(Duration::ZERO);
        Share::of(self.covered.as_secs_f64(), length.as_secs_f64()).unwrap_or(Share::NONE)
    }

    /// Mean power of the node over the covered time, which stands for the whole window from [`SCALE_FROM`] on. `None`
    /// below, and where nothing of the node was measured.
    pub fn power(&self) -> Option<Watts> {
        if self.coverage().get() < SCALE_FROM {
            return None;
        }
        self.energy.total()? / self.covered
    }
}

impl GapReason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::NoAnswer, Self::CounterReset, Self::Implausible, Self::Coverage, Self::Clock, Self::Overflow];

    /// As in metrics and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "no-answer",
            Self::CounterReset => "counter-reset",
            Self::Implausible => "implausible",
            Self::Coverage => "coverage",
            Self::Clock => "clock",
            Self::Overflow => "overflow",
        }
    }
}

impl Refusal {
    /// Every name, as in metrics.
    pub const NAMES: [&'static str; 6] = ["fake-meter", "too-low", "too-high", "all-idle", "frozen", "unknown-node"];

    /// As in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::FakeMeter => "fake-meter",
            Self::TooLow { .. } => "too-low",
            Self::TooHigh { .. } => "too-high",
            Self::AllIdle { .. } => "all-idle",
            Self::Frozen { .. } => "frozen",
            Self::UnknownNode => "unknown-node",
        }
    }
}
