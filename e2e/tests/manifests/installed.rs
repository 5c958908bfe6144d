//! The base, installed on a real control plane, and its programs run with exactly the rights that it grants.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use kube_sci_e2e::control_plane::{ControlPlane, client_from};
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;
use serde_json::{Value, json};

use super::schedulers::{Shipped, answered, schedule_one, shipped_extender, shipped_scheduler};
use super::{Installation, NAMESPACE, items, list_of, read_yaml, text};

const EXTENDER: &str = "kube-sci-extender";
const SCHEDULER: &str = "kube-sci-scheduler";
const DEADLINE: Duration = Duration::from_mins(1);

async fn install(plane: &ControlPlane, components: Vec<&'static str>) -> Result<Vec<Value>> {
    let objects = Installation { folder: "manifests/base", components }.objects(&plane.kubectl()).await?;
    let arguments = ["apply", "--server-side", "--warnings-as-errors", "--filename=-"];
    plane.kubectl().run_with_input(&arguments, list_of(&objects)).await?;
    Ok(objects)
}

/// The token that the cluster made for the extender's container.
async fn extender_token(plane: &ControlPlane) -> Result<String> {
    let secrets: Api<Secret> = Api::namespaced(plane.client(), NAMESPACE);
    let token = eventually(DEADLINE, "a token of the extender", async || {
        let secret = secrets.get("kube-sci-extender-token").await.map_err(|error| error.to_string())?;
        let data = secret.data.unwrap_or_default();
        // In the layout of a mounted service account, so that it works at its usual path.
        let missing = ["ca.crt", "namespace", "token"].into_iter().find(|key| !data.contains_key(*key));
        match (missing, data.get("token")) {
            (None, Some(token)) => String::from_utf8(token.0.clone()).map_err(|error| error.to_string()),
            (missing, _) => Err(format!("no {missing:?}")),
        }
    });
    Ok(token.await?)
}

fn kubeconfig_with(plane: &ControlPlane, name: &str, token: &str) -> Result<PathBuf> {
    let authority = plane.authority().write(plane.folder())?;
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "local", "cluster": { "server": plane.server(), "certificate-authority": authority } }],
        "users": [{ "name": "user", "user": { "token": token } }],
        "contexts": [{ "name": "local", "context": { "cluster": "local", "user": "user" } }],
        "current-context": "local",
    });
    let path = plane.folder().join(format!("{name}.kubeconfig"));
    std::fs::write(&path, config.to_string())?;
    Ok(path)
}

/// Whether RBAC grants a service account `VERB RESOURCE[/SUBRESOURCE][.GROUP]`, in all namespaces.
async fn may(client: &Client, account: &str, verb: &str, what: &str) -> Result<bool> {
    let (resource, group) = what.split_once('.').unwrap_or((what, ""));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let groups = ["system:serviceaccounts", "system:serviceaccounts:kube-sci", "system:authenticated"];
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{NAMESPACE}:{account}")),
            groups: Some(groups.map(str::to_owned).to_vec()),
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: Some(subresource.to_owned()),
                group: Some(group.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = Api::<SubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &review).await?;
    Ok(answer.status.context("a verdict")?.allowed)
}

/// What a service account may do that nobody has granted anything.
async fn rules_of_every_account(plane: &ControlPlane) -> Result<BTreeSet<String>> {
    let token = plane.token_of_account("default", "default").await?;
    own_rules(&kubeconfig_with(plane, "default", &token)?).await
}

/// What an identity may do according to itself.
async fn own_rules(kubeconfig: &Path) -> Result<BTreeSet<String>> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": { "namespace": "default" },
    });
    let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews")
        .header("Content-Type", "application/json")
        .body(review.to_string().into_bytes())?;
    let answer: Value = client_from(kubeconfig).await?.request(request).await?;
    let words = |rule: &Value, key: &str| {
        let words: BTreeSet<&str> = items(rule, key).iter().filter_map(Value::as_str).collect();
        words.into_iter().collect::<Vec<_>>().join(" ")
    };
    let rules = items(&answer, "/status/resourceRules").iter();
    Ok(rules.map(|rule| format!("{} of {}", words(rule, "/verbs"), words(rule, "/resources"))).collect())
}

