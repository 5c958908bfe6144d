//! What Prometheus scrapes.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use serde_json::{Value, json};

use crate::folder::{Folder, FolderError};

const INTERVAL: Duration = Duration::from_secs(1);

/// Targets that are scraped in the same way.
#[derive(Debug, Clone)]
pub struct Job {
    /// Becomes the label `job`, unless a target has its own.
    pub name: String,
    pub targets: Vec<Target>,
    /// From one scrape to the next, and the time that a scrape may take.
    pub interval: Duration,
    /// Whose labels win where page and target have the same: the page's (`true`), or the target's (`false`, as with the
    /// Prometheus Operator), and the page's `node` becomes `exported_node`.
    pub honor_labels: bool,
    /// How a page is read that does not say what it is, for example `PrometheusText0.0.4`; without it such a page is
    /// refused.
    pub fallback_protocol: Option<String>,
    /// `relabel_configs`, applied to targets.
    pub relabel: Vec<Value>,
    /// `metric_relabel_configs`, applied to samples.
    pub metric_relabel: Vec<Value>,
}

/// Where a page is, and the labels that all its samples get.
#[derive(Debug, Clone)]
pub struct Target {
    address: String,
    labels: BTreeMap<String, String>,
}

impl Job {
    /// A job that scrapes every second.
    pub fn new(name: impl Into<String>, targets: impl IntoIterator<Item = Target>) -> Self {
        Self {
            name: name.into(),
            targets: targets.into_iter().collect(),
            interval: INTERVAL,
            honor_labels: false,
            fallback_protocol: None,
            relabel: Vec::new(),
            metric_relabel: Vec::new(),
        }
    }

    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    #[must_use]
    pub fn honor_labels(mut self) -> Self {
        self.honor_labels = true;
        self
    }

    #[must_use]
    pub fn fallback_protocol(mut self, protocol: impl Into<String>) -> Self {
        self.fallback_protocol = Some(protocol.into());
        self
    }

    #[must_use]
    pub fn relabel(mut self, rule: Value) -> Self {
        self.relabel.push(rule);
        self
    }

    #[must_use]
    pub fn metric_relabel(mut self, rule: Value) -> Self {
        self.metric_relabel.push(rule);
        self
    }

    fn render(&self) -> Value {
        let targets =
            self.targets.iter().map(|Target { address, labels }| json!({ "targets": [address], "labels": labels }));
        let mut job = json!({
            "job_name": self.name,
            "scrape_interval": milliseconds(self.interval),
            "scrape_timeout": milliseconds(self.interval),
            "honor_labels": self.honor_labels,
            "relabel_configs": self.relabel,
            "metric_relabel_configs": self.metric_relabel,
            "static_configs": targets.collect::<Vec<_>>(),
        });
        if let (Some(protocol), Some(job)) = (&self.fallback_protocol, job.as_object_mut()) {
            job.insert("fallback_scrape_protocol".to_owned(), json!(protocol));
        }
        job
    }
}

impl Target {
    /// A page at `http://ADDRESS/metrics`.
    pub fn new(address: impl Display) -> Self {
        Self { address: address.to_string(), labels: BTreeMap::new() }
    }

    /// The labels that a target gets from a `PodMonitor` of the Prometheus Operator.
    pub fn of_pod(address: impl Display, namespace: &str, monitor: &str, pod: &str, container: &str) -> Self {
        let job = format!("{namespace}/{monitor}");
        let labels = [("namespace", namespace), ("pod", pod), ("container", container), ("job", &job)];
        labels.into_iter().fold(Self::new(address), |target, (name, value)| target.label(name, value))
    }

    /// Another page than `/metrics`.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        self.label("__metrics_path__", path)
    }

    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// Writes the configuration and the rule files that it names.
pub(super) fn write(folder: &Folder, name: &str, jobs: &[Job], rules: &[Value]) -> Result<(), FolderError> {
    let mut files = Vec::new();
    for (number, file) in rules.iter().enumerate() {
        files.push(folder.write(&format!("rules-{number}.yaml"), &file.to_string())?);
    }
    let config = json!({
        "global": { "evaluation_interval": milliseconds(INTERVAL) },
        "rule_files": files,
        "scrape_configs": jobs.iter().map(Job::render).collect::<Vec<_>>(),
    });
    // JSON is YAML.
    folder.write(name, &format!("{config:#}\n")).map(drop)
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
