//! Request bodies within limits.

use actix_web::{
    error::{JsonPayloadError, PayloadError},
    http::StatusCode,
    web::{self, Bytes, BytesMut},
};
use futures::StreamExt;

use super::HttpError;

/// Reads a body of at most `limit` bytes. A body that arrives in one piece is not copied.
pub async fn read_limited(mut payload: web::Payload, limit: usize) -> Result<Bytes, HttpError> {
    let Some(first) = next(&mut payload).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(HttpError::too_large(limit));
    }
    let Some(second) = next(&mut payload).await? else { return Ok(first) };
    // Growing by doubling from here on: the few copies cost less than a second look at the header.
    let mut whole = BytesMut::with_capacity((first.len() + second.len()).saturating_mul(2).min(limit));
    whole.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if bytes.len() > limit.saturating_sub(whole.len()) {
            return Err(HttpError::too_large(limit));
        }
        whole.extend_from_slice(&bytes);
        piece = next(&mut payload).await?;
    }
    Ok(whole.freeze())
}

/// The limit and JSON errors for the extractors `Bytes`, `String`, `Json`, `Query` and `Path`.
pub(super) fn limit_extractors(routes: &mut web::ServiceConfig, limit: usize) {
    let json = web::JsonConfig::default().limit(limit).error_handler(move |error, _| {
        let status = match error {
            JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
                return HttpError::too_large(limit).into();
            }
            _ => StatusCode::BAD_REQUEST,
        };
        HttpError::new(status, error.to_string()).into()
    });
    let path = web::PathConfig::default()
        .error_handler(|error, _| HttpError::new(StatusCode::NOT_FOUND, error.to_string()).into());
    let query = web::QueryConfig::default()
        .error_handler(|error, _| HttpError::new(StatusCode::BAD_REQUEST, error.to_string()).into());
    routes.app_data(web::PayloadConfig::new(limit)).app_data(json).app_data(path).app_data(query);
}

async fn next(payload: &mut web::Payload) -> Result<Option<Bytes>, HttpError> {
    payload.next().await.transpose().map_err(|error: PayloadError| {
        HttpError::new(StatusCode::BAD_REQUEST, format!("request body was not received whole: {error}"))
    })
}
