//! Errors as Kubernetes clients understand them.

use std::{borrow::Cow, fmt};

use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// An error answer: a `Status` object of API version `v1`.
///
/// There is no way to add `Retry-After`: clients of autoscalers would sleep on it inside their only worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    code: StatusCode,
    reason: Reason,
    message: Cow<'static, str>,
    details: Option<Box<Details>>,
}

/// Machine-readable cause, the `reason` of a `Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// 400.
    BadRequest,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 406.
    NotAcceptable,
    /// 409.
    Conflict,
    /// 413.
    RequestEntityTooLarge,
    /// 422.
    Invalid,
    /// 431.
    RequestHeaderFieldsTooLarge,
    /// 500.
    InternalError,
    /// 501.
    NotImplemented,
    /// 503.
    ServiceUnavailable,
    /// 504.
    Timeout,
}

/// What the error is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Details {
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Resource or kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

impl Status {
    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// 401: who is calling could not be established.
    pub fn unauthorized() -> Self {
        Self::new(Reason::Unauthorized, "Unauthorized")
    }

    /// 403: the caller may not do this.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::Forbidden, message)
    }

    /// 404: there is no such thing, or nothing is known of it. The message reaches users of autoscalers word by word.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::NotFound, message)
    }

    /// 405: the path exists, not for this method.
    pub fn method_not_allowed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::MethodNotAllowed, message)
    }

    /// 406: only media types were asked for that the answer cannot have.
    pub fn not_acceptable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::NotAcceptable, message)
    }

    /// 409: the state does not allow it.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::Conflict, message)
    }

    /// 422: the object sent is not valid.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::Invalid, message)
    }

    /// 500: our fault. The message is shown to the caller: no secrets.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::InternalError, message)
    }

    /// 501: known, but not served here.
    pub fn not_implemented(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::NotImplemented, message)
    }

    /// 503: not now.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::ServiceUnavailable, message)
    }

    /// 504: the answer took too long.
    pub fn timeout(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::Timeout, message)
    }

    /// An error with the code that belongs to the reason.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: reason.code(), reason, message: message.into(), details: None }
    }

    /// The same with what it is about.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// HTTP status code.
    pub fn code(&self) -> StatusCode {
        self.code
    }

    /// Machine-readable cause.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Text for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What it is about.
    pub fn details(&self) -> Option<&Details> {
        self.details.as_deref()
    }
}

impl Reason {
    /// The HTTP status code that belongs to it.
    pub fn code(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Conflict => StatusCode::CONFLICT,
            Self::RequestEntityTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RequestHeaderFieldsTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// As written in a `Status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::Conflict => "Conflict",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::Invalid => "Invalid",
            Self::RequestHeaderFieldsTooLarge => "RequestHeaderFieldsTooLarge",
            Self::InternalError => "InternalError",
            Self::NotImplemented => "NotImplemented",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::Timeout => "Timeout",
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Status", 8)?;
        object.serialize_field("kind", "Status")?;
        object.serialize_field("apiVersion", "v1")?;
        object.serialize_field("metadata", &Empty {})?;
        object.serialize_field("status", "Failure")?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("reason", self.reason.as_str())?;
        if let Some(details) = self.details() {
            object.serialize_field("details", details)?;
        }
        object.serialize_field("code", &self.code.as_u16())?;
        object.end()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code.as_u16(), self.reason.as_str(), self.message)
    }
}

impl std::error::Error for Status {}

#[derive(Serialize)]
struct Empty {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_status_object() {
        let status = Status::not_found("no such metric").with_details(Details {
            name: "web".to_owned(),
            group: "example.dev".to_owned(),
            kind: "pods".to_owned(),
        });
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "no such metric", "reason": "NotFound", "code": 404,
                "details": {"name": "web", "group": "example.dev", "kind": "pods"},
            })
        );
    }

    #[test]
    fn details_are_left_out_when_nothing_is_known() {
        let json = serde_json::to_value(Status::unauthorized()).unwrap();
        assert_eq!(json["code"], 401);
        assert!(json.get("details").is_none());
    }
}
