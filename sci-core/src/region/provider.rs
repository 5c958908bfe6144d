//! Cloud providers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::quantity::Pue;

/// A cloud whose regions and instance types are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Gcp,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Gcp];

    /// As printed, and as in the embedded tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// The provider of a node, by the scheme of its `spec.providerID`.
    ///
    /// ```
    /// use sci_core::region::Provider;
    ///
    /// assert_eq!(Provider::from_provider_id("aws:///eu-west-1a/i-0abc"), Some(Provider::Aws));
    /// assert_eq!(Provider::from_provider_id("gce://project/europe-west4-a/vm"), Some(Provider::Gcp));
    /// assert_eq!(Provider::from_provider_id("kind://docker/kind/worker"), None);
    /// ```
    pub fn from_provider_id(provider_id: &str) -> Option<Self> {
        match provider_id.split_once("://")?.0 {
            "aws" => Some(Self::Aws),
            "azure" => Some(Self::Azure),
            "gce" => Some(Self::Gcp),
            _ => None,
        }
    }

    /// By the name in the embedded tables.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Power usage effectiveness to assume where none is published for the place, with its source: the provider's
/// average, or that of the industry for machines of one's own.
///
/// ```
/// use sci_core::region::{self, Provider};
///
/// assert!((region::default_pue(Some(Provider::Aws)).0.get() - 1.135).abs() < 1e-12);
/// assert!((region::default_pue(None).0.get() - 1.58).abs() < 1e-12);
/// ```
pub fn default_pue(provider: Option<Provider>) -> (Pue, &'static str) {
    let (value, source) = match provider {
        Some(Provider::Aws) => (1.135, "Cloud Carbon Footprint: average of AWS"),
        Some(Provider::Azure) => (1.185, "Cloud Carbon Footprint: average of Azure"),
        Some(Provider::Gcp) => (1.1, "Cloud Carbon Footprint: average of Google Cloud"),
        None => (1.58, "Uptime Institute: average of its 2023 survey"),
    };
    (Pue::clamped(value), source)
}
