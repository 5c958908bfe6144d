//! Errors as JSON: `{"error": "…"}`.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};

/// Body of every error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What is wrong and what to do.
    pub error: String,
}

/// An error answer that a handler can return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    status: StatusCode,
    message: String,
}

impl HttpError {
    /// An error with a status of the 4xx or 5xx class.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// 413 for a body of more than `limit` bytes.
    pub fn too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("request body is larger than {limit} bytes"))
    }

    /// 403 for a peer that is not trusted.
    pub fn untrusted() -> Self {
        Self::new(StatusCode::FORBIDDEN, "only allowed over loopback or with a verified client certificate")
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HttpError {}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status).json(ErrorBody { error: self.message.clone() })
    }
}

/// Answer to a path without a route.
pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    HttpError::new(StatusCode::NOT_FOUND, format!("no such path: {}", request.path())).error_response()
}

/// Gives the bare 405 of the router a body that names what is allowed.
pub(super) fn explain_method(response: &HttpResponse) -> HttpResponse {
    let allowed = response.headers().get(header::ALLOW).cloned();
    let methods = allowed.as_ref().and_then(|value| value.to_str().ok()).unwrap_or("none");
    let mut explained =
        HttpError::new(StatusCode::METHOD_NOT_ALLOWED, format!("method not allowed, use: {methods}")).error_response();
    if let Some(allowed) = allowed {
        explained.headers_mut().insert(header::ALLOW, allowed);
    }
    explained
}
