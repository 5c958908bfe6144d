//! The adapter's one YAML document.

mod api;

use std::{collections::BTreeMap, error::Error, net::SocketAddr};

use kube_sci_cluster::config::{
    ConfigError, EnergyConfig, GridConfig, ModelConfig, NodesConfig, OptOutConfig, ScoreConfig,
};
use kube_sci_server::{
    cli::ProgramConfig,
    config::{ListenConfig, TelemetryConfig},
};
use kube_sci_signals::config::{HttpConfig, TextDuration, value};
use schemars::JsonSchema;
use sci_core::scaling::{Tolerance, savings::FreedRoom};
use serde::{Deserialize, Serialize};

use crate::engine::EngineOptions;

pub use self::api::{
    ApiConfig, CertificateConfig, CertificateFiles, DelegationConfig, LimitsConfig, SelfSignedConfig, ServiceConfig,
};

/// Configuration of the metrics adapter. Every key has a default; without a file it serves all APIs on port 8443 with a
/// certificate of its own making, and knows the annual intensities of all cloud regions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AdapterConfig {
    /// `enforce` does what each policy says. `shadow` computes and shows the same, and serves every policy's plain
    /// load, whatever its own mode.
    pub mode: Mode,
    /// Where probes, metrics and data quality are found. Not the metrics APIs: those are at `api`.
    pub server: ListenConfig,
    /// The metrics APIs.
    pub api: ApiConfig,
    /// Where loads come from, besides what policies say.
    pub loads: LoadsConfig,
    /// What policies cannot say themselves.
    pub policies: PoliciesConfig,
    /// The value of policies for KEDA, without authentication.
    pub keda: KedaConfig,
    /// Events on policies, budgets and APIs.
    pub events: EventsConfig,
    /// Which replica writes statuses and events.
    pub leader_election: LeaderElectionConfig,
    /// Logs, traces and pushed metrics.
    pub telemetry: TelemetryConfig,
    /// Where carbon intensities come from, and how long they are believed.
    pub grid: GridConfig,
    /// Where measured energy comes from. Without sources every node is modelled.
    pub energy: EnergyConfig,
    /// Grid zones, hardware and site overhead of nodes that do not say it themselves.
    pub nodes: NodesConfig,
    /// How much of the hardware's embodied carbon counts, and what pods without requests are taken to need.
    pub score: ScoreConfig,
    /// Has no effect here; it may be in a text that all programs share.
    pub opt_out: OptOutConfig,
}

/// Whether policies act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// As each policy says.
    #[default]
    Enforce,
    /// None does.
    Shadow,
}

/// Where loads come from, besides what policies say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LoadsConfig {
    /// Prometheus, or what speaks its API, by name. A policy that names none asks `default`.
    pub prometheus: BTreeMap<String, HttpConfig>,
    /// PEM file with the authorities that `https` pages of pods are checked against. Unset: those of the system.
    pub pod_ca_file: Option<std::path::PathBuf>,
}

/// What policies cannot say themselves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// What becomes of nodes whose pods went away: decides what a saved replica is said to save.
    pub freed_room: FreedRoomConfig,
    /// `--horizontal-pod-autoscaler-tolerance` of the cluster's controller manager. The guard of a policy with
    /// `hardLimitPerReplica` and what the linter says follow from it; `behavior` of an autoscaler may say another one.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub autoscaler_tolerance: f64,
}

/// What becomes of nodes whose pods went away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FreedRoomConfig {
    /// Nobody knows; the same is claimed as for `kept`.
    #[default]
    Unknown,
    /// They stay on: only the idle power of the replicas themselves is saved.
    Kept,
    /// They are removed when they are empty, by a cluster autoscaler for instance: their idle power is saved too.
    Removed,
}

/// The value of policies for KEDA, without authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KedaConfig {
    /// Plain HTTP address that answers `GET /keda/v1/namespaces/NAMESPACE/policies/NAME` to everybody who reaches it.
    /// Unset: only the metrics APIs' own address does, to whoever may `get` `greenscalingpolicies/keda` there.
    pub address: Option<SocketAddr>,
}

/// Events. They need the permission to create `events.events.k8s.io`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EventsConfig {
    /// Write an Event where the phase of a policy, a finding about its autoscaler, a budget or the owner of an API
    /// changes.
    pub enabled: bool,
    /// Most events per second; more are dropped and counted.
    pub max_per_second: u32,
}

/// Which replica writes statuses and events: the holder of a Lease. All replicas serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LeaderElectionConfig {
    /// Without it this replica always writes: for a single one.
    pub enabled: bool,
    /// Namespace of the Lease. Unset: that of the pod, else `kube-sci`.
    pub namespace: Option<String>,
    /// Name of the Lease.
    pub name: String,
    /// How long a Lease holds without being renewed. At least 2 s.
    pub lease_duration: TextDuration,
}

impl Mode {
    /// As in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

impl Default for PoliciesConfig {
    fn default() -> Self {
        Self { freed_room: FreedRoomConfig::default(), autoscaler_tolerance: Tolerance::CLUSTER_DEFAULT.get() }
    }
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self { enabled: true, max_per_second: 10 }
    }
}

