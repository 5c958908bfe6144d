//! The tasks of the program, each with its heartbeat.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::Context;
use jiff::Timestamp;
use kube::Client;
use kube_sci_cluster::{
    assess::Model,
    events::{Events, Note, Reporter},
    observer::{ObserverHooks, task},
    wanted::WantedZones,
};
use kube_sci_report::observer::ObservedMetrics;
use kube_sci_server::{http::Shared, supervise::Supervisor};
use tokio::sync::mpsc;

use crate::{
    config::{AdapterConfig, EventsConfig, LoadsConfig},
    engine::{self, EngineParts, MissingKinds},
    keda,
    lease::{Elector, Leadership, LeaseOptions},
    load::LoadClients,
    metrics::{engine::EngineCounters, writing::WritingCounters},
    ownership::{Look, Ownership},
    serve::resources::Resources,
    status::{REPORTER, StatusOptions, StatusWriter},
    table::PolicyTableHandle,
};

/// A task that says nothing for this long makes the adapter not ready.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// Events that may wait; more are dropped and counted.
const EVENTS_IN_FLIGHT: usize = 256;
/// Where a pod finds its namespace.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const DEFAULT_NAMESPACE: &str = "kube-sci";

/// What most tasks need.
pub(super) struct Tasks<'a> {
    pub supervisor: &'a mut Supervisor,
    pub config: &'a AdapterConfig,
    pub shared: &'a Shared,
    pub client: &'a Client,
    pub policies: &'a PolicyTableHandle,
    pub counters: Arc<WritingCounters>,
}

impl Tasks<'_> {
    pub(super) fn engine(
        &mut self,
        model: &Model,
        wanted: &WantedZones,
        leadership: &Leadership,
    ) -> anyhow::Result<()> {
        let LoadsConfig { prometheus, pod_ca_file } = &self.config.loads;
        let loads = LoadClients::new(self.client.clone(), prometheus, pod_ca_file.as_ref()).context("read loads")?;
        let gate = self.shared.health.gate("policies");
        let (leadership, missing) = (leadership.clone(), MissingKinds::default());
        let shown = missing.clone();
        self.shared.health.note("kinds", move || shown.detail());
        let parts = EngineParts {
            client: self.client.clone(),
            model: model.clone(),
            wanted: wanted.clone(),
            loads,
            table: self.policies.clone(),
            leading: Arc::new(move || leadership.leads()),
            missing,
            metrics: EngineCounters::register(&self.shared.registry, self.policies.clone(), gate),
            heartbeat: heartbeats(self.shared, &engine::task::ALL),
            clock: Arc::new(Timestamp::now),
        };
        for task in engine::tasks(parts, self.config.engine()) {
            self.supervisor.spawn(task.name, task.future);
        }
        Ok(())
    }

    /// Whether this replica writes.
    pub(super) fn election(&mut self) -> Leadership {
        let config = &self.config.leader_election;
        if !config.enabled {
            return Leadership::always();
        }
        let options = LeaseOptions {
            namespace: config.namespace.clone().unwrap_or_else(own_namespace),
            name: config.name.clone(),
            identity: instance(),
            duration: config.lease_duration.get(),
        };
        let elector = Elector::new(self.client.clone(), options);
        let leadership = elector.leadership();
        let heartbeat = self.shared.health.register("lease", MAX_SILENCE);
        self.supervisor.spawn_graceful("lease", |stop| elector.run(Timestamp::now, move || heartbeat.beat(), stop));
        leadership
    }

    /// Where events go, if they are wanted.
    pub(super) fn events(&mut self) -> Option<mpsc::Sender<Note>> {
        let EventsConfig { enabled, max_per_second } = self.config.events;
        if !enabled {
            return None;
        }
        let (sender, notes) = mpsc::channel(EVENTS_IN_FLIGHT);
        let events = Events::new(self.client.clone(), Reporter { controller: REPORTER, instance: instance() });
        let heartbeat = self.shared.health.register("events", MAX_SILENCE);
        let counters = Arc::clone(&self.counters);
        let outcome = move |written| counters.event(if written { "sent" } else { "failed" });
        self.supervisor.spawn("events", events.run(max_per_second, notes, Some, outcome, move || heartbeat.beat()));
        Some(sender)
    }

    pub(super) fn statuses(&mut self, leadership: &Leadership, events: Option<mpsc::Sender<Note>>) {
        let writer = StatusWriter::new(StatusOptions {
            client: self.client.clone(),
            table: self.policies.clone(),
            leadership: leadership.clone(),
            events,
            metrics: Arc::clone(&self.counters) as _,
            clock: Arc::new(Timestamp::now),
        });
        let heartbeat = self.shared.health.register("statuses", MAX_SILENCE);
        self.supervisor.spawn("statuses", writer.run(move || heartbeat.beat()));
    }

    pub(super) fn ownership(
        &mut self,
        ownership: &Ownership,
        leadership: &Leadership,
        events: Option<mpsc::Sender<Note>>,
    ) {
        let shown = ownership.clone();
        self.shared.health.note("apis", move || shown.detail());
        let heartbeat = self.shared.health.register("ownership", MAX_SILENCE);
        let (leadership, counters) = (leadership.clone(), Arc::clone(&self.counters));
        let tell = move |look: &Look| {
            let Some(events) = events.as_ref().filter(|_| leadership.leads()) else { return };
            for note in look.notes(Timestamp::now()) {
                if events.try_send(note).is_err() {
                    counters.event("dropped");
                }
            }
        };
        let own = self.config.api.service.clone();
        let task = ownership.clone().run(self.client.clone(), own, move || heartbeat.beat(), tell);
        self.supervisor.spawn("ownership", task);
    }

    pub(super) fn discovery(&mut self, resources: &Resources) {
        let heartbeat = self.shared.health.register("discovery", MAX_SILENCE);
        self.supervisor.spawn("discovery", resources.clone().run(self.client.clone(), move || heartbeat.beat()));
    }

    pub(super) fn keda(&mut self) -> anyhow::Result<()> {
        let Some(address) = self.config.keda.address else { return Ok(()) };
        let bound = keda::bind(address, self.policies.clone());
        let (addresses, server) = bound.with_context(|| format!("listen on keda.address {address}"))?;
        tracing::info!(?addresses, "listening for KEDA, without authentication");
        self.supervisor.spawn_graceful("keda", |stop| keda::serve(server, stop));
        Ok(())
    }
}

pub(super) fn observer_hooks(shared: &Shared, wanted: WantedZones) -> ObserverHooks {
    ObserverHooks {
        metrics: ObservedMetrics::register(&shared.registry, shared.health.gate("first-list")),
        heartbeat: heartbeats(shared, &task::ALL),
        directory: true,
        wanted,
        ..ObserverHooks::default()
    }
}

fn heartbeats(shared: &Shared, tasks: &[&'static str]) -> Arc<dyn Fn(&'static str) + Send + Sync> {
    let heartbeats: HashMap<&'static str, _> =
        tasks.iter().map(|&name| (name, shared.health.register(name, MAX_SILENCE))).collect();
    Arc::new(move |name| {
        if let Some(heartbeat) = heartbeats.get(name) {
            heartbeat.beat();
        }
    })
}

/// The name of this replica: its pod's. Outside of pods the process tells replicas on one machine apart.
fn instance() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| super::SERVICE_NAME.to_owned());
    format!("{host}-{}", std::process::id())
}

fn own_namespace() -> String {
    let read = std::fs::read_to_string(NAMESPACE_FILE).ok();
    read.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}
