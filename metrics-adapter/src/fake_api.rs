//! An API server of unit tests: a function from requests to answers.

use http::{Request, Response, request::Parts};
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// A client of an API server that answers with this status and body.
pub fn client(answer: impl Fn(&Parts, &[u8]) -> (u16, Value) + Clone + Send + Sync + 'static) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let (status, value) = answer(&parts, &body.collect_bytes().await.unwrap());
            let body = Body::from(value.to_string().into_bytes());
            Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(body).unwrap())
        }
    });
    Client::new(service, "default")
}

/// What an API server says that does not do what it is asked for.
pub fn refusal(code: u16) -> (u16, Value) {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    let message = "refused";
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason,
        "code": code });
    (code, status)
}
