//! A real kube-scheduler.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{ControlPlane, ControlPlaneError, DEADLINE};
use crate::metrics_text;
use crate::pki::Subject;
use crate::ports::free_address;
use crate::process::{Process, Program};

/// How long a metrics page may take.
const METRICS_TIMEOUT: Duration = Duration::from_secs(10);

/// One scheduler with one profile.
#[derive(Debug, Clone)]
pub struct SchedulerOptions {
    /// The `schedulerName` that pods ask for.
    pub name: String,
    pub extenders: Vec<ExtenderEntry>,
    /// Share of nodes looked at, in percent; `None` leaves it to the scheduler (all below 100 nodes).
    pub percentage_of_nodes_to_score: Option<u32>,
    /// Goroutines for filter and score plugins; the scheduler's own default is 16.
    pub parallelism: Option<u32>,
    /// How long a pod that failed waits for the next try, in seconds: first and longest. Shorter than the scheduler's own 1
    /// and 10, so that tests of held pods are quick.
    pub backoff_seconds: (u32, u32),
    /// Merged into the profile: `plugins`, `pluginConfig`.
    pub profile: Map<String, Value>,
    /// A whole `KubeSchedulerConfiguration` instead of all of the above; only connection and leader election are set in it.
    pub configuration: Option<Value>,
    /// Further arguments, `--name=value`.
    pub arguments: Vec<String>,
}

/// One extender as the scheduler's configuration describes it.
#[derive(Debug, Clone)]
pub struct ExtenderEntry {
    /// For example `http://127.0.0.1:8888/v1`.
    pub url_prefix: String,
    pub filter_verb: Option<String>,
    pub prioritize_verb: Option<String>,
    /// Weight of the scores 0..10; a score plugin of weight 1 gives 0..100.
    pub weight: u32,
    pub node_cache_capable: bool,
    pub ignorable: bool,
    pub http_timeout: Duration,
    pub tls: Option<ExtenderTls>,
}

/// TLS towards an extender.
#[derive(Debug, Clone, Default)]
pub struct ExtenderTls {
    pub ca_file: Option<PathBuf>,
    pub server_name: Option<String>,
    /// Client certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// A running scheduler, ended when dropped.
#[derive(Debug)]
pub struct Scheduler {
    name: String,
    process: Process,
    http: reqwest::Client,
    address: SocketAddr,
}

impl SchedulerOptions {
    /// A scheduler without extenders.
    pub fn plain(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            extenders: Vec::new(),
            percentage_of_nodes_to_score: None,
            parallelism: None,
            backoff_seconds: (1, 2),
            profile: Map::new(),
            configuration: None,
            arguments: Vec::new(),
        }
    }

    #[must_use]
    pub fn extender(mut self, entry: ExtenderEntry) -> Self {
        self.extenders.push(entry);
        self
    }

    #[must_use]
    pub fn percentage_of_nodes_to_score(mut self, percentage: u32) -> Self {
        self.percentage_of_nodes_to_score = Some(percentage);
        self
    }

    #[must_use]
    pub fn parallelism(mut self, parallelism: u32) -> Self {
        self.parallelism = Some(parallelism);
        self
    }

    /// Sets `plugins` or `pluginConfig` of the profile.
    #[must_use]
    pub fn profile(mut self, key: &str, value: Value) -> Self {
        self.profile.insert(key.to_owned(), value);
        self
    }

    /// Takes a ready `KubeSchedulerConfiguration`, for example a shipped one.
    #[must_use]
    pub fn configuration(mut self, configuration: Value) -> Self {
        self.configuration = Some(configuration);
        self
    }

    /// The `KubeSchedulerConfiguration` as JSON, which is YAML.
    fn render(&self, kubeconfig: &std::path::Path) -> Value {
        let mut configuration = self.configuration.clone().unwrap_or_else(|| self.own_configuration());
        if let Some(fields) = configuration.as_object_mut() {
            // The default of 50 requests per second would be what a burst of pods measures.
            let connection = json!({ "kubeconfig": kubeconfig, "qps": 5000, "burst": 10_000 });
            fields.insert("clientConnection".to_owned(), connection);
            fields.insert("leaderElection".to_owned(), json!({ "leaderElect": false }));
        }
        configuration
    }

    fn own_configuration(&self) -> Value {
        let mut profile = self.profile.clone();
        profile.insert("schedulerName".to_owned(), json!(self.name));
        if let Some(percentage) = self.percentage_of_nodes_to_score {
            profile.insert("percentageOfNodesToScore".to_owned(), json!(percentage));
        }
        let (initial, longest) = self.backoff_seconds;
        let mut configuration = json!({
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "podInitialBackoffSeconds": initial,
            "podMaxBackoffSeconds": longest,
            "profiles": [profile],
            "extenders": self.extenders.iter().map(ExtenderEntry::render).collect::<Vec<_>>(),
        });
        if let (Some(parallelism), Some(fields)) = (self.parallelism, configuration.as_object_mut()) {
            fields.insert("parallelism".to_owned(), json!(parallelism));
        }
        configuration
    }
}

