//! What people may ask, through the real aggregator and straight.

use anyhow::Result;

use super::installed::{Audited, Installed};
use super::{DEADLINE, SHOP, default_selection, first_policy, wait_ready, workload};
use kube_sci_e2e::aggregation::Aggregation;
use kube_sci_e2e::wait::eventually;

#[tokio::test]
async fn who_may_view_a_namespace_reads_its_policies_and_operators_explanations() -> Result<()> {
    let audited = Audited::start().await?;
    let (plane, kubectl) = (&audited.plane, audited.plane.kubectl());
    let installed = Installed::new(plane, &default_selection()).await?;
    Aggregation::new(plane.client()).wait_metrics_available().await?;
    workload(plane).await?;
    first_policy(&kubectl).await?;
    wait_ready(&kubectl, "web").await?;

    let binding = ["create", "rolebinding", "jane", "--namespace", SHOP, "--clusterrole=view", "--user=jane"];
    kubectl.run(&binding).await?;
    let metric = |namespace: &str| {
        let group = "/apis/custom.metrics.k8s.io/v1beta2";
        format!("{group}/namespaces/{namespace}/greenscalingpolicies.kube-sci.dev/web/carbon_adjusted_load")
    };
    let own = metric(SHOP);
    let jane = eventually(DEADLINE, "the value for jane", async || {
        kubectl.run(&["get", "--raw", &own, "--as=jane"]).await.map_err(|error| error.to_string())
    });
    assert!(jane.await?.contains("\"value\":\"1k\""));
    let refused = kubectl.run(&["get", "--raw", &metric("kube-system"), "--as=jane"]).await.unwrap_err();
    assert!(refused.to_string().contains("forbidden"), "{refused}");

    let token = &plane.token_of_account("default", "default").await?;
    let explained = |namespace: &str| format!("/explain/namespaces/{namespace}/greenscalingpolicies/web");
    let values = |namespace: &str| format!("/keda/v1/namespaces/{namespace}/policies/web");
    for path in ["/explain".to_owned(), explained(SHOP), values(SHOP)] {
        assert_eq!(installed.answers(plane, token, &path).await?, 403, "{path}");
    }
    let answers = async |path: &str| {
        eventually(DEADLINE, path, async || match installed.answers(plane, token, path).await {
            Ok(200) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
    };
    let subject = "--serviceaccount=default:default";

    // Rights in one namespace are none in the others.
    let keda = ["create", "rolebinding", "keda", "--namespace", SHOP, "--clusterrole=kube-sci:keda", subject];
    kubectl.run(&keda).await?;
    answers(&values(SHOP)).await?;
    assert_eq!(installed.answers(plane, token, &explained(SHOP)).await?, 403);
    kubectl.run(&["create", "rolebinding", "viewer", "--namespace", SHOP, "--clusterrole=view", subject]).await?;
    answers(&explained(SHOP)).await?;
    for path in ["/explain".to_owned(), explained("kube-system"), values("kube-system")] {
        assert_eq!(installed.answers(plane, token, &path).await?, 403, "{path}");
    }

    kubectl.run(&["create", "clusterrolebinding", "operators", "--clusterrole=kube-sci:explain", subject]).await?;
    answers("/explain").await?;
    Ok(())
}
