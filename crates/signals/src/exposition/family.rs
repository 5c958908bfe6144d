//! Types of families.

use std::{collections::BTreeMap, io, iter};

use prometheus_parse::{Scrape, Value};

use super::{Limits, SampleKind};

/// Unlike words after the name of a family that are remembered; there are eight.
const MAX_WORDS: usize = 16;

/// Suffixes of samples that are not named as their family is.
const SUFFIXES: [(&str, FamilyType, SampleKind); 6] = [
    ("_total", FamilyType::Counter, SampleKind::Counter),
    ("_bucket", FamilyType::Histogram, SampleKind::HistogramBucket),
    ("_sum", FamilyType::Histogram, SampleKind::HistogramSum),
    ("_count", FamilyType::Histogram, SampleKind::HistogramCount),
    ("_sum", FamilyType::Summary, SampleKind::SummarySum),
    ("_count", FamilyType::Summary, SampleKind::SummaryCount),
];

/// Types as the page declares them.
#[derive(Debug, Default)]
pub(super) struct Families<'t> {
    declared: BTreeMap<Box<str>, FamilyType>,
    words: BTreeMap<&'t str, FamilyType>,
}

/// Type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FamilyType {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Untyped,
}

impl<'t> Families<'t> {
    /// Keeps the type of a family; the last declaration counts. `None` where a limit is exceeded.
    pub(super) fn declare(&mut self, name: &str, word: &'t str, limits: &Limits) -> Option<()> {
        let family_type = self.type_of(word);
        if let Some(known) = self.declared.get_mut(name) {
            *known = family_type;
            return Some(());
        }
        let fits = self.declared.len() < limits.families && (1..=limits.name_bytes).contains(&name.len());
        fits.then(|| self.declared.insert(name.into(), family_type)).map(drop)
    }

    /// What a sample of that name is.
    pub(super) fn kind(&self, name: &str) -> SampleKind {
        match self.declared.get(name) {
            Some(FamilyType::Counter) => return SampleKind::Counter,
            Some(FamilyType::Gauge) => return SampleKind::Gauge,
            Some(FamilyType::Summary) => return SampleKind::SummaryQuantile,
            Some(FamilyType::Histogram | FamilyType::Untyped) => return SampleKind::Untyped,
            None => {}
        }
        let of_suffix = |(suffix, family_type, kind): (&str, FamilyType, SampleKind)| {
            let family = name.strip_suffix(suffix)?;
            (self.declared.get(family) == Some(&family_type)).then_some(kind)
        };
        SUFFIXES.into_iter().find_map(of_suffix).unwrap_or(SampleKind::Untyped)
    }

    fn type_of(&mut self, word: &'t str) -> FamilyType {
        if let Some(known) = self.words.get(word) {
            return *known;
        }
        let family_type = ask(word);
        if self.words.len() < MAX_WORDS {
            self.words.insert(word, family_type);
        }
        family_type
    }
}

/// What the word says of its family, by one sample of each form under a name that every parser can read.
fn ask(word: &str) -> FamilyType {
    if !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return FamilyType::Untyped;
    }
    let lines = iter::once(format!("# TYPE f {word}"))
        .chain([r#"f{quantile="0.5"} 1"#, r#"f_bucket{le="1"} 1"#].map(str::to_owned))
        .map(io::Result::Ok);
    let samples = Scrape::parse(lines).map(|scrape| scrape.samples).unwrap_or_default();
    let typed = |value: &Value| match value {
        Value::Counter(_) => Some(FamilyType::Counter),
        Value::Gauge(_) => Some(FamilyType::Gauge),
        Value::Histogram(_) => Some(FamilyType::Histogram),
        Value::Summary(_) => Some(FamilyType::Summary),
        Value::Untyped(_) => None,
    };
    samples.iter().find_map(|sample| typed(&sample.value)).unwrap_or(FamilyType::Untyped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families<'t>(declared: &[(&str, &'t str)]) -> Families<'t> {
        let mut families = Families::default();
        for (name, word) in declared {
            families.declare(name, word, &Limits::default()).unwrap();
        }
        families
    }

    #[test]
    fn every_type_of_both_formats_is_known() {
        let families = families(&[
            ("c", "counter"),
            ("g", "gauge"),
            ("h", "histogram"),
            ("s", "summary"),
            ("i", "info"),
            ("e", "stateset"),
            ("q", "gaugehistogram"),
            ("k", "unknown"),
            ("u", "untyped"),
            ("odd", "%&!"),
        ]);
        for (name, kind) in [
            ("c", SampleKind::Counter),
            ("c_total", SampleKind::Counter),
            ("c_created", SampleKind::Untyped),
            ("g", SampleKind::Gauge),
            ("g_total", SampleKind::Untyped),
            ("h", SampleKind::Untyped),
            ("h_bucket", SampleKind::HistogramBucket),
            ("h_sum", SampleKind::HistogramSum),
            ("h_count", SampleKind::HistogramCount),
            ("s", SampleKind::SummaryQuantile),
            ("s_sum", SampleKind::SummarySum),
            ("s_count", SampleKind::SummaryCount),
            ("s_bucket", SampleKind::Untyped),
            ("i", SampleKind::Untyped),
            ("e", SampleKind::Untyped),
            ("q_bucket", SampleKind::Untyped),
            ("k", SampleKind::Untyped),
            ("u", SampleKind::Untyped),
            ("odd", SampleKind::Untyped),
            ("never_declared", SampleKind::Untyped),
        ] {
            assert_eq!(families.kind(name), kind, "{name}");
        }
    }

    #[test]
    fn a_family_of_the_exact_name_goes_before_one_by_suffix() {
        assert_eq!(families(&[("s", "summary"), ("s_sum", "gauge")]).kind("s_sum"), SampleKind::Gauge);
    }

    #[test]
    fn families_are_limited() {
        let limits = Limits { families: 1, ..Limits::default() };
        let mut families = Families::default();
        assert_eq!(families.declare("a", "gauge", &limits), Some(()));
        assert_eq!(families.declare("b", "gauge", &limits), None);
        assert_eq!(families.declare("a", "counter", &limits), Some(()), "known already");
        assert_eq!(families.kind("a"), SampleKind::Counter);
        assert_eq!(families.kind("b"), SampleKind::Untyped);
    }
}
