//! Annual average intensities and the names zones go by.

use crate::{
    embedded::{fields, rows},
    intensity::Zone,
    quantity::GramsPerKwh,
};

static ANNUAL_TEXT: &str = include_str!("../../data/annual.csv");
static ALIASES_TEXT: &str = include_str!("../../data/zone-aliases.csv");

/// Average intensity of one zone over one year: life cycle of the generation, location-based. For three zones it is
/// a lower bound of that, which [`source`](Self::source) says.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnualIntensity {
    /// Grams of CO2 equivalent per kilowatt-hour.
    pub value: GramsPerKwh,
    /// The year it is the mean of.
    pub year: i16,
    /// The zone that answered: the one asked for, today's name of it, or its country.
    pub zone: Zone,
    /// Who published it, and with which reservation.
    pub source: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) zone: &'static str,
    pub(super) year: i16,
    pub(super) value: GramsPerKwh,
    pub(super) source: &'static str,
}

impl Row {
    fn parse(row: &'static str) -> Option<Self> {
        let [zone, year, grams_per_kwh, source] = fields(row)?;
        Some(Self {
            zone,
            year: year.parse().ok()?,
            value: GramsPerKwh::new(grams_per_kwh.parse().ok()?).ok()?,
            source: source_text(source)?,
        })
    }
}

fn source_text(code: &str) -> Option<&'static str> {
    match code {
        "owid-ember" => Some("Our World in Data, from Ember (CC BY 4.0): national mean"),
        "gsf-rtc" => Some("Electricity Maps annual mean, as published by GSF Real Time Cloud"),
        "gsf-rtc-neighbour" => {
            Some("Electricity Maps annual mean of US-NW-BPAT, as published by GSF Real Time Cloud for westus2")
        }
        "google-operational" => Some("Google region-carbon-info: operational emissions only, a lower bound"),
        "cer-mix" => Some("computed from the province's generation mix with IPCC AR5 life-cycle medians"),
        _ => None,
    }
}

/// Annual values in order of zone, and aliases in order of alias.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
    aliases: Vec<(&'static str, &'static str)>,
}

impl Table {
    pub(super) fn embedded() -> Self {
        let mut table = Self {
            rows: rows(ANNUAL_TEXT).filter_map(Row::parse).collect(),
            aliases: rows(ALIASES_TEXT).filter_map(|row| fields(row).map(|[alias, zone]| (alias, zone))).collect(),
        };
        table.rows.sort_unstable_by_key(|row| row.zone);
        table.aliases.sort_unstable_by_key(|(alias, _)| *alias);
        table
    }

    pub(super) fn row(&self, zone: &str) -> Option<&Row> {
        self.rows.binary_search_by_key(&zone, |row| row.zone).ok().and_then(|at| self.rows.get(at))
    }

    /// The name that the publisher uses today.
    pub(super) fn canonical<'a>(&self, zone: &'a str) -> &'a str {
        let found = self.aliases.binary_search_by_key(&zone, |(alias, _)| alias).ok();
        found.and_then(|at| self.aliases.get(at)).map_or(zone, |(_, name)| name)
    }

    /// The country of a zone that is a part of one, where the country has a value.
    pub(super) fn parent<'a>(&self, zone: &'a str) -> Option<&'a str> {
        let (country, _part) = self.canonical(zone).split_once('-')?;
        self.row(country).map(|row| row.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let table = Table::embedded();
        assert_eq!(table.rows.len(), rows(ANNUAL_TEXT).count());
        assert_eq!(table.aliases.len(), rows(ALIASES_TEXT).count());
        assert!(table.rows.windows(2).all(|pair| pair[0].zone < pair[1].zone), "a zone has one value");
        assert!(table.rows.iter().all(|row| Zone::new(row.zone).is_ok() && row.value > GramsPerKwh::MIN));
    }

    #[test]
    fn aliases_lead_to_a_name_that_is_none() {
        let table = Table::embedded();
        for (alias, zone) in &table.aliases {
            assert_eq!(table.canonical(zone), *zone, "{alias}");
            assert!(table.row(alias).is_none(), "{alias} has a value of its own");
            assert!(table.row(zone).or_else(|| table.row(table.parent(zone)?)).is_some(), "{zone}");
        }
    }
}
