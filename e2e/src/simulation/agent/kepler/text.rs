//! The page of Kepler 0.11: families by name, rows by labels, as Go's Prometheus client sorts them.

use super::{Meter, Pod, State, Zone};
use crate::simulation::node::LiveNode;
use crate::simulation::page::{family, go_number, labels, sample};
use crate::simulation::random::{bits, seed_of};

/// What a family says of a zone.
type OfZone = fn(&Zone) -> f64;
/// What a family says of a pod's meter.
type OfMeter = fn(&Meter) -> f64;

const BUILD: [(&str, &str); 5] =
    [("arch", "amd64"), ("branch", "HEAD"), ("goversion", "go1.24.9"), ("revision", "0000000"), ("version", "v0.11.4")];

impl State {
    pub(super) fn text(&self, node: &LiveNode) -> String {
        let rows = self.pods.len() + self.terminated.len();
        let mut text = String::with_capacity(4_096 + rows * self.zones.len() * 512);
        let name = "kepler_build_info";
        family(&mut text, name, "A metric with a constant '1' value labeled with version information", "gauge");
        sample(&mut text, name, &labels(&BUILD), "1");

        let node_name = self.kepler.node_name.as_deref().unwrap_or(node.name());
        if self.kepler.containers {
            let rows = self.container_rows(node_name);
            write_meters(&mut text, "container", &rows);
        }
        self.node_families(&mut text, node_name);
        write_meters(&mut text, "pod", &self.pod_rows(node_name));
        if self.kepler.processes {
            self.process_families(&mut text, node_name);
        }
        text
    }

    fn node_families(&self, text: &mut String, node_name: &str) {
        let active: OfZone = |zone| zone.active.joules;
        let rows: [(&str, &str, &str, OfZone); 4] = [
            (
                "active_joules_total",
                "Energy consumption of cpu in active state at node level in joules",
                "counter",
                active,
            ),
            ("active_watts", "Power consumption of cpu in active state at node level in watts", "gauge", |zone| {
                zone.active.watts
            }),
            (
                "idle_joules_total",
                "Energy consumption of cpu in idle state at node level in joules",
                "counter",
                |zone| zone.idle.joules,
            ),
            ("idle_watts", "Power consumption of cpu in idle state at node level in watts", "gauge", |zone| {
                zone.idle.watts
            }),
        ];
        for (name, help, kind, value) in rows {
            self.zone_family(text, node_name, name, (help, kind), value);
        }
        let help = ("Energy consumption of cpu at node level in joules", "counter");
        self.zone_family(text, node_name, "joules_total", help, |zone| zone.total.joules);
        let name = "kepler_node_cpu_usage_ratio";
        family(text, name, "CPU usage ratio of a node (value between 0.0 and 1.0)", "gauge");
        sample(text, name, &labels(&[("node_name", node_name)]), &go_number(self.usage_ratio));
        let help = ("Power consumption of cpu at node level in watts", "gauge");
        self.zone_family(text, node_name, "watts", help, |zone| zone.total.watts);
    }

    fn zone_family(&self, text: &mut String, node_name: &str, name: &str, help: (&str, &str), value: OfZone) {
        let name = format!("kepler_node_cpu_{name}");
        family(text, &name, help.0, help.1);
        let mut rows: Vec<(String, f64)> = self
            .zones
            .iter()
            .map(|zone| {
                (labels(&[("node_name", node_name), ("path", &zone.path()), ("zone", zone.name())]), value(zone))
            })
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        for (labels, value) in rows {
            sample(text, &name, &labels, &go_number(value));
        }
    }

    fn all_pods(&self) -> impl Iterator<Item = (&Pod, &'static str)> {
        let running = self.pods.values().map(|pod| (pod, "running"));
        running.chain(self.terminated.iter().map(|pod| (pod, "terminated")))
    }

