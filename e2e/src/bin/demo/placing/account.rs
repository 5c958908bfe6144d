//! What a placement costs, by the model that the extender uses.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube_sci_cluster::{
    assess::{AssessOptions, PodSubject, View, assess_named},
    assumptions::Assumptions,
    config::ModelConfig,
    index::{Index, ObjectKind},
    objects::{NodeView, PodUid, PodView},
};
use sci_core::intensity::Series;
use serde::{Serialize, de::DeserializeOwned};

/// One placement of all pods.
#[derive(Debug, Default)]
pub struct Account {
    /// All pods together.
    pub grams_per_hour: f64,
    /// Reference work that they get done per hour, in core-hours.
    pub core_hours: f64,
    /// Pods of each node.
    pub pods: BTreeMap<String, usize>,
    /// Watts of each node with all pods, by its power curve.
    pub watts: BTreeMap<String, f64>,
}

/// Adds up the marginal footprints of the pods in the order in which the scheduler bound them; `grid` is what the grid's
/// APIs say, in place of annual averages.
///
/// Each pod is charged on the node as it was when the pod came: differences of the power curve add up to the power
/// that the whole placement draws beyond idle, and the first pod of an empty node pays for waking it.
pub fn settle(
    config: &ModelConfig,
    grid: &[Series],
    nodes: &[Node],
    pods: &[Pod],
    now: Timestamp,
) -> anyhow::Result<Account> {
    let mut index = Index::new(config)?;
    for kind in ObjectKind::ALL {
        index.begin_list(kind);
        index.end_list(kind);
    }
    for node in nodes {
        index.apply_node(&view::<_, NodeView>(node)?, now);
    }
    index.replace_series(0, grid.to_vec(), now);
    let assumptions = Assumptions::new(config.score.assume_for.get());
    let ledger = assumptions.load();
    let options = AssessOptions::new(config);

    let mut account = Account::default();
    let mut snapshot = index.publish(now).context("publish the empty cluster")?;
    for pod in in_order_of_binding(pods) {
        let pod_view: PodView = view(pod)?;
        let name = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).context("a pod is not bound")?;
        let uid = PodUid::new(pod.metadata.uid.as_deref().unwrap_or_default());
        let demand = pod_view.spec.requests(&config.score.default_requests()).demand();
        let view = View { snapshot: &snapshot, ledger: &ledger, now, options: &options };
        let assessment = assess_named(&view, name, &PodSubject::new(uid, demand));
        let footprint = assessment.footprint.with_context(|| format!("footprint on {name}"))?;
        account.grams_per_hour += footprint.total.get();
        let node = assessment.node.with_context(|| format!("{name} is not known"))?;
        account.core_hours += demand.cpu.get() * node.identity.hardware.relative_performance.get();
        *account.pods.entry(name.to_owned()).or_default() += 1;
        index.apply_pod(&pod_view);
        snapshot = index.publish(now).context("publish a bound pod")?;
    }
    account.watts = snapshot.nodes().map(|(_, node)| (node.name.to_string(), node.power().watts.get())).collect();
    Ok(account)
}

fn in_order_of_binding(pods: &[Pod]) -> Vec<&Pod> {
    let bound_at = |pod: &Pod| {
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let mut scheduled = conditions.filter(|condition| condition.type_ == "PodScheduled");
        scheduled.next().and_then(|condition| condition.last_transition_time.as_ref()).map(|time| time.0)
    };
    let mut ordered: Vec<&Pod> = pods.iter().collect();
    ordered.sort_by_cached_key(|pod| (bound_at(pod), pod.metadata.name.clone()));
    ordered
}

fn view<T: Serialize, V: DeserializeOwned>(object: &T) -> anyhow::Result<V> {
    serde_json::from_value(serde_json::to_value(object)?).context("read an object of the cluster")
}
