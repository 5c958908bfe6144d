//! Recorded pages to normalised readings. Joules of the last poll are written `J/poll`, sums `J/sum`, counters `J`.

use std::borrow::Cow;

use sci_core::quantity::{Cores, Watts};

use super::*;
use crate::{
    energy::{
        directory::NodeFacts,
        reading::{Domain, Scope},
    },
    exposition::{self, Labels, SampleKind},
};

const ALUMET_V095: &str = include_str!("../../../tests/pages/alumet-agent-0.9.5.txt");
const ALUMET_MAIN: &str = include_str!("../../../tests/pages/alumet-agent-main-afb0aa1.txt");
const ALUMET_SUMS: &str = include_str!("../../../tests/pages/alumet-agent-0.9.5-aggregation-10s.txt");
const KEPLER_T60: &str = include_str!("../../../tests/pages/kepler-0.11-reconstructed-t60.txt");
const KEPLER_FAKE: &str = include_str!("../../../tests/pages/kepler-0.11-fake-meter-quoted-lines.txt");
const KEPLER_LEGACY: &str = include_str!("../../../tests/pages/kepler-0.7-quoted-lines.txt");
const SCAPHANDRE: &str = include_str!("../../../tests/pages/scaphandre-1.0.0.txt");

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn reader(route: Route) -> PageReader {
    PageReader::new(&Exporter::ALL, ReaderOptions { route, node_label: Some("k8s_node".to_owned()) })
}

fn read(text: &str) -> NodePage {
    let mut reader = reader(Route::Scrape);
    exposition::parse(text.as_bytes(), |name| wanted(&Exporter::ALL, name), |sample| reader.sample(&sample, now()))
        .unwrap();
    reader.finish()
}

/// Hands over samples as a query would.
fn sample(reader: &mut PageReader, name: &str, value: f64, labels: Pairs<'_>) {
    let pairs: Vec<_> = labels.iter().map(|(key, value)| (Cow::from(*key), Cow::from(*value))).collect();
    let sample = Sample { name, labels: Labels::from_pairs(&pairs), value, at: None, kind: SampleKind::Untyped };
    reader.sample(&sample, now());
}

fn line(reading: &Reading) -> String {
    let subject = reading.pod.as_ref().map_or("node".to_owned(), |pod| {
        let uid = pod.name.uid.as_ref().and_then(|uid| uid.rsplit('0').next()).unwrap_or("-");
        format!("{}/{} {uid}", pod.name.namespace, pod.name.name)
    });
    let measure = match reading.measure {
        Measure::Counter(domain, _) => format!("{domain:?} {} J", reading.value),
        Measure::Delta { domain, summed, scope } => {
            let per = if summed { "sum" } else { "poll" };
            let part = if scope == Scope::Part { " of a part" } else { "" };
            format!("{domain:?} {:.2} J/{per}{part}", reading.value)
        }
        Measure::Power(domain) => format!("{domain:?} {:.6} W", reading.value),
        Measure::CpuShare => format!("CPU share {:.4}", reading.value),
        other => format!("{other:?} {}", reading.value),
    };
    let modelled = if reading.modelled { " modelled" } else { "" };
    let terminated = if reading.terminated { " terminated" } else { "" };
    format!("{subject}: {measure}{modelled}{terminated}")
}

fn lines(page: &NodePage) -> Vec<String> {
    let mut lines: Vec<_> = page.readings.iter().map(line).collect();
    lines.sort();
    lines
}

/// Without CPU times of single states.
fn energy_lines(text: &str) -> Vec<String> {
    lines(&read(text)).into_iter().filter(|line| !line.contains("CpuTime")).collect()
}

#[test]
fn alumet_says_the_last_poll() {
    let expected = [
        "jobs/batch-0 2: CPU share 0.0580",
        "jobs/batch-0 2: Package 5.93 J/poll",
        "node: Dram 12.99 J/poll",
        "node: Package 102.04 J/poll",
        "shop/web-7d9c6b5f4-abcde 1: CPU share 0.1127",
        "shop/web-7d9c6b5f4-abcde 1: Package 11.49 J/poll",
    ];
    assert_eq!(energy_lines(ALUMET_V095), expected);
}