    fn pod_rows(&self, node_name: &str) -> Vec<(String, Meter)> {
        let rows = self.all_pods().flat_map(|(pod, state)| {
            self.zones.iter().zip(&pod.meters).map(move |(zone, meter)| {
                let pairs = [
                    ("node_name", node_name),
                    ("pod_id", &pod.of.uid),
                    ("pod_name", &pod.of.name),
                    ("pod_namespace", &pod.of.namespace),
                    ("state", state),
                    ("zone", zone.name()),
                ];
                (labels(&pairs), *meter)
            })
        });
        sorted(rows)
    }

    fn container_rows(&self, node_name: &str) -> Vec<(String, Meter)> {
        let rows = self.all_pods().flat_map(|(pod, state)| {
            let parts = parts(pod);
            pod.of.containers.iter().flat_map(move |container| {
                self.zones.iter().zip(&pod.meters).map(move |(zone, meter)| {
                    let pairs = [
                        ("container_id", container.id.as_str()),
                        ("container_name", &container.name),
                        ("node_name", node_name),
                        ("pod_id", &pod.of.uid),
                        ("runtime", "containerd"),
                        ("state", state),
                        ("zone", zone.name()),
                    ];
                    (labels(&pairs), meter.divided(parts))
                })
            })
        });
        sorted(rows)
    }

    /// One process for each container.
    fn process_families(&self, text: &mut String, node_name: &str) {
        let mut joules = Vec::new();
        let mut seconds = Vec::new();
        for (pod, state) in self.all_pods() {
            for container in &pod.of.containers {
                let exe = container.command.split(' ').next().unwrap_or_default();
                let comm = exe.rsplit('/').next().unwrap_or_default();
                let pid = (2_000 + bits(seed_of(&container.id), 0) % 30_000).to_string();
                let head = [("comm", comm), ("container_id", container.id.as_str()), ("exe", exe)];
                let middle = [("node_name", node_name), ("pid", &pid)];
                let kind = [("type", "container"), ("vm_id", "")];
                seconds.push((labels(&[&head[..], &middle, &kind].concat()), pod.cpu_seconds / parts(pod)));
                for (zone, meter) in self.zones.iter().zip(&pod.meters) {
                    let pairs = [&head[..], &middle, &[("state", state)], &kind, &[("zone", zone.name())]].concat();
                    joules.push((labels(&pairs), meter.divided(parts(pod))));
                }
            }
        }
        let rows = sorted(joules);
        write_family(
            text,
            "process",
            "joules_total",
            "Energy consumption of cpu at process level in joules",
            &rows,
            |meter| meter.joules,
        );
        let name = "kepler_process_cpu_seconds_total";
        family(text, name, "Total user and system time of cpu at process level in seconds", "counter");
        for (labels, value) in sorted(seconds) {
            sample(text, name, &labels, &go_number(value));
        }
        write_family(text, "process", "watts", "Power consumption of cpu at process level in watts", &rows, |meter| {
            meter.watts
        });
    }
}

impl Meter {
    fn divided(self, parts: f64) -> Self {
        Self { joules: self.joules / parts, watts: self.watts / parts }
    }
}

fn parts(pod: &Pod) -> f64 {
    f64::from(u32::try_from(pod.of.containers.len()).unwrap_or(u32::MAX))
}

fn write_meters(text: &mut String, level: &str, rows: &[(String, Meter)]) {
    if rows.is_empty() {
        return;
    }
    let help = |of: &str, unit: &str| format!("{of} consumption of cpu at {level} level in {unit}");
    write_family(text, level, "joules_total", &help("Energy", "joules"), rows, |meter| meter.joules);
    write_family(text, level, "watts", &help("Power", "watts"), rows, |meter| meter.watts);
}

fn write_family(text: &mut String, level: &str, name: &str, help: &str, rows: &[(String, Meter)], value: OfMeter) {
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    let name = format!("kepler_{level}_cpu_{name}");
    family(text, &name, help, kind);
    for (labels, meter) in rows {
        sample(text, &name, labels, &go_number(value(meter)));
    }
}

fn sorted<T>(rows: impl IntoIterator<Item = (String, T)>) -> Vec<(String, T)> {
    let mut rows: Vec<(String, T)> = rows.into_iter().collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}
