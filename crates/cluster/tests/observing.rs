//! The observer against an API server that misbehaves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use kube_sci_cluster::{
    assess::Model,
    assumptions::Confirmation,
    config::ModelConfig,
    index::ObjectKind,
    observer::{Observer, ObserverHooks, ObserverMetrics, PodBound, Published, task},
    snapshot::Snapshot,
};
use sci_core::node::PodDemand;
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    fake_api::FakeApi,
    fixtures::{config, namespace_json, node_json, noon, pod_json, uid},
};

/// Whatever is waited for, happens in this time or never.
pub async fn in_time<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("it did not happen in time")
}

/// Counts notices by name and wakes whoever waits for one.
pub struct Notices {
    counts: Mutex<HashMap<&'static str, u64>>,
    changed: watch::Sender<()>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { counts: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

impl Notices {
    fn note(&self, name: &'static str) {
        *self.counts.lock().unwrap().entry(name).or_default() += 1;
        self.changed.send_replace(());
    }

    pub fn count(&self, name: &str) -> u64 {
        self.counts.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

impl ObserverMetrics for Notices {
    fn malformed(&self, _: ObjectKind) {
        self.note("malformed");
    }
    fn relisted(&self, _: ObjectKind) {
        self.note("relisted");
    }
    fn watch_failed(&self, _: ObjectKind) {
        self.note("watch_failed");
    }
    fn annotation_refused(&self, _: &'static str) {
        self.note("annotation_refused");
    }
    fn published(&self, _: &Published) {
        self.note("published");
    }
    fn rows_refused(&self, _: &str, _: usize) {
        self.note("rows_refused");
    }
    fn bound_dropped(&self) {
        self.note("bound_dropped");
    }
}

/// A running observer.
pub struct Running {
    pub model: Model,
    pub notices: Arc<Notices>,
    _tasks: JoinSet<()>,
}

impl Running {
    pub fn start(api: &FakeApi, config: &ModelConfig, bound: Option<mpsc::Sender<PodBound>>) -> Self {
        let notices = Arc::new(Notices::default());
        let metrics: Arc<dyn ObserverMetrics> = notices.clone();
        let hooks = ObserverHooks { metrics, bound, clock: Arc::new(noon), ..ObserverHooks::default() };
        let observer = Observer::start(&api.client, config, hooks).unwrap();
        assert_eq!(observer.tasks.iter().map(|task| task.name).collect::<Vec<_>>(), task::ALL);
        let mut tasks = JoinSet::new();
        for task in observer.tasks {
            tasks.spawn(task.future);
        }
        Self { model: observer.model, notices, _tasks: tasks }
    }

    /// Waits until the published snapshot is as wanted.
    pub async fn until(&self, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        self.until_noticed(|_| wanted(&self.model.snapshot.load())).await;
        self.model.snapshot.load_full()
    }

    pub async fn until_noticed(&self, wanted: impl Fn(&Notices) -> bool) {
        let mut changed = self.notices.changed.subscribe();
        in_time(async {
            while !wanted(&self.notices) {
                changed.changed().await.unwrap();
            }
        })
        .await;
    }
}

fn start(api: &FakeApi) -> Running {
    Running::start(api, &ModelConfig::default(), None)
}

fn cpu_on(snapshot: &Snapshot, node: &str) -> Option<f64> {
    snapshot.node_named(node).map(|node| node.load.requested.cpu.get())
}

#[tokio::test]
async fn a_cluster_is_listed_in_pages_and_then_followed() {
    let mut api = FakeApi::start();
    api.nodes.page(&[node_json("a", "DE")], "more");
    api.nodes.list(&[node_json("b", "FR")]);
    api.pods.list(&[pod_json("p", "a", "500m")]);
    api.namespaces.list(&[namespace_json("quiet", true), namespace_json("default", false)]);
    let running = start(&api);
    let snapshot = running.until(Snapshot::synced).await;
    assert_eq!(snapshot.node_count(), 2);
    assert_eq!(cpu_on(&snapshot, "a"), Some(0.5));
    assert!(snapshot.namespace_opted_out("quiet") && !snapshot.namespace_opted_out("default"));
    assert!(api.nodes.request().await.contains("limit=500"));
    assert!(api.nodes.request().await.contains("continue=more"));

    api.nodes.watch(&[("ADDED", node_json("c", "PL")), ("DELETED", node_json("b", "FR"))]);
    api.pods.watch(&[("ADDED", pod_json("q", "c", "2")), ("DELETED", pod_json("p", "a", "500m"))]);
    api.namespaces.watch(&[("MODIFIED", namespace_json("quiet", false))]);
    let snapshot =
        running.until(|snapshot| cpu_on(snapshot, "c") == Some(2.0) && cpu_on(snapshot, "a") == Some(0.0)).await;
    assert_eq!(cpu_on(&snapshot, "b"), None);
    running.until(|snapshot| !snapshot.namespace_opted_out("quiet")).await;
}

#[tokio::test]
async fn nothing_is_synced_before_every_kind_was_listed() {
    let api = FakeApi::start();
    api.nodes.list(&[node_json("a", "DE")]);
    FakeApi::list_nothing(&[&api.namespaces]);
    let running = start(&api);
    let snapshot = running.until(|snapshot| snapshot.node_count() == 1).await;
    assert!(!snapshot.synced());
    FakeApi::list_nothing(&[&api.pods]);
    running.until(Snapshot::synced).await;
}

#[tokio::test]
async fn a_malformed_object_is_skipped_and_what_was_known_of_it_stays() {
    let api = FakeApi::start();
    let mut bad = node_json("bad", "DE");
    bad["status"]["capacity"]["cpu"] = json!("lots");
    api.nodes.list(&[bad.clone(), node_json("good", "DE")]);
    FakeApi::list_nothing(&[&api.pods, &api.namespaces]);
    let running = start(&api);
    let snapshot = running.until(Snapshot::synced).await;
    assert!(snapshot.slot("bad").is_none() && snapshot.slot("good").is_some());
    assert_eq!(running.notices.count("malformed"), 1);

    let mut turned_bad = bad;
    turned_bad["metadata"]["name"] = json!("good");
    api.nodes.watch(&[("MODIFIED", turned_bad.clone())]);
    api.nodes.gone();
    api.nodes.list(&[turned_bad, node_json("new", "DE")]);
    let snapshot = running.until(|snapshot| snapshot.slot("new").is_some()).await;
    assert!(snapshot.slot("good").is_some(), "a list that names it keeps it");
    assert_eq!(running.notices.count("malformed"), 3);
}

#[tokio::test]
async fn after_410_gone_everything_is_listed_again_and_the_vanished_are_removed() {
    let api = FakeApi::start();
    api.nodes.list(&[node_json("a", "DE"), node_json("b", "DE")]);
    api.pods.list(&[pod_json("p", "a", "1"), pod_json("q", "a", "2")]);
    FakeApi::list_nothing(&[&api.namespaces]);
    let running = start(&api);
    running.until(Snapshot::synced).await;
    api.nodes.gone();
    api.nodes.list(&[node_json("a", "DE")]);
    api.pods.gone();
    api.pods.list(&[pod_json("q", "a", "2")]);
    let snapshot = running.until(|snapshot| snapshot.node_count() == 1 && cpu_on(snapshot, "a") == Some(2.0)).await;
    assert!(snapshot.synced(), "a second list does not make the first undone");
    assert_eq!(running.notices.count("relisted"), 5);
}

#[tokio::test]
async fn a_broken_watch_is_resumed_where_it_ended() {
    let mut api = FakeApi::start();
    api.nodes.list(&[node_json("a", "DE")]);
    FakeApi::list_nothing(&[&api.pods, &api.namespaces]);
    let running = start(&api);
    running.until(Snapshot::synced).await;
    let mut newer = node_json("b", "DE");
    newer["metadata"]["resourceVersion"] = json!("7");
    api.nodes.watch(&[("ADDED", newer)]);
    api.nodes.fail_watch(StatusCode::NOT_FOUND);
    api.nodes.watch(&[("ADDED", node_json("c", "DE"))]);
    running.until(|snapshot| snapshot.node_count() == 3).await;
    assert_eq!((running.notices.count("watch_failed"), running.notices.count("relisted")), (1, 3));
    let mut versions = Vec::new();
    for _ in 0..4 {
        let query = api.nodes.request().await;
        versions.extend(query.split('&').find_map(|part| part.strip_prefix("resourceVersion=")).map(str::to_owned));
    }
    assert_eq!(versions, ["1", "7", "7"]);
}

#[tokio::test]
async fn a_refused_list_is_tried_again() {
    let api = FakeApi::start();
    api.nodes.fail_list(StatusCode::FORBIDDEN);
    api.nodes.list(&[node_json("a", "DE")]);
    FakeApi::list_nothing(&[&api.pods, &api.namespaces]);
    let running = start(&api);
    let snapshot = running.until(Snapshot::synced).await;
    assert_eq!(snapshot.node_count(), 1);
    assert_eq!(running.notices.count("watch_failed"), 1);
}

#[tokio::test]
async fn a_heartbeat_of_a_node_publishes_nothing_and_a_bad_annotation_is_told_once() {
    let api = FakeApi::start();
    let bad = node_json("a", "no such zone");
    api.nodes.list(std::slice::from_ref(&bad));
    FakeApi::list_nothing(&[&api.pods, &api.namespaces]);
    let running = start(&api);
    let before = running.until(Snapshot::synced).await;
    api.nodes.watch(&[("MODIFIED", bad.clone()), ("MODIFIED", bad)]);
    api.nodes.watch(&[("ADDED", node_json("b", "DE"))]);
    let after = running.until(|snapshot| snapshot.node_count() == 2).await;
    assert_eq!(after.generation(), before.generation() + 1);
    assert_eq!(running.notices.count("annotation_refused"), 1);
}

#[tokio::test]
async fn a_bound_pod_is_announced_and_ends_its_assumption() {
    let api = FakeApi::start();
    api.nodes.list(&[node_json("a", "DE"), node_json("b", "DE")]);
    api.pods.list(&[pod_json("old", "a", "1")]);
    FakeApi::list_nothing(&[&api.namespaces]);
    let (sender, mut bound) = mpsc::channel(8);
    let running = Running::start(&api, &ModelConfig::default(), Some(sender));
    let snapshot = running.until(Snapshot::synced).await;
    let slot = snapshot.slot("b").unwrap();
    let assumptions = &running.model.assumptions;
    assumptions.assume(uid("right"), &PodDemand::default(), &[(slot, 1.0)], noon());
    assumptions.assume(uid("deleted"), &PodDemand::default(), &[(slot, 1.0)], noon());

    api.pods.watch(&[
        ("DELETED", pod_json("deleted", "", "1")),
        ("MODIFIED", pod_json("right", "b", "1")),
        ("MODIFIED", pod_json("stray", "b", "1")),
    ]);
    let first = in_time(bound.recv()).await.unwrap();
    let expected = PodBound {
        namespace: "default".into(),
        name: "right".into(),
        uid: "uid-right".into(),
        node: "b".into(),
        confirmation: Confirmation::AsAssumed,
    };
    assert_eq!(first, expected, "pods from before the first list are no news");
    assert!(cpu_on(&running.model.snapshot.load(), "b") >= Some(1.0), "the snapshot came first");
    assert_eq!(in_time(bound.recv()).await.unwrap().confirmation, Confirmation::Unknown);
    assert!(assumptions.load().is_empty());
}

#[tokio::test]
async fn a_pod_that_is_assumed_after_it_was_seen_does_not_count_twice() {
    let api = FakeApi::start();
    api.nodes.list(&[node_json("a", "DE")]);
    api.pods.list(&[pod_json("seen", "a", "1")]);
    FakeApi::list_nothing(&[&api.namespaces]);
    let running = start(&api);
    let slot = running.until(Snapshot::synced).await.slot("a").unwrap();
    let assumptions = &running.model.assumptions;
    for name in ["seen", "on-its-way"] {
        assert!(assumptions.assume(uid(name), &PodDemand::default(), &[(slot, 1.0)], noon()));
    }
    in_time(async {
        while assumptions.load().len() != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(assumptions.confirm(uid("on-its-way"), slot), Confirmation::AsAssumed);
}

#[tokio::test]
async fn notices_that_nobody_takes_are_dropped_and_counted() {
    let api = FakeApi::start();
    FakeApi::list_nothing(&[&api.nodes, &api.pods, &api.namespaces]);
    let (sender, _bound) = mpsc::channel(1);
    let running = Running::start(&api, &ModelConfig::default(), Some(sender));
    running.until(Snapshot::synced).await;
    api.pods.watch(&[("ADDED", pod_json("p", "a", "1")), ("ADDED", pod_json("q", "a", "1"))]);
    running.until_noticed(|notices| notices.count("bound_dropped") == 1).await;
}

#[tokio::test]
async fn a_changed_grid_file_reaches_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.csv");
    let content = |value: u32| format!("zone,start,value\nHQ,2026-01-31T12:00:00Z,{value}\n");
    std::fs::write(&path, content(100)).unwrap();
    let api = FakeApi::start();
    api.nodes.list(&[node_json("a", "HQ")]);
    FakeApi::list_nothing(&[&api.pods, &api.namespaces]);
    let config = config(&json!({ "grid": { "files": [{ "path": path }], "pollInterval": "100ms" } }));
    let running = Running::start(&api, &config, None);
    let value = |snapshot: &Snapshot| {
        let index = snapshot.node_named("a")?.identity.zone_index?;
        Some(snapshot.zone(index)?.value.as_ref().ok()?.reading.value.get())
    };
    let snapshot = running.until(Snapshot::synced).await;
    assert_eq!(value(&snapshot), Some(100.0), "the first snapshot waits for the file");

    std::fs::write(folder.path().join("next"), content(50) + "HQ,2026-01-31T13:00:00Z,-1\n").unwrap();
    std::fs::rename(folder.path().join("next"), &path).unwrap();
    running.until(|snapshot| value(snapshot) == Some(50.0)).await;
    assert_eq!(running.notices.count("rows_refused"), 1);
}
