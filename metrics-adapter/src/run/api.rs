//! The aggregated API server as configured.

use std::{sync::Arc, time::Duration};

use aggregated_apiserver::{Api, Delegation, Limits as ServerLimits, Server, ServerMetrics, ServerOptions};
use anyhow::Context;
use jiff::SignedDuration;
use kube::Client;
use kube_sci_cluster::{assess::Model, config::EnergyConfig};
use kube_sci_server::health::Gate;
use tokio_util::sync::CancellationToken;

use crate::{certificates, config::AdapterConfig, serve::values::Limits};

/// Energy is accounted for every minute where no meter answers.
const LEAST_ENERGY_STALE: SignedDuration = SignedDuration::from_mins(3);
/// After the signal to stop the API goes on for a moment, until nobody is sent here any more.
const DRAIN: Duration = Duration::from_secs(3);

/// How old values may be.
pub(super) fn limits(energy: &EnergyConfig, model: &Model) -> Limits {
    let configured = SignedDuration::try_from(energy.stale_after.get()).unwrap_or(SignedDuration::MAX);
    Limits { freshness: model.options.freshness, energy: configured.max(LEAST_ENERGY_STALE) }
}

pub(super) fn options(config: &AdapterConfig, client: &Client, metrics: ServerMetrics) -> ServerOptions {
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
pub(super) async fn serve(
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
