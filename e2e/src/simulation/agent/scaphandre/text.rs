//! The page of Scaphandre 1.0: families in pieces, HELP where a family shows up first, labels in any order.

use std::sync::Arc;
use std::time::Duration;

use super::{Reading, State, percent};
use crate::simulation::node::{LiveNode, Window};
use crate::simulation::page::{family, sample};
use crate::simulation::random::{bits, seed_of, shuffle};
use crate::simulation::workload::SimulatedPod;

/// The processes of a node as a page shows them.
pub(super) struct Processes<'a> {
    pub(super) node: &'a LiveNode,
    pub(super) at: Duration,
    pub(super) pods: &'a [Arc<SimulatedPod>],
    /// Pods whose names it knows.
    pub(super) known: &'a dyn Fn(&SimulatedPod) -> bool,
    pub(super) seed: u64,
}

struct Process {
    labels: Vec<(&'static str, String)>,
    percent: f64,
}

/// Name, help, type, and the value where there is one.
type HardwareRow = (&'static str, &'static str, &'static str, Option<f64>);

const CPU: &str = "scaph_process_cpu_usage_percentage";
const POWER: &str = "scaph_process_power_consumption_microwatts";
/// Programs of the system, with the part of its load that they make.
const SYSTEM: [(&str, &str, f64); 3] = [
    ("kubelet", "/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml --node-labels=a=b,c={d}", 0.7),
    ("scaphandre", "scaphandre prometheus --containers", 0.05),
    ("bash", "bash -c echo \"a, b\" | grep -v '}'", 0.25),
];

impl Processes<'_> {
    pub(super) fn write(&self, text: &mut String, window: &Window, host_microwatts: Option<f64>) {
        let mut processes = self.processes(window);
        shuffle(&mut processes, self.seed);
        let mut seen = Vec::new();
        for (mut process, place) in processes.into_iter().zip(0..) {
            shuffle(&mut process.labels, self.seed ^ place);
            let labels = written(&process.labels);
            let cpu_first = bits(self.seed, place).is_multiple_of(2);
            for is_cpu in [cpu_first, !cpu_first] {
                if is_cpu {
                    let help = "CPU time consumed by the process, as a percentage of the capacity of all the CPU Cores";
                    first_time(text, &mut seen, CPU, help, "gauge");
                    sample(text, CPU, &labels, &process.percent.to_string());
                } else if let Some(host) = host_microwatts {
                    // The text belongs to another family; that is how the real one writes it.
                    let help = "Total data read on disk by the process, in bytes";
                    first_time(text, &mut seen, POWER, help, "gauge");
                    sample(text, POWER, &labels, &(host * process.percent / 100.0).to_string());
                }
            }
        }
    }

    fn processes(&self, window: &Window) -> Vec<Process> {
        let threads = self.node.class().threads;
        let mut processes = Vec::new();
        let mut in_pods = 0.0;
        for (pod, used) in self.pods.iter().zip(&window.pods) {
            in_pods += used.cpu_seconds;
            if !pod.runs_at(self.at) {
                continue;
            }
            let parts = f64::from(u32::try_from(pod.containers.len()).unwrap_or(u32::MAX));
            for container in &pod.containers {
                let mut labels = process_labels(&container.id, &container.command);
                if (self.known)(pod) {
                    labels.extend(self.pod_labels(pod, &container.id));
                }
                processes.push(Process { labels, percent: percent(window, used.cpu_seconds / parts, threads) });
            }
        }
        let system = (window.busy_seconds - in_pods).max(0.0);
        for (exe, command, part) in SYSTEM {
            let labels = process_labels(exe, command);
            processes.push(Process { labels, percent: percent(window, system * part, threads) });
        }
        processes
    }

    fn pod_labels(&self, pod: &SimulatedPod, container: &str) -> Vec<(&'static str, String)> {
        vec![
            ("container_id", container.to_owned()),
            ("container_scheduler", "kubernetes".to_owned()),
            ("kubernetes_node_name", self.node.name().to_owned()),
            ("kubernetes_pod_name", pod.name.clone()),
            ("kubernetes_pod_namespace", pod.namespace.clone()),
        ]
    }
}

impl State {
    pub(super) fn write_hardware(&self, text: &mut String, seed: u64) {
        let mut seen = Vec::new();
        for (socket, place) in (0..self.newest.packages.len()).zip(1..) {
            let id = socket.to_string();
            let mut own =
                vec![("domain_name", "dram".to_owned()), ("domain_id", "0".to_owned()), ("socket_id", id.clone())];
            shuffle(&mut own, seed ^ (place << 32));
            let of_dram = |reading: &Reading| reading.drams.get(socket).copied().unwrap_or_default();
            let rows = [
                (
                    "scaph_domain_power_microwatts",
                    "Power measurement relative to a RAPL Domain, in microwatts",
                    "gauge",
                    self.power(of_dram),
                ),
                (
                    "scaph_domain_energy_microjoules",
                    "Domain related energy measurement in microjoules.",
                    "counter",
                    Some(of_dram(&self.newest)),
                ),
            ];
            write_rows(text, &rows, &written(&own), &mut seen);

            let of_package = |reading: &Reading| reading.packages.get(socket).copied().unwrap_or_default();
            // Where a counter fell, the socket reads zero, and the domain nothing.
            let power = self.power(of_package).or(self.before.as_ref().map(|_| 0.0));
            let rows = [
                (
                    "scaph_socket_power_microwatts",
                    "Power measurement relative to a CPU socket, in microwatts",
                    "gauge",
                    power,
                ),
                (
                    "scaph_socket_energy_microjoules",
                    "Socket related energy measurement in microjoules.",
                    "counter",
                    Some(of_package(&self.newest)),
                ),
            ];
            write_rows(text, &rows, &written(&[("socket_id", id)]), &mut seen);
        }
        let rows = [
            (
                "scaph_host_power_microwatts",
                "Power measurement on the whole host, in microwatts",
                "gauge",
                self.host_microwatts(),
            ),
            (
                "scaph_host_energy_microjoules",
                "Energy measurement for the whole host, as extracted from the sensor, in microjoules.",
                "counter",
                Some(self.newest.host),
            ),
        ];
        write_rows(text, &rows, "", &mut seen);
        // The last of these blocks is not followed by an empty line.
        text.truncate(text.trim_end().len());
        text.push('\n');
    }

