//! Questions to the API server: bounded in time, asked again after a failure that may pass.

use std::{pin::pin, time::Duration};

use http::{Method, StatusCode};
use k8s_openapi::Resource;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time;

use super::Delegation;
use crate::raw::{self, RawError};

/// A question that got no answer to rely on. Nothing of the answer is in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReviewError {
    #[error(transparent)]
    Raw(#[from] RawError),
    #[error("the API server did not answer in time")]
    Timeout,
    #[error("the answer of the API server has no status")]
    NoStatus,
}

/// Asks until there is an answer, an error that will not pass, or no time left.
pub(crate) async fn ask<T>(delegation: &Delegation, path: &str, question: &T) -> Result<T, ReviewError>
where
    T: Resource + Serialize + DeserializeOwned,
{
    let body = serde_json::to_vec(question).map_err(|_| RawError::Question)?;
    let attempts = async {
        let mut pause = delegation.first_pause;
        let mut left = delegation.attempts.max(1);
        loop {
            left -= 1;
            match raw::request(&delegation.client, Method::POST, path, body.clone()).await {
                Err(error) if left > 0 && may_pass(error) => tracing::debug!(%error, "review failed, asking again"),
                settled => return Ok(settled?),
            }
            time::sleep(pause).await;
            pause = pause.mul_f32(1.5).min(Duration::from_secs(10));
        }
    };
    time::timeout(delegation.timeout, pin!(attempts)).await.unwrap_or(Err(ReviewError::Timeout))
}

/// The result for metrics.
pub(crate) fn outcome<T>(answer: &Result<T, ReviewError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(ReviewError::Timeout) => "timeout",
        Err(_) => "error",
    }
}

fn may_pass(error: RawError) -> bool {
    match error {
        RawError::Unreachable => true,
        RawError::Refused(code) => code == StatusCode::TOO_MANY_REQUESTS || code.is_server_error(),
        RawError::Question | RawError::OtherKind => false,
    }
}
