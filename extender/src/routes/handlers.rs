use std::future::Future;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Bytes},
};
use kube_sci_report::quality;
use kube_sci_server::{
    http::{HttpError, read_limited},
    peer::Peer,
};
use serde::Serialize;

use crate::{
    explain::{self, ReferencePod},
    filter::filter as filter_nodes,
    metrics::Verb,
    prioritize::prioritize as prioritize_nodes,
    state::State,
    wire::WireError,
};

type Answer = Result<HttpResponse, HttpError>;

pub(super) async fn filter(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> Answer {
    let body = scheduler_body(&request, payload, &state, Verb::Filter).await?;
    scheduler_answer(filter_nodes(&state, &body, (state.clock)()))
}

pub(super) async fn prioritize(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> Answer {
    let body = scheduler_body(&request, payload, &state, Verb::Prioritize).await?;
    scheduler_answer(prioritize_nodes(&state, &body, (state.clock)()))
}

pub(super) async fn explain(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Answer {
    let (namespace, pod) = path.into_inner();
    trusted(&request, async {
        let explanation = explain::explain(&state, &namespace, &pod, (state.clock)()).await;
        explanation.map_err(|error| HttpError::new(StatusCode::NOT_FOUND, error.to_string()))
    })
    .await
}

pub(super) async fn nodes(request: HttpRequest, query: web::Query<ReferencePod>, state: web::Data<State>) -> Answer {
    trusted(&request, async { explain::rank(&state, &query, (state.clock)()).map_err(HttpError::from) }).await
}

pub(super) async fn quality(request: HttpRequest, state: web::Data<State>) -> Answer {
    trusted(&request, async { quality::quality(&state.model, (state.clock)()).map_err(HttpError::from) }).await
}

/// Explanations name workloads and hardware: not for everybody.
async fn trusted<T: Serialize>(request: &HttpRequest, answer: impl Future<Output = Result<T, HttpError>>) -> Answer {
    if !Peer::from_request(request).is_trusted() {
        return Err(HttpError::untrusted());
    }
    Ok(HttpResponse::Ok().json(answer.await?))
}

async fn scheduler_body(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    verb: Verb,
) -> Result<Bytes, HttpError> {
    state.last_call.set((state.clock)());
    if let Err(error) = check_content(request) {
        state.metrics.malformed_requests.inc(error.kind());
        state.metrics.count_unread(verb);
        return Err(error.into());
    }
    read_limited(payload, state.max_body_bytes).await.inspect_err(|_| state.metrics.count_unread(verb))
}

/// No type at all is taken as JSON; a wrong one means that the caller is something else.
fn check_content(request: &HttpRequest) -> Result<(), WireError> {
    let value = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or("(not text)"));
    let refused = |value: &str| WireError::ContentType(value.to_owned());
    if let Some(encoding) = value(header::CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
        return Err(refused(encoding));
    }
    let Some(content_type) = value(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(refused(content_type)) }
}

fn scheduler_answer(answer: Result<Vec<u8>, WireError>) -> Answer {
    Ok(HttpResponse::Ok().content_type("application/json").body(answer?))
}

impl From<WireError> for HttpError {
    fn from(error: WireError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}
