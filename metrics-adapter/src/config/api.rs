//! How the metrics APIs are served.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use kube_sci_signals::config::{ConfigError, TextDuration, value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::Groups;

/// The metrics APIs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Address and port to listen on, always with TLS. Port 0 takes a free one. Everybody who reaches it is
    /// authenticated and authorised by the API server of the cluster.
    pub address: SocketAddr,
    /// Where the serving certificate comes from.
    pub certificate: CertificateConfig,
    /// Namespace and name of the Service that the APIService objects are to name. An APIService that names another
    /// Service is somebody else's: its API is not served.
    pub service: ServiceConfig,
    /// Serve `custom.metrics.k8s.io/v1beta1`.
    pub custom_metrics_v1beta1: bool,
    /// Serve `custom.metrics.k8s.io/v1beta2`. Not without `v1beta1`: autoscalers take the newest version that anybody
    /// serves, also those of another adapter's users.
    pub custom_metrics_v1beta2: bool,
    /// Serve `external.metrics.k8s.io/v1beta1`.
    pub external_metrics: bool,
    /// How long answers about callers are remembered.
    pub delegation: DelegationConfig,
    /// What callers may use up.
    pub limits: LimitsConfig,
}

/// A Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Where the serving certificate comes from: exactly one of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateConfig {
    /// Files, such as of a mounted Secret that cert-manager writes. They are read again when they change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<CertificateFiles>,
    /// An authority of our own, which all replicas share in a Secret, and which is written into the APIServices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_signed: Option<SelfSignedConfig>,
}

/// Files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateFiles {
    /// PEM file with the certificate, followed by its intermediates.
    pub cert_file: PathBuf,
    /// PEM file with the private key of the certificate.
    pub key_file: PathBuf,
}

/// An authority of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SelfSignedConfig {
    /// Secret that keeps it, in the namespace of the Service.
    pub secret: String,
}

/// How long answers of the API server about callers are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DelegationConfig {
    /// Whom a token belongs to.
    pub token_ttl: TextDuration,
    /// That somebody may do something: an autoscaler asks for the same each 15 s, so that its permission is asked for once
    /// in four rounds. For so long whoever lost the right may go on reading.
    pub allowed_ttl: TextDuration,
    /// That somebody may not.
    pub denied_ttl: TextDuration,
    /// Longest wait for such an answer. Without one the caller is refused.
    pub timeout: TextDuration,
}

/// What callers may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections at a time.
    pub connections: usize,
    /// Requests at a time.
    pub in_flight: usize,
    /// Longest time for one request.
    pub request_timeout: TextDuration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443)),
            certificate: CertificateConfig::default(),
            service: ServiceConfig::default(),
            custom_metrics_v1beta1: true,
            custom_metrics_v1beta2: true,
            external_metrics: true,
            delegation: DelegationConfig::default(),
            limits: LimitsConfig::default(),
        }
    }
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self { namespace: "kube-sci".to_owned(), name: "kube-sci-metrics-adapter".to_owned() }
    }
}

impl Default for CertificateConfig {
    fn default() -> Self {
        Self { files: None, self_signed: Some(SelfSignedConfig::default()) }
    }
}

impl Default for SelfSignedConfig {
    fn default() -> Self {
        Self { secret: "kube-sci-metrics-adapter-ca".to_owned() }
    }
}

impl Default for DelegationConfig {
    fn default() -> Self {
        let ten = TextDuration::from_secs(10);
        Self { token_ttl: ten, allowed_ttl: TextDuration::from_secs(60), denied_ttl: ten, timeout: ten }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let limits = aggregated_apiserver::Limits::default();
        Self {
            connections: limits.connections,
            in_flight: limits.in_flight,
            request_timeout: TextDuration::from_secs(limits.request_time.as_secs()),
        }
    }
}

impl ApiConfig {
    /// Which group-versions are wanted.
    pub const fn groups(&self) -> Groups {
        Groups {
            custom_v1beta1: self.custom_metrics_v1beta1,
            custom_v1beta2: self.custom_metrics_v1beta2,
            external: self.external_metrics,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.custom_metrics_v1beta2 && !self.custom_metrics_v1beta1 {
            return Err(value(
                "api.customMetricsV1beta1",
                "serve it with v1beta2, or set api.customMetricsV1beta2: false: where another adapter serves v1beta1, \
                 v1beta2 alone takes its autoscalers over",
            ));
        }
        if self.certificate.files.is_some() == self.certificate.self_signed.is_some() {
            return Err(value("api.certificate", "give exactly one of files and selfSigned"));
        }
        for (field, text) in
            [("api.service.namespace", &self.service.namespace), ("api.service.name", &self.service.name)]
        {
            if text.is_empty() {
                return Err(value(field, "name the Service that the APIServices point to"));
            }
        }
        if self.certificate.self_signed.as_ref().is_some_and(|own| own.secret.is_empty()) {
            return Err(value("api.certificate.selfSigned.secret", "name the Secret that keeps the authority"));
        }
        if self.limits.connections == 0 || self.limits.in_flight == 0 {
            return Err(value("api.limits", "make connections and inFlight 1 or more"));
        }
        if self.limits.request_timeout.get().is_zero() || self.delegation.timeout.get().is_zero() {
            return Err(value("api.limits.requestTimeout", "make it and api.delegation.timeout more than 0"));
        }
        Ok(())
    }
}