impl Default for LeaderElectionConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            namespace: None,
            name: "kube-sci-metrics-adapter".to_owned(),
            lease_duration: TextDuration::from_secs(15),
        }
    }
}

impl AdapterConfig {
    /// The part that builds the snapshot, the same for every program.
    pub fn model(&self) -> ModelConfig {
        ModelConfig {
            grid: self.grid.clone(),
            energy: self.energy.clone(),
            nodes: self.nodes.clone(),
            score: self.score.clone(),
            opt_out: self.opt_out.clone(),
        }
    }

    /// How the engine decides.
    pub fn engine(&self) -> EngineOptions {
        EngineOptions {
            shadow: self.mode == Mode::Shadow,
            freed: match self.policies.freed_room {
                FreedRoomConfig::Unknown => FreedRoom::Unknown,
                FreedRoomConfig::Kept => FreedRoom::Kept,
                FreedRoomConfig::Removed => FreedRoom::Removed,
            },
            // Checked by `validate`.
            tolerance: Tolerance::new(self.policies.autoscaler_tolerance).unwrap_or_default(),
        }
    }

    /// Checks what the types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] with the path of the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.model().validate()?;
        self.api.validate()?;
        for (name, http) in &self.loads.prometheus {
            http.validate(&format!("loads.prometheus.{name}"))?;
        }
        if Tolerance::new(self.policies.autoscaler_tolerance).is_err() {
            return Err(value("policies.autoscalerTolerance", "make it 0 to 1, such as 0.1 for a tenth"));
        }
        if self.events.max_per_second == 0 {
            return Err(value("events.maxPerSecond", "make it 1 or more, or set events.enabled: false"));
        }
        if self.leader_election.lease_duration.get().as_secs() < 2 {
            return Err(value("leaderElection.leaseDuration", "make it 2s or more"));
        }
        if self.leader_election.name.is_empty() {
            return Err(value("leaderElection.name", "name the Lease"));
        }
        self.addresses_differ()
    }

    fn addresses_differ(&self) -> Result<(), ConfigError> {
        let all = [
            ("api.address", Some(self.api.address)),
            ("server.address", Some(self.server.address)),
            ("server.probeAddress", self.server.probe_address),
            ("keda.address", self.keda.address),
        ];
        let taken = all.map(|(field, address)| (field, address.map_or(0, |address| address.port())));
        for (position, (field, port)) in taken.iter().enumerate() {
            let earlier = taken.iter().take(position).find(|(_, other)| *port != 0 && other == port);
            if let Some((other, _)) = earlier {
                return Err(value(field, format!("choose another port than that of {other}")));
            }
        }
        Ok(())
    }
}

impl ProgramConfig for AdapterConfig {
    fn server(&self) -> &ListenConfig {
        &self.server
    }

    fn telemetry(&self) -> &TelemetryConfig {
        &self.telemetry
    }

    fn validate(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(Self::validate(self)?)
    }
}

#[cfg(test)]
mod tests {
    use kube_sci_server::config::parse_yaml;

    use super::*;

    fn problem(yaml: &str) -> String {
        parse_yaml::<AdapterConfig>("c", yaml).unwrap().validate().unwrap_err().to_string()
    }

    #[test]
    fn no_document_is_every_default_and_works() {
        let read: AdapterConfig = parse_yaml("config.yaml", "").unwrap();
        assert_eq!(read, AdapterConfig::default());
        read.validate().unwrap();
        assert_eq!(read.mode, Mode::Enforce);
        assert!(read.server.address.ip().is_loopback());
        assert_eq!(read.keda.address, None);
    }

    #[test]
    fn the_extenders_model_is_read_as_it_is() {
        let yaml = "grid: { freshFor: 20m }\nscore: { embodiedWeight: 0.5 }\noptOut: { namespaces: [a] }\n";
        let read: AdapterConfig = parse_yaml("c", yaml).unwrap();
        assert_eq!(read.model().score.embodied_weight.to_bits(), 0.5_f64.to_bits());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error = parse_yaml::<AdapterConfig>("c", "mode: shadow\napi:\n  adress: '1:2'\n").unwrap_err().to_string();
        assert!(error.contains("line 3, column 3") && error.contains("adress"), "{error}");
    }

    #[test]
    fn what_cannot_work_is_named_with_its_remedy() {
        for (yaml, field, remedy) in [
            ("server: { address: '127.0.0.1:8443' }", "server.address", "another port"),
            ("policies: { autoscalerTolerance: 10 }", "policies.autoscalerTolerance", "0.1 for a tenth"),
            ("events: { maxPerSecond: 0 }", "events.maxPerSecond", "events.enabled: false"),
            ("leaderElection: { leaseDuration: 1s }", "leaderElection.leaseDuration", "2s or more"),
            ("loads: { prometheus: { main: { url: 'prom:9090' } } }", "loads.prometheus.main.url", "http://"),
            ("api: { certificate: {} }", "api.certificate", "exactly one"),
            ("api: { customMetricsV1beta1: false }", "api.customMetricsV1beta1", "v1beta2"),
        ] {
            let text = problem(yaml);
            assert!(text.starts_with(field) && text.contains(remedy), "{yaml}: {text}");
        }
    }
}
