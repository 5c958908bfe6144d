//! Configuration shared by every program, and the one place that reads YAML.

use std::{
    fmt, fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Where and how the program listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ListenConfig {
    /// Address and port to listen on. Port 0 takes a free one.
    pub address: SocketAddr,
    /// A second address that answers only `/livez`, `/readyz` and `/metrics`, in plain HTTP: for the kubelet and
    /// Prometheus where `address` is loopback or demands client certificates.
    pub probe_address: Option<SocketAddr>,
    /// Allow plain HTTP on an address other than loopback. Without it such an address needs `tls`.
    pub plain_http: bool,
    /// Certificate of the server and, if wanted, verification of its clients.
    pub tls: Option<TlsConfig>,
    /// Largest request body that is read, in bytes. A larger one is answered with 413.
    pub max_body_bytes: usize,
    /// Time between the signal to stop and the end of the process, in seconds. Keep it below the Pod's
    /// `terminationGracePeriodSeconds`.
    pub shutdown_grace_seconds: u64,
    /// How long an idle connection is kept, in seconds. kube-scheduler drops idle connections after 90 s and does not
    /// resend a POST on a connection that the server closed first, so stay above that.
    pub keep_alive_seconds: u64,
    /// Number of threads that answer requests.
    pub workers: usize,
}

/// Files of a certificate, usually a mounted Secret. They are read again whenever their content changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the server certificate, followed by its intermediates.
    pub cert_file: PathBuf,
    /// PEM file with the private key of the certificate.
    pub key_file: PathBuf,
    /// PEM file with the certificate authorities that client certificates must chain to. Without it no client
    /// certificate is asked for.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
    /// Refuse connections without a client certificate. Needs `clientCaFile`.
    #[serde(default)]
    pub require_client_certificate: bool,
}

/// Logs, traces and pushed metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Format of the log lines on standard error.
    pub log_format: LogFormat,
    /// Level, or a list of `target=level` separated by commas, for example `info,kube=debug`.
    pub log_level: String,
    /// Export of traces, and of every metric of `/metrics`. Nothing is exported without it.
    pub otlp: Option<OtlpConfig>,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// Plain text for people.
    Text,
}

/// An OpenTelemetry collector. Every metric of `/metrics` is pushed to it, with its labels as attributes: counters
/// without `_total`, gauges as they are, `_info` metrics as gauges of 1, and histograms as two counters, `_count` and
/// `_sum`, without their buckets. `http.server.request.duration` is pushed in addition, as a histogram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OtlpConfig {
    /// Base URL of the collector, for example `http://collector:4318` (HTTP) or `http://collector:4317` (gRPC).
    pub endpoint: String,
    /// Transport.
    #[serde(default)]
    pub protocol: OtlpProtocol,
    /// Seconds between two pushes of metrics.
    #[serde(default = "default_metrics_interval_seconds")]
    pub metrics_interval_seconds: u64,
    /// Share of traces that are kept, 0 to 1. A trace whose caller was sampled is always kept.
    #[serde(default = "default_sample_ratio")]
    pub sample_ratio: f64,
}

/// Transport of OTLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OtlpProtocol {
    /// Protobuf over HTTP/1.1; `/v1/traces` and `/v1/metrics` are appended to the endpoint.
    #[default]
    Http,
    /// gRPC.
    Grpc,
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration file {}", path.display())]
    Read {
        /// File as given.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// The file is no valid document of this configuration: syntax, unknown key or wrong type.
    #[error("configuration file {name} is not valid at {position}: {message}")]
    Parse {
        /// File as given.
        name: String,
        /// Line and column, both from 1.
        position: Position,
        /// What is wrong, with the lines around it.
        message: String,
    },
    /// The configuration cannot be written as YAML.
    #[error("cannot write the configuration as YAML: {0}")]
    Write(String),
}

/// A place in a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1; 0 if unknown.
    pub line: u64,
    /// Column, from 1; 0 if unknown.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8888)),
            probe_address: None,
            plain_http: false,
            tls: None,
            max_body_bytes: 16 * 1024 * 1024,
            shutdown_grace_seconds: 20,
            keep_alive_seconds: 120,
            workers: 2,
        }
    }
}

impl ListenConfig {
    /// `shutdown_grace_seconds` as a duration.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_seconds)
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log_format: LogFormat::Json, log_level: "info".to_owned(), otlp: None }
    }
}

