//! The table of regions.

use std::sync::LazyLock;

use super::{
    AnnualIntensity, Partition, Provider, Region, RegionPue, TypicalIntensity, annual::Table, typical::TypicalTable,
};
use crate::{
    embedded::{fields, rows},
    intensity::Zone,
    quantity::Pue,
};

static REGIONS_TEXT: &str = include_str!("../../data/regions.csv");
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::embedded);

const REAL_TIME_CLOUD: &str = "GSF Real Time Cloud";

/// The embedded catalogue, read on first use.
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

/// Regions, annual and typical intensities. There is one, [`catalogue`].
#[derive(Debug)]
pub struct Catalogue {
    /// In order of provider and name.
    regions: Vec<Region>,
    annual: Table,
    typical: TypicalTable,
}

impl Catalogue {
    fn embedded() -> Self {
        let mut regions: Vec<Region> = rows(REGIONS_TEXT).filter_map(parse).collect();
        regions.sort_unstable_by_key(|region| (region.provider, region.name));
        Self { regions, annual: Table::embedded(), typical: TypicalTable::embedded() }
    }

    /// All regions, in order of provider and name.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// A region by its name.
    pub fn region(&self, provider: Provider, name: &str) -> Option<&Region> {
        let found = self.regions.binary_search_by(|region| (region.provider, region.name).cmp(&(provider, name)));
        found.ok().and_then(|at| self.regions.get(at))
    }

    /// The annual average intensity of a zone: its own, else under today's name of the zone, else that of its
    /// country. `None` where nothing is known.
    ///
    /// ```
    /// use sci_core::{intensity::Zone, region::catalogue};
    ///
    /// let annual = catalogue().annual(&Zone::new("BR-SP")?).unwrap();
    /// assert_eq!((annual.zone.as_str(), annual.year), ("BR-CS", 2023));
    /// assert!(catalogue().annual(&Zone::new("nowhere")?).is_none());
    /// # Ok::<(), sci_core::intensity::ZoneError>(())
    /// ```
    pub fn annual(&self, zone: &Zone) -> Option<AnnualIntensity> {
        let name = zone.as_str();
        let row = self
            .annual
            .row(name)
            .or_else(|| self.annual.row(self.annual.canonical(name)))
            .or_else(|| self.annual.row(self.annual.parent(name)?))?;
        let answered = if row.zone == name { zone.clone() } else { Zone::new(row.zone).ok()? };
        Some(AnnualIntensity { value: row.value, year: row.year, zone: answered, source: row.source })
    }

    /// The usual intensity of a zone by month and hour: its own, else under today's name of the zone, else that of
    /// its country. `None` for most zones.
    ///
    /// ```
    /// use sci_core::{forecast::Hour, intensity::Zone, region::catalogue};
    ///
    /// let typical = catalogue().typical(&Zone::new("SE-SE3")?).unwrap();
    /// let noon = Hour::containing("2026-01-31T12:00:00Z".parse()?);
    /// assert_eq!(typical.zone.as_str(), "SE");
    /// assert!(typical.values.at(noon).is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn typical(&self, zone: &Zone) -> Option<&TypicalIntensity> {
        let name = self.annual.canonical(zone.as_str());
        self.typical.zone(name).or_else(|| self.typical.zone(self.annual.parent(name)?))
    }

    /// Today's name of a zone: `BR-CS` for `BR-SP`. A zone that never changed its name, or is unknown, is returned
    /// as it is.
    pub fn canonical(&self, zone: &Zone) -> Zone {
        let name = self.annual.canonical(zone.as_str());
        if name == zone.as_str() { zone.clone() } else { Zone::new(name).unwrap_or_else(|_| zone.clone()) }
    }

    /// The country that a zone is a part of, where the country has an annual value: `SE` for `SE-SE3`.
    pub fn parent(&self, zone: &Zone) -> Option<Zone> {
        Zone::new(self.annual.parent(zone.as_str())?).ok()
    }
}

fn parse(row: &'static str) -> Option<Region> {
    let [
        provider,
        name,
        partition,
        city,
        country,
        iso_country,
        eu_member,
        eea_member,
        latitude,
        longitude,
        zone,
        alternatives,
        zone_source,
        pue,
        pue_year,
    ] = fields(row)?;
    Some(Region {
        provider: Provider::from_name(provider)?,
        name,
        partition: partition_of(partition)?,
        city,
        country,
        iso_country,
        eu_member: yes_or_no(eu_member)?,
        eea_member: yes_or_no(eea_member)?,
        latitude: latitude.parse().ok()?,
        longitude: longitude.parse().ok()?,
        zone: Zone::new(zone).ok()?,
        zone_alternatives: alternatives
            .split('|')
            .filter(|zone| !zone.is_empty())
            .map(|zone| Zone::new(zone).ok())
            .collect::<Option<_>>()?,
        zone_source: zone_source_text(zone_source)?,
        pue: if pue.is_empty() && pue_year.is_empty() { None } else { Some(region_pue(pue, pue_year)?) },
    })
}

fn region_pue(value: &str, year: &str) -> Option<RegionPue> {
    let value = Pue::new(value.parse().ok()?).ok()?;
    Some(RegionPue { value, year: year.parse().ok()?, source: REAL_TIME_CLOUD })
}

fn partition_of(name: &str) -> Option<Partition> {
    match name {
        "public" => Some(Partition::Public),
        "gov" => Some(Partition::Government),
        "china" => Some(Partition::China),
        "eu-sovereign" => Some(Partition::EuSovereign),
        "private" => Some(Partition::Private),
        _ => None,
    }
}

fn zone_source_text(code: &str) -> Option<&'static str> {
    match code {
        "gsf-rtc" => Some(REAL_TIME_CLOUD),
        "assigned" => Some("assigned here, from the region's place"),
        _ => None,
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "y" => Some(true),
        "n" => Some(false),
        _ => None,
    }
}
