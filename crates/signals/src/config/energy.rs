//! `energy`: where measured energy comes from.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use sci_core::quantity::WallFactor;

use super::{ConfigError, HttpConfig, TextDuration, number, value};

/// Where measured energy comes from. Without sources every node is modelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EnergyConfig {
    /// Sources, strongest first. The first that has a fresh value for a node answers for it; they are never added.
    pub sources: Vec<EnergySourceConfig>,
    /// Energy is summed over windows of this length.
    pub window: TextDuration,
    /// A measurement older than this, from the end of its window on, is not used any more: the next source answers, at
    /// the end the node is modelled. Never shorter than three windows, three questions to the source and three scrapes
    /// of its Prometheus.
    pub stale_after: TextDuration,
    /// No node draws more than this many times the full power of its hardware, at the upper end of the error band of
    /// its table: 2 means twice the full power of a configured class, and more where the hardware is only guessed.
    /// What says so is refused.
    pub max_power_factor: f64,
    /// Watts at the wall over the watts of meters that see processors and memory only (RAPL): fans, drives and losses
    /// of the power supply. Not used where a meter sees the whole machine.
    pub wall_factor: f64,
    /// Most pods with metrics of their own; the energy of all others is counted under the name `_other`.
    pub max_exported_pods: usize,
}

/// One source: exactly one of `scrape`, `prometheus` and `otlp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnergySourceConfig {
    /// Its name in metrics, logs and explanations.
    pub name: String,
    /// Exporters that this source is read for.
    #[serde(default = "every_exporter")]
    pub exporters: Vec<ExporterConfig>,
    /// How often the source is asked.
    #[serde(default = "default_period")]
    pub period: TextDuration,
    /// Interval at which an ALUMET agent without aggregation measures; its page shows one of these only.
    #[serde(default = "default_alumet_poll_interval")]
    pub alumet_poll_interval: TextDuration,
    /// Interval of ALUMET's aggregation plugin, where it sums up energy. Without it, sums that are made faster than
    /// they are read are taken for all there is, and the node for cheaper than it is.
    #[serde(default)]
    pub alumet_aggregation_interval: Option<TextDuration>,
    /// The pages of the agents themselves.
    #[serde(default)]
    pub scrape: Option<ScrapeConfig>,
    /// A Prometheus, or anything that speaks its HTTP API.
    #[serde(default)]
    pub prometheus: Option<PrometheusConfig>,
    /// A port that agents or a collector push to, by OTLP over gRPC.
    #[serde(default)]
    pub otlp: Option<OtlpConfig>,
}

/// A program that measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExporterConfig {
    /// ALUMET, all versions, raw or aggregated.
    Alumet,
    /// Kepler 0.10 and later.
    Kepler,
    /// Kepler up to 0.9.
    KeplerLegacy,
    /// Scaphandre.
    Scaphandre,
}

/// Direct scrape: the agents' pods are found through the API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ScrapeConfig {
    /// Labels of the agents' pods, as `kubectl --selector` takes them.
    pub label_selector: String,
    /// Their namespace. Empty: all.
    pub namespace: String,
    /// Port of the page: a number, or the name of a container port. Without `labelSelector` all pods with such a
    /// container port are agents. Empty: the container port that is named `metrics` or `http`, else the only one, else
    /// what the pod's annotation `prometheus.io/port` says, else the usual one of the exporter.
    pub port: String,
    /// Path of the page. Where it is `/metrics`, a pod's annotation `prometheus.io/path` is stronger.
    pub path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// File with the PEM certificates that the agents' are checked against, which must name the pods' addresses. Needed
    /// for `https`.
    pub ca_file: Option<PathBuf>,
    /// Largest page that is read, in bytes.
    pub max_page_bytes: u64,
    /// Pages read at the same time.
    pub concurrency: usize,
    /// A page that takes longer has failed.
    pub timeout: TextDuration,
}

/// A Prometheus, Thanos Query, Mimir, VictoriaMetrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusConfig {
    /// How it is reached.
    pub http: HttpConfig,
    /// Interval at which it scrapes the agents.
    #[serde(default = "default_scrape_interval")]
    pub scrape_interval: TextDuration,
    /// Labels by which replicas of the same Prometheus differ.
    #[serde(default = "default_replica_labels")]
    pub replica_labels: Vec<String>,
    /// Label with the node's name that relabelling added, asked before the exporter's own labels.
    #[serde(default)]
    pub node_label: Option<String>,
    /// Further label matchers of every query, such as `cluster="west"`.
    #[serde(default)]
    pub matchers: String,
}

/// A port for pushed metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OtlpConfig {
    /// Where to listen.
    pub address: SocketAddr,
    /// Points kept between two windows; the oldest leave first and are counted.
    #[serde(default = "default_max_points")]
    pub max_points: usize,
}

impl Default for EnergyConfig {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            window: TextDuration::from_secs(60),
            stale_after: TextDuration::from_secs(180),
            max_power_factor: 2.0,
            wall_factor: 1.0,
            max_exported_pods: 10_000,
        }
    }
}

