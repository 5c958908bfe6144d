//! The recipes of the agents: they only read, and the shipped source of energy finds them.

use anyhow::{Context, Result};
use kube_sci_cluster::config::ModelConfig;
use kube_sci_e2e::binaries;
use kube_sci_signals::config::{EnergyConfig, ExporterConfig};
use serde_json::{Value, json};

use super::{documents, items, read, read_yaml, repository, text};

const AGENTS: [&str; 3] = ["alumet", "kepler", "scaphandre"];
const AGENT_LABEL: &str = "kube-sci.dev/energy-agent";
const SHIPPED_SOURCE: &str = "manifests/components/energy-scrape/energy.yaml";
const SHIPPED_SCAPHANDRE: &str = "manifests/components/energy-scrape/scaphandre.yaml";
/// Agents whose pages bear as many readers as the extender has replicas.
const SHARED: [&str; 2] = ["alumet", "kepler"];

/// An agent as it is installed.
struct Recipe {
    name: &'static str,
    objects: Vec<Value>,
}

impl Recipe {
    fn all() -> Result<Vec<Self>> {
        let rendered = AGENTS.into_iter().map(|name| {
            let folder = repository().join("manifests/agents").join(name);
            let output =
                std::process::Command::new(binaries::find("kubectl")?).arg("kustomize").arg(folder).output()?;
            anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(Self { name, objects: documents(&String::from_utf8(output.stdout)?)? })
        });
        rendered.collect()
    }

    fn object(&self, kind: &str) -> Result<&Value> {
        let found = self.objects.iter().find(|object| text(object, "/kind") == kind);
        found.with_context(|| format!("{}: a {kind}", self.name))
    }

    fn template(&self) -> Result<&Value> {
        self.object("DaemonSet")?.pointer("/spec/template").context("a template")
    }

    fn container(&self) -> Result<&Value> {
        let containers = items(self.template()?, "/spec/containers");
        assert_eq!(containers.len(), 1, "{}", self.name);
        containers.first().context("a container")
    }

    /// Number of the port of its page.
    fn page_port(&self) -> Result<&Value> {
        let mut ports = items(self.container()?, "/ports").iter();
        let page = ports.find(|port| text(port, "/name") == "metrics");
        page.and_then(|port| port.get("containerPort")).with_context(|| format!("{}: a port `metrics`", self.name))
    }
}

fn shipped(path: &str) -> Result<EnergyConfig> {
    let file = read_yaml(path)?;
    Ok(serde_json::from_value(file.get("energy").context("energy")?.clone())?)
}

#[test]
fn agents_read_the_host_and_can_change_nothing() -> Result<()> {
    for recipe in Recipe::all()? {
        let (name, pod, container) = (recipe.name, &recipe.template()?["spec"], recipe.container()?);
        for shared in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_eq!(pod[shared], Value::Null, "{name}");
        }
        let security = &container["securityContext"];
        assert_eq!(security["privileged"], Value::Null, "{name}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{name}");
        assert!(items(container, "/volumeMounts").iter().all(|mount| mount["readOnly"] == true), "{name}");
        for volume in items(pod, "/volumes") {
            let host = text(volume, "/hostPath/path");
            assert!(host.is_empty() || ["/sys", "/proc", "/sys/fs/cgroup"].contains(&host), "{name}: {host}");
        }
        let role = recipe.object("ClusterRole")?;
        for rule in items(role, "/rules") {
            assert_eq!(rule["verbs"], json!(["get", "list", "watch"]), "{name}");
            assert!(items(rule, "/resources").iter().all(|kind| kind == "pods" || kind == "nodes"), "{name}");
        }
    }
    Ok(())
}

#[test]
fn agents_run_on_tainted_nodes_too_in_a_namespace_that_admits_them() -> Result<()> {
    for recipe in Recipe::all()? {
        assert_eq!(recipe.template()?["spec"]["tolerations"], json!([{ "operator": "Exists" }]), "{}", recipe.name);
        let namespace = recipe.object("Namespace")?;
        let own = format!("kube-sci-{}", recipe.name);
        assert_eq!(text(namespace, "/metadata/name"), own);
        let labels = &namespace["metadata"]["labels"];
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "privileged");
        let subject = recipe.object("ClusterRoleBinding")?.pointer("/subjects/0").context("a subject")?;
        assert_eq!(subject["namespace"], own, "the role is bound to the account that the agent has");
        assert_eq!(subject["name"], recipe.template()?["spec"]["serviceAccountName"]);
    }
    Ok(())
}

