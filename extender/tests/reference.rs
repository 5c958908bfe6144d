//! The reference pages are made from the code. `KUBE_SCI_UPDATE_REFERENCE=1` rewrites them.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use clap::CommandFactory;
use kube_sci_cluster::annotations;
use kube_sci_extender::{
    cli::Arguments,
    config::{ExtenderConfig, Mode},
    metrics::{
        Metrics,
        state::{self, LastCall},
    },
    routes,
};
use kube_sci_report::{SHARED, export, observer::ObservedMetrics};
use kube_sci_server::{
    config::{ListenConfig, to_yaml},
    health::Health,
    http::{self, Shared},
    metrics::MetricsRegistry,
    reference::{self, GENERATED, keep},
    telemetry::Telemetry,
};

use crate::support::{Cluster, now};

fn page(name: &str, text: &str) {
    keep(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name), text).unwrap();
}

fn registry() -> MetricsRegistry {
    let registry = MetricsRegistry::new("kube-sci-extender", "0");
    Metrics::register(&registry, Mode::Enforce);
    ObservedMetrics::register(&registry, Health::default().gate("first-list"));
    let model = &Cluster::new().start().state.model;
    state::register(&registry, model, LastCall::new(now()));
    export::register(&registry, model, now);
    // The listener brings metrics of its own; it is dropped before it accepts anything.
    let shared = Shared { health: Health::default(), registry: registry.clone(), telemetry: Telemetry::disabled() };
    let listen = ListenConfig { address: "127.0.0.1:0".parse().unwrap(), ..ListenConfig::default() };
    drop(http::serve(&listen, &shared, routes::configure).unwrap());
    registry
}

#[test]
fn configuration_page_is_current() {
    page("configuration.md", &reference::configuration::<ExtenderConfig>("Configuration of the extender").unwrap());
}

#[tokio::test]
async fn metrics_page_is_current() {
    let intro = format!(
        "Scraped at `/metrics` in the OpenMetrics format, and pushed over OTLP if `telemetry.otlp` is set. Base units, few \
         labels with bounded values.\n\n{SHARED}\n\n{GENERATED}"
    );
    page("metrics.md", &registry().reference("Metrics of the extender", &intro));
}

#[tokio::test]
async fn every_scraped_metric_is_described() {
    assert_eq!(registry().undescribed().unwrap(), Vec::<String>::new());
}

#[test]
fn annotations_page_is_current() {
    let mut text = format!(
        "# Annotations and labels\n\n{GENERATED}\n\n| key | on | value | effect |\n| --- | --- | --- | --- |\n"
    );
    for doc in annotations::ALL {
        writeln!(text, "| `{}` | {} | {} | {} |", doc.key, doc.on, doc.value, doc.effect).unwrap();
    }
    page("annotations.md", &text);
}

#[test]
fn http_api_page_is_current() {
    page("http-api.md", &routes::reference());
}

#[test]
fn cli_page_is_current() {
    page("cli.md", &reference::command_line("Command line of the extender", Arguments::command()));
}

#[test]
fn the_printed_defaults_are_read_back() {
    let text = to_yaml(&ExtenderConfig::default()).unwrap();
    let read: ExtenderConfig = kube_sci_server::config::parse_yaml("defaults", &text).unwrap();
    assert_eq!(read, ExtenderConfig::default());
}

/// Names in prose, dashboards and alerts outlive the code they were copied from, unless somebody looks. The pages of
/// metrics are themselves compared with the code, by the tests of each program.
#[test]
fn documents_name_only_metrics_that_exist() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let known: String = files(&root.join("docs/reference"))
        .iter()
        .filter(|page| page.to_string_lossy().ends_with("metrics.md"))
        .map(|page| fs::read_to_string(page).unwrap())
        .collect();
    let mut named = 0;
    for file in ["docs", "manifests", "kind-config", "README.md"].iter().flat_map(|place| files(&root.join(place))) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for name in metric_names(&text) {
            let family = name.trim_end_matches("_bucket").trim_end_matches("_count").trim_end_matches("_sum");
            assert!(known.contains(&format!("`{family}`")), "{} names {name}, which does not exist", file.display());
            named += 1;
        }
    }
    assert!(named > 40, "only {named} names found: the search is broken");
}

fn files(place: &Path) -> Vec<PathBuf> {
    match fs::read_dir(place) {
        Ok(entries) => entries.flat_map(|entry| files(&entry.unwrap().path())).collect(),
        Err(_) => vec![place.to_owned()],
    }
}

/// Every whole `kube_sci_` word; one that ends in `_` names a group.
fn metric_names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.filter(|word| word.starts_with("kube_sci_") && !word.ends_with('_'))
}
