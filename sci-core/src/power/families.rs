//! Processor families: medians of published `SPECpower_ssj2008` results (`data/families.csv`).

use std::sync::LazyLock;

use super::{FAMILY_ERROR, STAND_IN_ERROR};
use crate::{
    embedded::{fields, rows},
    quantity::Watts,
};

static TEXT: &str = include_str!("../../data/families.csv");
static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| rows(TEXT).filter_map(Family::parse).collect());

/// The family that others are compared with.
const REFERENCE: &str = "Cascade Lake";

/// One row of the table; watts and operations per hardware thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    /// Separated by `|`.
    aliases: &'static str,
    idle_watts: f64,
    full_watts: f64,
    overall_ops_per_watt: f64,
    pub(super) threads_per_socket: f64,
    /// The family whose figures are used in want of own ones; empty where they are its own.
    pub(super) stand_in_for: &'static str,
}

impl Family {
    fn parse(row: &'static str) -> Option<Self> {
        let [name, aliases, _results, idle, full, overall, threads_per_socket, stand_in_for] = fields(row)?;
        Some(Self {
            name,
            aliases,
            idle_watts: idle.parse().ok()?,
            full_watts: full.parse().ok()?,
            overall_ops_per_watt: overall.parse().ok()?,
            threads_per_socket: threads_per_socket.parse().ok()?,
            stand_in_for,
        })
    }

    fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.aliases.split('|').any(|alias| alias.eq_ignore_ascii_case(name))
    }

    /// Idle and full watts of so many threads.
    pub(super) fn watts(&self, threads: f64) -> (Watts, Watts) {
        (Watts::clamped(self.idle_watts * threads), Watts::clamped(self.full_watts * threads))
    }

    /// Operations per second of one busy thread. See the module for the derivation.
    fn ops_per_thread(&self) -> f64 {
        self.overall_ops_per_watt * (self.idle_watts + self.full_watts)
    }

    /// Work per hardware thread, Cascade Lake = 1.
    pub(super) fn relative_performance(&self) -> f64 {
        let reference = find(REFERENCE).map_or(0.0, Self::ops_per_thread);
        if reference > 0.0 { self.ops_per_thread() / reference } else { 1.0 }
    }

    pub(super) fn source(&self) -> String {
        if self.stand_in_for.is_empty() {
            format!("SPECpower_ssj2008 medians of {}", self.name)
        } else {
            format!(
                "SPECpower_ssj2008 medians of {}, a stand-in: no figure of {} is published",
                self.stand_in_for, self.name
            )
        }
    }

    pub(super) fn error_band(&self) -> (f64, f64) {
        if self.stand_in_for.is_empty() { FAMILY_ERROR } else { STAND_IN_ERROR }
    }
}

pub(super) fn all() -> &'static [Family] {
    &FAMILIES
}

/// By name or short form, in any case.
pub(super) fn find(name: &str) -> Option<&'static Family> {
    if name.is_empty() { None } else { all().iter().find(|family| family.is_called(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        assert_eq!(all().len(), rows(TEXT).count());
        // 16 measured families and the five Gravitons.
        assert_eq!(all().iter().filter(|family| family.stand_in_for.is_empty()).count(), 16);
        assert_eq!(all().len(), 21);
    }

    #[test]
    fn a_stand_in_repeats_the_figures_of_a_measured_family() {
        for family in all().iter().filter(|family| !family.stand_in_for.is_empty()) {
            let original = find(family.stand_in_for).unwrap();
            assert_eq!(family.watts(1.0), original.watts(1.0), "{}", family.name);
            assert!(original.stand_in_for.is_empty());
        }
    }
}
