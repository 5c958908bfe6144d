//! What scenarios of the metrics adapter stand on, without the adapter: aggregated APIs on the local control plane, clients
//! of others, and the demand of workloads.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use kube_sci_e2e::aggregation::Aggregation;
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::load_world::{LoadFault, LoadWorld, POD_RANGE};
use kube_sci_e2e::metrics_client::{ClientAnswer, MetricsClient};
use kube_sci_e2e::prometheus::{Prometheus, PrometheusOptions, Series};
use kube_sci_e2e::scripted_metrics::{Question, Said, Sample, ScriptedMetrics};
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;
use kube_sci_e2e::world::{deployment, node, pod};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn every_client_reads_an_aggregated_api_before_and_after_the_api_server_starts_again() -> Result<()> {
    let mut plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let metrics = ScriptedMetrics::start(&plane).await?;
    let object = Question::Object {
        namespace: "default".to_owned(),
        resource: "deployments.apps".to_owned(),
        name: "web".to_owned(),
        metric: "load".to_owned(),
    };
    metrics.set(object, Said::Samples(vec![Sample::of(1_500)]));
    let external = Question::External { namespace: "default".to_owned(), metric: "scripted".to_owned() };
    metrics.set(external, Said::Samples(vec![Sample::of(2_000), Sample::of(500)]));
    let asked = ["object", "default", "deployments.apps", "web", "load"];
    for client in MetricsClient::ALL {
        let values = async |question: &[&str]| match client.ask(plane.kubeconfig_path(), question).await? {
            ClientAnswer::Samples(samples) => Ok(samples.into_iter().map(|sample| sample.value).collect::<Vec<_>>()),
            other => anyhow::bail!("{client:?}: {other:?}"),
        };
        assert_eq!(values(&asked).await?, ["1500m"], "{client:?}");
        // Go prints quantities in their shortest form, the others as they were sent.
        let sum: BTreeSet<String> = values(&["external", "default", "scripted"]).await?.into_iter().collect();
        assert!(sum.contains("500m") && (sum.contains("2") || sum.contains("2000m")), "{client:?}: {sum:?}");
        let unknown = ["object", "default", "deployments.apps", "other", "load"];
        let ClientAnswer::Refused(refusal) = client.ask(plane.kubeconfig_path(), &unknown).await? else {
            anyhow::bail!("{client:?} found what is not there")
        };
        assert_eq!((refusal.status, refusal.reason.as_str()), (404, "NotFound"), "{client:?}");
        let served = client.ask(plane.kubeconfig_path(), &["resources", "custom.metrics.k8s.io/v1beta2"]).await?;
        assert_eq!(served, ClientAnswer::Resources(vec!["pods/scripted".to_owned()]), "{client:?}");
    }

    plane.restart_apiserver().await?;
    let aggregation = Aggregation::new(plane.client());
    aggregation.wait_metrics_available().await?;
    let again = MetricsClient::Go.ask(plane.kubeconfig_path(), &asked).await?;
    assert!(matches!(again, ClientAnswer::Samples(_)), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn demand_is_scraped_by_prometheus_and_shared_by_pods_of_their_own_addresses() -> Result<()> {
    let plane = testing::control_plane().await?;
    let world = plane.world();
    world.create_nodes([node("n1").pod_range(POD_RANGE)]).await?;
    let load = LoadWorld::start(plane.client(), "default").await?;
    load.set("web", 700.0);
    let prometheus = Prometheus::start(PrometheusOptions::default().job(load.job())).await?;
    let value = |series: &[Series]| series.first().and_then(|series| series.points.first()).map(|point| point.value);
    prometheus.wait_for(&load.query("web"), |series| value(series) == Some(700.0)).await?;
    load.fault("web", LoadFault::NotANumber);
    prometheus.wait_for(&load.query("web"), |series| value(series).is_some_and(f64::is_nan)).await?;
    load.fault("web", LoadFault::Missing);
    prometheus.wait_for(&load.query("web"), <[Series]>::is_empty).await?;
    load.mend("web");

    world.create_deployment(deployment(2, pod("web").on_node("n1"))).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let pods = world.pods();
    eventually(SOON, "both pods to tell half of the demand each", async || {
        let found = pods.list(&kube::api::ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let addresses = found.iter().filter_map(|pod| pod.status.as_ref()?.pod_ip.clone()).collect::<BTreeSet<_>>();
        if addresses.len() != 2 {
            return Err(format!("{addresses:?}"));
        }
        for address in addresses {
            let url = format!("http://{address}:{}/metrics", load.port());
            let page = http.get(&url).send().await.map_err(|error| error.to_string())?;
            let page = page.text().await.map_err(|error| error.to_string())?;
            if !page.contains("requests_per_second 350\n") {
                return Err(format!("{url}: {page}"));
            }
        }
        Ok(())
    })
    .await?;
    Ok(())
}
