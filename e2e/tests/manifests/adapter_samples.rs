//! What the guides tell people to write: the API server takes it, and one part of it fits the other.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Context, Result};
use kube_sci_e2e::adapter_process;
use kube_sci_e2e::testing;
use serde_json::{Value, json};

use super::admission::dry_run;
use super::{documents, items, read, repository, text};

const GUIDES: &str = "docs/guides";
const OTHER_PAGES: [&str; 3] = ["README.md", "docs/concepts/green-hpa.md", "kind-config/README.md"];
/// API groups whose kinds a cluster may lack.
const FOREIGN: [&str; 2] = ["keda.sh", "networking.k8s.io"];

/// A block of YAML on a page.
struct Block {
    page: String,
    text: String,
}

/// Blocks of YAML on the pages about scaling.
fn blocks() -> Result<Vec<Block>> {
    let mut pages: Vec<String> = OTHER_PAGES.map(str::to_owned).into();
    for file in std::fs::read_dir(repository().join(GUIDES))? {
        let name = file?.file_name().to_string_lossy().into_owned();
        if name.starts_with("green-hpa") {
            pages.push(format!("{GUIDES}/{name}"));
        }
    }
    let mut found = Vec::new();
    for page in pages {
        for part in read(&page)?.split("```yaml\n").skip(1) {
            let text = part.split("```").next().context("a closing fence")?.to_owned();
            found.push(Block { page: page.clone(), text });
        }
    }
    Ok(found)
}

/// Whole objects among the blocks.
fn objects() -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for block in blocks()? {
        let documents = documents(&block.text).with_context(|| block.page.clone())?;
        found.extend(documents.into_iter().filter(|object| {
            let group = text(object, "/apiVersion").split('/').next().unwrap_or_default();
            !text(object, "/kind").is_empty() && !FOREIGN.contains(&group)
        }));
    }
    Ok(found)
}

#[tokio::test]
async fn every_object_of_the_guides_is_admitted_without_a_warning_and_a_budget_of_nothing_refused() -> Result<()> {
    let objects = objects()?;
    let kinds: BTreeSet<&str> = objects.iter().map(|object| text(object, "/kind")).collect();
    assert_eq!(kinds, ["CarbonBudget", "GreenScalingPolicy", "HorizontalPodAutoscaler"].into());
    let namespaces: BTreeSet<&str> = objects.iter().map(|object| text(object, "/metadata/namespace")).collect();
    let plane = testing::control_plane().await?;
    let kubectl = plane.kubectl();
    let kinds = repository().join("manifests/crds");
    let arguments = ["apply", "--server-side", "--warnings-as-errors", "--kustomize"].map(OsStr::new);
    kubectl.run(&[arguments.as_slice(), &[kinds.as_os_str()]].concat()).await?;
    for kind in ["greenscalingpolicies.kube-sci.dev", "carbonbudgets.kube-sci.dev"] {
        kubectl.run(&["wait", "crd", kind, "--for=condition=Established", "--timeout=60s"]).await?;
    }
    for namespace in namespaces {
        kubectl.run(&["create", "namespace", namespace]).await?;
    }
    for object in &objects {
        dry_run(&kubectl, std::slice::from_ref(object)).await.with_context(|| object.to_string())?;
    }
    let budget = objects.iter().find(|object| text(object, "/kind") == "CarbonBudget").context("a budget")?;
    for (field, value) in [
        ("gramsPerMonth", json!(0)),
        ("gramsPerMonth", json!(-1)),
        ("startsThrottlingAt", json!(0)),
        ("startsThrottlingAt", json!(1)),
        ("gramsPerYear", json!(1)),
    ] {
        let mut wrong = budget.clone();
        wrong["spec"][field] = value.clone();
        let refused = dry_run(&kubectl, &[wrong]).await;
        assert!(refused.is_err_and(|error| error.to_string().contains(field)), "{field}: {value}");
    }
    Ok(())
}

/// Sections of `adapter.yaml` that the guides show parts of.
const SECTIONS: [&str; 3] = ["api", "keda", "loads"];
const SHIPPED: [&str; 5] = [
    "kind-config/metrics-adapter/adapter.yaml",
    "manifests/metrics-adapter/adapter.yaml",
    "manifests/overlays/adapter-cert-manager/adapter.yaml",
    "manifests/overlays/adapter-mounted-certificate/adapter.yaml",
    "manifests/overlays/adapter-shadow/adapter.yaml",
];

#[test]
fn every_configuration_of_guides_and_manifests_is_read_by_the_program() -> Result<()> {
    let shown = blocks()?.into_iter().filter(|block| {
        let parsed = documents(&block.text).unwrap_or_default();
        parsed.iter().any(|part| SECTIONS.iter().any(|section| part.get(section).is_some()))
    });
    let shipped = SHIPPED.map(|file| Ok(Block { page: file.to_owned(), text: read(file)? }));
    let all: Vec<Block> = shown.map(Ok).chain(shipped).collect::<Result<_>>()?;
    assert!(all.len() > SHIPPED.len(), "guides show some");
    for Block { page, text } in all {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        let mut program = Command::new(adapter_process::shipped_binary()?);
        let output = program.arg("--check-config").arg("--config").arg(file.path()).output()?;
        assert!(output.status.success(), "{page}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Policy and autoscaler of the first guide.
pub(super) fn first_policy() -> Result<(Value, Value)> {
    let page = format!("{GUIDES}/green-hpa-first.md");
    let mut found = Vec::new();
    for block in blocks()?.iter().filter(|block| block.page == page) {
        found.extend(documents(&block.text)?);
    }
    let [policy, autoscaler] = <[Value; 2]>::try_from(found).ok().context("two objects")?;
    Ok((policy, autoscaler))
}

/// The autoscaler of the first guide reads the policy of the first guide as it is meant.
#[test]
fn the_first_guide_is_consistent_with_itself() -> Result<()> {
    let (policy, autoscaler) = first_policy()?;
    let metric = &items(&autoscaler, "/spec/metrics")[0]["object"];
    assert_eq!(metric["describedObject"]["name"], policy["metadata"]["name"]);
    assert_eq!(metric["describedObject"]["apiVersion"], policy["apiVersion"]);
    assert_eq!(metric["describedObject"]["kind"], policy["kind"]);
    assert_eq!(metric["target"]["type"], "AverageValue");
    assert_eq!(text(metric, "/target/averageValue"), policy["spec"]["targetPerReplica"].to_string());
    assert_eq!(autoscaler["spec"]["scaleTargetRef"]["name"], policy["spec"]["targetRef"]["name"]);
    assert_eq!(autoscaler["metadata"]["namespace"], policy["metadata"]["namespace"]);
    Ok(())
}
