//! kind reads our cluster, and writes the kubeadm configuration that we mean.
//!
//! No container is started. The real kind parses and validates the file, applies the patches and writes the configuration of
//! every node; what it needs from a container engine for that comes from the script `docker` beside this file, which
//! also ends it, at `kubeadm init`.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use kube_sci_e2e::binaries;
use kube_sci_e2e::testing;
use kube_sci_e2e::world::node;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::schedulers::{Shipped, shipped_extender};
use super::{documents, items, read, repository, text};

/// What kind wrote before it was told that there is no machine.
struct Record {
    folder: TempDir,
    output: Output,
}

impl Record {
    fn of(config: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let docker = repository().join("e2e/tests/manifests/docker");
        std::os::unix::fs::symlink(docker, folder.path().join("docker"))?;
        std::fs::write(folder.path().join("kind.yaml"), config)?;
        let path = std::env::join_paths(
            std::iter::once(folder.path().to_owned())
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        )?;
        let output = Command::new(binaries::find("kind")?)
            .args(["create", "cluster", "--config"])
            .arg(folder.path().join("kind.yaml"))
            .current_dir(repository().join("kind-config"))
            .env("PATH", path)
            .env("RECORD", folder.path())
            .env("KUBECONFIG", folder.path().join("kubeconfig"))
            .env("KIND_EXPERIMENTAL_PROVIDER", "docker")
            .output()?;
        Ok(Self { folder, output })
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The kubeadm documents of a node by their kind.
    fn kubeadm(&self, node: &str) -> Result<BTreeMap<String, Value>> {
        let path = self.folder.path().join(format!("{node}.kubeadm.conf"));
        let written = std::fs::read_to_string(path).with_context(|| format!("{node}: kind said {}", self.said()))?;
        Ok(documents(&written)?.into_iter().map(|document| (text(&document, "/kind").to_owned(), document)).collect())
    }

    /// What the container engine was to run the node with.
    fn container(&self, node: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("containers").join(node))?)
    }
}

/// An argument of a node's kubelet.
fn kubelet_argument<'a>(join: &'a Value, name: &str) -> &'a str {
    let arguments = items(join, "/nodeRegistration/kubeletExtraArgs");
    arguments.iter().find(|argument| text(argument, "/name") == name).map_or("", |argument| text(argument, "/value"))
}

#[test]
fn kind_accepts_the_cluster_and_wires_the_scheduler() -> Result<()> {
    let record = Record::of(&read("kind-config/kind.yaml")?)?;
    assert!(record.said().contains("no container behind kube-sci-control-plane: kubeadm init"), "{}", record.said());

    let kubeadm = record.kubeadm("kube-sci-control-plane")?;
    let cluster = &kubeadm["ClusterConfiguration"];
    let file = "/etc/kubernetes/kube-sci/scheduler-config.yaml";
    assert_eq!(cluster["scheduler"]["extraArgs"], json!([{ "name": "config", "value": file }]));
    let volume = &cluster["scheduler"]["extraVolumes"][0];
    assert_eq!(volume["mountPath"], "/etc/kubernetes/kube-sci");
    assert_eq!(volume["hostPath"], volume["mountPath"]);

    let shipped = repository().join("kind-config/scheduler-config.yaml");
    let container = record.container("kube-sci-control-plane")?;
    assert!(container.contains(&format!("--volume={}:{file}:ro", shipped.display())), "{container}");
    Ok(())
}

#[test]
fn the_node_image_of_the_script_is_the_one_that_kind_itself_takes() -> Result<()> {
    let record = Record::of(&read("kind-config/kind.yaml")?)?;
    let container = record.container("kube-sci-control-plane")?;
    let image = container.lines().find(|line| line.starts_with("kindest/node:")).context("a node image")?;
    assert!(image.contains("@sha256:"), "{image}");
    assert!(read("kind-config/up")?.contains(image), "{image}");
    Ok(())
}

#[test]
fn kind_refuses_a_key_that_it_does_not_know() -> Result<()> {
    let record = Record::of(&read("kind-config/kind.yaml")?.replace("extraMounts:", "extraMount:"))?;
    assert!(record.said().contains("field extraMount not found"), "{}", record.said());
    Ok(())
}

/// Workers made from what kind would tell their kubelets are known to the extender's model.
#[tokio::test]
async fn every_worker_has_a_grid_zone_and_known_hardware() -> Result<()> {
    let record = Record::of(&read("kind-config/kind.yaml")?)?;
    let plane = testing::control_plane().await?;
    let mut workers = Vec::new();
    for name in ["kube-sci-worker", "kube-sci-worker2", "kube-sci-worker3", "kube-sci-worker4"] {
        let kubeadm = record.kubeadm(name)?;
        let join = &kubeadm["JoinConfiguration"];
        assert!(!kubelet_argument(join, "node-ip").is_empty(), "the patch left the other arguments alone");
        let labels = kubelet_argument(join, "node-labels").split(',').filter_map(|label| label.split_once('='));
        let worker = node(name).provider_id(kubelet_argument(join, "provider-id"));
        workers.push(labels.fold(worker, |worker, (key, value)| worker.label(key, value)));
    }
    plane.world().create_nodes(workers).await?;

    let (extender, _probes) =
        shipped_extender(&plane, &Shipped::new("kind-config/extender/extender.yaml", plane.kubeconfig_path())).await?;
    let ranking = extender.get_json("/v1/nodes").await?;
    let nodes = items(&ranking, "/nodes");
    assert_eq!(nodes.len(), 4, "{ranking}");
    for node in nodes {
        assert!(node["intensity"]["gramsPerKwh"].is_number(), "{node}");
        assert_eq!(text(node, "/intensity/zoneOrigin"), "provider and region of the node", "{node}");
        assert_ne!(text(node, "/energy/provenance"), "default", "{node}");
    }
    let zones: Vec<&str> = nodes.iter().map(|node| text(node, "/intensity/zone")).collect();
    assert_eq!(zones.first(), Some(&"SE-SE3"), "{zones:?}");
    Ok(())
}