#[test]
fn alumet_after_its_unit_fix_says_the_same() {
    let expected = [
        "jobs/batch-0 2: CPU share 0.0678",
        "jobs/batch-0 2: Package 7.65 J/poll",
        "node: Dram 14.38 J/poll",
        "node: Package 112.99 J/poll",
        "shop/web-7d9c6b5f4-abcde 1: CPU share 0.1056",
        "shop/web-7d9c6b5f4-abcde 1: Package 11.98 J/poll",
    ];
    assert_eq!(energy_lines(ALUMET_MAIN), expected);
}

#[test]
fn alumet_with_aggregation_says_sums() {
    let expected = [
        "jobs/batch-0 2: CPU share 0.1103",
        "jobs/batch-0 2: Package 113.94 J/sum",
        "node: Dram 139.66 J/sum",
        "node: Package 1097.36 J/sum",
        "shop/web-7d9c6b5f4-abcde 1: CPU share 0.2395",
        "shop/web-7d9c6b5f4-abcde 1: Package 236.67 J/sum",
    ];
    assert_eq!(energy_lines(ALUMET_SUMS), expected);
}

#[test]
fn kepler_says_counters() {
    let expected = [
        "jobs/batch-0 2: Dram 3633.5 J terminated",
        "jobs/batch-0 2: Package 28577.5 J terminated",
        "kube-system/coredns-5d78c9869d-x2x7k 3: Dram 530.5 J",
        "kube-system/coredns-5d78c9869d-x2x7k 3: Package 4182.5 J",
        "node: Dram 51840 J",
        "node: Hint 110",
        "node: IdleCounter 325700",
        "node: Package 408600 J",
        "node: Utilization 0.25",
        "shop/web-7d9c6b5f4-abcde 1: Dram 4029 J",
        "shop/web-7d9c6b5f4-abcde 1: Package 31660 J",
    ];
    assert_eq!(lines(&read(KEPLER_T60)), expected);
}

#[test]
fn the_fake_meter_is_known_by_its_path() {
    assert!(lines(&read(KEPLER_FAKE)).iter().any(|line| line.contains("Fake")));
    let real = r#"kepler_node_cpu_joules_total{node_name="a",path="/sys/class/powercap/intel-rapl:0/energy_uj",zone="package-0"} 5
"#;
    assert_eq!(lines(&read(real)), ["node: Package 5 J"]);
}

#[test]
fn legacy_kepler_leaves_out_what_is_no_pod_and_no_domain() {
    let expected = [
        "kube-flannel/kube-flannel-ds-j94ms -: Package 922337203759970.1 J",
        "node: Dram 13.043 J",
        "node: Dram 685.851 J",
    ];
    assert_eq!(lines(&read(KEPLER_LEGACY)), expected);
    let modelled = r#"kepler_node_package_joules_total{exported_instance="a",instance="b:9102",mode="idle",package="0",source="trained_power_model"} 7
"#;
    assert_eq!(lines(&read(modelled)), ["node: Package 7 J modelled"]);
}

#[test]
fn scaphandre_says_zones_and_not_the_host() {
    let page = read(SCAPHANDRE);
    let zones: Vec<_> = lines(&page).into_iter().filter(|line| !line.contains("CPU share")).collect();
    let expected = [
        "node: Dram 1083.651581 J",
        "node: Dram 1111.535442 J",
        "node: Package 1697.096514 J",
        "node: Package 262079.844667 J",
    ];
    assert_eq!(zones, expected);
    let busy: f64 = page.readings.iter().filter(|one| one.measure == Measure::CpuShare).map(|one| one.value).sum();
    assert!((busy - 0.164_164_152).abs() < 1e-9, "{busy}");
    let alone = "scaph_host_energy_microjoules 265972128204\n";
    assert_eq!(lines(&read(alone)), ["node: Platform 265972.128204 J"]);
}

