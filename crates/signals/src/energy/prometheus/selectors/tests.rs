//! Selectors against everything that the readers use of the recorded pages.

use regex::Regex;

use super::*;
use crate::{
    config::HttpConfig,
    energy::{PageReader, ReaderOptions, readers::wanted, reading::NodePage, window::Route},
    exposition::{self, Sample},
};

const PAGES: [&str; 9] = [
    include_str!("../../../../tests/pages/alumet-agent-0.9.5.txt"),
    include_str!("../../../../tests/pages/alumet-agent-0.9.5-aggregation-10s.txt"),
    include_str!("../../../../tests/pages/alumet-agent-main-afb0aa1.txt"),
    include_str!("../../../../tests/pages/kepler-0.11-reconstructed-t60.txt"),
    include_str!("../../../../tests/pages/kepler-0.11-reconstructed-t120-after-restart.txt"),
    include_str!("../../../../tests/pages/kepler-0.11-fake-meter-quoted-lines.txt"),
    include_str!("../../../../tests/pages/kepler-0.7-quoted-lines.txt"),
    include_str!("../../../../tests/pages/scaphandre-1.0.0.txt"),
    include_str!("../../../../tests/pages/scaphandre-1.0.0-at-counter-wrap.txt"),
];

fn config() -> PrometheusConfig {
    PrometheusConfig {
        http: HttpConfig::new("http://prometheus:9090"),
        scrape_interval: crate::config::TextDuration::from_secs(15),
        replica_labels: vec!["replica".to_owned()],
        node_label: Some("k8s_node".to_owned()),
        matchers: String::new(),
    }
}

/// Selectors with their regular expressions.
fn selectors() -> Vec<(Regex, bool)> {
    let compiled = |query: &Query| {
        let names = query.selector.split('"').nth(1).unwrap();
        (Regex::new(&format!("^(?:{names})$")).unwrap(), query.selector.contains("resource_kind"))
    };
    queries(&Exporter::ALL, &config()).iter().map(compiled).collect()
}

fn read(text: &str, selected: impl Fn(&Sample<'_>) -> bool) -> NodePage {
    let mut reader = PageReader::new(&Exporter::ALL, ReaderOptions { route: Route::Scrape, node_label: None });
    let at = jiff::Timestamp::UNIX_EPOCH;
    let each = |sample: Sample<'_>| {
        if selected(&sample) {
            reader.sample(&sample, at);
        }
    };
    exposition::parse(text.as_bytes(), |_| true, each).unwrap();
    reader.finish()
}

#[test]
fn every_name_that_a_reader_wants_is_asked_for_and_once() {
    let selectors = selectors();
    let mut names = 0;
    let older = "rapl_consumed_energy_J_alumet\nrapl_consumed_energy_alumet_J\nsite_rapl_consumed_energy_sum_alumet\n\
                 cpu_percent_alumet_%\nattributed_energy_dram_sum_alumet_joules\n\
                 nvml_energy_consumption_alumet\nkepler_platform_watts\nkepler_node_gpu_joules_total\n\
                 kepler_pod_gpu_joules_total\nkepler_node_other_joules_total\nkepler_node_platform_joules_total\n\
                 kepler_container_dram_joules_total\n";
    let names_of = |page: &str| {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split(['{', ' ']).next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    for name in PAGES.into_iter().chain([older]).flat_map(names_of).filter(|name| wanted(&Exporter::ALL, name)) {
        let matching = selectors.iter().filter(|(regex, _)| regex.is_match(&name)).count();
        assert_eq!(matching, 1, "{name}");
        names += 1;
    }
    assert!(names > 100, "{names}");
}

#[test]
fn what_is_not_asked_for_changes_no_reading() {
    let selectors = selectors();
    for page in PAGES {
        let is_machine = |sample: &Sample<'_>| sample.labels.get("resource_kind") == Some("local_machine");
        let selected = |sample: &Sample<'_>| {
            selectors.iter().any(|(regex, machine)| regex.is_match(sample.name) && (!machine || is_machine(sample)))
        };
        let (all, asked_for) = (read(page, |_| true), read(page, selected));
        assert!(!all.is_empty());
        assert_eq!(format!("{:?}", all.readings), format!("{:?}", asked_for.readings));
    }
}

#[test]
fn recording_rules_and_emissions_are_not_asked_for() {
    for name in ["node:rapl_consumed_energy:rate5m", "cluster:attributed_energy", "kepler_node_cpu_active_joules_total"]
    {
        assert!(!selectors().iter().any(|(regex, _)| regex.is_match(name)), "{name}");
    }
}

#[test]
fn matchers_of_the_configuration_are_on_every_selector() {
    let config = PrometheusConfig { matchers: " cluster=\"west\", ".to_owned(), ..config() };
    let queries = queries(&[Exporter::Scaphandre], &config);
    let range = Duration::from_secs(45);
    let expressions: Vec<_> = queries.iter().map(|query| query.expression(range)).collect();
    assert_eq!(
        expressions[0],
        "{__name__=~\"scaph_(socket|domain|host)_energy_microjoules\",cluster=\"west\"}[45000ms]"
    );
    assert_eq!(
        expressions[1],
        "sum by (__name__, exported_instance, exported_node, instance, job, k8s_node, k8s_node_name, \
         kubernetes_node_name, kubernetes_pod_name, kubernetes_pod_namespace, node, node_name, replica) \
         ({__name__=~\"scaph_process_(power_consumption_microwatts|cpu_usage_percentage)\",cluster=\"west\"})"
    );
    assert_eq!(expressions.len(), 2);
}
