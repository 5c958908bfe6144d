//! The metrics of a program: what is scraped at `/metrics`, what is pushed to an OpenTelemetry collector, and what the
//! reference page says about it.
//!
//! All come from the same registration, so the page cannot forget a metric.

mod process;
pub(crate) mod samples;

use std::{
    fmt,
    fmt::Write as _,
    sync::{Arc, PoisonError, RwLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::{EncodeMetric, text},
    metrics::{MetricType, info::Info},
    registry::{Metric, Registry},
};

pub use prometheus_client::registry::Unit;

use self::samples::{Sample, samples};

/// Content type of [`MetricsRegistry::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric of the program. Clones share the same registry.
#[derive(Clone, Debug)]
pub struct MetricsRegistry {
    inner: Arc<RwLock<Inner>>,
}

/// What a metric is called and what it means, as given at registration.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Name without unit and without `_total` or `_info`, which are appended.
    pub name: &'static str,
    /// Base unit, appended to the name.
    pub unit: Option<Unit>,
    /// Label keys.
    pub labels: &'static [&'static str],
    /// One sentence without its full stop, which is appended.
    pub help: &'static str,
}

/// What a reader of the scraped page needs to know about a metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Description {
    /// Name of the sample, with unit and suffix.
    pub name: String,
    /// Type: `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    /// Base unit.
    pub unit: Option<String>,
    /// Label keys.
    pub labels: Vec<String>,
    /// Meaning.
    pub help: String,
}

#[derive(Debug, Default)]
struct Inner {
    registry: Registry,
    catalog: Vec<Description>,
}

impl MetricsRegistry {
    /// A registry that has the build and the process of the program in it.
    pub fn new(program: &'static str, version: &'static str) -> Self {
        let this = Self { inner: Arc::default() };
        this.register(
            Spec {
                name: "kube_sci_build",
                unit: None,
                labels: &["program", "version"],
                help: "Program and its version",
            },
            Info::new(vec![("program", program), ("version", version)]),
        );
        this.register_collector(Box::new(process::ProcessCollector), process::specs());
        this
    }

    /// Adds a metric. Register a clone and keep the original to record with. What is registered after
    /// [`crate::http::serve`] is scraped, but not pushed to a collector.
    pub fn register(&self, spec: Spec, metric: impl Metric) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.catalog.push(spec.describe(EncodeMetric::metric_type(&metric)));
        match spec.unit {
            Some(unit) => inner.registry.register_with_unit(spec.name, spec.help, unit, metric),
            None => inner.registry.register(spec.name, spec.help, metric),
        }
    }

    /// Adds metrics that are computed at scrape time; `specs` describes each of them.
    pub fn register_collector(
        &self,
        collector: Box<dyn Collector>,
        specs: impl IntoIterator<Item = (Spec, MetricType)>,
    ) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.catalog.extend(specs.into_iter().map(|(spec, kind)| spec.describe(kind)));
        inner.registry.register_collector(collector);
    }

    /// The page to scrape, in the format that [`CONTENT_TYPE`] names.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let mut page = String::with_capacity(8 * 1024);
        text::encode(&mut page, &inner.registry)?;
        Ok(page)
    }

    /// Every metric of the program, by name, also those without a sample yet.
    pub fn catalog(&self) -> Vec<Description> {
        let mut catalog = self.inner.read().unwrap_or_else(PoisonError::into_inner).catalog.clone();
        catalog.sort();
        catalog
    }

    /// The reference page: a Markdown table of [`MetricsRegistry::catalog`].
    pub fn reference(&self, title: &str, intro: &str) -> String {
        let mut page = format!("# {title}\n\n{intro}\n\n| metric | type | unit | labels | meaning |\n");
        page.push_str("| --- | --- | --- | --- | --- |\n");
        for metric in self.catalog() {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                metric.name,
                metric.kind,
                metric.unit.as_deref().unwrap_or(""),
                labels.join(", "),
                metric.help.replace('|', "\\|"),
            );
        }
        page
    }

    /// Metric families and labels on the scraped page that the catalog does not describe as they are. Meant for tests:
    /// an empty list proves the reference page complete for every metric that has a sample.
    pub fn undescribed(&self) -> Result<Vec<String>, fmt::Error> {
        let page = self.encode()?;
        let catalog = self.catalog();
        let mut missing = Vec::new();
        let mut family = None;
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = catalog.iter().find(|described| described.is_family(rest));
                if family.is_none() {
                    missing.push(rest.to_owned());
                }
            } else if family.is_some_and(|described| samples(line).any(|sample| !described.has_labels_of(&sample))) {
                missing.push(line.to_owned());
            }
        }
        Ok(missing)
    }
}

