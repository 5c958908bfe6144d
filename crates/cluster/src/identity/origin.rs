//! Who said what a node is; shown in explanations.

use std::fmt;

/// Where a node's grid zone comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ZoneOrigin {
    /// The node's annotation.
    Annotation,
    /// A rule of the configuration.
    Rule,
    /// The provider in `spec.providerID` and the region label, through the catalogue.
    ProviderRegion,
    /// The region label alone: the node names no provider, and exactly one has a region of this name.
    RegionLabel,
    /// Nobody said.
    Unknown,
}

/// Where a node's hardware comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HardwareOrigin {
    /// The node's annotation.
    Annotation,
    /// A rule of the configuration.
    Rule,
    /// The instance type label, through the provider's table.
    InstanceType,
    /// The node's size only.
    Capacity,
}

/// Where a node's PUE comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PueOrigin {
    /// The node's annotation.
    Annotation,
    /// A rule of the configuration.
    Rule,
    /// Published for the region.
    Region {
        /// Year of publication.
        year: i16,
    },
    /// The provider's average, by this source.
    Provider(&'static str),
    /// `nodes.defaultPue`.
    Configuration,
    /// For sites nobody knows, by this source.
    Assumption(&'static str),
}

impl fmt::Display for ZoneOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Annotation => "annotation kube-sci.dev/grid-zone",
            Self::Rule => "zone rule of the configuration",
            Self::ProviderRegion => "provider and region of the node",
            Self::RegionLabel => "region label, which only one provider uses",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for HardwareOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Annotation => "annotation kube-sci.dev/hardware-class",
            Self::Rule => "hardware rule of the configuration",
            Self::InstanceType => "instance type label",
            Self::Capacity => "capacity of the node",
        })
    }
}

impl fmt::Display for PueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation => f.write_str("annotation kube-sci.dev/pue"),
            Self::Rule => f.write_str("zone rule of the configuration"),
            Self::Region { year } => write!(f, "published for the region, {year}"),
            Self::Provider(source) => write!(f, "average of the provider, {source}"),
            Self::Configuration => f.write_str("default of the configuration"),
            Self::Assumption(source) => write!(f, "assumed for on-premises sites, {source}"),
        }
    }
}
