//! Requests to the API server whose answers may hold secrets.
//!
//! The client's own typed requests log an answer that they cannot parse. The answer to a review of a token has the token
//! in it, a Secret has private keys: such answers are read here and never shown.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use k8s_openapi::Resource;
use kube::client::Body;
use serde::{Deserialize, de::DeserializeOwned};

/// Longest answer that is read.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// No answer, or none of the kind expected. Nothing of it is in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RawError {
    /// The question cannot be written.
    #[error("the question cannot be written")]
    Question,
    /// Nobody answers, or the answer broke off.
    #[error("the API server cannot be reached")]
    Unreachable,
    /// An error.
    #[error("the API server answered with {0}")]
    Refused(StatusCode),
    /// Something else than asked for.
    #[error("the answer of the API server is of another kind")]
    OtherKind,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    kind: String,
    api_version: String,
}

/// Sends one request and reads an object.
pub(crate) async fn request<T: Resource + DeserializeOwned>(
    client: &kube::Client,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<T, RawError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .body(Body::from(body))
        .map_err(|_| RawError::Question)?;
    let answer = client.send(request).await.map_err(|_| RawError::Unreachable)?;
    if !answer.status().is_success() {
        return Err(RawError::Refused(answer.status()));
    }
    let limited = Limited::new(answer.into_body(), ANSWER_LIMIT);
    let bytes = limited.collect().await.map_err(|_| RawError::Unreachable)?.to_bytes();
    parse(&bytes)
}

fn parse<T: Resource + DeserializeOwned>(bytes: &Bytes) -> Result<T, RawError> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|_| RawError::OtherKind)?;
    if envelope.kind != T::KIND || envelope.api_version != T::API_VERSION {
        return Err(RawError::OtherKind);
    }
    serde_json::from_slice(bytes).map_err(|_| RawError::OtherKind)
}
