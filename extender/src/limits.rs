//! What a pod accepts: limits from its annotations, before those of the configuration.

use std::sync::Arc;

use kube_sci_cluster::annotations::{ALLOWED_ZONES, MAX_GRAMS_PER_HOUR, MAX_INTENSITY};
use sci_core::{
    intensity::Zone,
    quantity::{GramsPerHour, GramsPerKwh},
};

use crate::config::FilterConfig;

/// Longest part of a malformed value that is kept: an annotation may have 256 KiB.
const MAX_SHOWN: usize = 80;

/// What a pod accepts. `None` is no limit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Highest grid intensity.
    pub max_intensity: Option<GramsPerKwh>,
    /// Highest footprint of this pod.
    pub max_grams_per_hour: Option<GramsPerHour>,
    /// Grid zones that may power it, themselves or through a parent zone.
    pub allowed_zones: Option<Arc<[Zone]>>,
}

/// A limit annotation that says nothing usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write annotation {annotation} as {expected}, got {value:?}")]
pub struct LimitError {
    /// Which annotation.
    pub annotation: &'static str,
    /// What it should look like.
    pub expected: &'static str,
    /// The beginning of what was found.
    pub value: String,
}

impl Limits {
    /// No limit at all.
    pub fn is_none(&self) -> bool {
        self.max_intensity.is_none() && self.max_grams_per_hour.is_none() && self.allowed_zones.is_none()
    }

    /// The configured limits for pods of a namespace.
    pub fn configured(config: &FilterConfig, namespace: &str) -> Self {
        let applies = config.namespaces.is_empty() || config.namespaces.iter().any(|listed| listed == namespace);
        if !applies {
            return Self::default();
        }
        Self {
            max_intensity: config.max_intensity_grams_per_kwh,
            max_grams_per_hour: config.max_grams_per_hour,
            allowed_zones: (!config.allowed_zones.is_empty()).then(|| config.allowed_zones.as_slice().into()),
        }
    }

    /// These limits, each replaced by the pod's own annotation where there is one.
    ///
    /// # Errors
    /// [`LimitError`] for an annotation that cannot be read: then nobody knows what the pod wanted.
    pub fn overridden<'a>(self, annotation: impl Fn(&str) -> Option<&'a str>) -> Result<Self, LimitError> {
        let Self { max_intensity, max_grams_per_hour, allowed_zones } = self;
        Ok(Self {
            max_intensity: match annotation(MAX_INTENSITY) {
                Some(text) => Some(number(MAX_INTENSITY, "a number of gCO2e/kWh", text, GramsPerKwh::new)?),
                None => max_intensity,
            },
            max_grams_per_hour: match annotation(MAX_GRAMS_PER_HOUR) {
                Some(text) => Some(number(MAX_GRAMS_PER_HOUR, "a number of gCO2e/h", text, GramsPerHour::new)?),
                None => max_grams_per_hour,
            },
            allowed_zones: match annotation(ALLOWED_ZONES) {
                Some(text) => Some(zones(text)?),
                None => allowed_zones,
            },
        })
    }
}

fn number<T, E>(
    annotation: &'static str,
    expected: &'static str,
    text: &str,
    new: fn(f64) -> Result<T, E>,
) -> Result<T, LimitError> {
    let value = text.trim().parse::<f64>().ok().and_then(|value| new(value).ok());
    value.ok_or_else(|| malformed(annotation, expected, text))
}

fn zones(text: &str) -> Result<Arc<[Zone]>, LimitError> {
    let zones: Result<Vec<Zone>, _> = text.split(',').map(|zone| Zone::new(zone.trim())).collect();
    zones.map(Into::into).map_err(|_| malformed(ALLOWED_ZONES, "grid zones separated by commas", text))
}

fn malformed(annotation: &'static str, expected: &'static str, value: &str) -> LimitError {
    LimitError { annotation, expected, value: value.chars().take(MAX_SHOWN).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(annotations: &'static [(&'static str, &'static str)]) -> Result<Limits, LimitError> {
        Limits::default().overridden(|key| annotations.iter().find(|(name, _)| *name == key).map(|(_, value)| *value))
    }

    #[test]
    fn annotations_become_limits() {
        let limits =
            with(&[(MAX_INTENSITY, "120.5"), (MAX_GRAMS_PER_HOUR, " 4 "), (ALLOWED_ZONES, "SE-SE1, NO-NO2")]).unwrap();
        assert_eq!(limits.max_intensity, Some(GramsPerKwh::new(120.5).unwrap()));
        assert_eq!(limits.max_grams_per_hour, Some(GramsPerHour::new(4.0).unwrap()));
        assert_eq!(limits.allowed_zones.unwrap().len(), 2);
    }

    #[test]
    fn no_annotation_is_no_limit() {
        assert!(with(&[]).unwrap().is_none());
    }

    #[test]
    fn a_malformed_limit_names_its_annotation() {
        for (key, value) in [
            (MAX_INTENSITY, "300 g/kWh"),
            (MAX_INTENSITY, "-1"),
            (MAX_INTENSITY, "NaN"),
            (MAX_INTENSITY, "400000"),
            (MAX_GRAMS_PER_HOUR, ""),
            (ALLOWED_ZONES, "DE,,FR"),
            (ALLOWED_ZONES, ""),
        ] {
            let error = Limits::default().overridden(|name| (name == key).then_some(value)).unwrap_err();
            assert_eq!((error.annotation, error.value.as_str()), (key, value));
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_value_is_kept() {
        let long = "9".repeat(200_000);
        let error = Limits::default().overridden(|_| Some(&long)).unwrap_err();
        assert_eq!(error.value.len(), MAX_SHOWN);
    }

    #[test]
    fn a_pods_own_limit_replaces_the_configured_one() {
        let config = FilterConfig {
            max_intensity_grams_per_kwh: Some(GramsPerKwh::new(100.0).unwrap()),
            allowed_zones: vec![Zone::new("DE").unwrap()],
            ..FilterConfig::default()
        };
        let own = Limits::configured(&config, "any").overridden(|key| (key == MAX_INTENSITY).then_some("300")).unwrap();
        assert_eq!(own.max_intensity, Some(GramsPerKwh::new(300.0).unwrap()));
        assert_eq!(own.allowed_zones.unwrap().len(), 1);
    }

    #[test]
    fn configured_limits_hold_in_the_listed_namespaces_only() {
        let config = FilterConfig {
            max_grams_per_hour: Some(GramsPerHour::new(1.0).unwrap()),
            namespaces: vec!["batch".to_owned()],
            ..FilterConfig::default()
        };
        assert!(!Limits::configured(&config, "batch").is_none());
        assert!(Limits::configured(&config, "web").is_none());
    }
}
