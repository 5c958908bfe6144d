//! `POST /v1/filter`: nodes that break a limit which the pod or the configuration set.
//!
//! Filtering is opt-in. What cannot be checked is kept: missing or stale data never empties a cluster, and a
//! limit that cannot be read is no reason to keep a pod waiting. All rejections are unresolvable with constant
//! reasons, see [`crate::wire::write_filter`].

mod rule;

use jiff::Timestamp;
use kube_sci_cluster::{
    assess::{Assessment, PodSubject, View, assess_named},
    objects::PodUid,
};
use sci_core::node::NeutralReason;
use tracing::field::Empty;

pub use self::rule::{Subject, Verdict, judge};
use crate::{
    call::{Answered, call},
    config::Mode,
    decisions::PodKey,
    events::Notice,
    limits::Limits,
    metrics::Verb,
    pod::Pod,
    state::State,
    wire::{self, Candidates, FilterAnswer, Request, WireError},
};

/// Answers one call: an `ExtenderFilterResult` in the form of the request.
///
/// # Errors
/// [`WireError`] for a body that is no request.
pub fn filter(state: &State, body: &[u8], now: Timestamp) -> Result<Vec<u8>, WireError> {
    let span = tracing::info_span!("filter", candidates = Empty, outcome = Empty);
    call(state, Verb::Filter, span, body, |request| answer(state, request, now))
}

fn answer(state: &State, request: &Request<'_>, now: Timestamp) -> Answered {
    let pod = Pod::parse(request.pod)?;
    let read = state.model.read();
    let view = read.view(now);
    let opted_out = pod.opted_out() || view.snapshot.namespace_opted_out(pod.namespace());
    let limits = if opted_out { Limits::default() } else { limits(state, &pod, now) };
    let verdicts = verdicts(state, &view, &pod, &limits, request);
    for &verdict in &verdicts {
        count(state, verdict);
    }
    let refusal = |index: usize| match (state.mode, verdicts.get(index)) {
        (Mode::Enforce, Some(Verdict::Reject(reason))) => Some(reason.as_str()),
        _ => None,
    };
    let names = request.candidates.names().enumerate();
    let refused: Vec<_> = names.filter_map(|(index, name)| Some((name, refusal(index)?))).collect();
    let kept = kept(&request.candidates, |index| refusal(index).is_none());
    let outcome = match refused.len() {
        0 => "kept_all",
        all if all == request.candidates.len() => "rejected_all",
        _ => "rejected_some",
    };
    Ok((wire::write_filter(&kept, &refused), outcome))
}

/// The pod's limits; none where it set one that cannot be read.
fn limits(state: &State, pod: &Pod<'_>, now: Timestamp) -> Limits {
    let configured = Limits::configured(&state.filter, pod.namespace());
    configured.overridden(|key| pod.annotation(key)).unwrap_or_else(|error| {
        state.metrics.limits.malformed.inc();
        if let Some(notices) = &state.notices {
            let key = PodKey { namespace: pod.namespace().into(), name: pod.name().into() };
            let notice = Notice::MalformedLimit { pod: key, uid: pod.uid().into(), error, at: now };
            if notices.try_send(notice).is_err() {
                state.metrics.decisions.events.inc("dropped");
            }
        }
        Limits::default()
    })
}

/// One verdict per candidate; none at all where there is no limit.
fn verdicts(state: &State, view: &View<'_>, pod: &Pod<'_>, limits: &Limits, request: &Request<'_>) -> Vec<Verdict> {
    if limits.is_none() {
        return Vec::new();
    }
    if !view.snapshot.synced() {
        // Without all pods and files of intensities what is known may be wrong.
        return vec![Verdict::Unchecked(NeutralReason::NodeUnknown); request.candidates.len()];
    }
    let demand = pod.spec().requests(&state.default_requests).demand();
    let asked = PodSubject::new(PodUid::new(pod.uid()), demand).of_workload(pod.workload(), view.snapshot);
    let verdict = |name| judge(limits, &subject(&assess_named(view, name, &asked)));
    request.candidates.names().map(verdict).collect()
}

fn subject<'a>(assessment: &Assessment<'a>) -> Subject<'a> {
    let unknown = assessment.footprint.err().unwrap_or(NeutralReason::IntensityMissing);
    Subject {
        zone: assessment.node.and_then(|node| node.identity.zone.as_ref()),
        intensity: assessment.intensity.map(|intensity| intensity.reading.value).ok_or(unknown),
        footprint: assessment.footprint.map(|footprint| footprint.total),
    }
}

fn count(state: &State, verdict: Verdict) {
    let metrics = &state.metrics.limits;
    match (verdict, state.mode) {
        (Verdict::Keep, _) => {}
        (Verdict::Unchecked(reason), _) => metrics.unchecked.inc(reason.label()),
        (Verdict::Reject(reason), Mode::Enforce) => metrics.rejected.inc(reason.label()),
        (Verdict::Reject(reason), Mode::Shadow) => metrics.shadow_rejected.inc(reason.label()),
    }
}

/// The candidates to go on with, in the form in which they came.
fn kept<'a>(candidates: &'a Candidates<'a>, keep: impl Fn(usize) -> bool) -> FilterAnswer<'a> {
    match candidates {
        Candidates::Names(names) => {
            let kept = names.iter().enumerate().filter(|(index, _)| keep(*index));
            FilterAnswer::Names(kept.map(|(_, name)| name.as_ref()).collect())
        }
        Candidates::Nodes(nodes) => {
            let kept = nodes.iter().enumerate().filter(|(index, _)| keep(*index));
            FilterAnswer::Nodes(kept.map(|(_, node)| node.raw).collect())
        }
    }
}
