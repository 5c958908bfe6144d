//! The adapter's answer and its engine without a network: time, allocations, instructions.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::Arc,
    time::{Duration, Instant},
};

use aggregated_apiserver::{ApiRequest, Attributes, ServerMetrics, attributes::path::DecodedPath, user::UserInfo};
use anyhow::{Context as _, ensure};
use arc_swap::ArcSwap;
use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube_sci_cluster::{
    assess::Model,
    config::ModelConfig,
    index::{Index, ObjectKind},
    snapshot::SnapshotHandle,
    wanted::WantedZones,
    watch::Step,
};
use kube_sci_e2e::world::node;
use kube_sci_metrics_adapter::{
    catalogue::Groups,
    engine::{Core, EngineOptions, World},
    policy::GreenScalingPolicy,
    serve::{AdapterApi, Parts, resources::Resources, values::Limits},
    table::{LoadReading, PolicyTable, PolicyTableHandle},
};
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
    scaling::LoadSample,
};
use serde_json::{Value, json};

use super::objects::{self, ADJUSTED_LOAD, INTENSITY, LOAD, NODES, POLICIES, REGION, Workload, ZONE};
use crate::{
    counted,
    figure::{Figure, Goal},
    samples::Samples,
};

/// The argument of the counting programs that asks for the metrics adapter.
pub const ADAPTER: &str = "adapter";

const TICKS: u32 = 200;
const REQUESTS: usize = 20_000;

/// The engine over a still cluster, and the API over what it decides.
pub struct Adapter {
    core: Core,
    model: Model,
    wanted: WantedZones,
    table: PolicyTableHandle,
    api: AdapterApi,
    requests: Vec<ApiRequest>,
}

impl Adapter {
    /// That many workloads with policy, autoscaler, pod and load.
    ///
    /// # Errors
    /// When the benchmark's own objects cannot be read.
    pub fn new(policies: usize) -> anyhow::Result<Self> {
        let model = cluster(policies)?;
        let mut core = Core::new(EngineOptions::default(), model.options.freshness);
        core.budget(Step::Begin, now());
        core.budget(Step::End, now());
        core.policy(Step::Begin, now());
        core.autoscaler(Step::Begin);
        for workload in (0..policies).map(Workload) {
            let policy: GreenScalingPolicy = serde_json::from_value(stored(workload, workload.policy()))?;
            core.policy(Step::Listed(policy), now());
            let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(workload.autoscaler())?;
            core.autoscaler(Step::Listed(autoscaler));
        }
        core.policy(Step::End, now());
        core.autoscaler(Step::End);
        for started in core.started() {
            let sample = LoadSample { value: f64::from(LOAD), at: now() };
            let reading = LoadReading { sample, source: "prometheus/default".into(), warning: None };
            core.load(&started.key, started.revision, Ok(reading), now());
        }
        let (wanted, table) = (WantedZones::default(), PolicyTableHandle::default());
        let parts = Parts {
            model: model.clone(),
            policies: table.clone(),
            resources: Resources::default(),
            wanted: wanted.clone(),
            groups: Arc::new(ArcSwap::from_pointee(Groups::ALL)),
            limits: Limits { freshness: model.options.freshness, energy: SignedDuration::from_mins(3) },
            metrics: ServerMetrics::default(),
            clock: now,
        };
        let requests = (0..policies).map(Workload).map(request).collect::<Result<_, _>>()?;
        let mut this = Self { core, model, wanted, table, api: AdapterApi::new(parts), requests };
        let table = this.tick(now());
        this.table.publish(table);
        this.check()?;
        Ok(this)
    }

    /// Decides everything anew.
    pub fn tick(&mut self, now: Timestamp) -> PolicyTable {
        let snapshot = self.model.snapshot.load_full();
        let learned = self.model.learned.hours();
        self.core.tick(&World { snapshot: &snapshot, learned: &learned, wanted: &self.wanted, leading: true, now })
    }

    /// Answers that many requests, each policy in turn.
    ///
    /// # Errors
    /// Where one is refused.
    pub fn answer_all(&self, requests: usize) -> anyhow::Result<()> {
        self.requests.iter().cycle().take(requests).try_for_each(|request| self.answer(request).map(drop))
    }

    fn answer(&self, request: &ApiRequest) -> anyhow::Result<usize> {
        match self.api.answer(request) {
            Ok(answer) => Ok(answer.body.len()),
            Err(status) => anyhow::bail!("{} is refused: {status:?}", request.attributes.path),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let request = self.requests.first().context("no policy")?;
        let answer = self.api.answer(request).map_err(|status| anyhow::anyhow!("{status:?}"))?;
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let value = answer.pointer("/items/0/value").and_then(Value::as_str);
        ensure!(value == Some(ADJUSTED_LOAD.to_string().as_str()), "the value is {value:?}: {answer}");
        Ok(())
    }
}

impl Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").field("policies", &self.requests.len()).finish_non_exhaustive()
    }
}

