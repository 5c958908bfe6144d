//! Logs on standard error, and traces and metrics pushed to an OpenTelemetry collector when one is configured.
//!
//! Pushed are the metrics of the [`MetricsRegistry`], so they are those of `/metrics`: counters under their name without
//! `_total`, gauges and `_info` metrics (1) as gauges, labels as attributes, units as UCUM codes. A histogram goes as two
//! counters, `_count` and `_sum`; its buckets stay on the page. What is not finite is left out. In addition
//! `http.server.request.duration` is pushed as a histogram, after the semantic conventions.

mod bridge;
mod otlp;

use std::{io, sync::Arc, thread};

use opentelemetry::{metrics::Meter, trace::TracerProvider as _};
use tokio::sync::oneshot;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    reload,
};

use self::otlp::Exporters;
use crate::{
    config::{LogFormat, TelemetryConfig},
    metrics::MetricsRegistry,
};

/// Target of the span around each HTTP request. The span is of level DEBUG, so that it costs nothing unless somebody
/// wants it; the export to a collector does.
pub(crate) const REQUEST_TARGET: &str = "kube_sci_server::request";

/// Instrumentation scope of the metrics that are pushed.
pub(crate) const METER: &str = "kube-sci-server";

/// The running telemetry. Clones are the same.
#[derive(Clone, Debug)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

/// Telemetry that cannot be started or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// Not a level or list of targets.
    #[error("`{level}` is no log level: use error, warn, info, debug, trace, or target=level pairs with commas")]
    Level {
        /// As given.
        level: String,
        /// Reason.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A word that is no level. It would be taken for a target, and everything else would fall silent.
    #[error("`{word}` is no log level: use error, warn, info, debug, trace or off, or target=level pairs with commas")]
    Word {
        /// As given.
        word: String,
    },
    /// The level cannot be changed because no subscriber is installed.
    #[error("logging is not initialised")]
    NotInitialised,
    /// A subscriber is installed already.
    #[error("logging is initialised already")]
    AlreadyInitialised(#[from] tracing::subscriber::SetGlobalDefaultError),
    /// The exporter for the configured endpoint cannot be built.
    #[error("cannot export to OTLP endpoint {endpoint}")]
    Exporter {
        /// As configured.
        endpoint: String,
        /// Reason.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// What was left to export could not be sent.
    #[error("cannot flush telemetry: {0}")]
    Flush(String),
}

#[derive(Debug)]
struct Inner {
    level: Option<reload::Handle<EnvFilter, Registry>>,
    exporters: Option<Exporters>,
}

/// Starts telemetry for the process. Call it once, inside the tokio runtime, after the crypto provider is installed.
pub fn init(config: &TelemetryConfig, service_name: &'static str) -> Result<Telemetry, TelemetryError> {
    let (subscriber, telemetry) = build(config, service_name, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(telemetry)
}

/// What can be said of the configuration without starting anything; [`init`] does it too.
pub fn check(config: &TelemetryConfig) -> Result<(), TelemetryError> {
    parse_level(&config.log_level).map(drop)
}

impl Telemetry {
    /// Neither logs nor exports. For tests and for tools.
    pub fn disabled() -> Self {
        Self { inner: Arc::new(Inner { level: None, exporters: None }) }
    }

    /// Changes what is logged from now on; takes what `logLevel` takes.
    pub fn set_level(&self, level: &str) -> Result<(), TelemetryError> {
        let filter = parse_level(level)?;
        let handle = self.inner.level.as_ref().ok_or(TelemetryError::NotInitialised)?;
        handle.reload(filter).map_err(|_| TelemetryError::NotInitialised)
    }

    /// What is logged at present.
    pub fn level(&self) -> Option<String> {
        self.inner.level.as_ref()?.with_current(ToString::to_string).ok()
    }

    /// Where to record metrics for the collector; `None` if there is none.
    pub fn meter(&self, name: &'static str) -> Option<Meter> {
        self.inner.exporters.as_ref().map(|exporters| exporters.meter(name))
    }

    /// Pushes what is in the registry by now to the collector, if there is one.
    pub(crate) fn push(&self, registry: &MetricsRegistry) {
        if let Some(meter) = self.meter(METER) {
            bridge::start(registry, &meter);
        }
    }

    /// Whether spans go to a collector.
    pub fn exports(&self) -> bool {
        self.inner.exporters.is_some()
    }

    /// Sends what is left and stops the exporters, on a thread of its own: the runtime, which the exporters may need,
    /// goes on, and unlike a thread of its blocking pool this one does not hold up the end of the process when the
    /// collector hangs and the caller stops waiting.
    pub async fn shutdown(&self) -> Result<(), TelemetryError> {
        if self.inner.exporters.is_none() {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let (done, result) = oneshot::channel();
        thread::Builder::new()
            .name("telemetry-shutdown".to_owned())
            .spawn(move || {
                // Nobody listens any more if the caller gave up.
                let _ = done.send(inner.exporters.as_ref().map_or(Ok(()), Exporters::shutdown));
            })
            .map_err(|error| TelemetryError::Flush(error.to_string()))?;
        result.await.map_err(|error| TelemetryError::Flush(error.to_string()))?
    }
}

fn build<W>(
    config: &TelemetryConfig,
    service_name: &'static str,
    writer: W,
) -> Result<(impl tracing::Subscriber + Send + Sync + use<W>, Telemetry), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, level) = reload::Layer::new(parse_level(&config.log_level)?);
    let exporters = config.otlp.as_ref().map(|otlp| Exporters::start(otlp, service_name)).transpose()?;
    let lines = match config.log_format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(writer).boxed(),
        LogFormat::Text => fmt::layer().with_ansi(false).with_writer(writer).boxed(),
    };
    let spans = exporters.as_ref().map(|exporters| {
        tracing_opentelemetry::layer()
            .with_tracer(exporters.tracer_provider().tracer(service_name))
            .with_filter(Targets::new().with_default(LevelFilter::INFO).with_target(REQUEST_TARGET, LevelFilter::DEBUG))
    });
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans);
    Ok((subscriber, Telemetry { inner: Arc::new(Inner { level: Some(level), exporters }) }))
}