impl Spec {
    fn describe(&self, kind: MetricType) -> Description {
        let unit = self.unit.as_ref().map(|unit| unit.as_str().to_owned());
        let mut name = self.name.to_owned();
        for part in [unit.as_deref(), suffix(kind.as_str())].into_iter().flatten() {
            name.push('_');
            name.push_str(part);
        }
        Description {
            name,
            kind: kind.as_str().to_owned(),
            unit,
            labels: self.labels.iter().map(ToString::to_string).collect(),
            help: format!("{}.", self.help),
        }
    }
}

impl Description {
    /// Whether this describes the family of a `# TYPE` line, whose name has no suffix.
    fn is_family(&self, name_and_kind: &str) -> bool {
        name_and_kind.split_once(' ').is_some_and(|(name, kind)| {
            kind == self.kind
                && match suffix(kind) {
                    Some(suffix) => {
                        self.name.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('_')) == Some(name)
                    }
                    None => self.name == name,
                }
        })
    }

    fn has_labels_of(&self, sample: &Sample<'_>) -> bool {
        sample.labels.iter().all(|(key, _)| *key == "le" || self.labels.iter().any(|label| label == key))
    }
}

fn suffix(kind: &str) -> Option<&'static str> {
    match kind {
        "counter" => Some("total"),
        "info" => Some("info"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};

    use super::*;

    type Labels = Vec<(&'static str, &'static str)>;

    fn spec(name: &'static str, unit: Option<Unit>, labels: &'static [&'static str]) -> Spec {
        Spec { name, unit, labels, help: "A figure" }
    }

    #[test]
    fn the_catalog_names_samples_as_they_are_scraped() {
        let registry = MetricsRegistry::new("test", "1.2.3");
        let seconds = Histogram::new([0.1, 1.0]);
        registry.register(spec("t_duration", Some(Unit::Seconds), &[]), seconds.clone());
        seconds.observe(0.2);
        registry.register(spec("t_saved", Some(Unit::Grams), &[]), Counter::<u64>::default());
        registry.register(spec("t_nodes", None, &[]), Gauge::<i64>::default());

        let names: Vec<String> = registry.catalog().into_iter().map(|metric| metric.name).collect();
        for name in ["kube_sci_build_info", "t_duration_seconds", "t_saved_grams_total", "t_nodes"] {
            assert!(names.iter().any(|known| known == name), "{name} not in {names:?}");
            assert!(registry.encode().unwrap().contains(name), "{name} not scraped");
        }
        assert_eq!(registry.undescribed().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_family_without_samples_is_in_the_reference() {
        let registry = MetricsRegistry::new("test", "1.2.3");
        registry.register(spec("t_rejected", None, &["reason"]), Family::<Labels, Counter>::default());
        assert!(!registry.encode().unwrap().contains("t_rejected"));
        let page = registry.reference("Metrics", "All of them.");
        assert!(page.contains("| `t_rejected_total` | counter |  | `reason` | A figure. |"), "{page}");
    }

    #[test]
    fn an_undeclared_label_is_reported() {
        let registry = MetricsRegistry::new("test", "1.2.3");
        let family = Family::<Labels, Counter>::default();
        family.get_or_create(&vec![("reason", "a,b"), ("zone", "FR")]).inc();
        registry.register(spec("t_rejected", None, &["reason"]), family);
        assert_eq!(registry.undescribed().unwrap(), ["t_rejected_total{reason=\"a,b\",zone=\"FR\"} 1"]);
    }

    #[test]
    fn an_undescribed_collector_is_reported() {
        let registry = MetricsRegistry::new("test", "1.2.3");
        registry.register_collector(Box::new(Undescribed), []);
        assert_eq!(registry.undescribed().unwrap(), ["t_stray gauge"]);
    }

    #[derive(Debug)]
    struct Undescribed;

    impl Collector for Undescribed {
        fn encode(&self, mut encoder: prometheus_client::encoding::DescriptorEncoder) -> fmt::Result {
            let stray = prometheus_client::metrics::gauge::ConstGauge::new(1_i64);
            stray.encode(encoder.encode_descriptor("t_stray", "Stray", None, MetricType::Gauge)?)
        }
    }
}