/// Time of an answer and of a tick, allocations and, where valgrind is installed, instructions of an answer.
///
/// # Errors
/// When a request is not answered or a helper program fails.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let mut adapter = Adapter::new(POLICIES)?;
    let answers = answers(&adapter)?;
    let ticks = ticks(&mut adapter)?;
    let name = |what: &str| format!("in process, {POLICIES} policies: {what}");
    let arguments = [ADAPTER, &POLICIES.to_string()];
    let mut figures = vec![
        Figure::new(name("answer, p50"), 1e3 * answers.quantile_milliseconds(0.5), "us"),
        Figure::new(name("answer, p99"), 1e3 * answers.quantile_milliseconds(0.99), "us"),
        Figure::new(name("answer, allocations"), counted::allocations(&arguments)?, "per request"),
    ];
    if let Some(instructions) = counted::instructions(&arguments)? {
        figures.push(Figure::new(name("answer, instructions"), instructions, "per request"));
    }
    figures.extend([
        Figure::new(name("engine, all decided anew, p50"), ticks.quantile_milliseconds(0.5), "ms"),
        // It comes four times a second while loads come in.
        Figure::new(name("engine, all decided anew, p99"), ticks.quantile_milliseconds(0.99), "ms")
            .goal(Goal::AtMost(10.0)),
    ]);
    Ok(figures)
}

fn answers(adapter: &Adapter) -> anyhow::Result<Samples> {
    let mut samples = Samples::new()?;
    adapter.answer_all(adapter.requests.len())?;
    for request in adapter.requests.iter().cycle().take(REQUESTS) {
        let started = Instant::now();
        adapter.answer(request)?;
        samples.record(started.elapsed());
    }
    Ok(samples)
}

fn ticks(adapter: &mut Adapter) -> anyhow::Result<Samples> {
    let mut samples = Samples::new()?;
    for number in 0..TICKS {
        let at = now() + Duration::from_millis(250) * number;
        let started = Instant::now();
        let table = adapter.tick(at);
        adapter.table.publish(table);
        samples.record(started.elapsed());
    }
    Ok(samples)
}

/// The instant that the adapter lives in.
fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 56)
}

fn cluster(policies: usize) -> anyhow::Result<Model> {
    let config = ModelConfig::default();
    let mut index = Index::new(&config)?;
    index.keep_directory();
    let start = now() - SignedDuration::from_mins(1);
    for kind in ObjectKind::ALL {
        index.begin_list(kind);
    }
    for number in 0..NODES {
        let node = node(objects::node_name(number)).aws(REGION, "m5.xlarge").build();
        index.apply_node(&serde_json::from_value(serde_json::to_value(node)?)?, start);
    }
    for workload in (0..policies).map(Workload) {
        let mut pod = stored(workload, workload.pod());
        if let Some(pod) = pod.as_object_mut() {
            pod.insert("status".to_owned(), json!({ "phase": "Running" }));
        }
        index.apply_pod(&serde_json::from_value(pod)?);
    }
    let slot = Slot { start, duration: Duration::from_hours(1), value: GramsPerKwh::new(INTENSITY)? };
    let series = Series::new(Zone::new(ZONE)?, Signal::default(), Quality::Estimated, "file", vec![slot])?;
    index.replace_series(0, vec![series], start);
    for kind in ObjectKind::ALL {
        index.end_list(kind);
    }
    index.evaluate_zones(now());
    let snapshot = index.publish(now()).context("publish")?;
    Ok(Model::new(SnapshotHandle::new(snapshot), &config))
}

/// An object as the API server gives it back.
fn stored(workload: Workload, mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("uid".to_owned(), json!(format!("00000000-0000-4000-8000-{:012x}", workload.0)));
        metadata.insert("generation".to_owned(), json!(1));
    }
    object
}

fn request(workload: Workload) -> anyhow::Result<ApiRequest> {
    let path = DecodedPath::parse(&workload.path())?;
    let user = UserInfo {
        name: "system:serviceaccount:kube-system:horizontal-pod-autoscaler".to_owned(),
        uid: String::new(),
        groups: Vec::new(),
        extra: BTreeMap::new(),
    };
    Ok(ApiRequest {
        user: Arc::new(user),
        attributes: Attributes::derive(&Method::GET, path, &[])?,
        method: Method::GET,
        query: Vec::new(),
        headers: HeaderMap::new(),
        body: bytes::Bytes::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_answered_and_decided() {
        let mut adapter = Adapter::new(20).unwrap();
        adapter.answer_all(40).unwrap();
        let table = adapter.tick(now());
        assert_eq!((table.len(), table.synced), (20, true));
    }
}