fn parse_level(level: &str) -> Result<EnvFilter, TelemetryError> {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let mut words = level.split(',').map(str::trim).filter(|word| !word.contains(['=', '[', ']', '{', '}']));
    if let Some(word) = words.find(|word| !is_level(word)) {
        return Err(TelemetryError::Word { word: word.to_owned() });
    }
    EnvFilter::try_new(level).map_err(|source| TelemetryError::Level { level: level.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, PoisonError},
        time::{Duration, Instant},
    };

    use super::*;
    use crate::config::{OtlpConfig, OtlpProtocol};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
        }
    }

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(config: &TelemetryConfig, work: impl FnOnce(&Telemetry)) -> String {
        let lines = Lines::default();
        let sink = lines.clone();
        let (subscriber, telemetry) = build(config, "test", move || sink.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || work(&telemetry));
        lines.text()
    }

    #[test]
    fn the_level_changes_while_running() {
        let text = logged(&TelemetryConfig::default(), |telemetry| {
            tracing::debug!("too early");
            telemetry.set_level("debug").unwrap();
            assert_eq!(telemetry.level().as_deref(), Some("debug"));
            tracing::debug!("in time");
            telemetry.set_level("off").unwrap();
            tracing::error!("too late");
        });
        assert!(text.contains("in time"), "{text}");
        assert!(!text.contains("too early") && !text.contains("too late"), "{text}");
    }

    #[test]
    fn a_bad_level_is_refused_and_the_old_stays() {
        logged(&TelemetryConfig::default(), |telemetry| {
            let error = telemetry.set_level("kube=loud").unwrap_err();
            assert!(error.to_string().contains("kube=loud"), "{error}");
            assert_eq!(telemetry.level().as_deref(), Some("info"));
        });
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_and_not_taken_for_a_target() {
        logged(&TelemetryConfig::default(), |telemetry| {
            for level in ["warning", "verbose", "info,kube", "", " "] {
                let error = telemetry.set_level(level).unwrap_err();
                assert!(error.to_string().contains("use error, warn, info"), "{error}");
            }
            assert_eq!(telemetry.level().as_deref(), Some("info"));
            for level in ["WARN", "off", "info,kube=debug"] {
                telemetry.set_level(level).unwrap();
            }
        });
    }

    #[test]
    fn json_lines_are_objects_with_the_fields_of_the_event() {
        let text = logged(&TelemetryConfig::default(), |_| tracing::info!(nodes = 12, "snapshot built"));
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["message"], "snapshot built");
        assert_eq!(line["nodes"], 12);
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn text_lines_are_plain() {
        let config = TelemetryConfig { log_format: LogFormat::Text, ..TelemetryConfig::default() };
        let text = logged(&config, |_| tracing::info!(nodes = 12, "snapshot built"));
        assert!(text.contains("INFO") && text.contains("snapshot built nodes=12"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_collector_that_hangs_does_not_hold_up_the_end() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let otlp = OtlpConfig::new(format!("http://{}", silent.local_addr().unwrap()));
        let config = TelemetryConfig { otlp: Some(otlp), ..TelemetryConfig::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let given_up = runtime.block_on(async {
            let (_subscriber, telemetry) = build(&config, "test", io::sink).unwrap();
            telemetry.meter("test").unwrap().u64_counter("test").build().add(1, &[]);
            tokio::time::timeout(Duration::from_millis(100), telemetry.shutdown()).await.is_err()
        });
        assert!(given_up, "the collector answered");
        let started = Instant::now();
        drop(runtime);
        assert!(started.elapsed() < Duration::from_secs(2), "the runtime waited {:?}", started.elapsed());
    }

    #[tokio::test]
    async fn grpc_exporters_start_with_and_without_tls() {
        for endpoint in ["http://127.0.0.1:9", "https://127.0.0.1:9"] {
            let otlp = OtlpConfig { protocol: OtlpProtocol::Grpc, ..OtlpConfig::new(endpoint) };
            let config = TelemetryConfig { otlp: Some(otlp), ..TelemetryConfig::default() };
            let (_subscriber, telemetry) = build(&config, "test", io::sink).unwrap();
            assert!(telemetry.exports());
        }
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_refused_by_name() {
        let config = TelemetryConfig { otlp: Some(OtlpConfig::new("not a url")), ..TelemetryConfig::default() };
        let Err(error) = build(&config, "test", io::sink) else { panic!("accepted") };
        assert!(error.to_string().contains("not a url"), "{error}");
    }

    #[test]
    fn disabled_telemetry_says_that_there_is_no_level() {
        let telemetry = Telemetry::disabled();
        assert!(matches!(telemetry.set_level("info"), Err(TelemetryError::NotInitialised)));
        assert!(telemetry.meter("test").is_none());
    }
}
