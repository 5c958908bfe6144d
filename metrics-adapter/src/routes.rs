//! What the admin address answers beside probes and metrics.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use kube_sci_cluster::assess::Model;
use kube_sci_report::quality::quality;
use kube_sci_server::{
    http::HttpError,
    peer::Peer,
    reference::{RouteDoc, TRUSTED},
};

/// What the handlers answer from.
#[derive(Debug, Clone)]
pub struct State {
    /// The cluster.
    pub model: Model,
    /// The present.
    pub clock: fn() -> Timestamp,
}

/// Data quality, the same as the extender's.
pub const QUALITY: RouteDoc = RouteDoc {
    method: "GET",
    path: "/v1/quality",
    access: TRUSTED,
    request: "",
    answer: "Per node and grid zone: what answers at present, since when, its age and quality; gaps, and meters that \
             are refused with the reason; how every source fares",
    errors: "403 untrusted peer, 503 before the first snapshot",
};

/// Adds the routes.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes.service(web::resource(QUALITY.path).route(web::get().to(answer)));
}

async fn answer(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, HttpError> {
    if !Peer::from_request(&request).is_trusted() {
        return Err(HttpError::untrusted());
    }
    Ok(HttpResponse::Ok().json(quality(&state.model, (state.clock)())?))
}
