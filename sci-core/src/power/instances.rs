//! Cloud instance types: `data/instances.csv` lists shapes, `data/series.csv` the series whose names say the size.

use std::{cmp::Ordering, sync::LazyLock};

use super::{
    DEFAULT_ERROR, DEFAULT_SOURCE, FAMILY_ERROR, Hardware, LIFETIME, PowerCurve, Provenance, TEADS_ERROR,
    default_watts,
    embodied::GRAMS_PER_KG,
    families::{self, Family},
};
use crate::{
    embedded::{fields, rows},
    quantity::{GramsCo2e, RelativePerformance, Utilization, Watts},
    region::Provider,
};

static INSTANCES_TEXT: &str = include_str!("../../data/instances.csv");
static SERIES_TEXT: &str = include_str!("../../data/series.csv");
/// Lines only, in the order of the file, which is that of the key. A hit is parsed when asked for.
static INSTANCES: LazyLock<Box<[&'static str]>> = LazyLock::new(|| rows(INSTANCES_TEXT).collect());
static SERIES: LazyLock<Box<[&'static str]>> = LazyLock::new(|| rows(SERIES_TEXT).collect());

const TEADS_SOURCE: &str = "Teads EC2 data set, as published by Cloud Carbon Footprint";

/// What the tables say of one instance type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// Separated by `|` where the provider uses any of several; empty where it does not say.
    families: &'static str,
    vcpus: f64,
    /// Two where a vCPU is a whole core of a processor that was measured with two threads per core.
    threads_per_vcpu: f64,
    platform_vcpus: f64,
    platform_embodied_kg: f64,
    /// At 0, 10, 50 and 100 %.
    watts: Option<[f64; 4]>,
}

/// The listed shape, else one made from its series.
pub(super) fn find(provider: Provider, instance_type: &str) -> Option<Shape> {
    let name = key_of(provider, instance_type);
    listed(provider, &name).or_else(|| from_series(provider, &name))
}

impl Shape {
    fn parse_instance(row: &'static str) -> Option<Self> {
        let [_provider, _type, families, vcpus, _memory, threads, platform_vcpus, platform_kg, idle, w10, w50, w100] =
            fields(row)?;
        let number = |field: &str| field.parse::<f64>().ok();
        let watts = match [idle, w10, w50, w100].map(number) {
            [Some(idle), Some(w10), Some(w50), Some(full)] => Some([idle, w10, w50, full]),
            _ if idle.is_empty() => None,
            _ => return None,
        };
        Some(Self {
            families,
            vcpus: number(vcpus)?,
            threads_per_vcpu: number(threads)?,
            platform_vcpus: number(platform_vcpus)?,
            platform_embodied_kg: number(platform_kg)?,
            watts,
        })
    }

    /// Without a size: `vcpus` are those of the platform.
    fn parse_series(row: &'static str) -> Option<Self> {
        let [_provider, _series, families, threads, platform_vcpus, platform_kg] = fields(row)?;
        let platform_vcpus = platform_vcpus.parse().ok()?;
        Some(Self {
            families,
            vcpus: platform_vcpus,
            threads_per_vcpu: threads.parse().ok()?,
            platform_vcpus,
            platform_embodied_kg: platform_kg.parse().ok()?,
            watts: None,
        })
    }

    /// The same shape, to be answered from its family.
    pub(super) fn without_own_curve(self) -> Self {
        Self { watts: None, ..self }
    }

    pub(super) fn hardware(&self, class: &str) -> Option<Hardware> {
        let families: Vec<&Family> = self.families.split('|').filter_map(families::find).collect();
        let (source, provenance, error_band) = self.origin(&families);
        let performance = mean(families.iter().map(|family| family.relative_performance())).unwrap_or(1.0);
        let share = self.vcpus / self.platform_vcpus;
        Some(Hardware {
            class: class.into(),
            curve: self.curve(&families)?,
            embodied: GramsCo2e::clamped(self.platform_embodied_kg * GRAMS_PER_KG * share),
            lifetime: LIFETIME,
            relative_performance: RelativePerformance::clamped(performance * self.threads_per_vcpu),
            provenance,
            source: source.into(),
            error_band,
        })
    }

    fn curve(&self, families: &[&Family]) -> Option<PowerCurve> {
        if let Some([idle, w10, w50, full]) = self.watts {
            let point = |u: f64, watts: f64| Some((Utilization::new(u).ok()?, Watts::new(watts).ok()?));
            return PowerCurve::from_points(&[
                point(0.0, idle)?,
                point(0.1, w10)?,
                point(0.5, w50)?,
                point(1.0, full)?,
            ])
            .ok();
        }
        let threads = self.vcpus * self.threads_per_vcpu;
        let (default_idle, default_full) = default_watts(self.vcpus);
        let idle = mean(families.iter().map(|family| family.watts(threads).0.get()));
        let full = mean(families.iter().map(|family| family.watts(threads).1.get()));
        Some(PowerCurve::between(idle.map_or(default_idle, Watts::clamped), full.map_or(default_full, Watts::clamped)))
    }

    fn origin(&self, families: &[&Family]) -> (String, Provenance, (f64, f64)) {
        if self.watts.is_some() {
            return (TEADS_SOURCE.to_owned(), Provenance::Modelled, TEADS_ERROR);
        }
        match families {
            [] => (DEFAULT_SOURCE.to_owned(), Provenance::Default, DEFAULT_ERROR),
            [family] => (family.source(), Provenance::Modelled, family.error_band()),
            several => {
                let names: Vec<&str> = several.iter().map(|family| family.name).collect();
                let source = format!("SPECpower_ssj2008 medians, mean of what the provider uses: {}", names.join(", "));
                (source, Provenance::Modelled, FAMILY_ERROR)
            }
        }
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = u32::try_from(values.len()).ok().filter(|count| *count > 0)?;
    Some(values.sum::<f64>() / f64::from(count))
}

/// As in the tables: lower case, Azure names without `Standard_`.
fn key_of(provider: Provider, instance_type: &str) -> String {
    let name = instance_type.to_ascii_lowercase();
    match (provider, name.strip_prefix("standard_")) {
        (Provider::Azure, Some(short)) => short.to_owned(),
        _ => name,
    }
}

fn look_up(table: &'static [&'static str], provider: Provider, name: &str) -> Option<&'static str> {
    let order = |row: &&'static str| {
        let mut parts = row.split(',');
        let key = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        key.cmp(&(provider.as_str(), name))
    };
    table.binary_search_by(order).ok().and_then(|at| table.get(at).copied())
}