impl ExtenderEntry {
    /// Prioritize with weight 100 (any difference outweighs the plugins), names only, ignorable, one second.
    pub fn prioritize(url_prefix: impl Into<String>) -> Self {
        Self {
            url_prefix: url_prefix.into(),
            filter_verb: None,
            prioritize_verb: Some("prioritize".to_owned()),
            weight: 100,
            node_cache_capable: true,
            ignorable: true,
            http_timeout: Duration::from_secs(1),
            tls: None,
        }
    }

    /// As [`Self::prioritize`], and filter too.
    pub fn filter_and_prioritize(url_prefix: impl Into<String>) -> Self {
        Self { filter_verb: Some("filter".to_owned()), ..Self::prioritize(url_prefix) }
    }

    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.http_timeout = timeout;
        self
    }

    #[must_use]
    pub fn tls(mut self, tls: ExtenderTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Whole Node objects instead of names.
    #[must_use]
    pub fn full_nodes(mut self) -> Self {
        self.node_cache_capable = false;
        self
    }

    fn render(&self) -> Value {
        let mut entry = json!({
            "urlPrefix": self.url_prefix,
            "nodeCacheCapable": self.node_cache_capable,
            "ignorable": self.ignorable,
            "httpTimeout": format!("{}ms", self.http_timeout.as_millis()),
        });
        let mut set = |key: &str, value: Value| {
            entry.as_object_mut().map(|fields| fields.insert(key.to_owned(), value));
        };
        if let Some(verb) = &self.filter_verb {
            set("filterVerb", json!(verb));
        }
        if let Some(verb) = &self.prioritize_verb {
            set("prioritizeVerb", json!(verb));
            set("weight", json!(self.weight));
        }
        if let Some(tls) = &self.tls {
            let (certificate, key) = tls.client.clone().unzip();
            set("enableHTTPS", json!(true));
            set(
                "tlsConfig",
                json!({
                "caFile": tls.ca_file, "serverName": tls.server_name, "certFile": certificate, "keyFile": key }),
            );
        }
        entry
    }
}

impl Scheduler {
    pub(super) async fn start(plane: &ControlPlane, options: SchedulerOptions) -> Result<Self, ControlPlaneError> {
        let folder = plane.folder();
        let name = options.name.clone();
        let address = free_address()?;
        let program_name = format!("kube-scheduler-{name}");
        let serving = plane.authority.issue(folder, &program_name, &Subject::server(&program_name, &["localhost"]))?;
        let configuration = folder.join(format!("{program_name}.yaml"));
        let rendered = options.render(&folder.join("scheduler.kubeconfig"));
        std::fs::write(&configuration, format!("{rendered:#}\n"))
            .map_err(|source| ControlPlaneError::Folder { path: configuration.clone(), source })?;
        let program = Program::new(program_name, plane.binaries.program("kube-scheduler"))
            .file("config", &configuration)
            .flag("bind-address", address.ip())
            .flag("secure-port", address.port())
            .file("tls-cert-file", &serving.certificate)
            .file("tls-private-key-file", &serving.key)
            // Whoever holds a certificate of the cluster's group system:masters may read the metrics.
            .file("client-ca-file", &plane.authority_file)
            .argument("--authentication-skip-lookup");
        let program = options.arguments.iter().fold(program, |program, argument| program.argument(argument.as_str()));
        let process = Process::start(program, &plane.group, folder)?;
        let http = plane.authority.https_client(Some(&plane.admin))?;
        let mut scheduler = Self { name, process, http, address };
        scheduler.ready().await?;
        Ok(scheduler)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process, to stop, freeze or look at it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Starts it again with the same configuration, for example after an extender's certificate authority changed.
    pub async fn restart(&mut self) -> Result<(), ControlPlaneError> {
        self.process.restart().await?;
        self.ready().await
    }

    /// The metrics page.
    pub async fn metrics_text(&self) -> Result<String, ControlPlaneError> {
        self.get("/metrics").await.map_err(|source| ControlPlaneError::Metrics { scheduler: self.name.clone(), source })
    }

    /// Sum of all series of a metric with these labels; see [`metrics_text::value`].
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<Option<f64>, ControlPlaneError> {
        Ok(metrics_text::value(&self.metrics_text().await?, name, labels))
    }

    /// Ready means: its caches are filled, so the next pod is scheduled at once.
    async fn ready(&mut self) -> Result<(), ControlPlaneError> {
        let http = self.http.clone();
        let url = format!("https://{}/readyz", self.address);
        let probe = async || http.get(&url).send().await?.error_for_status().map(drop);
        Ok(self.process.ready::<reqwest::Error, _>(DEADLINE, probe).await?)
    }

    async fn get(&self, path: &str) -> Result<String, reqwest::Error> {
        let url = format!("https://{}{path}", self.address);
        self.http.get(url).timeout(METRICS_TIMEOUT).send().await?.error_for_status()?.text().await
    }
}