impl Default for ScrapeConfig {
    fn default() -> Self {
        Self {
            label_selector: String::new(),
            namespace: String::new(),
            port: String::new(),
            path: "/metrics".to_owned(),
            scheme: "http".to_owned(),
            ca_file: None,
            max_page_bytes: 100 << 20,
            concurrency: 32,
            timeout: TextDuration::from_secs(10),
        }
    }
}

impl EnergyConfig {
    /// The factor in the model's type; out of range, none.
    pub fn wall_factor(&self) -> WallFactor {
        WallFactor::new(self.wall_factor).unwrap_or(WallFactor::NONE)
    }

    /// How long what a source said of a node stands.
    pub fn patience(&self, source: &EnergySourceConfig) -> Duration {
        let scrapes = source.prometheus.as_ref().map_or(Duration::ZERO, |prometheus| prometheus.scrape_interval.get());
        let asked = source.period.get().max(self.window.get()).max(scrapes);
        self.stale_after.get().max(asked * 3)
    }

    /// Checks what the types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] with the path of the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1.0..=100.0).contains(&self.max_power_factor) {
            return Err(value("energy.maxPowerFactor", "make it 1 to 100"));
        }
        number("energy.wallFactor", self.wall_factor, WallFactor::new)?;
        if self.window.get().is_zero() || self.stale_after < self.window {
            return Err(value("energy.staleAfter", "make it at least as long as energy.window, which is not zero"));
        }
        for (index, source) in self.sources.iter().enumerate() {
            let field = format!("energy.sources[{index}]");
            if self.sources.iter().take(index).any(|earlier| earlier.name == source.name) {
                return Err(value(&format!("{field}.name"), "give every source a name of its own"));
            }
            source.validate(&field)?;
        }
        Ok(())
    }
}

impl EnergySourceConfig {
    fn validate(&self, field: &str) -> Result<(), ConfigError> {
        let routes =
            [self.scrape.is_some(), self.prometheus.is_some(), self.otlp.is_some()].iter().filter(|set| **set).count();
        if routes != 1 {
            return Err(value(field, "set exactly one of scrape, prometheus and otlp"));
        }
        if self.name.is_empty() || self.exporters.is_empty() {
            return Err(value(field, "give it a name and at least one exporter"));
        }
        if self.period.get().as_millis() < 100 || self.alumet_poll_interval.get().is_zero() {
            return Err(value(
                &format!("{field}.period"),
                "make it 100ms or longer, and alumetPollInterval more than 0",
            ));
        }
        if let Some(scrape) = &self.scrape {
            scrape.validate(&format!("{field}.scrape"))?;
        }
        if let Some(otlp) = &self.otlp
            && otlp.max_points == 0
        {
            return Err(value(&format!("{field}.otlp.maxPoints"), "make it more than 0"));
        }
        self.prometheus.as_ref().map_or(Ok(()), |prometheus| prometheus.validate(&format!("{field}.prometheus")))
    }
}

impl PrometheusConfig {
    fn validate(&self, field: &str) -> Result<(), ConfigError> {
        if self.scrape_interval.get().as_millis() < 100 {
            return Err(value(&format!("{field}.scrapeInterval"), "make it 100ms or longer"));
        }
        if self.replica_labels.iter().chain(&self.node_label).any(|label| !is_label_name(label)) {
            return Err(value(field, "use letters, digits and _ in replicaLabels and nodeLabel"));
        }
        self.http.validate(&format!("{field}.http"))
    }
}

impl ScrapeConfig {
    fn validate(&self, field: &str) -> Result<(), ConfigError> {
        if self.label_selector.is_empty() && self.port.is_empty() {
            return Err(value(field, "say which pods are agents: by labelSelector, by port, or by both"));
        }
        if !["http", "https"].contains(&self.scheme.as_str()) {
            return Err(value(&format!("{field}.scheme"), "write http or https"));
        }
        if (self.scheme == "https") != self.ca_file.is_some() {
            return Err(value(&format!("{field}.caFile"), "set it for the scheme https, and only then"));
        }
        if !self.path.starts_with('/') {
            return Err(value(&format!("{field}.path"), "begin it with /"));
        }
        if self.timeout.get().is_zero() {
            return Err(value(&format!("{field}.timeout"), "make it more than 0"));
        }
        if self.concurrency == 0 || self.max_page_bytes == 0 {
            return Err(value(field, "make concurrency and maxPageBytes more than zero"));
        }
        Ok(())
    }
}

fn is_label_name(name: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    !name.is_empty() && name.chars().all(letters) && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn every_exporter() -> Vec<ExporterConfig> {
    vec![ExporterConfig::Alumet, ExporterConfig::Kepler, ExporterConfig::Scaphandre, ExporterConfig::KeplerLegacy]
}

const fn default_period() -> TextDuration {
    TextDuration::from_secs(15)
}

const fn default_alumet_poll_interval() -> TextDuration {
    TextDuration::from_secs(1)
}

const fn default_scrape_interval() -> TextDuration {
    TextDuration::from_secs(15)
}

fn default_replica_labels() -> Vec<String> {
    ["prometheus_replica", "replica", "__replica__"].map(str::to_owned).to_vec()
}

const fn default_max_points() -> usize {
    500_000
}
