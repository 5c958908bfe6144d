//! Questions to the API server: bounded in time, asked again after a failure that may pass.
//!
//! The client's own typed requests are not used: they log an answer that they cannot parse, and the answer to a review
//! of a token has the token in it.

use std::{pin::pin, time::Duration};

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use k8s_openapi::Resource;
use kube::client::Body;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time;

use super::Delegation;

/// Longest answer that is read.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// A question that got no answer to rely on. Nothing of the answer is in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReviewError {
    #[error("the question cannot be written")]
    Question,
    #[error("the API server cannot be reached")]
    Unreachable,
    #[error("the API server answered the review with {0}")]
    Refused(StatusCode),
    #[error("the API server did not answer the review in time")]
    Timeout,
    #[error("the answer of the API server is no review")]
    NoReview,
    #[error("the answer of the API server has no status")]
    NoStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    kind: String,
    api_version: String,
}

/// Asks until there is an answer, an error that will not pass, or no time left.
pub(crate) async fn ask<T>(delegation: &Delegation, path: &str, question: &T) -> Result<T, ReviewError>
where
    T: Resource + Serialize + DeserializeOwned,
{
    let body = serde_json::to_vec(question).map_err(|_| ReviewError::Question)?;
    let attempts = async {
        let mut pause = delegation.first_pause;
        let mut left = delegation.attempts.max(1);
        loop {
            left -= 1;
            match attempt(delegation, path, body.clone()).await {
                Err(error) if left > 0 && error.may_pass() => tracing::debug!(%error, "review failed, asking again"),
                settled => return settled,
            }
            time::sleep(pause).await;
            pause = pause.mul_f32(1.5).min(Duration::from_secs(10));
        }
    };
    time::timeout(delegation.timeout, pin!(attempts)).await.unwrap_or(Err(ReviewError::Timeout))
}

async fn attempt<T: Resource + DeserializeOwned>(
    delegation: &Delegation,
    path: &str,
    body: Vec<u8>,
) -> Result<T, ReviewError> {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .body(Body::from(body))
        .map_err(|_| ReviewError::Question)?;
    let answer = delegation.client.send(request).await.map_err(|_| ReviewError::Unreachable)?;
    if !answer.status().is_success() {
        return Err(ReviewError::Refused(answer.status()));
    }
    let limited = Limited::new(answer.into_body(), ANSWER_LIMIT);
    let bytes = limited.collect().await.map_err(|_| ReviewError::Unreachable)?.to_bytes();
    let envelope: Envelope = serde_json::from_slice(&bytes).map_err(|_| ReviewError::NoReview)?;
    if envelope.kind != T::KIND || envelope.api_version != T::API_VERSION {
        return Err(ReviewError::NoReview);
    }
    serde_json::from_slice(&bytes).map_err(|_| ReviewError::NoReview)
}

/// The result for metrics.
pub(crate) fn outcome<T>(answer: &Result<T, ReviewError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(ReviewError::Timeout) => "timeout",
        Err(_) => "error",
    }
}

impl ReviewError {
    fn may_pass(self) -> bool {
        match self {
            Self::Unreachable => true,
            Self::Refused(code) => code == StatusCode::TOO_MANY_REQUESTS || code.is_server_error(),
            _ => false,
        }
    }
}
