mod api;
mod tasks;

use std::{future::Future, sync::Arc};

use actix_web::web;
use aggregated_apiserver::ServerMetrics;
use anyhow::Context;
use jiff::Timestamp;
use kube::Client;
use kube_sci_cluster::{assess::Model, observer::Observer, wanted::WantedZones};
use kube_sci_report::{export, snapshot};
use kube_sci_server::{
    health::Health,
    http::{self, Shared},
    metrics::MetricsRegistry,
    supervise::Supervisor,
    telemetry::Telemetry,
};

use self::tasks::Tasks;
use crate::{
    config::AdapterConfig,
    metrics::{self, writing::WritingCounters},
    ownership::Ownership,
    routes,
    serve::{AdapterApi, Parts, resources::Resources},
    table::PolicyTableHandle,
};

/// How the adapter calls itself in traces and metrics.
pub const SERVICE_NAME: &str = "kube-sci-metrics-adapter";

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
    let hooks = tasks::observer_hooks(&shared, wanted.clone());
    let observer = Observer::start(&client, &config.model(), hooks).context("read the configuration of the model")?;
    for task in observer.tasks {
        supervisor.spawn(task.name, task.future);
    }
    let model = observer.model;

    let (policies, resources) = (PolicyTableHandle::default(), Resources::default());
    let ownership = Ownership::new(config.api.groups());
    let counters = WritingCounters::register(&shared.registry);
    let mut tasks = Tasks {
        supervisor: &mut supervisor,
        config: &config,
        shared: &shared,
        client: &client,
        policies: &policies,
        counters,
    };
    let leadership = tasks.election();
    let events = tasks.events();
    tasks.engine(&model, &wanted, &leadership)?;
    tasks.statuses(&leadership, events.clone());
    tasks.ownership(&ownership, &leadership, events);
    tasks.discovery(&resources);
    tasks.keda()?;

    let server_metrics = ServerMetrics::default();
    register_metrics(&shared.registry, &model, &policies, &ownership, &server_metrics);
    let options = api::options(&config, &client, server_metrics.clone());
    let adapter = AdapterApi::new(Parts {
        limits: api::limits(&config.energy, &model),
        model: model.clone(),
        policies,
        resources,
        wanted,
        groups: ownership.groups(),
        metrics: server_metrics,
        clock: Timestamp::now,
    });
    let gate = shared.health.gate("delegation");
    supervisor.spawn_graceful("api", |stop| api::serve(options, Arc::new(adapter), gate, stop));

    let state = web::Data::new(routes::State { model, clock: Timestamp::now });
    let configure = move |app: &mut web::ServiceConfig| {
        app.app_data(state.clone());
        routes::configure(app);
    };
    let server = http::serve(&config.server, &shared, configure).context("start the server")?;
    tracing::info!(addresses = ?server.addresses(), mode = config.mode.as_str(), "listening for probes and metrics");
    supervisor.run(server, &shared, stop).await.context("run the metrics adapter")
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
