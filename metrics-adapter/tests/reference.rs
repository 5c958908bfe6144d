//! The reference pages are made from the code. `KUBE_SCI_UPDATE_REFERENCE=1` rewrites them.

use std::path::PathBuf;

use aggregated_apiserver::ServerMetrics;
use clap::CommandFactory;
use kube_sci_metrics_adapter::{
    catalogue::{self, Groups},
    cli::Arguments,
    config::AdapterConfig,
    metrics::{engine::EngineCounters, writing::WritingCounters},
    ownership::Ownership,
    register_metrics, routes,
};
use kube_sci_report::{SHARED, observer::ObservedMetrics};
use kube_sci_server::{
    config::{ListenConfig, parse_yaml, to_yaml},
    health::Health,
    http::{self, Shared},
    metrics::MetricsRegistry,
    reference::{self, GENERATED, keep},
    telemetry::Telemetry,
};

use crate::support::{Adapter, Cluster, Policy};

fn page(name: &str, text: &str) {
    keep(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name), text).unwrap();
}

fn registry() -> MetricsRegistry {
    let registry = MetricsRegistry::new("kube-sci-metrics-adapter", "0");
    let adapter = Adapter::new(&Cluster::shop(), vec![Policy::new("web"), Policy::new("silent").no_load("refused")]);
    ObservedMetrics::register(&registry, Health::default().gate("first-list"));
    let gate = Health::default().gate("policies");
    EngineCounters::register(&registry, adapter.policies.clone(), gate);
    WritingCounters::register(&registry);
    let server = ServerMetrics::default();
    server.observe_freshness(catalogue::CUSTOM, std::time::Duration::from_secs(1));
    register_metrics(&registry, &adapter.model, &adapter.policies, &Ownership::new(Groups::ALL), &server);
    // The listener brings metrics of its own; it is dropped before it accepts anything.
    let shared = Shared { health: Health::default(), registry: registry.clone(), telemetry: Telemetry::disabled() };
    let listen = ListenConfig { address: "127.0.0.1:0".parse().unwrap(), ..ListenConfig::default() };
    drop(http::serve(&listen, &shared, routes::configure).unwrap());
    registry
}

#[test]
fn configuration_page_is_current() {
    page(
        "adapter-configuration.md",
        &reference::configuration::<AdapterConfig>("Configuration of the metrics adapter").unwrap(),
    );
}

#[tokio::test]
async fn metrics_page_is_current() {
    let own = registry().reference(
        "Metrics of the adapter itself",
        &format!("Scraped at `/metrics` of the address `server`, in the OpenMetrics format.\n\n{SHARED}"),
    );
    let own = own.replacen("# ", "## ", 1);
    let text = format!("# Metrics of the adapter\n\n{GENERATED}\n\n{}\n{own}", catalogue::reference());
    page("adapter-metrics.md", &text);
}

#[tokio::test]
async fn every_scraped_metric_is_described() {
    assert_eq!(registry().undescribed().unwrap(), Vec::<String>::new());
}

#[test]
fn http_api_page_is_current() {
    page("adapter-http-api.md", &routes::reference());
}

#[test]
fn conditions_page_is_current() {
    let text = kube_sci_metrics_adapter::status::reference();
    page("adapter-conditions.md", &format!("# Conditions and findings\n\n{GENERATED}\n\n{text}"));
}

#[test]
fn cli_page_is_current() {
    page("adapter-cli.md", &reference::command_line("Command line of the metrics adapter", Arguments::command()));
}

#[test]
fn the_printed_defaults_are_read_back() {
    let text = to_yaml(&AdapterConfig::default()).unwrap();
    let read: AdapterConfig = parse_yaml("defaults", &text).unwrap();
    assert_eq!(read, AdapterConfig::default());
}

#[test]
fn both_programs_describe_routes_in_the_same_way() {
    assert!(routes::reference().contains(&reference::sections([routes::QUALITY])));
}
