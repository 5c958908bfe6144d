//! Cloud regions and the grid zones they stand in, embedded.
//!
//! The [`catalogue`] knows 153 regions of AWS, Azure and Google Cloud: where each stands, in which zone of the
//! electricity grid, in which jurisdiction, and how efficient its sites are. It also knows an annual average
//! intensity for most zones and countries, the last resort where no live source answers, and for a few zones the
//! usual intensity of each month and hour.
//!
//! Experts disagree on some zone borders, so a region names one zone and its [arguable alternatives](Region::zone_alternatives);
//! a node's own annotation or the configuration comes before the catalogue.
//!
//! Every annual value is an average, over the life cycle of the generation, and says its year and source. An unknown
//! zone has no value: never zero, never that of another place.
//!
//! ```
//! use sci_core::region::{self, Provider};
//!
//! let catalogue = region::catalogue();
//! let stockholm = catalogue.region(Provider::Aws, "eu-north-1").unwrap();
//! assert_eq!(stockholm.zone.as_str(), "SE-SE3");
//!
//! // No annual value is published for the bidding zone, so the country answers and says so.
//! let annual = catalogue.annual(&stockholm.zone).unwrap();
//! assert_eq!(annual.zone.as_str(), "SE");
//! assert!((annual.value.get() - 24.71).abs() < 1e-9);
//! ```

mod annual;
mod catalogue;
#[cfg(test)]
mod cities;
mod provider;
#[cfg(test)]
mod tests;
mod typical;

pub use self::{
    annual::AnnualIntensity,
    catalogue::{Catalogue, catalogue},
    provider::{Provider, default_pue},
    typical::TypicalIntensity,
};
use crate::{intensity::Zone, quantity::Pue};

/// Whom a region is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Partition {
    /// Everybody.
    Public,
    /// Government customers of the United States.
    Government,
    /// Run by a Chinese operator, with accounts of its own.
    China,
    /// Run under European law by a separate company.
    EuSovereign,
    /// The provider itself.
    Private,
}

/// One region of one provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Whose.
    pub provider: Provider,
    /// As in the label `topology.kubernetes.io/region`: `eu-west-1`, `westeurope`, `europe-west4`.
    pub name: &'static str,
    /// Whom it is open to.
    pub partition: Partition,
    /// City or county; providers place a region within some ten kilometres of it.
    pub city: &'static str,
    /// Country, in English.
    pub country: &'static str,
    /// Country, ISO 3166-1 alpha-2.
    pub iso_country: &'static str,
    /// In one of the 27 member states of the European Union.
    pub eu_member: bool,
    /// In the European Economic Area: the Union, Iceland, Liechtenstein and Norway.
    pub eea_member: bool,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Zone of the grid, by the names of Electricity Maps.
    pub zone: Zone,
    /// Zones that could be argued for as well, mostly where borders of balancing areas run near.
    pub zone_alternatives: Vec<Zone>,
    /// Who places the region in the zone.
    pub zone_source: &'static str,
    /// Published power usage effectiveness; see [`default_pue`] where there is none.
    pub pue: Option<RegionPue>,
}

impl Region {
    /// In the United Kingdom, which is in neither Union nor Economic Area.
    pub fn in_gb(&self) -> bool {
        self.iso_country == "GB"
    }

    /// In Switzerland, which is in neither Union nor Economic Area.
    pub fn in_ch(&self) -> bool {
        self.iso_country == "CH"
    }
}

/// Power usage effectiveness of a region's sites over one year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegionPue {
    /// Energy of the sites over energy of their machines.
    pub value: Pue,
    /// The year it was measured in.
    pub year: i16,
    /// Who published it.
    pub source: &'static str,
}