fn listed(provider: Provider, name: &str) -> Option<Shape> {
    Shape::parse_instance(look_up(&INSTANCES, provider, name)?)
}

/// A shape of a series, as large as its name says; `None` where that is larger than the series' own server.
fn from_series(provider: Provider, name: &str) -> Option<Shape> {
    match provider {
        Provider::Aws => {
            let (series, size) = name.split_once('.')?;
            let platform = series_of(provider, series)?;
            let vcpus = if size == "metal" { platform.vcpus } else { aws_vcpus(size)? };
            platform.sized(vcpus)
        }
        Provider::Azure => {
            let (series, size) = azure_series(name)?;
            let platform = series_of(provider, &series)?;
            match size {
                AzureSize::Whole(vcpus) => platform.sized(vcpus),
                AzureSize::Constrained { of, vcpus } => platform.sized(of)?.constrained(vcpus),
            }
        }
        Provider::Gcp => {
            let (series, vcpus) = gcp_series(name)?;
            series_of(provider, &series)?.sized(vcpus)
        }
    }
}

fn series_of(provider: Provider, series: &str) -> Option<Shape> {
    Shape::parse_series(look_up(&SERIES, provider, series)?)
}

impl Shape {
    fn sized(self, vcpus: f64) -> Option<Self> {
        (vcpus > 0.0 && vcpus <= self.platform_vcpus).then_some(Self { vcpus, ..self })
    }

    /// Fewer vCPUs with the same part of the server.
    fn constrained(self, vcpus: f64) -> Option<Self> {
        let platform_vcpus = self.platform_vcpus * vcpus / self.vcpus;
        (vcpus > 0.0 && vcpus.total_cmp(&self.vcpus) != Ordering::Greater).then_some(Self {
            vcpus,
            platform_vcpus,
            ..self
        })
    }
}