impl OtlpConfig {
    /// Export to `endpoint` with the defaults of every other key.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            protocol: OtlpProtocol::default(),
            metrics_interval_seconds: default_metrics_interval_seconds(),
            sample_ratio: default_sample_ratio(),
        }
    }
}

/// Reads a YAML file. An empty file is the empty document: every key takes its default.
pub fn load_yaml<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T, ConfigError> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse_yaml(&path.display().to_string(), &text)
}

/// Parses a YAML text; `name` stands in the errors.
pub fn parse_yaml<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, ConfigError> {
    let text = if is_blank(text) { "{}" } else { text };
    serde_saphyr::from_str(text).map_err(|error| parse_error(name, &error))
}

/// Writes a configuration as YAML that [`parse_yaml`] reads back.
pub fn to_yaml<T: Serialize>(config: &T) -> Result<String, ConfigError> {
    serde_saphyr::to_string(config).map_err(|error| ConfigError::Write(error.to_string()))
}

/// Makes ring the crypto provider of the process. Call it first in `main` and in tests; calling it again is harmless.
pub fn install_crypto_provider() {
    // Err means that a provider is installed already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn parse_error(name: &str, error: &serde_saphyr::Error) -> ConfigError {
    let position = error
        .location()
        .map_or(Position { line: 0, column: 0 }, |at| Position { line: at.line(), column: at.column() });
    let rendered = error.render_with_options(serde_saphyr::render_options! { source_name: Some(name) });
    // Our own message has the position already.
    let prefix = format!("error: line {} column {}: ", position.line, position.column);
    let message = rendered.strip_prefix(&prefix).unwrap_or(&rendered).to_owned();
    ConfigError::Parse { name: name.to_owned(), position, message }
}

fn is_blank(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line == "---" || line.starts_with('#'))
}

fn default_metrics_interval_seconds() -> u64 {
    30
}

fn default_sample_ratio() -> f64 {
    0.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position_and_text(yaml: &str) -> (Position, String) {
        match parse_yaml::<ListenConfig>("listen.yaml", yaml) {
            Err(error @ ConfigError::Parse { position, .. }) => (position, error.to_string()),
            other => panic!("expected a parse error, got {other:?}"),
        }
    }

    #[test]
    fn an_empty_document_is_all_defaults() {
        for text in ["", "# nothing\n", "---\n# nothing\n", "{}"] {
            assert_eq!(parse_yaml::<ListenConfig>("f", text).unwrap(), ListenConfig::default(), "{text:?}");
        }
    }

    #[test]
    fn keys_are_camel_case_and_the_rest_keeps_its_default() {
        let read: ListenConfig = parse_yaml(
            "f",
            "address: 0.0.0.0:8443\ntls:\n  certFile: /tls/tls.crt\n  keyFile: /tls/tls.key\nkeepAliveSeconds: 300\n",
        )
        .unwrap();
        let tls = read.tls.clone().unwrap();
        assert_eq!(tls.cert_file, Path::new("/tls/tls.crt"));
        assert!(!tls.require_client_certificate);
        assert_eq!(read.keep_alive_seconds, 300);
        assert_eq!(read.max_body_bytes, ListenConfig::default().max_body_bytes);
    }

    #[test]
    fn an_unknown_key_is_named_with_line_and_column() {
        let (position, text) = position_and_text("workers: 3\nplainHttps: true\n");
        assert_eq!(position, Position { line: 2, column: 1 });
        assert!(text.contains("plainHttps"), "{text}");
        let start = "configuration file listen.yaml is not valid at line 2, column 1: unknown field `plainHttps`";
        assert!(text.starts_with(start), "{text}");
        assert!(text.contains("listen.yaml:2:1"), "no snippet in {text}");
    }

    #[test]
    fn an_unknown_nested_key_is_named_with_line_and_column() {
        let (position, text) = position_and_text("tls:\n  certFile: a\n  keyFile: b\n  caFile: c\n");
        assert_eq!(position, Position { line: 4, column: 3 });
        assert!(text.contains("caFile"), "{text}");
    }

    #[test]
    fn a_wrong_type_is_located() {
        let (position, _) = position_and_text("plainHttp: true\nworkers: many\n");
        assert_eq!(position.line, 2);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load_yaml::<ListenConfig>("/nonexistent/config.yaml").unwrap_err();
        assert!(error.to_string().contains("/nonexistent/config.yaml"));
    }

    #[test]
    fn keep_alive_outlives_the_schedulers_idle_timeout() {
        assert!(ListenConfig::default().keep_alive_seconds > 90);
    }
}
