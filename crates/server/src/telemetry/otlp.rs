//! Exporters to an OpenTelemetry collector.

use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithTonicConfig,
    tonic_types::transport::ClientTlsConfig,
};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::{Sampler, SdkTracerProvider},
};

use super::TelemetryError;
use crate::config::{OtlpConfig, OtlpProtocol};

/// Longest wait for the collector, also at shutdown.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Both pipelines of one collector.
#[derive(Debug)]
pub(super) struct Exporters {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Exporters {
    /// gRPC channels need the tokio runtime that calls this.
    pub(super) fn start(config: &OtlpConfig, service_name: &'static str) -> Result<Self, TelemetryError> {
        crate::config::install_crypto_provider();
        let failed = |source| TelemetryError::Exporter { endpoint: config.endpoint.clone(), source };
        let spans = span_exporter(config).map_err(failed)?;
        let figures = metric_exporter(config).map_err(failed)?;
        let resource = Resource::builder().with_service_name(service_name).build();
        let interval = Duration::from_secs(config.metrics_interval_seconds.max(1));
        Ok(Self {
            traces: SdkTracerProvider::builder()
                .with_batch_exporter(spans)
                .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio))))
                .with_resource(resource.clone())
                .build(),
            metrics: SdkMeterProvider::builder()
                .with_reader(PeriodicReader::builder(figures).with_interval(interval).build())
                .with_resource(resource)
                .build(),
        })
    }

    pub(super) fn tracer_provider(&self) -> &SdkTracerProvider {
        &self.traces
    }

    pub(super) fn meter(&self, name: &'static str) -> Meter {
        self.metrics.meter(name)
    }

    /// Both are tried, the first failure is reported.
    pub(super) fn shutdown(&self) -> Result<(), TelemetryError> {
        let traces = self.traces.shutdown_with_timeout(EXPORT_TIMEOUT);
        let metrics = self.metrics.shutdown_with_timeout(EXPORT_TIMEOUT);
        traces.and(metrics).map_err(|error| TelemetryError::Flush(error.to_string()))
    }
}

fn span_exporter(config: &OtlpConfig) -> Result<SpanExporter, ExporterBuildError> {
    match config.protocol {
        OtlpProtocol::Http => SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(signal_url(config, "traces"))
            .with_timeout(EXPORT_TIMEOUT)
            .build(),
        OtlpProtocol::Grpc => {
            let builder = SpanExporter::builder().with_tonic().with_endpoint(&config.endpoint);
            let builder = builder.with_timeout(EXPORT_TIMEOUT);
            if is_https(config) { builder.with_tls_config(system_roots()).build() } else { builder.build() }
        }
    }
}

fn metric_exporter(config: &OtlpConfig) -> Result<MetricExporter, ExporterBuildError> {
    match config.protocol {
        OtlpProtocol::Http => MetricExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(signal_url(config, "metrics"))
            .with_timeout(EXPORT_TIMEOUT)
            .build(),
        OtlpProtocol::Grpc => {
            let builder = MetricExporter::builder().with_tonic().with_endpoint(&config.endpoint);
            let builder = builder.with_timeout(EXPORT_TIMEOUT);
            if is_https(config) { builder.with_tls_config(system_roots()).build() } else { builder.build() }
        }
    }
}

/// An endpoint set in code is taken as it is, unlike the one from the environment.
fn signal_url(config: &OtlpConfig, signal: &str) -> String {
    format!("{}/v1/{signal}", config.endpoint.trim_end_matches('/'))
}

fn is_https(config: &OtlpConfig) -> bool {
    config.endpoint.starts_with("https://")
}

/// Without it an https endpoint is dialled with an empty set of roots.
fn system_roots() -> ClientTlsConfig {
    ClientTlsConfig::new().with_native_roots()
}