#[test]
fn scaphandre_says_the_power_of_containers() {
    let process = |pid: u32, watts: f64| {
        format!(
            r#"scaph_process_power_consumption_microwatts{{pid="{pid}",cmdline="a=\"b\",c",kubernetes_pod_name="web",kubernetes_pod_namespace="shop"}} {}
"#,
            watts * 1e6
        )
    };
    let page = [process(1, 2.5), process(2, 0.5)].concat();
    assert_eq!(lines(&read(&page)), ["shop/web -: Package 0.500000 W", "shop/web -: Package 2.500000 W"]);
}

#[test]
fn order_of_labels_and_lines_does_not_matter() {
    for page in [ALUMET_V095, ALUMET_MAIN, ALUMET_SUMS, KEPLER_T60, KEPLER_FAKE, KEPLER_LEGACY, SCAPHANDRE] {
        let shuffled: Vec<_> = page
            .lines()
            .rev()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| match (line.find('{'), line.rfind('}')) {
                (Some(open), Some(close)) => {
                    let mut labels: Vec<_> = line[open + 1..close - 1].split("\",").collect();
                    labels.reverse();
                    format!("{}{{{}\"}}{}", &line[..open], labels.join("\","), &line[close + 1..])
                }
                _ => line.to_owned(),
            })
            .collect();
        assert_eq!(lines(&read(&(shuffled.join("\n") + "\n"))), lines(&read(page)));
    }
}

#[test]
fn all_names_of_alumet_are_known() {
    let domains = |name: &str| {
        let page = format!("{name}{{domain=\"package_total\",resource_kind=\"local_machine\"}} 100\n");
        lines(&read(&page)).concat()
    };
    for name in [
        "rapl_consumed_energy",
        "rapl_consumed_energy_J_alumet",
        "rapl_consumed_energy_alumet_J",
        "rapl_consumed_energy_alumet",
        "rapl_consumed_energy_alumet_",
        "rapl_consumed_energy_alumet_joules",
        "site_rapl_consumed_energy_ours_joules",
    ] {
        assert_eq!(domains(name), "node: Package 100.00 J/poll", "{name}");
    }
    for name in ["rapl_consumed_energy_sum_alumet", "x_rapl_consumed_energy_sum_alumet_joules"] {
        assert_eq!(domains(name), "node: Package 100.00 J/sum", "{name}");
    }
    for name in ["carbon_emission_alumet", "rapl_consumed_energy_mean_alumet", "site:rapl_consumed_energy:rate5m"] {
        assert!(!wanted(&[Exporter::Alumet], name), "{name}");
    }
    assert!(wanted(&[Exporter::Alumet], "cpu_percent_alumet_%"));
    assert!(wanted(&[Exporter::Alumet], "attributed_rapl_energy_sum_alumet"));
    assert!(!wanted(&[Exporter::Kepler], "rapl_consumed_energy_alumet"));
}

#[test]
fn sockets_count_only_where_no_total_is() {
    let socket = |id: u32, joules: u32| {
        format!(
            "rapl_consumed_energy_alumet{{domain=\"package\",resource_kind=\"cpu_package\",resource_id=\"{id}\"}} {joules}\n"
        )
    };
    let sockets = [socket(0, 60), socket(1, 50)].concat();
    let expected = ["node: Package 50.00 J/poll of a part", "node: Package 60.00 J/poll of a part"];
    assert_eq!(lines(&read(&sockets)), expected);
    let total = "rapl_consumed_energy_alumet{domain=\"package_total\",resource_kind=\"local_machine\"} 110\n";
    assert_eq!(lines(&read(&(sockets + total))), ["node: Package 110.00 J/poll"]);
}

