//! A measuring program on one node: what its page says, scrape by scrape.

mod alumet;
mod kepler;
mod kepler_fake;
mod kepler_legacy;
mod scaphandre;

use std::fmt::{Debug, Formatter};
use std::sync::Arc;
use std::time::Duration;

pub use self::alumet::{Alumet, AlumetPoint, AlumetVersion};
pub use self::kepler::Kepler;
pub use self::kepler_fake::KeplerFake;
pub use self::kepler_legacy::{KeplerLegacy, LegacySource};
pub use self::scaphandre::Scaphandre;
use super::fault::{self, Fault, Reachable};
use super::node::LiveNode;
use super::page::{Page, with_energy_values};
use super::random::seed_of;

/// Which program, in which version and configuration.
#[derive(Debug, Clone, PartialEq)]
pub enum Program {
    Alumet(Alumet),
    Kepler(Kepler),
    /// Kepler 0.11 without a meter, showing invented numbers.
    KeplerFake(KeplerFake),
    KeplerLegacy(KeplerLegacy),
    Scaphandre(Scaphandre),
}

/// What a scraper gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Page(Page),
    /// No answer arrives in time.
    Lost,
    /// The connection is taken and nothing comes.
    Hangs,
    /// Nobody listens.
    Refused,
    /// An HTTP error without a page.
    Status(u16),
}

/// A program on a node, with what goes wrong with it. The page depends on the scrapes before, as with the real ones;
/// equal scrapes give equal pages.
pub struct Agent {
    node: Arc<LiveNode>,
    program: Program,
    faults: Vec<Fault>,
    process: Option<Process>,
    frozen: Option<Page>,
}

/// The memory of a running program.
trait Exporter: Send {
    /// The page at this instant, never earlier than the one before.
    fn page(&mut self, node: &LiveNode, faults: &[Fault], at: Duration) -> Page;
}

struct Process {
    started: Duration,
    exporter: Box<dyn Exporter>,
}

impl Program {
    /// The last part of a path to its page, and of names.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Alumet(_) => "alumet",
            Self::Kepler(_) => "kepler",
            Self::KeplerFake(_) => "kepler-fake",
            Self::KeplerLegacy(_) => "kepler-legacy",
            Self::Scaphandre(_) => "scaphandre",
        }
    }

    /// Path of its page on its own port. All of them say `/metrics`.
    pub const PATH: &'static str = "/metrics";

    fn start(&self, node: &LiveNode, started: Duration) -> Box<dyn Exporter> {
        match self {
            Self::Alumet(alumet) => Box::new(alumet::State::new(alumet.clone(), started)),
            Self::Kepler(kepler) => Box::new(kepler::State::new(kepler.clone(), started)),
            Self::KeplerFake(fake) => Box::new(kepler_fake::State::new(*fake, started)),
            Self::KeplerLegacy(legacy) => Box::new(kepler_legacy::State::new(*legacy, started)),
            Self::Scaphandre(scaphandre) => Box::new(scaphandre::State::new(*scaphandre, node, started)),
        }
    }
}

impl Agent {
    pub fn new(node: Arc<LiveNode>, program: Program) -> Self {
        Self { node, program, faults: Vec::new(), process: None, frozen: None }
    }

    /// The same with something that goes wrong.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// From now on something goes wrong.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// From now on nothing goes wrong any more.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.frozen = None;
    }

    pub fn node(&self) -> &Arc<LiveNode> {
        &self.node
    }

    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What a scrape at this instant brings. Instants rise from call to call.
    pub fn scrape(&mut self, at: Duration) -> Reply {
        if let Some(earlier) = fault::ha_offset(&self.faults).and_then(|offset| at.checked_sub(offset)) {
            // What the second scraper gets is its own affair; that it asked is not.
            drop(self.scrape_alone(earlier));
        }
        self.scrape_alone(at)
    }

    /// Points that ALUMET pushes for measurements after `from` and up to `to`, stamped by the agent's clock.
    /// Empty for other programs.
    pub fn points(&self, from: Duration, to: Duration) -> Vec<AlumetPoint> {
        let Program::Alumet(alumet) = &self.program else { return Vec::new() };
        let started = self.started(to);
        // A push that fails is not repeated.
        if !self.node.is_up(to) || fault::reachable(&self.faults, to) != Reachable::Yes {
            return Vec::new();
        }
        let mut points = alumet.points(&self.node, started, from.max(started), to);
        if let Some(lie) = fault::lie(&self.faults, to) {
            for point in points.iter_mut().filter(|point| point.name.contains("energy")) {
                point.value = lie.tell(point.value);
            }
        }
        let skew = fault::clock_skew_seconds(&self.faults);
        for point in &mut points {
            point.skew_seconds = skew;
        }
        points
    }

    fn started(&self, at: Duration) -> Duration {
        fault::process_start(&self.faults, at).max(self.node.booted(at))
    }

    fn scrape_alone(&mut self, at: Duration) -> Reply {
        if !self.node.is_up(at) {
            return Reply::Lost;
        }
        match fault::reachable(&self.faults, at) {
            Reachable::Yes => Reply::Page(self.page(at)),
            Reachable::Lost => Reply::Lost,
            Reachable::Hangs => Reply::Hangs,
            Reachable::Refused => Reply::Refused,
            Reachable::Status(status) => Reply::Status(status),
        }
    }

    fn page(&mut self, at: Duration) -> Page {
        if let Some(page) = &self.frozen {
            return page.clone();
        }
        let started = self.started(at);
        let process = match self.process.take() {
            Some(process) if process.started == started => process,
            _ => Process { started, exporter: self.program.start(&self.node, started) },
        };
        let process = self.process.insert(process);
        let mut page = process.exporter.page(&self.node, &self.faults, at);
        if let Some(lie) = fault::lie(&self.faults, at) {
            page = with_energy_values(&page, |truth| lie.tell(truth));
        }
        if fault::frozen_from(&self.faults).is_some_and(|from| at >= from) {
            self.frozen = Some(page.clone());
        }
        page
    }
}

impl Debug for Agent {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Agent");
        shown.field("node", &self.node.name()).field("program", &self.program).field("faults", &self.faults);
        shown.finish_non_exhaustive()
    }
}

/// A seed for everything that differs between two nodes with the same program.
fn node_seed(node: &LiveNode, program: &str) -> u64 {
    seed_of(&format!("{}/{program}", node.name()))
}
