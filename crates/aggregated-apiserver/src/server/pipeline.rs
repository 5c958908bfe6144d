//! What happens to a request, in this order: refusals of what is ambiguous, attributes, a place among the requests in
//! flight, authentication, authorisation, body, routing.

use std::{borrow::Cow, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, Method, Request, Response, Version, request::Parts};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use tokio::{sync::Semaphore, time};

use super::{Limits, respond::Answer, route::Router};
use crate::{
    api::ApiRequest,
    attributes::{Attributes, path::DecodedPath, query},
    authn::{Authenticator, headers::IMPERSONATION, peer::Peer},
    authz::Authorizer,
    metrics::ServerMetrics,
    status::{Reason, Status},
    user::UserInfo,
};

/// Everything between a connection and the program.
pub(crate) struct Pipeline {
    pub(super) authenticator: Authenticator,
    pub(super) authorizer: Authorizer,
    pub(super) router: Router,
    pub(super) gate: Semaphore,
    pub(super) limits: Limits,
    pub(super) metrics: ServerMetrics,
}

/// What is counted about a request once it is answered.
struct Label {
    verb: &'static str,
    group: Cow<'static, str>,
}

impl Pipeline {
    /// Answers a request, whatever it is.
    pub(super) async fn serve(&self, peer: &Peer, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let method = parts.method.clone();
        let conditional = parts.headers.get_all(http::header::IF_NONE_MATCH).iter().cloned().collect::<Vec<_>>();
        let mut label = Label { verb: "other", group: Cow::Borrowed("") };
        let work = time::timeout(self.limits.request_time, self.work(peer, parts, body, &mut label));
        let answer = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Status::timeout("the request took too long").into(),
            Err(_) => {
                tracing::error!("the answer to a request panicked");
                Status::internal("the answer failed").into()
            }
        };
        self.metrics.count_request(label.verb, label.group, answer.code.as_u16(), started.elapsed());
        let mut headers = HeaderMap::new();
        for value in conditional {
            headers.append(http::header::IF_NONE_MATCH, value);
        }
        answer.respond(&method, &headers)
    }

    async fn work(&self, peer: &Peer, parts: Parts, body: Incoming, label: &mut Label) -> Answer {
        match self.checked(peer, parts, body, label).await {
            Ok(answer) => answer,
            Err(status) => status.into(),
        }
    }

    async fn checked(
        &self,
        peer: &Peer,
        mut parts: Parts,
        body: Incoming,
        label: &mut Label,
    ) -> Result<Answer, Status> {
        let (attributes, query) = match self.attributes(&parts) {
            Ok(understood) => understood,
            Err(status) => {
                close_http2(peer, parts.version);
                return Err(status);
            }
        };
        label.verb = attributes.verb.as_str();
        if let Some(group) = self.router.served(&attributes) {
            label.group = group;
        }
        let _place = self.place(&attributes).await?;
        let user = self.authenticate(peer, &parts).await?;
        self.authorizer.authorize(&user, &attributes).await?;
        let body = self.body(&parts, body).await?;
        self.authenticator.strip(&mut parts.headers);
        let Parts { method, headers, .. } = parts;
        self.router.route(ApiRequest { user, attributes, method, query, headers, body }).await
    }

    /// What is wanted, or why that cannot be said for sure.
    fn attributes(&self, parts: &Parts) -> Result<(Attributes, Vec<(String, String)>), Status> {
        if parts.headers.keys().any(|name| name.as_str().starts_with(IMPERSONATION)) {
            self.metrics.count_refusal("impersonation");
            return Err(Status::forbidden("acting as somebody else is up to the API server of the cluster"));
        }
        let path = DecodedPath::parse(parts.uri.path()).map_err(|error| {
            self.metrics.count_refusal("path");
            Status::bad_request(error.to_string())
        })?;
        let query = query::parse(parts.uri.query().unwrap_or_default());
        let attributes = Attributes::derive(&parts.method, path, &query)
            .and_then(|derived| self.router.named(&parts.method, derived))
            .map_err(|error| {
                self.metrics.count_refusal("method");
                Status::method_not_allowed(error.to_string())
            })?;
        Ok((attributes, query))
    }

    /// A place among the requests in flight. Probes need none: a busy server is alive.
    async fn place(&self, attributes: &Attributes) -> Result<Option<Place<'_>>, Status> {
        if !attributes.resource_request && crate::authz::is_open(&attributes.path) {
            return Ok(None);
        }
        let permit = if let Ok(permit) = self.gate.try_acquire() {
            permit
        } else if let Ok(Ok(permit)) = time::timeout(self.limits.queue, self.gate.acquire()).await {
            permit
        } else {
            self.metrics.count_refusal("busy");
            return Err(Status::unavailable("too many requests are being answered"));
        };
        self.metrics.in_flight.inc();
        Ok(Some(Place { _permit: permit, metrics: &self.metrics }))
    }

    async fn authenticate(&self, peer: &Peer, parts: &Parts) -> Result<Arc<UserInfo>, Status> {
        let found = self.authenticator.authenticate(peer, &parts.headers).await;
        if found.as_ref().map_or(true, |user| user.is_anonymous()) {
            close_http2(peer, parts.version);
        }
        found.map_err(|_| Status::unauthorized())
    }

    /// The body of requests that may have one, read only now that the caller is known.
    async fn body(&self, parts: &Parts, body: Incoming) -> Result<Bytes, Status> {
        if matches!(parts.method, Method::GET | Method::HEAD) || body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let limit = self.limits.body_bytes;
        let too_large = || {
            self.metrics.count_refusal("body");
            Status::new(Reason::RequestEntityTooLarge, format!("the body must not have more than {limit} bytes"))
        };
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
            Err(_) => Err(Status::bad_request("the body could not be read")),
        }
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// One of the places among the requests in flight.
struct Place<'a> {
    _permit: tokio::sync::SemaphorePermit<'a>,
    metrics: &'a ServerMetrics,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

/// HTTP/2 lets one connection cause a lot of work, so strangers do not get to keep theirs. The connection of the front
/// proxy stays: it carries others too, and a stranger behind it must not be able to end it.
fn close_http2(peer: &Peer, version: Version) {
    if version == Version::HTTP_2 && !peer.is_proxy() {
        peer.close.notify_one();
    }
}
