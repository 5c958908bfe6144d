//! One value for each domain, out of several that overlap.

use super::Families;
use crate::energy::{
    readers::Placed,
    reading::{Domain, Measure, Reading, Scope},
    window::Exporter,
};

/// What of ALUMET stands on a page.
#[derive(Debug, Default)]
struct Inventory {
    measured: bool,
    /// Strongest form of each domain of the node.
    node: [Option<Rank>; Domain::COUNT],
    /// The formula whose results are used.
    formula: Option<(FormulaRank, u32)>,
    platform_pods: bool,
    other_pods: bool,
}

/// Totals before parts, sums without a hole before single polls. Lower is stronger.
type Rank = (Scope, bool);
/// Measured before modelled, then as [`Rank`], then by name, so that the choice is the same every time.
type FormulaRank = (bool, Scope, bool, String);

/// Leaves out what overlaps: the model beside a meter, sockets beside their total, single polls beside sums, all
/// formulas of attributed energy but one.
pub(in crate::energy::readers) fn settle(readings: &mut Vec<Placed>, families: &Families) {
    if !readings.iter().any(|placed| placed.reading.exporter == Exporter::Alumet) {
        return;
    }
    let found = Inventory::of(readings, families);
    readings.retain(|placed| {
        let reading = &placed.reading;
        if reading.exporter != Exporter::Alumet {
            return true;
        }
        let Measure::Delta { domain, summed, scope } = reading.measure else { return true };
        if reading.modelled && found.measured {
            return false;
        }
        match reading.pod {
            None => found.node.get(domain.index()).copied().flatten() == Some((scope, !summed)),
            Some(_) => found.uses_pod_value(domain, scope, placed.family),
        }
    });
}

impl Inventory {
    fn of(readings: &[Placed], families: &Families) -> Self {
        let mut found =
            Self { measured: readings.iter().any(|placed| is_measured(&placed.reading)), ..Self::default() };
        for placed in readings.iter().filter(|placed| placed.reading.exporter == Exporter::Alumet) {
            let reading = &placed.reading;
            let Measure::Delta { domain, summed, scope } = reading.measure else { continue };
            if reading.modelled && found.measured {
                continue;
            }
            if reading.pod.is_some() {
                found.note_formula((reading.modelled, scope, !summed), placed.family, families);
            } else if let Some(best) = found.node.get_mut(domain.index()) {
                *best = Some(best.map_or((scope, !summed), |best| best.min((scope, !summed))));
            }
        }
        found.note_pod_domains(readings);
        found
    }

    fn note_formula(&mut self, (modelled, scope, polled): (bool, Scope, bool), id: u32, families: &Families) {
        // The name is compared only where the rest is equal.
        let weaker = self.formula.as_ref().is_some_and(|((best_modelled, best_scope, best_polled, _), best)| {
            (*best_modelled, *best_scope, *best_polled) < (modelled, scope, polled)
                || *best == id && *best_scope <= scope
        });
        if weaker {
            return;
        }
        let rank = (modelled, scope, polled, families.name(id).to_owned());
        if self.formula.as_ref().is_none_or(|(best, _)| rank < *best) {
            self.formula = Some((rank, id));
        }
    }

    fn note_pod_domains(&mut self, readings: &[Placed]) {
        let Some((_, formula)) = &self.formula else { return };
        for placed in readings.iter().filter(|placed| placed.family == *formula && placed.reading.pod.is_some()) {
            match placed.reading.measure.domain() {
                Some(Domain::Platform) => self.platform_pods = true,
                Some(_) => self.other_pods = true,
                None => {}
            }
        }
    }

    /// Pods are told by the domains that make up the node: the platform where the node has one, else the rest.
    fn uses_pod_value(&self, domain: Domain, scope: Scope, family: u32) -> bool {
        let Some(((_, best_scope, ..), formula)) = &self.formula else { return false };
        let node_platform = self.node.get(Domain::Platform.index()).is_some_and(Option::is_some);
        let by_platform = self.platform_pods && (node_platform || !self.other_pods);
        family == *formula && scope == *best_scope && (domain == Domain::Platform) == by_platform
    }
}

/// Energy of CPUs and memory that something measured.
fn is_measured(reading: &Reading) -> bool {
    reading.exporter == Exporter::Alumet
        && !reading.modelled
        && matches!(reading.measure, Measure::Delta { domain: Domain::Package | Domain::Dram | Domain::Platform, .. })
}