#[tokio::test]
async fn both_programs_work_with_exactly_the_rights_of_the_base() -> Result<()> {
    let plane = testing::control_plane().await?;
    install(&plane, Vec::new()).await?;
    let kubeconfig = kubeconfig_with(&plane, EXTENDER, &extender_token(&plane).await?)?;
    let own = own_rules(&kubeconfig).await?;
    let of_every_account = rules_of_every_account(&plane).await?;
    let granted: Vec<&String> = own.difference(&of_every_account).collect();
    assert_eq!(granted, ["get list watch of namespaces nodes pods"]);

    let shipped = Shipped::new("manifests/base/extender.yaml", &kubeconfig);
    let (extender, probes) = shipped_extender(&plane, &shipped).await?;
    let token = plane.token_of_account(NAMESPACE, SCHEDULER).await?;
    let scheduler_kubeconfig = kubeconfig_with(&plane, SCHEDULER, &token)?;
    let config = read_yaml("manifests/base/scheduler-config.yaml")?;
    let place = json!({ "urlPrefix": extender.url_prefix() });
    let mut scheduler = shipped_scheduler(&plane, config, &place, &scheduler_kubeconfig).await?;

    let bound = schedule_one(&plane, "kube-sci").await.with_context(|| scheduler.log_text())?;
    assert!(["green", "brown"].contains(&bound.as_str()), "{bound}");
    answered(&extender, "kube_sci_extender_prioritize_requests_total", "scored").await?;
    let leases: Api<Lease> = Api::namespaced(plane.client(), NAMESPACE);
    let lease = leases.get(SCHEDULER).await?;
    assert!(lease.spec.and_then(|spec| spec.holder_identity).is_some(), "it leads by its own lease");
    scheduler.check()?;
    assert!(!scheduler.log_text().contains("is forbidden"), "{}", scheduler.log_tail());

    let http = reqwest::Client::builder().no_proxy().build()?;
    for (path, status) in
        [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/v1/nodes", 404), ("/log-level", 404)]
    {
        let answer = http.get(format!("http://{probes}{path}")).send().await?;
        assert_eq!(answer.status(), status, "{path} on the address that is open to the network");
    }
    alerts_name_metrics_of(&extender.get_text("/metrics").await?)
}

/// Every metric in an alert is on the page of a running extender.
fn alerts_name_metrics_of(page: &str) -> Result<()> {
    let rules = read_yaml("manifests/components/prometheus-rules/rules.yaml")?;
    let mut names = BTreeSet::new();
    for rule in items(&rules, "/spec/groups/0/rules") {
        let words = text(rule, "/expr").split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        names.extend(words.filter(|word| word.starts_with("kube_sci_")));
    }
    assert!(names.len() >= 6, "{names:?}");
    let samples: BTreeSet<&str> = page.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let unknown: Vec<&&str> = names.difference(&samples).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    Ok(())
}

#[tokio::test]
async fn events_need_the_component_and_nothing_more() -> Result<()> {
    let plane = testing::control_plane().await?;
    install(&plane, Vec::new()).await?;
    let client = plane.client();
    assert!(!may(&client, EXTENDER, "create", "events.events.k8s.io").await?);
    install(&plane, vec!["events"]).await?;
    assert!(may(&client, EXTENDER, "create", "events.events.k8s.io").await?);

    let kubeconfig = kubeconfig_with(&plane, EXTENDER, &extender_token(&plane).await?)?;
    let shipped = Shipped::new("manifests/base/extender.yaml", &kubeconfig).set("events", "enabled", true);
    let (extender, _probes) = shipped_extender(&plane, &shipped).await?;
    let config = read_yaml("manifests/base/scheduler-config.yaml")?;
    let place = json!({ "urlPrefix": extender.url_prefix() });
    let _scheduler = shipped_scheduler(&plane, config, &place, plane.kubeconfig_path()).await?;
    schedule_one(&plane, "kube-sci").await?;
    plane.world().wait_event("web", "CarbonFootprint").await?;
    Ok(())
}

#[tokio::test]
async fn neither_identity_may_do_more_than_its_work() -> Result<()> {
    let plane = testing::control_plane().await?;
    install(&plane, Vec::new()).await?;
    let client = plane.client();
    for (verb, what) in [
        ("get", "secrets"),
        ("list", "secrets"),
        ("get", "configmaps"),
        ("create", "pods"),
        ("delete", "pods"),
        ("create", "pods/binding"),
        ("create", "bindings"),
        ("create", "pods/exec"),
        ("patch", "pods/status"),
        ("patch", "nodes"),
        ("create", "events"),
        ("create", "serviceaccounts/token"),
        ("update", "leases.coordination.k8s.io"),
        ("impersonate", "users"),
    ] {
        assert!(!may(&client, EXTENDER, verb, what).await?, "the extender may {verb} {what}");
    }
    for (verb, what) in [("list", "nodes"), ("watch", "pods"), ("watch", "namespaces")] {
        assert!(may(&client, EXTENDER, verb, what).await?, "the extender may not {verb} {what}");
    }
    for (verb, what) in [("get", "secrets"), ("create", "pods"), ("update", "leases.coordination.k8s.io")] {
        assert!(!may(&client, SCHEDULER, verb, what).await?, "the scheduler may {verb} {what} everywhere");
    }
    assert!(may(&client, SCHEDULER, "create", "pods/binding").await?);
    Ok(())
}

/// The controller manager makes the pods, so pod security and priority are judged for real.
#[tokio::test]
async fn pods_of_the_base_are_admitted_under_the_restricted_profile() -> Result<()> {
    let plane = testing::control_plane().await?;
    let objects = install(&plane, Vec::new()).await?;
    let deployment = objects.iter().find(|object| text(object, "/kind") == "Deployment").context("a deployment")?;
    let replicas = deployment.pointer("/spec/replicas").and_then(Value::as_u64).context("replicas")?;
    let pods: Api<Pod> = Api::namespaced(plane.client(), NAMESPACE);
    let admitted = eventually(DEADLINE, "the pods of the deployment", async || {
        let found = pods.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        if found.len() as u64 == replicas { Ok(found) } else { Err(format!("{} pods", found.len())) }
    });
    for pod in admitted.await? {
        let spec = pod.spec.context("a spec")?;
        assert_eq!(spec.priority, Some(1_000_000_000));
        let tokens = |name: &str| {
            let container = spec.containers.iter().find(|container| container.name == name);
            let mounts = container.and_then(|container| container.volume_mounts.as_deref()).unwrap_or_default();
            let at_account =
                mounts.iter().filter(|mount| mount.mount_path.starts_with("/var/run/secrets/kubernetes.io"));
            at_account.map(|mount| mount.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(tokens("scheduler"), ["scheduler-api-access"]);
        assert_eq!(tokens("extender"), ["extender-api-access"], "and not the scheduler's");
    }
    Ok(())
}
