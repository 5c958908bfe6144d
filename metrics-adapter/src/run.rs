use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use actix_web::web;
use aggregated_apiserver::{Api, Delegation, Limits as ServerLimits, Server, ServerMetrics, ServerOptions};
use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube_sci_cluster::{
    assess::Model,
    config::EnergyConfig,
    observer::{Observer, ObserverHooks, task},
    wanted::WantedZones,
};
use kube_sci_report::{export, observer::ObservedMetrics, snapshot};
use kube_sci_server::{
    health::{Gate, Health},
    http::{self, Shared},
    metrics::MetricsRegistry,
    supervise::Supervisor,
    telemetry::Telemetry,
};
use tokio_util::sync::CancellationToken;

use crate::{
    certificates,
    config::{AdapterConfig, ApiConfig, LoadsConfig},
    engine::{self, EngineParts},
    keda,
    load::LoadClients,
    metrics::{self, engine::EngineCounters},
    ownership::Ownership,
    routes,
    serve::{AdapterApi, Parts, resources::Resources, values::Limits},
    table::PolicyTableHandle,
};

/// How the adapter calls itself in traces and metrics.
pub const SERVICE_NAME: &str = "kube-sci-metrics-adapter";

/// A task that says nothing for this long makes the adapter not ready.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// Energy is accounted for every minute where no meter answers.
const LEAST_ENERGY_STALE: SignedDuration = SignedDuration::from_mins(3);
/// After the signal to stop the API goes on for a moment, until nobody is sent here any more.
const DRAIN: Duration = Duration::from_secs(3);

/// Runs the adapter until `stop` resolves, or a task ends.
///
/// # Errors
/// Whatever keeps it from starting, or made it stop.
pub async fn run(
    config: AdapterConfig,
    client: Client,
    telemetry: Telemetry,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let registry = MetricsRegistry::new(SERVICE_NAME, env!("CARGO_PKG_VERSION"));
    let shared = Shared { health: Health::default(), registry, telemetry };
    let mut supervisor = Supervisor::new(config.server.shutdown_grace());

    let wanted = WantedZones::default();
    let hooks = observer_hooks(&shared, wanted.clone());
    let observer = Observer::start(&client, &config.model(), hooks).context("read the configuration of the model")?;
    for task in observer.tasks {
        supervisor.spawn(task.name, task.future);
    }
    let model = observer.model;
    let policies = PolicyTableHandle::default();
    spawn_engine(&mut supervisor, &config, &shared, &client, (&model, &wanted, &policies))?;

    let ownership = Ownership::new(config.api.groups());
    spawn_ownership(&mut supervisor, &config.api, &shared, &client, &ownership);
    let resources = Resources::default();
    let heartbeat = shared.health.register("discovery", MAX_SILENCE);
    supervisor.spawn("discovery", resources.clone().run(client.clone(), move || heartbeat.beat()));

    let server_metrics = ServerMetrics::default();
    let parts = Parts {
        model: model.clone(),
        policies: policies.clone(),
        resources,
        wanted,
        groups: ownership.groups(),
        limits: limits(&config.energy, &model),
        metrics: server_metrics.clone(),
        clock: Timestamp::now,
    };
    register_metrics(&shared.registry, &model, &policies, &ownership, &server_metrics);
    let options = server_options(&config, &client, server_metrics);
    let gate = shared.health.gate("delegation");
    supervisor.spawn_graceful("api", |stop| serve_api(options, Arc::new(AdapterApi::new(parts)), gate, stop));
    spawn_keda(&mut supervisor, &config, &policies)?;

    let state = web::Data::new(routes::State { model, clock: Timestamp::now });
    let configure = move |app: &mut web::ServiceConfig| {
        app.app_data(state.clone());
        routes::configure(app);
    };
    let server = http::serve(&config.server, &shared, configure).context("start the server")?;
    tracing::info!(addresses = ?server.addresses(), mode = config.mode.as_str(), "listening for probes and metrics");
    supervisor.run(server, &shared, stop).await.context("run the metrics adapter")
}

fn observer_hooks(shared: &Shared, wanted: WantedZones) -> ObserverHooks {
    ObserverHooks {
        metrics: ObservedMetrics::register(&shared.registry, shared.health.gate("first-list")),
        heartbeat: heartbeats(shared, &task::ALL),
        directory: true,
        wanted,
        ..ObserverHooks::default()
    }
}

