//! The value of a policy for KEDA's scaler `metrics-api`: plain JSON, `valueLocation: value`.
//!
//! It is served by the aggregated API server, to whoever may `get` `greenscalingpolicies/keda`, and on a plain port
//! of its own where `keda.address` is set: KEDA can send a token, but not every installation gives it one.

use std::{io, net::SocketAddr, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::Server,
    http::StatusCode,
    web::{self, Data, Path},
};
use aggregated_apiserver::Status;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::table::{PolicyState, PolicyTableHandle};

/// The path on both addresses.
pub const PATH: &str = "/keda/v1/namespaces/{namespace}/policies/{name}";

/// A client that sends its request slower is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for answers in flight when the program ends.
const GRACE_SECONDS: u64 = 2;

/// What KEDA reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// `carbon_adjusted_load`.
    value: f64,
    /// The load without the factor.
    load: f64,
    /// Its unit.
    unit: String,
    /// The instant that it speaks of.
    at: Timestamp,
    /// What to give as `targetValue`.
    target_per_replica: f64,
}

impl Document {
    /// Of a policy.
    ///
    /// # Errors
    /// 404 with the cause where there is no value: KEDA keeps the replicas then, or falls back as it is told to.
    pub fn new(policy: &PolicyState, now: Timestamp) -> Result<Self, Status> {
        let absent =
            |cause| Status::not_found(format!("no {} of {}: {cause}", crate::names::CARBON_ADJUSTED_LOAD, policy.key));
        let served = policy.adjusted_load(now).map_err(absent)?;
        let load = policy.plain_load(now).map_err(absent)?;
        let plan = policy.plan.as_ref().map_err(|problem| absent(problem.to_string()))?;
        Ok(Self {
            value: served.value,
            load: load.value,
            unit: plan.load.unit.to_string(),
            at: served.at,
            target_per_replica: plan.target().get(),
        })
    }
}

/// Listens on the plain address. Nothing but the value of a policy is answered there, to everybody.
///
/// # Errors
/// The address cannot be listened on.
pub fn bind(address: SocketAddr, policies: PolicyTableHandle) -> io::Result<(Vec<SocketAddr>, Server)> {
    let policies = Data::new(policies);
    let server = HttpServer::new(move || {
        App::new().app_data(Data::clone(&policies)).route(PATH, web::get().to(answer)).default_service(web::to(nothing))
    })
    .workers(1)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(GRACE_SECONDS)
    .disable_signals()
    .bind(address)?;
    Ok((server.addrs(), server.run()))
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// The listener fails.
pub async fn serve(server: Server, stop: CancellationToken) -> io::Result<()> {
    let handle = server.handle();
    tokio::select! {
        outcome = server => outcome,
        () = stop.cancelled() => {
            handle.stop(true).await;
            Ok(())
        }
    }
}

async fn answer(path: Path<(String, String)>, policies: Data<PolicyTableHandle>) -> HttpResponse {
    let (namespace, name) = path.into_inner();
    let table = policies.load();
    let found = table.get(&namespace, &name).ok_or_else(|| Status::not_found("there is no such policy"));
    match found.and_then(|policy| Document::new(policy, Timestamp::now())) {
        Ok(document) => HttpResponse::Ok().json(document),
        Err(status) => refused(&status),
    }
}

async fn nothing() -> HttpResponse {
    refused(&Status::not_found("this address answers only /keda/v1/namespaces/NAMESPACE/policies/NAME"))
}

fn refused(status: &Status) -> HttpResponse {
    let code = StatusCode::from_u16(status.code().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(code).json(status)
}
