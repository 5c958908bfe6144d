//! Simulated pages have the families, types and labels of recorded ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kube_sci_e2e::simulation::{
    Agent, Alumet, AlumetVersion, CpuUse, Fault, HardwareClass, Kepler, KeplerFake, KeplerLegacy, LiveNode, Program,
    Reply, Scaphandre, SimulatedNode, SimulatedPod, with_target_labels,
};
use kube_sci_signals::exposition::{self, SampleKind};

/// Label keys of the rows of a family, without their order.
type Keys = BTreeSet<Vec<String>>;

/// What does not depend on numbers.
#[derive(Debug, PartialEq)]
struct Shape {
    /// HELP, TYPE and UNIT lines.
    headers: BTreeSet<String>,
    families: BTreeMap<String, (Keys, BTreeSet<&'static str>)>,
}

const WRAP: Duration = Duration::from_secs(62);

fn shape(body: &str) -> Shape {
    let mut families: BTreeMap<String, (Keys, BTreeSet<&'static str>)> = BTreeMap::new();
    let counts = exposition::parse(
        body.as_bytes(),
        |_| true,
        |sample| {
            let mut keys: Vec<String> = sample.labels.iter().map(|(key, _)| key.to_owned()).collect();
            keys.sort();
            let kind = match sample.kind {
                SampleKind::Counter => "counter",
                SampleKind::Gauge => "gauge",
                _ => "other",
            };
            let (all, kinds) = families.entry(sample.name.to_owned()).or_default();
            all.insert(keys);
            kinds.insert(kind);
        },
    );
    assert_eq!(counts.unwrap().malformed, 0, "{body}");
    let is_header = |line: &&str| ["# HELP ", "# TYPE ", "# UNIT "].iter().any(|start| line.starts_with(start));
    let headers = body.lines().filter(is_header).map(str::to_owned).collect();
    Shape { headers, families }
}

fn recorded(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/signals/tests/pages");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

/// Two sockets, a pod that stays and one that ends after 50 seconds; the first package wraps after 62.
fn node() -> Arc<LiveNode> {
    let web = SimulatedPod::new("shop", "web-0", CpuUse::Constant(8.0));
    let batch = SimulatedPod::new("jobs", "batch-0", CpuUse::Constant(4.0)).until(Duration::from_secs(50));
    Arc::new(SimulatedNode::new("worker-1", HardwareClass::old()).pod(web).pod(batch).wrapping_at(WRAP).start())
}

fn pages(program: Program, seconds: &[u64]) -> Vec<String> {
    let mut agent = Agent::new(node(), program);
    let page = |at: &u64| match agent.scrape(Duration::from_secs(*at)) {
        Reply::Page(page) => page.body,
        other => panic!("{other:?}"),
    };
    seconds.iter().map(page).collect()
}

fn page(program: Program, second: u64) -> String {
    pages(program, &[second]).remove(0)
}

fn full(version: AlumetVersion) -> Program {
    Program::Alumet(Alumet { other_families: true, ..Alumet::raw(version) })
}

/// Every family of the recorded page stands on the simulated one, with the same headers and label keys.
fn assert_covers(simulated: &str, recorded: &str) {
    let (simulated, recorded) = (shape(simulated), shape(recorded));
    for header in &recorded.headers {
        assert!(simulated.headers.contains(header), "missing: {header}");
    }
    for (name, family) in &recorded.families {
        assert_eq!(simulated.families.get(name), Some(family), "family {name}");
    }
}

#[test]
fn pages_of_alumet_look_like_recorded_ones() {
    let recorded_0_9 = recorded("alumet-agent-0.9.5.txt");
    assert_eq!(shape(&page(full(AlumetVersion::V0_9_3), 40)), shape(&recorded_0_9));
    let recorded_main = recorded("alumet-agent-main-afb0aa1.txt");
    assert_eq!(shape(&page(full(AlumetVersion::Main), 40)), shape(&recorded_main));

    let aggregated = Alumet::aggregated(AlumetVersion::V0_9_3, Duration::from_secs(10));
    let simulated = page(Program::Alumet(aggregated), 40);
    assert_covers(&simulated, &recorded("alumet-agent-0.9.5-aggregation-10s.txt"));
    assert!(!simulated.contains("rapl_consumed_energy_alumet"), "the raw name disappears");
    assert!(simulated.ends_with("# EOF\n"));
}

#[test]
fn alumet_names_its_metrics_in_four_ways() {
    let names = [
        (AlumetVersion::V0_8, "\nrapl_consumed_energy_J_alumet{", "\ncpu_percent_%_alumet{"),
        (AlumetVersion::V0_9_0, "\nrapl_consumed_energy_alumet_J{", "\ncpu_percent_alumet_%{"),
        (AlumetVersion::V0_9_3, "\nrapl_consumed_energy_alumet{", "\ncpu_percent_alumet{"),
        (AlumetVersion::Main, "\nrapl_consumed_energy_alumet_joules{", "\ncpu_percent_alumet_ratio{"),
    ];
    for (version, energy, percent) in names {
        let page = page(full(version), 40);
        assert!(page.contains(energy) && page.contains(percent), "{version:?}:\n{page}");
    }
}

#[test]
fn series_of_an_ended_pod_stay_frozen_with_alumet() {
    let batch = |page: &str| {
        let mut rows =
            page.lines().filter(|line| line.starts_with("attributed_energy") && line.contains("\"batch-0\""));
        rows.next().map(str::to_owned)
    };
    let pages = pages(full(AlumetVersion::V0_9_3), &[40, 60, 75, 90]);
    let rows: Vec<_> = pages.iter().map(|page| batch(page).expect("a row of the pod")).collect();
    assert_ne!(rows[0], rows[1]);
    assert_eq!(rows[1], rows[2]);
    assert_eq!(rows[2], rows[3]);
}

#[test]
fn pages_of_kepler_look_like_reconstructed_ones() {
    let pages = pages(Program::Kepler(Kepler::default()), &[45, 60, 75]);
    assert_eq!(shape(&pages[0]), shape(&recorded("kepler-0.11-reconstructed-t0.txt")));
    let terminated = recorded("kepler-0.11-reconstructed-t60.txt");
    assert_eq!(shape(&pages[1]), shape(&terminated));
    let rows = |page: &str| page.lines().filter(|line| line.contains("state=\"terminated\"")).count();
    assert_eq!([rows(&pages[0]), rows(&pages[1]), rows(&pages[2])], [0, rows(&terminated), 0], "exported once");
}

#[test]
fn a_restarted_kepler_counts_all_that_the_hardware_ever_counted_as_idle() {
    let restart = Fault::AgentRestart { at: Duration::from_secs(30), down: Duration::from_secs(10) };
    let mut agent = Agent::new(node(), Program::Kepler(Kepler::default())).fault(restart);
    let mut value = |second: u64, name: &str| {
        let Reply::Page(page) = agent.scrape(Duration::from_secs(second)) else { panic!() };
        let row = page.body.lines().find(|line| line.starts_with(name) && line.contains("zone=\"package\""));
        row.and_then(|row| row.rsplit(' ').next()?.parse::<f64>().ok()).expect("a value")
    };
    let before = value(25, "kepler_node_cpu_joules_total");
    let total = value(40, "kepler_node_cpu_joules_total");
    assert!(total > before, "the node's counter goes on");
    assert!((value(40, "kepler_node_cpu_idle_joules_total") - total).abs() < 1e-3);
    assert!(value(40, "kepler_node_cpu_active_joules_total").abs() < 1e-9);
    assert!(value(40, "kepler_pod_cpu_joules_total").abs() < 1e-9);
}

#[test]
fn a_counter_of_a_pod_falls_to_zero_where_its_zone_reads_zero() {
    let still = Fault::ZonesReadZero { at: Duration::from_secs(43) };
    let mut agent = Agent::new(node(), Program::Kepler(Kepler::default())).fault(still);
    let mut pods = |second: u64| {
        let Reply::Page(page) = agent.scrape(Duration::from_secs(second)) else { panic!() };
        let rows = page.body.lines().filter(|line| line.starts_with("kepler_pod_cpu_joules_total"));
        rows.map(|row| row.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    assert!(pods(40) > 100.0);
    assert!(pods(45).abs() < 1e-9);
    assert!(pods(48) > 1.0);
}

#[test]
fn the_fake_meter_has_its_path_and_wraps_at_one_joule() {
    assert_covers(
        &page(Program::KeplerFake(KeplerFake::default()), 600),
        &recorded("kepler-0.11-fake-meter-quoted-lines.txt"),
    );
    let mut agent = Agent::new(node(), Program::KeplerFake(KeplerFake::default()));
    let mut joules = |second: u64| {
        let Reply::Page(page) = agent.scrape(Duration::from_secs(second)) else { panic!() };
        let row = page
            .body
            .lines()
            .find(|line| line.starts_with("kepler_node_cpu_joules_total") && line.contains("/energy_package-0\""));
        row.and_then(|row| row.rsplit(' ').next()?.parse::<f64>().ok()).expect("a value")
    };
    let values: Vec<f64> = (0..40).map(|step| joules(step * 1_800)).collect();
    assert!(values.iter().all(|value| (0.0..1.0).contains(value)), "{values:?}");
    assert!(values.windows(2).any(|pair| pair[1] < pair[0]), "{values:?}");
}

#[test]
fn pages_of_legacy_kepler_look_like_quoted_lines() {
    let simulated = shape(&page(Program::KeplerLegacy(KeplerLegacy::default()), 40));
    let quoted = shape(&recorded("kepler-0.7-quoted-lines.txt"));
    let dram = "kepler_node_dram_joules_total";
    assert_eq!(simulated.families.get(dram), quoted.families.get(dram));
    // Versions before 0.7 have an empty label `command` as well.
    let containers = "kepler_container_joules_total";
    let without_command = |shape: &Shape| {
        let keys = &shape.families.get(containers).expect("containers").0;
        keys.iter().flatten().filter(|key| *key != "command").cloned().collect::<BTreeSet<String>>()
    };
    assert_eq!(without_command(&simulated), without_command(&quoted));
    assert!(
        quoted.headers.iter().filter(|line| line.contains(containers)).all(|line| simulated.headers.contains(line))
    );
}

#[test]
fn an_overflown_container_shows_what_users_reported() {
    let overflown = KeplerLegacy { overflow_from: Some(Duration::from_secs(20)), ..KeplerLegacy::default() };
    assert!(page(Program::KeplerLegacy(overflown), 40).contains("} 9.223372037599701e+14\n"));
}

#[test]
fn pages_of_scaphandre_look_like_recorded_ones_before_and_at_a_wrap() {
    let pages = pages(Program::Scaphandre(Scaphandre { containers: false }), &[45, 60, 75]);
    assert_eq!(shape(&pages[1]), shape(&recorded("scaphandre-1.0.0.txt")));
    // At the wrap: no power of host and processes, zero for the socket.
    assert_eq!(shape(&pages[2]), shape(&recorded("scaphandre-1.0.0-at-counter-wrap.txt")));
    assert!(pages[2].contains("scaph_socket_power_microwatts{socket_id=\"0\"} 0\n"));
}

#[test]
fn scaphandre_writes_its_labels_in_another_order_each_time() {
    let pages = pages(Program::Scaphandre(Scaphandre::default()), &[15, 30]);
    let rows = |page: &str| -> Vec<String> {
        let rows = page.lines().filter(|line| line.contains("kubernetes_pod_name=\"web-0\""));
        rows.filter(|line| line.contains("usage")).map(|line| line.split('}').next().unwrap().to_owned()).collect()
    };
    let [one, other] = [rows(&pages[0]), rows(&pages[1])];
    assert_eq!(one.len(), 1);
    assert_ne!(one, other);
    assert_eq!(shape(&pages[0]), shape(&pages[1]));
    // Families are in pieces, and command lines hold what breaks simple parsers.
    assert!(pages[0].contains("a=b,c={d}") && pages[0].contains("_a, b_ | grep -v '}'"));
}

#[test]
fn labels_of_a_target_push_those_of_alumet_aside() {
    let Reply::Page(page) = Agent::new(node(), full(AlumetVersion::V0_9_3)).scrape(Duration::from_secs(40)) else {
        panic!()
    };
    let target = [("namespace", "monitoring"), ("node", "worker-1"), ("instance", "10.0.0.1:9091")];
    let stored = with_target_labels(&page, &target).body;
    assert!(stored.contains("exported_namespace=\"shop\"") && stored.contains("exported_node=\"worker-1\""));
    assert_eq!(shape(&stored).families.len(), shape(&page.body).families.len());
}

#[test]
fn the_same_scrapes_bring_the_same_pages() {
    let programs = [
        full(AlumetVersion::Main),
        Program::Kepler(Kepler::full()),
        Program::KeplerFake(KeplerFake::default()),
        Program::KeplerLegacy(KeplerLegacy::default()),
        Program::Scaphandre(Scaphandre::default()),
    ];
    for program in programs {
        assert_eq!(pages(program.clone(), &[15, 30, 47, 60]), pages(program.clone(), &[15, 30, 47, 60]), "{program:?}");
    }
}