fn spawn_engine(
    supervisor: &mut Supervisor,
    config: &AdapterConfig,
    shared: &Shared,
    client: &Client,
    (model, wanted, policies): (&Model, &WantedZones, &PolicyTableHandle),
) -> anyhow::Result<()> {
    let LoadsConfig { prometheus, pod_ca_file } = &config.loads;
    let loads = LoadClients::new(client.clone(), prometheus, pod_ca_file.as_ref()).context("read loads")?;
    let gate = shared.health.gate("policies");
    let parts = EngineParts {
        client: client.clone(),
        model: model.clone(),
        wanted: wanted.clone(),
        loads,
        table: policies.clone(),
        leading: Arc::new(|| true),
        metrics: EngineCounters::register(&shared.registry, policies.clone(), gate),
        heartbeat: heartbeats(shared, &engine::task::ALL),
        clock: Arc::new(Timestamp::now),
    };
    for task in engine::tasks(parts, config.engine()) {
        supervisor.spawn(task.name, task.future);
    }
    Ok(())
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

fn spawn_ownership(
    supervisor: &mut Supervisor,
    api: &ApiConfig,
    shared: &Shared,
    client: &Client,
    ownership: &Ownership,
) {
    let shown = ownership.clone();
    shared.health.note("apis", move || shown.detail());
    let heartbeat = shared.health.register("ownership", MAX_SILENCE);
    let task = ownership.clone().run(client.clone(), api.service.clone(), move || heartbeat.beat(), |_| ());
    supervisor.spawn("ownership", task);
}

fn spawn_keda(supervisor: &mut Supervisor, config: &AdapterConfig, policies: &PolicyTableHandle) -> anyhow::Result<()> {
    let Some(address) = config.keda.address else { return Ok(()) };
    let bound = keda::bind(address, policies.clone());
    let (addresses, server) = bound.with_context(|| format!("listen on keda.address {address}"))?;
    tracing::info!(?addresses, "listening for KEDA, without authentication");
    supervisor.spawn_graceful("keda", |stop| keda::serve(server, stop));
    Ok(())
}

/// Every metric that is read from memory or counted by the aggregated API server.
pub fn register_metrics(
    registry: &MetricsRegistry,
    model: &Model,
    policies: &PolicyTableHandle,
    ownership: &Ownership,
    server: &ServerMetrics,
) {
    snapshot::register(registry, model, Timestamp::now);
    export::register(registry, model, Timestamp::now);
    metrics::policies::register(registry, policies, Timestamp::now);
    metrics::apis::register(registry, ownership);
    server.register(&mut metrics::Sink(registry));
}

fn limits(energy: &EnergyConfig, model: &Model) -> Limits {
    let configured = SignedDuration::try_from(energy.stale_after.get()).unwrap_or(SignedDuration::MAX);
    Limits { freshness: model.options.freshness, energy: configured.max(LEAST_ENERGY_STALE) }
}

fn server_options(config: &AdapterConfig, client: &Client, metrics: ServerMetrics) -> ServerOptions {
    let api = &config.api;
    let delegation = Delegation {
        timeout: api.delegation.timeout.get(),
        token_ttl: api.delegation.token_ttl.get(),
        allowed_ttl: api.delegation.allowed_ttl.get(),
        denied_ttl: api.delegation.denied_ttl.get(),
        ..Delegation::new(client.clone())
    };
    // The supervisor waits for tasks a little less long than the whole grace period.
    let grace = config.server.shutdown_grace().mul_f64(0.8);
    let drain = DRAIN.min(grace / 2);
    ServerOptions {
        limits: ServerLimits {
            connections: api.limits.connections,
            in_flight: api.limits.in_flight,
            request_time: api.limits.request_timeout.get(),
            drain,
            grace: grace.saturating_sub(drain),
            ..ServerLimits::default()
        },
        metrics,
        version: concat!("v", env!("CARGO_PKG_VERSION")).to_owned(),
        ..ServerOptions::new(api.address, certificates::serving(api, client), delegation)
    }
}

/// The gate opens once certificate and authentication configuration are there.
async fn serve_api(
    options: ServerOptions,
    api: Arc<dyn Api>,
    gate: Gate,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let bound = tokio::select! {
        bound = Server::bind(options, api) => bound.context("start the API server")?,
        () = stop.cancelled() => return Ok(()),
    };
    tracing::info!(addresses = ?bound.addresses(), "serving the metrics APIs");
    gate.open();
    bound.run(stop).await.context("serve the metrics APIs")
}
