//! What both verbs of the scheduler have in common: reading the request, and saying in spans and metrics what came of
//! it.

use std::time::Instant;

use tracing::Span;

use crate::{
    metrics::Verb,
    state::State,
    wire::{self, Request, WireError},
};

/// A body, and the outcome that metrics and spans are told.
pub(crate) type Answered = Result<(Vec<u8>, &'static str), WireError>;

/// Answers one call. `span` has the fields `candidates` and `outcome`.
pub(crate) fn call(
    state: &State,
    verb: Verb,
    span: Span,
    body: &[u8],
    answer: impl FnOnce(&Request<'_>) -> Answered,
) -> Result<Vec<u8>, WireError> {
    let span = span.entered();
    let started = Instant::now();
    let answered = wire::parse(body).and_then(|request| {
        span.record("candidates", request.candidates.len());
        state.metrics.observe_candidates(verb, request.candidates.len());
        answer(&request)
    });
    let outcome = match &answered {
        Ok((_, outcome)) => outcome,
        Err(error) => {
            state.metrics.malformed_requests.inc(error.kind());
            "error"
        }
    };
    span.record("outcome", outcome);
    state.metrics.count_request(verb, outcome);
    state.metrics.handling_seconds.observe(verb.as_str(), started.elapsed().as_secs_f64());
    answered.map(|(answer, _)| answer)
}
