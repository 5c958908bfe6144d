//! The cluster and the work of the demo.

use kube_sci_e2e::world::{DeploymentBuilder, NodeBuilder, deployment, node, pod};

/// Nodes of three clouds and two sites of our own, none of them special.
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
    ]
}

/// What the clouds' labels cannot say: where the site of our own stands, and what machines it has.
pub const CONFIGURATION: &str = "
nodes:
  zoneRules:
  - selector: {matchLabels: {site: berlin}}
    zone: DE
    pue: 1.3
  hardwareClasses:
    new: {idleWatts: 30, fullWatts: 90, embodiedKilograms: 700, relativePerformance: 1.1}
    old: {idleWatts: 80, fullWatts: 210, embodiedKilograms: 500, relativePerformance: 0.7}
  hardwareRules:
  - selector: {matchLabels: {hardware: new}}
    class: new
  - selector: {matchLabels: {hardware: old}}
    class: old
";

/// Sixty pods of three sizes: 26.5 of the cluster's 96 cores.
pub fn work(scheduler: &str) -> Vec<(usize, DeploymentBuilder)> {
    [("web", 30, "250m", "512Mi"), ("batch", 18, "1", "1Gi"), ("cache", 12, "100m", "2Gi")]
        .into_iter()
        .map(|(name, replicas, cpu, memory)| {
            let template = pod(name).cpu(cpu).memory(memory).scheduler(scheduler);
            (usize::try_from(replicas).unwrap_or_default(), deployment(replicas, template))
        })
        .collect()
}
