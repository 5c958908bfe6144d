use kube_sci_cluster::{
    config::ModelConfig,
    index::{Index, ObjectKind},
};
use serde_json::{Value, json};

use super::*;

/// A cluster of one node whose modelled power is accounted for minute by minute, with a pod in the namespace `shop`.
struct Cluster {
    index: Index,
    budgets: Budgets,
    now: Timestamp,
    snapshot: Arc<Snapshot>,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Cluster {
    fn new(start: &str) -> Self {
        let mut cluster = Self {
            index: Index::new(&ModelConfig::default()).unwrap(),
            budgets: Budgets::default(),
            now: at(start),
            snapshot: Arc::default(),
        };
        let amounts = json!({ "cpu": "8", "memory": "32Gi" });
        let node = json!({
            "metadata": { "name": "a", "uid": "a", "annotations": { "kube-sci.dev/grid-zone": "DE" } },
            "status": { "capacity": amounts, "allocatable": amounts },
        });
        let pod = json!({
            "metadata": { "namespace": "shop", "name": "web", "uid": "web" },
            "spec": { "nodeName": "a", "containers": [{ "resources": { "requests": { "cpu": "4" } } }] },
            "status": { "phase": "Running" },
        });
        for kind in ObjectKind::ALL {
            cluster.index.begin_list(kind);
            match kind {
                ObjectKind::Node => {
                    drop(cluster.index.apply_node(&serde_json::from_value(node.clone()).unwrap(), cluster.now));
                }
                ObjectKind::Pod => drop(cluster.index.apply_pod(&serde_json::from_value(pod.clone()).unwrap())),
                ObjectKind::Namespace => {}
            }
            cluster.index.end_list(kind);
        }
        cluster.tick(false);
        cluster
    }

    fn budget(&mut self, status: &Value) {
        let budget = json!({
            "apiVersion": "kube-sci.dev/v1alpha1", "kind": "CarbonBudget",
            "metadata": { "namespace": "shop", "name": "month", "uid": "b", "generation": 1 },
            "spec": { "gramsPerMonth": 100_000 }, "status": status,
        });
        self.budgets.apply(Step::Applied(serde_json::from_value(budget).unwrap()), self.now);
    }

    fn tick(&mut self, leading: bool) {
        self.index.tick(self.now);
        if let Some(snapshot) = self.index.publish(self.now) {
            self.snapshot = snapshot;
        }
        self.budgets.tick(&self.snapshot, leading, self.now);
    }

    fn run(&mut self, minutes: i64, leading: bool) {
        for _ in 0..minutes {
            self.now += jiff::SignedDuration::from_mins(1);
            self.tick(leading);
        }
    }

    fn state(&self) -> Arc<BudgetState> {
        Arc::clone(&self.budgets.states()[0])
    }

    /// What the accounts hold now.
    fn accounted(&self) -> f64 {
        self.snapshot.accounts().workloads().map(|workload| grams(&workload.account)).sum()
    }
}

#[test]
fn what_pods_cause_is_spent() {
    let mut cluster = Cluster::new("2026-01-10T00:00:00Z");
    cluster.run(30, true);
    let before = cluster.accounted();
    assert!(before > 0.0);
    cluster.budget(&json!({}));
    cluster.tick(true);
    cluster.run(24 * 60, true);
    let state = cluster.state();
    // What was before the budget is not in it.
    assert!((state.spent.get() - (cluster.accounted() - before)).abs() < 1e-6, "{state:?}");
    assert_eq!(&*state.month, "2026-01");
    // One day was watched, 20 days and 23.5 hours are left.
    let projected = state.outlook.unwrap().projected.get();
    assert!((projected / state.spent.get() - (1.0 + 20.98)).abs() < 0.1, "{projected} of {state:?}");
}

#[test]
fn a_restart_goes_on_from_the_status() {
    let mut cluster = Cluster::new("2026-01-10T00:00:00Z");
    let status = json!({ "month": "2026-01", "spentGrams": 500.0, "watchedSince": "2026-01-02T00:00:00Z" });
    cluster.budget(&status);
    cluster.tick(true);
    assert!((cluster.state().spent.get() - 500.0).abs() < 1e-9);
    assert_eq!(cluster.state().watched_since, Some(at("2026-01-02T00:00:00Z")));
    cluster.run(30, true);
    assert!(cluster.state().spent.get() > 500.0);
}

#[test]
fn the_status_of_another_month_or_of_nonsense_is_nothing_spent() {
    for status in [
        json!({ "month": "2025-12", "spentGrams": 500.0 }),
        json!({ "month": "2026-01", "spentGrams": -1.0 }),
        json!({ "month": "2026-01" }),
    ] {
        let mut cluster = Cluster::new("2026-01-10T00:00:00Z");
        cluster.budget(&status);
        cluster.tick(true);
        assert!(cluster.state().spent.get().abs() < 1e-9, "{status}");
    }
}

#[test]
fn a_new_month_begins_at_nothing() {
    let mut cluster = Cluster::new("2026-01-31T23:30:00Z");
    cluster.budget(
        &json!({ "month": "2026-01", "spentGrams": 500.0, "factors": [{ "criticality": "Standard", "factor": 0.6 }] }),
    );
    cluster.run(29, true);
    assert!(cluster.state().spent.get() > 500.0);
    cluster.run(2, true);
    let state = cluster.state();
    assert_eq!(&*state.month, "2026-02");
    assert!(state.spent.get() < 100.0, "{state:?}");
    assert_eq!(state.outlook.unwrap().tightening, Tightening::NONE);
}

#[test]
fn who_follows_believes_the_leader_and_goes_on_from_there() {
    let mut cluster = Cluster::new("2026-01-10T00:00:00Z");
    cluster.budget(&json!({}));
    cluster.run(10, false);
    cluster.budget(&json!({ "month": "2026-01", "spentGrams": 9_000.0 }));
    cluster.tick(false);
    assert!((cluster.state().spent.get() - 9_000.0).abs() < 1e-6);
    // The leader is gone: what happens from now on is added.
    cluster.run(10, true);
    let spent = cluster.state().spent.get();
    assert!(spent > 9_000.0);
    // Its own words of a while ago teach it nothing.
    cluster.budget(&json!({ "month": "2026-01", "spentGrams": 9_000.0 }));
    cluster.tick(true);
    assert!((cluster.state().spent.get() - spent).abs() < 1e-6);
}

#[test]
fn an_account_that_was_opened_again_begins_at_zero() {
    let mut cluster = Cluster::new("2026-01-10T00:00:00Z");
    cluster.budget(&json!({}));
    cluster.run(30, true);
    let spent = cluster.state().spent.get();
    let snapshot = Arc::clone(&cluster.snapshot);
    cluster.budgets.workloads.values_mut().for_each(|grams| *grams *= 10.0);
    cluster.budgets.snapshot = Some(Arc::default());
    cluster.budgets.tick(&snapshot, true, cluster.now);
    assert!((cluster.state().spent.get() - spent - cluster.accounted()).abs() < 1e-6, "never less than before");
}

#[test]
fn an_overspent_budget_tightens_in_order_of_criticality() {
    let mut cluster = Cluster::new("2026-01-20T00:00:00Z");
    cluster.budget(&json!({ "month": "2026-01", "spentGrams": 70_000.0, "watchedSince": "2026-01-01T00:00:00Z" }));
    cluster.tick(true);
    let (name, tightening) = cluster.budgets.tightening("shop").unwrap();
    assert_eq!(&*name, "month");
    let [effort, standard, critical] =
        [tightening.best_effort, tightening.standard, tightening.critical].map(GreenFactor::get);
    assert!(effort < standard && standard <= critical, "{tightening:?}");
    assert!(cluster.budgets.tightening("other").is_none());
}

#[test]
fn a_budget_that_cannot_be_meant_tightens_nothing() {
    let mut cluster = Cluster::new("2026-01-20T00:00:00Z");
    let budget = json!({
        "apiVersion": "kube-sci.dev/v1alpha1", "kind": "CarbonBudget",
        "metadata": { "namespace": "shop", "name": "month", "uid": "b" }, "spec": { "gramsPerMonth": -5 },
    });
    cluster.budgets.apply(Step::Applied(serde_json::from_value(budget).unwrap()), cluster.now);
    cluster.tick(true);
    assert!(cluster.budgets.tightening("shop").is_none());
    assert!(cluster.state().spec.is_err());
}

#[test]
fn the_first_budget_of_a_namespace_counts() {
    let mut cluster = Cluster::new("2026-01-20T00:00:00Z");
    cluster.budget(&json!({}));
    let budget = json!({
        "apiVersion": "kube-sci.dev/v1alpha1", "kind": "CarbonBudget",
        "metadata": { "namespace": "shop", "name": "another", "uid": "c" }, "spec": { "gramsPerMonth": 5 },
    });
    cluster.budgets.apply(Step::Applied(serde_json::from_value(budget).unwrap()), cluster.now);
    cluster.tick(true);
    let overruled = |name: &str| {
        cluster.budgets.states().iter().find(|state| &*state.key.name == name).unwrap().overruled_by.clone()
    };
    assert_eq!((overruled("another"), overruled("month").as_deref()), (None, Some("another")));
}
