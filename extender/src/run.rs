use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use actix_web::web;
use anyhow::Context;
use jiff::Timestamp;
use kube::Client;
use kube_sci_cluster::observer::{Observer, ObserverHooks, PodBound, task};
use kube_sci_report::{export, observer::ObservedMetrics};
use kube_sci_server::{
    health::Health,
    http::{self, Shared},
    metrics::MetricsRegistry,
    supervise::Supervisor,
    telemetry::Telemetry,
};
use tokio::sync::mpsc;

use crate::{
    config::ExtenderConfig,
    decisions::{self, Recorder},
    events::{self, EventWriter, Notice},
    metrics::{
        Metrics,
        state::{self as state_metrics, LastCall},
    },
    routes,
    state::{Parts, State},
};

/// How the extender calls itself in traces and metrics.
pub const SERVICE_NAME: &str = "kube-sci-extender";

/// A task that says nothing for this long makes the extender not ready.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// Bindings that may wait for the recorder.
const BINDINGS_IN_FLIGHT: usize = 1_024;

/// Runs the extender until `stop` resolves, or a task ends.
///
/// # Errors
/// Whatever keeps it from starting, or made it stop.
pub async fn run(
    config: ExtenderConfig,
    client: Client,
    telemetry: Telemetry,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let registry = MetricsRegistry::new(SERVICE_NAME, env!("CARGO_PKG_VERSION"));
    let shared = Shared { health: Health::default(), registry, telemetry };
    let mut supervisor = Supervisor::new(config.server.shutdown_grace());

    let (bound_sender, bound) = mpsc::channel(BINDINGS_IN_FLIGHT);
    let observer = Observer::start(&client, &config.model(), observer_hooks(&shared, bound_sender))
        .context("read the configuration of the model")?;
    for task in observer.tasks {
        supervisor.spawn(task.name, task.future);
    }

    let metrics = Arc::new(Metrics::register(&shared.registry, config.mode));
    let notices = config.events.enabled.then(|| {
        let (notices, received) = events::channel();
        spawn_events(&mut supervisor, &config, &shared, client.clone(), metrics.clone(), received);
        notices
    });
    let (handle, recorder) = decisions::channels(config.decisions.max_candidates, metrics.clone(), notices.clone());
    spawn_recorder(&mut supervisor, &shared, recorder, bound);

    let last_call = LastCall::new(Timestamp::now());
    state_metrics::register(&shared.registry, &observer.model, last_call.clone());
    export::register(&shared.registry, &observer.model, Timestamp::now);
    let parts = Parts { model: observer.model, metrics, last_call, recorder: handle, notices };
    let state = web::Data::new(State::new(&config, parts));
    let configure = move |app: &mut web::ServiceConfig| {
        app.app_data(state.clone());
        routes::configure(app);
    };
    let server = http::serve(&config.server, &shared, configure).context("start the server")?;
    tracing::info!(addresses = ?server.addresses(), mode = config.mode.as_str(), "listening");
    supervisor.run(server, &shared, stop).await.context("run the extender")
}

fn observer_hooks(shared: &Shared, bound: mpsc::Sender<PodBound>) -> ObserverHooks {
    let heartbeats: HashMap<&'static str, _> =
        task::ALL.into_iter().map(|name| (name, shared.health.register(name, MAX_SILENCE))).collect();
    ObserverHooks {
        metrics: ObservedMetrics::register(&shared.registry, shared.health.gate("first-list")),
        heartbeat: Arc::new(move |name| {
            if let Some(heartbeat) = heartbeats.get(name) {
                heartbeat.beat();
            }
        }),
        bound: Some(bound),
        ..ObserverHooks::default()
    }
}

fn spawn_recorder(supervisor: &mut Supervisor, shared: &Shared, recorder: Recorder, bound: mpsc::Receiver<PodBound>) {
    let heartbeat = shared.health.register("recorder", MAX_SILENCE);
    supervisor.spawn_graceful("recorder", |stop| recorder.run(bound, move || heartbeat.beat(), stop));
}

fn spawn_events(
    supervisor: &mut Supervisor,
    config: &ExtenderConfig,
    shared: &Shared,
    client: Client,
    metrics: Arc<Metrics>,
    notices: mpsc::Receiver<Notice>,
) {
    let heartbeat = shared.health.register("events", MAX_SILENCE);
    let writer = EventWriter::new(client, instance(), metrics);
    let config = config.events.clone();
    supervisor.spawn_graceful("events", |stop| writer.run(config, notices, move || heartbeat.beat(), stop));
}

/// The name of this replica in events: its pod's.
fn instance() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| SERVICE_NAME.to_owned())
}