    /// Power between the two newest readings; none where the counter fell.
    fn power(&self, of: impl Fn(&Reading) -> f64) -> Option<f64> {
        let before = self.before.as_ref()?;
        (of(before) <= of(&self.newest)).then(|| self.microwatts(before, of(before), of(&self.newest)))
    }
}

/// A block of rows with an empty line behind it.
fn write_rows(text: &mut String, rows: &[HardwareRow], labels: &str, seen: &mut Vec<&'static str>) {
    for (name, help, kind, value) in rows {
        let Some(value) = value else { continue };
        first_time(text, seen, name, help, kind);
        sample(text, name, labels, &format!("{value:.0}"));
    }
    text.push('\n');
}

fn first_time(text: &mut String, seen: &mut Vec<&'static str>, name: &'static str, help: &str, kind: &str) {
    if !seen.contains(&name) {
        family(text, name, help, kind);
        seen.push(name);
    }
}

fn process_labels(id: &str, command: &str) -> Vec<(&'static str, String)> {
    let exe = command.split(' ').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let pid = 1 + bits(seed_of(id), 1) % 32_000;
    vec![("cmdline", command.to_owned()), ("exe", exe.to_owned()), ("pid", pid.to_string())]
}

/// Double quotes become underscores and backslashes vanish; nothing else is escaped.
fn written(labels: &[(&'static str, String)]) -> String {
    let written: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}=\"{}\"", value.replace('"', "_").replace('\\', ""))).collect();
    written.join(",")
}