/// `medium` has 1, `large` 2, `xlarge` 4 and `Nxlarge` 4 N vCPUs; so has `metal-Nxl`.
fn aws_vcpus(size: &str) -> Option<f64> {
    match size {
        "medium" => Some(1.0),
        "large" => Some(2.0),
        "xlarge" => Some(4.0),
        _ => {
            let count = size
                .strip_suffix("xlarge")
                .or_else(|| size.strip_prefix("metal-").and_then(|rest| rest.strip_suffix("xl")))?;
            whole_number(count).map(|count| 4.0 * count)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum AzureSize {
    Whole(f64),
    Constrained { of: f64, vcpus: f64 },
}

/// `d16s_v5` is 16 vCPUs of `d#s_v5`; `e16-4ds_v5` is `e16ds_v5` with 4 of its vCPUs left on.
fn azure_series(name: &str) -> Option<(String, AzureSize)> {
    let (letters, rest) = name.split_at(name.find(|c: char| c.is_ascii_digit())?);
    let (size, rest) = leading_number(rest)?;
    match rest.strip_prefix('-').and_then(leading_number) {
        Some((vcpus, rest)) => Some((format!("{letters}#{rest}"), AzureSize::Constrained { of: size, vcpus })),
        None => Some((format!("{letters}#{rest}"), AzureSize::Whole(size))),
    }
}

/// `c3-highmem-22` is 22 vCPUs of `c3-highmem`; `n2-custom-6-20480` has 6 vCPUs, counted as `n2-standard`.
fn gcp_series(name: &str) -> Option<(String, f64)> {
    let parts: Vec<&str> = name.trim_end_matches("-ext").split('-').collect();
    match parts.as_slice() {
        [series, "custom", vcpus, _memory] => Some((format!("{series}-standard"), whole_number(vcpus)?)),
        [series, class, vcpus] => Some((format!("{series}-{class}"), whole_number(vcpus)?)),
        _ => None,
    }
}

fn leading_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((whole_number(digits)?, rest))
}

fn whole_number(text: &str) -> Option<f64> {
    text.parse::<u16>().ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(table: &[&'static str]) -> Vec<(&'static str, &'static str)> {
        let key = |row: &&'static str| row.split_once(',').map(|(p, rest)| (p, rest.split(',').next().unwrap()));
        table.iter().map(|row| key(row).unwrap()).collect()
    }

    fn provider_of(name: &str) -> Provider {
        *Provider::ALL.iter().find(|provider| provider.as_str() == name).unwrap()
    }

    #[test]
    fn tables_are_sorted_by_key_without_duplicates() {
        for table in [&*INSTANCES, &*SERIES] {
            assert!(keys(table).windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn every_listed_shape_has_hardware() {
        assert!(INSTANCES.len() > 800);
        for (provider, name) in keys(&INSTANCES) {
            let shape = listed(provider_of(provider), name).unwrap_or_else(|| panic!("{name} does not parse"));
            assert!(shape.vcpus > 0.0 && shape.vcpus <= shape.platform_vcpus, "{name}");
            assert!(shape.platform_embodied_kg >= 1_000.0, "{name}");
            let known = shape.families.split('|').filter(|family| !family.is_empty());
            assert!(known.clone().all(|family| families::find(family).is_some()), "{name}");
            assert!(shape.hardware(name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_series_names_a_known_family() {
        for (provider, name) in keys(&SERIES) {
            let shape = series_of(provider_of(provider), name).unwrap_or_else(|| panic!("{name} does not parse"));
            assert!(shape.families.split('|').all(|family| families::find(family).is_some()), "{name}");
        }
    }

    #[test]
    fn azure_names_say_series_and_size() {
        assert_eq!(azure_series("d16s_v5"), Some(("d#s_v5".into(), AzureSize::Whole(16.0))));
        let constrained = AzureSize::Constrained { of: 16.0, vcpus: 4.0 };
        assert_eq!(azure_series("e16-4ds_v5"), Some(("e#ds_v5".into(), constrained)));
        assert_eq!(azure_series("basic"), None);
    }

    #[test]
    fn aws_sizes_say_vcpus() {
        let sizes = [("medium", 1.0), ("large", 2.0), ("xlarge", 4.0), ("48xlarge", 192.0), ("metal-24xl", 96.0)];
        for (size, vcpus) in sizes {
            assert_eq!(aws_vcpus(size), Some(vcpus), "{size}");
        }
        for unknown in ["nano", "small", "metal-", "-4xlarge", "99999xlarge"] {
            assert_eq!(aws_vcpus(unknown), None, "{unknown}");
        }
    }
}
