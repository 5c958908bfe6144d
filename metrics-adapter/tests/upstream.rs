//! The cases that the library of most Go adapters is tested with, as ours: 11 of custom and 7 of external metrics.
//!
//! The world is the same: four nodes of which two have a label, sixteen pods of which eight have one. What differs is in
//! `docs/reference/adapter-http-api.md`.

use crate::support::{Adapter, Cluster, World};

const CUSTOM: &str = "/apis/custom.metrics.k8s.io/v1beta2";
const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1";

/// Path, status, items.
type Case = (&'static str, u16, usize);

const CUSTOM_CASES: [Case; 11] = [
    ("/blah", 404, 0),
    ("/namespaces/shop/pods/web-0", 404, 0),
    ("/nodes/n1", 404, 0),
    // There it is `metrics/METRIC`; a metric without an object is no path.
    ("/namespaces/shop/carbon_intensity", 400, 0),
    ("/nodes/*/carbon_intensity", 200, 4),
    ("/namespaces/shop/pods/*/carbon_intensity", 200, 16),
    ("/namespaces/shop/metrics/carbon_intensity", 200, 1),
    ("/nodes/*/carbon_intensity?labelSelector=pool%3Dgreen", 200, 2),
    ("/namespaces/shop/pods/*/carbon_intensity?labelSelector=app%3Dweb", 200, 8),
    ("/nodes/n1/carbon_intensity", 200, 1),
    ("/namespaces/shop/pods/web-0/carbon_intensity", 200, 1),
];

const EXTERNAL_CASES: [Case; 7] = [
    ("/grid_carbon_intensity", 404, 0),
    ("/namespaces/shop", 404, 0),
    ("/namespaces/shop/grid_carbon_intensity/more", 404, 0),
    // There an unknown metric is an empty list, on which an autoscaler fails with less to say.
    ("/namespaces/shop/unknown_metric", 404, 0),
    ("/namespaces/shop/grid_carbon_intensity", 200, 2),
    ("/namespaces/shop/grid_carbon_intensity?labelSelector=zone%3DA", 200, 1),
    ("/namespaces/shop/grid_carbon_intensity?labelSelector=zone%20notin%20%28A%2CB%29", 200, 0),
];

async fn check(root: &str, cases: &[Case]) {
    let world = World::start(Adapter::new(&Cluster::shop(), Vec::new())).await;
    for (path, code, items) in cases {
        let reply = world.get(&format!("{root}{path}")).await;
        assert_eq!(reply.code, *code, "{path}: {}", reply.body);
        if *code == 200 {
            assert_eq!(reply.items().len(), *items, "{path}: {}", reply.body);
        } else {
            reply.refusal(*code);
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_of_custom_metrics_have_the_statuses_and_counts_of_others() {
    check(CUSTOM, &CUSTOM_CASES).await;
    check("/apis/custom.metrics.k8s.io/v1beta1", &CUSTOM_CASES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_of_external_metrics_have_the_statuses_and_counts_of_others() {
    check(EXTERNAL, &EXTERNAL_CASES).await;
}