#[test]
fn the_model_of_alumet_counts_only_where_nothing_is_measured() {
    let model = "estimated_consumed_energy_alumet{cpu_state=\"user\",resource_kind=\"local_machine\"} 40\n\
                 estimated_consumed_energy_alumet{cpu_state=\"user\",resource_kind=\"cpu_core\",resource_id=\"0\"} 40\n\
                 estimated_consumed_energy_alumet{cpu_state=\"idle\",resource_kind=\"local_machine\"} 9\n\
                 attributed_tdp_energy_alumet{uid=\"u1\",name=\"a\",namespace=\"b\"} 3\n";
    assert_eq!(lines(&read(model)), ["b/a u1: Package 3.00 J/poll modelled", "node: Package 40.00 J/poll modelled"]);
    let rapl = "rapl_consumed_energy_alumet{domain=\"package_total\"} 110\n";
    assert_eq!(lines(&read(&(model.to_owned() + rapl))), ["node: Package 110.00 J/poll"]);
}

#[test]
fn of_several_formulas_one_is_used() {
    let value = |formula: &str, domain: &str, joules: u32| {
        format!("attributed_{formula}_alumet{{uid=\"u1\",name=\"a\",namespace=\"b\",domain=\"{domain}\"}} {joules}\n")
    };
    let page = [
        value("energy", "package_total", 5),
        value("energy_sum", "package_total", 50),
        value("energy_sum", "dram_total", 7),
        value("energy_sum", "package", 25),
        value("rapl_energy_sum", "package_total", 50),
        value("carbon_emission", "package_total", 1),
    ];
    assert_eq!(lines(&read(&page.concat())), ["b/a u1: Dram 7.00 J/sum", "b/a u1: Package 50.00 J/sum"]);
}

#[test]
fn labels_that_prometheus_renamed_are_found() {
    let names = nodes();
    let mut reader = reader(Route::Prometheus);
    let pod = [
        ("domain", "package_total"),
        ("exported_namespace", "shop"),
        ("namespace", "monitoring"),
        ("exported_name", "web"),
        ("name", "agent"),
        ("uid", "u1"),
        ("exported_node", "worker-1"),
        ("node", "worker-2"),
    ];
    sample(&mut reader, "attributed_energy_alumet", 5.0, &pod);
    let (pages, unplaced) = reader.finish_by_node(&names);
    assert!(unplaced.is_empty());
    assert_eq!(&*pages[0].0, "worker-1");
    assert_eq!(lines(&pages[0].1), ["shop/web u1: Package 5.00 J/poll"]);
}

