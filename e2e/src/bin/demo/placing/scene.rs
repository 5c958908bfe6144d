//! The cluster and the work of the demo.

use std::time::Duration;

use kube_sci_e2e::{
    simulation::{Alumet, AlumetVersion, HardwareClass, Kepler, KeplerFake, PowerCurve, Program},
    world::{DeploymentBuilder, NodeBuilder, deployment, node, pod},
};

/// Nodes of three clouds and of two sites of our own.
pub fn nodes() -> Vec<NodeBuilder> {
    let eight = |builder: NodeBuilder| builder.capacity("8", "32Gi");
    vec![
        eight(node("aws-stockholm").aws("eu-north-1", "m5.2xlarge")),
        eight(node("aws-frankfurt").aws("eu-central-1", "m5.2xlarge")),
        eight(node("aws-frankfurt-old").aws("eu-central-1", "m4.2xlarge")),
        eight(node("aws-virginia").aws("us-east-1", "m5.2xlarge")),
        eight(node("azure-paris").azure("francecentral", "Standard_D8s_v3")),
        eight(node("azure-warsaw").azure("polandcentral", "Standard_D8s_v3")),
        eight(node("azure-amsterdam").azure("westeurope", "Standard_D8s_v3")),
        eight(node("google-finland").gcp("europe-north1", "n2-standard-8")),
        eight(node("google-iowa").gcp("us-central1", "n2-standard-8")),
        eight(node("google-mumbai").gcp("asia-south1", "n2-standard-8")),
        eight(node("berlin-new").label("site", "berlin").label("hardware", "new")),
        eight(node("berlin-old").label("site", "berlin").label("hardware", "old")),
        eight(node("lyon-1").label("site", "lyon").label("hardware", "small")),
        eight(node("lyon-2").label("site", "lyon").label("hardware", "small")),
    ]
}

/// What the clouds' labels cannot say: where the sites of our own stand, and what machines they have.
pub const CONFIGURATION: &str = "
nodes:
  zoneRules:
  - selector: {matchLabels: {site: berlin}}
    zone: DE
    pue: 1.3
  - selector: {matchLabels: {site: lyon}}
    zone: FR
    pue: 1.2
  hardwareClasses:
    new: {idleWatts: 30, fullWatts: 90, embodiedKilograms: 700, relativePerformance: 1.1}
    old: {idleWatts: 80, fullWatts: 210, embodiedKilograms: 500, relativePerformance: 0.7}
    small: {idleWatts: 20, fullWatts: 80, embodiedKilograms: 150}
  hardwareRules:
  - selector: {matchLabels: {hardware: new}}
    class: new
  - selector: {matchLabels: {hardware: old}}
    class: old
  - selector: {matchLabels: {hardware: small}}
    class: small
";

/// Which class a node is really of, where that is another one than the configuration says, and that class.
pub const TRUE_CLASS: (&str, &str, f64, f64) = ("lyon-2", "thirsty", 44.0, 176.0);

/// What the grid API says of its zones, in g/kWh; everywhere else annual averages stand.
pub const GRID: [(&str, f64); 2] = [("DE", 290.0), ("FR", 45.0)];

/// A machine with an agent that measures it.
pub struct Metered {
    pub node: &'static str,
    pub class: HardwareClass,
    pub program: Program,
}

/// Machines of our own have meters. Virtual machines have none: on one of them, Kepler runs with invented numbers.
pub fn metered() -> [Metered; 5] {
    let second = Duration::from_secs(1);
    let kepler = || Program::Kepler(Kepler { interval: second, ..Kepler::default() });
    let (_, _, idle, full) = TRUE_CLASS;
    [
        Metered { node: "berlin-new", class: class("new", (24.0, 76.0), (6.0, 14.0)), program: kepler() },
        Metered {
            node: "berlin-old",
            class: class("old", (66.0, 180.0), (14.0, 30.0)),
            program: Program::Alumet(Alumet::raw(AlumetVersion::V0_9_3)),
        },
        Metered { node: "lyon-1", class: class("small", (16.0, 68.0), (4.0, 12.0)), program: kepler() },
        Metered {
            node: "lyon-2",
            class: class("small", (0.8 * idle, 0.85 * full), (0.2 * idle, 0.15 * full)),
            program: kepler(),
        },
        Metered {
            node: "google-mumbai",
            class: class("vm", (10.0, 40.0), (2.0, 6.0)),
            program: Program::KeplerFake(KeplerFake { interval: second }),
        },
    ]
}

/// Eight threads in one package, from idle to full watts of package and memory.
fn class(name: &str, package: (f64, f64), dram: (f64, f64)) -> HardwareClass {
    let line = |(idle, full)| PowerCurve::line(idle, full);
    HardwareClass::new(name, 8, 1, line(package), line(dram))
}

/// Sixty pods of three sizes: 26.7 of the cluster's 112 cores.
pub fn work(scheduler: &str) -> Vec<(usize, DeploymentBuilder)> {
    [("web", 30, "250m", "512Mi"), ("batch", 18, "1", "1Gi"), ("cache", 12, "100m", "2Gi")]
        .into_iter()
        .map(|(name, replicas, cpu, memory)| {
            let template = pod(name).cpu(cpu).memory(memory).scheduler(scheduler);
            (usize::try_from(replicas).unwrap_or_default(), deployment(replicas, template))
        })
        .collect()
}