#[test]
fn the_shipped_source_finds_every_agent_that_bears_several_readers() -> Result<()> {
    let config = shipped(SHIPPED_SOURCE)?;
    config.validate()?;
    let source = &config.sources[0];
    let scrape = source.scrape.as_ref().context("a direct scrape")?;
    let selector = format!("{AGENT_LABEL} in ({})", SHARED.join(", "));
    assert_eq!((scrape.label_selector.as_str(), scrape.port.as_str()), (selector.as_str(), "metrics"));
    assert_eq!(source.exporters, [ExporterConfig::Alumet, ExporterConfig::Kepler]);

    let policy = read_yaml("manifests/components/energy-scrape/network-policy.yaml")?;
    let peer = policy.pointer("/spec/egress/0/to/0").context("a peer")?;
    let expression = peer.pointer("/podSelector/matchExpressions/0").context("an expression")?;
    assert_eq!(*expression, json!({ "key": AGENT_LABEL, "operator": "In", "values": SHARED }), "the same agents");
    let open: Vec<&Value> = items(&policy, "/spec/egress/0/ports").iter().map(|port| &port["port"]).collect();
    for recipe in Recipe::all()? {
        assert_eq!(recipe.template()?["metadata"]["labels"][AGENT_LABEL], recipe.name);
        let shared = SHARED.contains(&recipe.name);
        assert_eq!(open.contains(&recipe.page_port()?), shared, "{}: {open:?}", recipe.name);
        let (key, value) = ("kube-sci.dev/energy-agents", "true");
        assert_eq!(recipe.object("Namespace")?["metadata"]["labels"][key], value);
        assert_eq!(peer["namespaceSelector"]["matchLabels"][key], value);
    }
    Ok(())
}

#[test]
fn scaphandre_is_read_by_prometheus_alone() -> Result<()> {
    let config = shipped(SHIPPED_SCAPHANDRE)?;
    config.validate()?;
    let source = &config.sources[0];
    assert_eq!(source.exporters, [ExporterConfig::Scaphandre]);
    assert!(source.scrape.is_none(), "two replicas would be two readers");
    let prometheus = source.prometheus.as_ref().context("a Prometheus")?;
    let monitor = read_yaml("manifests/components/agent-monitor/pod-monitor.yaml")?;
    let everyone = json!({ "matchExpressions": [{ "key": AGENT_LABEL, "operator": "Exists" }] });
    assert_eq!(monitor["spec"]["selector"], everyone);
    let endpoint = monitor.pointer("/spec/podMetricsEndpoints/0").context("an endpoint")?;
    assert_eq!(text(endpoint, "/port"), "metrics");
    assert_eq!(text(endpoint, "/interval"), prometheus.scrape_interval.to_string());
    assert_eq!(Some(text(endpoint, "/relabelings/0/targetLabel")), prometheus.node_label.as_deref());
    Ok(())
}

#[test]
fn the_interval_of_alumets_sums_is_the_one_that_readers_are_told() -> Result<()> {
    let config = shipped(SHIPPED_SOURCE)?;
    let source = &config.sources[0];
    let agent = read("manifests/agents/alumet/alumet-agent.toml")?;
    let sums = agent.split("[plugins.aggregation]").nth(1).context("aggregation")?;
    let interval = sums.lines().find_map(|line| line.strip_prefix("interval = ")).context("an interval")?;
    assert_eq!(source.alumet_aggregation_interval.context("told")?.to_string(), interval.trim_matches('"'));
    assert!(source.period < source.alumet_aggregation_interval.context("told")?, "read more slowly, sums are missed");

    let recipes = Recipe::all()?;
    let mut arguments = items(recipes[0].container()?, "/args").iter().filter_map(Value::as_str);
    let plugins = arguments.find_map(|argument| argument.strip_prefix("--plugins=")).context("--plugins")?;
    for plugin in plugins.split(',') {
        assert!(agent.contains(&format!("[plugins.{plugin}")), "{plugin} has no part in the file");
    }
    Ok(())
}

/// The blocks of YAML in a document.
fn yaml_blocks(document: &str) -> impl Iterator<Item = &str> {
    document.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
}

#[test]
fn configurations_in_the_guides_are_accepted() -> Result<()> {
    let mut read_ones = 0;
    for guide in
        ["README.md", "docs/guides/measured-energy.md", "docs/guides/grid-sources.md", "docs/guides/grid-data.md"]
    {
        let document = read(guide)?;
        for block in yaml_blocks(&document) {
            let Ok(Value::Object(mut keys)) = serde_saphyr::from_str(block) else { continue };
            keys.retain(|key, _| ["energy", "grid", "nodes"].contains(&key.as_str()));
            if keys.is_empty() {
                continue;
            }
            let config: ModelConfig = serde_json::from_value(Value::Object(keys)).with_context(|| block.to_owned())?;
            config.validate().with_context(|| format!("{guide}: {block}"))?;
            read_ones += 1;
        }
    }
    assert!(read_ones > 5, "{read_ones}");
    Ok(())
}
