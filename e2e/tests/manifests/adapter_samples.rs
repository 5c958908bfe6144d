//! What the guides tell people to write: the API server takes it, and the kinds refuse what cannot work.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use kube_sci_e2e::control_plane::{ControlPlane, Kubectl};
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

async fn plane_with_kinds(
    namespaces: &BTreeSet<&str>,
) -> Result<(impl std::ops::Deref<Target = ControlPlane>, Kubectl)> {
    let plane = testing::control_plane().await?;
    let kubectl = plane.kubectl();
    let kinds = repository().join("manifests/crds");
    let arguments = ["apply", "--server-side", "--warnings-as-errors", "--kustomize"].map(std::ffi::OsStr::new);
    kubectl.run(&[arguments.as_slice(), &[kinds.as_os_str()]].concat()).await?;
    let kinds = ["greenscalingpolicies.kube-sci.dev", "carbonbudgets.kube-sci.dev"];
    kubectl.run(&["wait", "crd", kinds[0], kinds[1], "--for=condition=Established", "--timeout=60s"]).await?;
    for namespace in namespaces {
        kubectl.run(&["create", "namespace", namespace]).await?;
    }
    Ok((plane, kubectl))
}

#[tokio::test]
async fn every_object_of_the_guides_is_admitted_without_a_warning() -> Result<()> {
    let objects = objects()?;
    let kinds: BTreeSet<&str> = objects.iter().map(|object| text(object, "/kind")).collect();
    assert_eq!(kinds, ["CarbonBudget", "GreenScalingPolicy", "HorizontalPodAutoscaler"].into());
    let namespaces = objects.iter().map(|object| text(object, "/metadata/namespace")).collect();
    let (_plane, kubectl) = plane_with_kinds(&namespaces).await?;
    for object in &objects {
        dry_run(&kubectl, std::slice::from_ref(object)).await.with_context(|| object.to_string())?;
    }
    Ok(())
}

/// A change to a policy, and what the refusal says.
type Mistake = (&'static str, fn(&mut Value), &'static str);

const MISTAKES: [Mistake; 19] = [
    ("a misspelt field", |spec| spec["targetPerReplika"] = json!(100), "unknown field \"targetPerReplika\""),
    ("no target", |spec| drop(take(spec, "targetPerReplica")), "give targetPerReplica, or batch"),
    ("no guard", |spec| drop(take(spec, "hardLimitPerReplica")), "exactly one of sloGuardPerReplica"),
    ("two guards", |spec| spec["sloGuardPerReplica"] = json!(130), "exactly one of sloGuardPerReplica"),
    ("a limit within the tolerance", |spec| spec["hardLimitPerReplica"] = json!(120), "more than 1.21 times"),
    ("a limit as a quantity", |spec| spec["hardLimitPerReplica"] = json!("120000m"), "more than 1.21 times"),
    ("a guard at the target", |spec| guard(spec, json!(100)), "more than 1.1 times"),
    ("a target of nothing", |spec| spec["targetPerReplica"] = json!(0), "targetPerReplica"),
    ("no curve", |spec| drop(take(spec, "curve")), "give a curve"),
    ("two curves", |spec| spec["curve"]["linear"] = line(200, 400, 0.8), "exactly one of steps, linear and quantile"),
    ("a line that goes back", |spec| spec["curve"] = json!({ "linear": line(400, 200, 0.8) }), "from less than to"),
    ("a factor of nothing", |spec| spec["curve"]["steps"][0]["factor"] = json!(0), "factor"),
    ("a factor above one", |spec| spec["curve"]["steps"][0]["factor"] = json!(1.2), "factor"),
    ("steps out of order", |spec| spec["curve"]["steps"][0]["atOrAbove"] = json!(900), "sort steps by atOrAbove"),
    ("no source of the load", |spec| drop(take(&mut spec["load"], "prometheus")), "exactly one of prometheus, metric"),
    ("its own metric as the load", |spec| spec["load"] = own_metric(), "cannot read its own metrics"),
    ("a load that is stale when it is read", |spec| spec["load"]["staleAfter"] = json!("5s"), "staleAfter at least"),
    ("a dwell of two days", |spec| spec["hysteresis"] = json!({ "minDwell": "48h" }), "minDwell 0s to 24h"),
    (
        "a batch of a service",
        |spec| spec["batch"] = json!({ "maxAge": "1h", "ratePerReplica": 1, "maxReplicas": 2 }),
        "batch",
    ),
];

fn take(object: &mut Value, key: &str) -> Option<Value> {
    object.as_object_mut().and_then(|fields| fields.remove(key))
}

fn guard(spec: &mut Value, guard: Value) {
    take(spec, "hardLimitPerReplica");
    spec["sloGuardPerReplica"] = guard;
}

fn line(from: u32, to: u32, factor: f64) -> Value {
    json!({ "from": from, "to": to, "minFactor": factor })
}

fn own_metric() -> Value {
    let own = json!({ "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": "other" });
    json!({ "metric": { "type": "Object", "name": "load", "describedObject": own } })
}

#[tokio::test]
async fn policies_that_cannot_work_are_refused_with_the_reason() -> Result<()> {
    let objects = objects()?;
    let first = objects.iter().find(|object| text(object, "/kind") == "GreenScalingPolicy").context("a policy")?;
    let namespaces = BTreeSet::from([text(first, "/metadata/namespace")]);
    let (_plane, kubectl) = plane_with_kinds(&namespaces).await?;
    dry_run(&kubectl, std::slice::from_ref(first)).await.context("the sample itself")?;
    for (name, change, reason) in MISTAKES {
        let mut policy = first.clone();
        change(&mut policy["spec"]);
        let refused = dry_run(&kubectl, &[policy]).await.err().with_context(|| format!("{name} is admitted"))?;
        assert!(refused.to_string().contains(reason), "{name}: {refused}");
    }
    let budget = |grams: f64, start: f64| {
        json!({
            "apiVersion": "kube-sci.dev/v1alpha1",
            "kind": "CarbonBudget",
            "metadata": { "name": "budget", "namespace": text(first, "/metadata/namespace") },
            "spec": { "gramsPerMonth": grams, "startsThrottlingAt": start },
        })
    };
    dry_run(&kubectl, &[budget(40_000.0, 0.8)]).await?;
    for (grams, start) in [(0.0, 0.8), (-1.0, 0.8), (40_000.0, 0.0), (40_000.0, 1.0)] {
        let refused = dry_run(&kubectl, &[budget(grams, start)]).await;
        assert!(refused.is_err(), "a budget of {grams} g from {start} on is admitted");
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
