//! Usual intensities by month and hour of the day.

use crate::{
    embedded::{fields, rows},
    forecast::Climatology,
    intensity::Zone,
    quantity::GramsPerKwh,
};

static TYPICAL_TEXT: &str = include_str!("../../data/typical.csv");

const MONTHS: usize = 12;

/// The mean of every month and hour of the day (UTC) of one zone over about a year: life cycle of the generation,
/// location-based, by production.
#[derive(Debug, Clone, PartialEq)]
pub struct TypicalIntensity {
    /// The zone that answers: the one asked for, today's name of it, or its country.
    pub zone: Zone,
    /// The means, in gCO2e/kWh.
    pub values: Climatology,
    /// Who computed them from what.
    pub source: &'static str,
}

/// In order of zone.
#[derive(Debug)]
pub(super) struct TypicalTable(Vec<TypicalIntensity>);

impl TypicalTable {
    pub(super) fn embedded() -> Self {
        let lines: Vec<&'static str> = rows(TYPICAL_TEXT).collect();
        let mut zones: Vec<_> = lines.chunks(MONTHS).filter_map(parse).collect();
        zones.sort_unstable_by(|left, right| left.zone.cmp(&right.zone));
        Self(zones)
    }

    pub(super) fn zone(&self, name: &str) -> Option<&TypicalIntensity> {
        let found = self.0.binary_search_by(|typical| typical.zone.as_str().cmp(name));
        self.0.get(found.ok()?)
    }
}

/// One zone: twelve lines in order of month.
fn parse(lines: &[&'static str]) -> Option<TypicalIntensity> {
    let mut months = [[GramsPerKwh::MIN; 24]; MONTHS];
    let mut named: Option<(&str, &str)> = None;
    for (number, (line, month)) in lines.iter().zip(&mut months).enumerate() {
        let [zone, source, month_number, values @ ..] = fields::<27>(line)?;
        let same = named.is_none_or(|first| first == (zone, source));
        if !same || month_number.parse::<usize>().ok()? != number + 1 {
            return None;
        }
        named = Some((zone, source));
        for (value, text) in month.iter_mut().zip(values) {
            *value = GramsPerKwh::new(text.parse().ok()?).ok()?;
        }
    }
    let (zone, source) = named.filter(|_| lines.len() == MONTHS)?;
    Some(TypicalIntensity {
        zone: Zone::new(zone).ok()?,
        values: Climatology::new(months),
        source: source_text(source)?,
    })
}

fn source_text(code: &str) -> Option<&'static str> {
    match code {
        "greenpick-eia" => Some("greenpick 0.4.1 (MIT), computed from EIA-930, October 2025 to October 2026"),
        "greenpick-entsoe" => Some("greenpick 0.4.1 (MIT), computed from ENTSO-E A75, October 2025 to October 2026"),
        "greenpick-hq" => Some("greenpick 0.4.1 (MIT), computed from Hydro-Québec, 2025"),
        "greenpick-ieso" => Some("greenpick 0.4.1 (MIT), computed from IESO, October 2025 to October 2026"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::Hour;

    #[test]
    fn every_row_is_read() {
        let table = TypicalTable::embedded();
        assert_eq!(table.0.len() * MONTHS, rows(TYPICAL_TEXT).count());
        assert!(table.0.windows(2).all(|pair| pair[0].zone < pair[1].zone), "a zone has one table");
    }

    #[test]
    fn values_stand_at_their_month_and_hour() {
        let table = TypicalTable::embedded();
        let at = |instant: &str| {
            let hour = Hour::containing(instant.parse().unwrap());
            table.zone("US-MIDA-PJM").unwrap().values.at(hour).unwrap().get()
        };
        assert!((at("2026-01-15T03:20:00Z") - 391.6).abs() < 1e-9);
        assert!((at("2027-01-01T00:00:00Z") - 391.1).abs() < 1e-9);
    }

    #[test]
    fn half_a_table_is_none() {
        let lines: Vec<&'static str> = rows(TYPICAL_TEXT).collect();
        assert!(parse(&lines[..11]).is_none());
        assert!(parse(&lines[1..13]).is_none(), "two zones in one");
    }
}