#[test]
fn a_node_is_found_by_name_address_and_configured_label() {
    let names = nodes();
    let places: [(Pairs<'_>, Option<&str>); 7] = [
        (&[("node_name", "worker-1")], Some("worker-1")),
        (&[("node_name", ""), ("instance", "10.0.0.2:28282")], Some("worker-2")),
        (&[("exported_instance", "worker-1"), ("instance", "10.0.0.2:9102")], Some("worker-1")),
        (&[("k8s_node", "worker-2"), ("node_name", "worker-1")], Some("worker-2")),
        (&[("node", "worker-1"), ("instance", "172.16.0.9:8080")], Some("worker-1")),
        (&[("instance", "172.16.0.9:8080")], None),
        (&[], None),
    ];
    for (labels, expected) in places {
        let mut reader = reader(Route::Prometheus);
        let labels = [labels, &[("zone", "package"), ("path", "aggregated-package")]].concat();
        sample(&mut reader, "kepler_node_cpu_joules_total", 5.0, &labels);
        let (pages, unplaced) = reader.finish_by_node(&names);
        assert_eq!(pages.first().map(|(node, _)| &**node), expected, "{labels:?}");
        assert_eq!(unplaced.len(), usize::from(expected.is_none()), "{labels:?}");
    }
}

#[test]
fn a_relay_knows_its_pods_and_not_its_nodes() {
    let pod = |node: &str| {
        format!(
            "attributed_energy_alumet{{uid=\"{node}\",name=\"a\",namespace=\"b\",node=\"{node}\",domain=\"package_total\"}} 5\n"
        )
    };
    let rapl = "rapl_consumed_energy_alumet{domain=\"package_total\"} 110\n";
    let page = read(&[&pod("worker-1"), &pod("worker-2"), rapl].concat());
    assert!(page.readings.is_empty());
    assert_eq!(page.mixed.len(), 1);

    let mut reader = reader(Route::Prometheus);
    let target = ("instance", "10.0.0.1:9091");
    for node in ["worker-1", "worker-2"] {
        let labels = [("uid", node), ("node", node), ("domain", "package_total"), target];
        sample(&mut reader, "attributed_energy_alumet", 5.0, &labels);
    }
    sample(&mut reader, "rapl_consumed_energy_alumet", 110.0, &[("domain", "package_total"), target]);
    let (pages, unplaced) = reader.finish_by_node(&nodes());
    assert_eq!(pages.len(), 2);
    assert!(pages.iter().all(|(_, page)| lines(page).iter().all(|line| !line.starts_with("node"))));
    assert_eq!(unplaced.len(), 1);
}

#[test]
fn impossible_values_and_times_are_counted() {
    let mut reader = reader(Route::Otlp);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        sample(&mut reader, "scaph_socket_energy_microjoules", value, &[("socket_id", "0")]);
    }
    let labels = [(Cow::from("socket_id"), Cow::from("0"))];
    let old = Sample {
        name: "scaph_socket_energy_microjoules",
        labels: Labels::from_pairs(&labels),
        value: 1.0,
        at: Some("2025-12-31T23:00:00Z".parse().unwrap()),
        kind: SampleKind::Counter,
    };
    reader.sample(&old, now());
    let page = reader.finish();
    assert!(page.readings.is_empty());
    assert_eq!(page.counts(), ReadCounts { impossible: 4, clock: 1 });
}

#[test]
fn a_platform_of_two_kinds_counts_once() {
    let page = "kepler_platform_watts{source=\"redfish\",bmc_id=\"1\",chassis_id=\"1\"} 210\n\
                kepler_node_cpu_joules_total{zone=\"psys\",path=\"p\"} 5\n\
                kepler_node_cpu_joules_total{zone=\"core\",path=\"p\"} 5\n\
                kepler_node_cpu_joules_total{zone=\"package-1\",path=\"p\"} 5\n";
    let page = read(page);
    assert_eq!(lines(&page), ["node: Package 5 J", "node: Platform 210.000000 W"]);
    assert!(page.readings.iter().any(|reading| reading.measure.domain() == Some(Domain::Platform)));
}

fn nodes() -> NodeNames {
    NodeNames::new(["1", "2"].map(|number| NodeFacts {
        name: format!("worker-{number}").into(),
        addresses: vec![format!("10.0.0.{number}").into()],
        cores: Cores::new(8.0).unwrap(),
        max_power: Watts::new(800.0).unwrap(),
    }))
}

proptest::proptest! {
    #[test]
    fn no_name_and_no_label_is_too_odd(
        name in "(kepler_|scaph_|x_)?(node_cpu|attributed|rapl_consumed_energy|cpu_percent|process|\\PC{0,3})(_sum|_\\PC{0,5})*",
        labels in proptest::collection::vec(("(zone|path|domain|uid|mode|node|instance|\\PC{0,4})", "\\PC{0,12}"), 0..8),
        value in proptest::num::f64::ANY,
    ) {
        let labels: Vec<_> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        for route in [Route::Scrape, Route::Prometheus] {
            let mut reader = reader(route);
            sample(&mut reader, &name, value, &labels);
            let (pages, unplaced) = reader.finish_by_node(&nodes());
            let readings = pages.iter().flat_map(|(_, page)| &page.readings);
            proptest::prop_assert!(readings.clone().all(|reading| reading.value >= 0.0));
            // What a reader takes, it has asked for.
            let taken = readings.count() > 0 || !unplaced.is_empty();
            proptest::prop_assert!(!taken || wanted(&Exporter::ALL, &name));
        }
    }
}
