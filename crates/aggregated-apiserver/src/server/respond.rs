//! From answers and errors to HTTP.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::Full;

use crate::{
    api::{ApiResponse, JSON},
    discovery::Document,
    status::Status,
};

/// An answer that does not know yet for which method it is.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: StatusCode,
    content_type: Cow<'static, str>,
    body: Bytes,
    /// Without quotes.
    etag: Option<String>,
    varies: bool,
    immutable: bool,
}

impl Answer {
    pub(super) fn document(document: &Document) -> Self {
        Self {
            code: StatusCode::OK,
            content_type: document.content_type.clone(),
            body: document.body.clone(),
            etag: Some(document.etag.to_string()),
            varies: true,
            immutable: false,
        }
    }

    /// For documents whose address has their hash in it.
    pub(super) fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }

    /// The HTTP response to a request with these headers.
    pub(super) fn respond(self, method: &Method, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let etag = self.etag.as_deref().and_then(|etag| HeaderValue::from_str(&format!("\"{etag}\"")).ok());
        let unchanged = self.code == StatusCode::OK
            && (method == Method::GET || method == Method::HEAD)
            && etag.as_ref().is_some_and(|etag| has_tag(headers, etag));
        let mut response = Response::new(Full::default());
        if unchanged {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.status_mut() = self.code;
            let content_type = match self.content_type {
                Cow::Borrowed(text) => Ok(HeaderValue::from_static(text)),
                Cow::Owned(text) => HeaderValue::from_str(&text),
            };
            if let Ok(content_type) = content_type {
                response.headers_mut().insert(CONTENT_TYPE, content_type);
            }
            if method == Method::HEAD {
                response.headers_mut().insert(CONTENT_LENGTH, self.body.len().into());
            } else {
                *response.body_mut() = Full::new(self.body);
            }
        }
        let answered = response.headers_mut();
        if let Some(etag) = etag {
            answered.insert(ETAG, etag);
        }
        if self.varies {
            answered.insert(VARY, HeaderValue::from_static("Accept"));
        }
        let cache = if self.immutable { "private, immutable, max-age=31536000" } else { "no-cache, private" };
        answered.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        answered.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

impl From<ApiResponse> for Answer {
    fn from(response: ApiResponse) -> Self {
        let ApiResponse { code, content_type, body, etag } = response;
        Self { code, content_type, body, etag, varies: false, immutable: false }
    }
}

impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        Self {
            code: status.code(),
            content_type: Cow::Borrowed(JSON),
            // A Status has text keys only and is always writable.
            body: serde_json::to_vec(&status).unwrap_or_default().into(),
            etag: None,
            varies: false,
            immutable: false,
        }
    }
}

/// True if the client says that it has this very thing.
fn has_tag(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| {
        let Ok(text) = value.to_str() else { return false };
        text.split(',').map(str::trim).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || tag.as_bytes() == etag.as_bytes()
        })
    })
}
