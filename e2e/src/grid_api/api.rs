//! Which API is meant, what is asked, and by whom.

use std::collections::BTreeMap;

use http::{HeaderMap, header};
use reqwest::Url;

/// The token that every API takes at first.
pub const TOKEN: &str = "grid-api-token-0123456789abcdef";
/// User name of `WattTime`.
pub const USER: &str = "green";
/// Its password at first.
pub const PASSWORD: &str = "grid-api-password-0123456789abcdef";
/// What `WattTime` gives for them.
pub(super) const SESSION: &str = "grid-api-session-0123456789abcdef";

/// An API that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Api {
    /// Electricity Maps, versions 3 and 4.
    ElectricityMaps,
    /// `WattTime` version 3.
    WattTime,
    /// Carbon Intensity API of Great Britain.
    Uk,
    /// Transparency platform of ENTSO-E.
    EntsoE,
    /// U.S. Energy Information Administration.
    Eia,
    /// Carbon Aware SDK `WebAPI`.
    CarbonAwareSdk,
    /// Page of grid-intensity-exporter.
    Exporter,
    /// A Prometheus that scrapes it, and holds `grid_intensity{zone=".."}` too.
    Prometheus,
}

/// A question as it came.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) api: Api,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    /// Shown to prove who asks; empty without.
    pub(super) secret: String,
    pub(super) if_none_match: Option<String>,
}

impl Api {
    /// By path; their paths do not meet.
    fn of(path: &str) -> Option<Self> {
        let first = path.split('/').nth(1).unwrap_or_default();
        match (first, path) {
            ("v3" | "v4", _) if path.contains("/carbon-intensity/") => Some(Self::ElectricityMaps),
            ("login", _) | (_, "/v3/forecast" | "/v3/historical") => Some(Self::WattTime),
            ("intensity" | "regional", _) => Some(Self::Uk),
            (_, "/api") => Some(Self::EntsoE),
            ("v2", _) => Some(Self::Eia),
            ("emissions", _) => Some(Self::CarbonAwareSdk),
            (_, "/metrics") => Some(Self::Exporter),
            (_, "/api/v1/query") => Some(Self::Prometheus),
            _ => None,
        }
    }

    /// Name of the query parameter that is a secret.
    const fn secret_parameter(self) -> Option<&'static str> {
        match self {
            Self::EntsoE => Some("securityToken"),
            Self::Eia => Some("api_key"),
            _ => None,
        }
    }

    /// Whether questions need a secret.
    pub(super) const fn is_guarded(self) -> bool {
        matches!(self, Self::ElectricityMaps | Self::WattTime | Self::EntsoE | Self::Eia)
    }
}

impl Question {
    /// `None` for a path that no API has.
    pub(super) fn new(path_and_query: &str, headers: &HeaderMap) -> Option<Self> {
        let url = Url::parse(&format!("http://grid{path_and_query}")).ok()?;
        let path = url.path().to_owned();
        let api = Api::of(&path)?;
        let mut query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let authorization = || text(header::AUTHORIZATION.as_str()).unwrap_or_default();
        let secret = match api {
            Api::ElectricityMaps => text("auth-token").unwrap_or_default(),
            Api::WattTime => authorization(),
            _ => api.secret_parameter().and_then(|name| query.remove(name)).unwrap_or_default(),
        };
        Some(Self { api, path, query, secret, if_none_match: text(header::IF_NONE_MATCH.as_str()) })
    }

    pub(super) fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub(super) fn is_login(&self) -> bool {
        self.path == "/login"
    }

    /// Path and query without the secret, for tests that look at what was asked.
    pub(super) fn to_text(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}?{}", self.path, query.join("&"))
    }
}
