//! `POST /v1/prioritize`: a score from 0 to 10 for each candidate.
//!
//! One pass: read the pod, look every candidate up in the snapshot, work out what the pod would cost there, score,
//! answer. No I/O and no lock; a decision that the recorder has no room for is dropped and counted.

use std::{cell::RefCell, sync::Arc};

use jiff::Timestamp;
use kube_sci_cluster::{
    assess::{PodSubject, View, assess_named},
    assumptions::MAX_NODES_PER_POD,
    objects::{PodOwner, PodUid, WorkloadKey},
    snapshot::{Slot, Snapshot},
};
use sci_core::node::{Cost, NeutralReason, Score, ScoreScratch, score};
use tracing::field::Empty;

use crate::{
    call::call,
    config::Mode,
    decisions::{Candidate, Decision, PodKey, Terms},
    metrics::{NoOpinion, Verb},
    pod::Pod,
    state::State,
    wire::{self, NO_OPINION, Request, WireError},
};

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Buffers of one worker thread.
#[derive(Debug, Default)]
struct Scratch {
    costs: Vec<Option<Cost>>,
    score: ScoreScratch,
    best: Vec<(Slot, f64)>,
}

/// One pod in front of its candidates.
struct Question<'q> {
    pod: &'q Pod<'q>,
    subject: PodSubject<'q>,
    workload: WorkloadKey,
    request: &'q Request<'q>,
    view: View<'q>,
}

enum Answer {
    Scored(Vec<u8>),
    Neutral(NoOpinion),
}

/// Answers one call: a `HostPriorityList` for the nodes of the request, `[]` where there is no opinion.
///
/// # Errors
/// [`WireError`] for a body that is no request.
pub fn prioritize(state: &State, body: &[u8], now: Timestamp) -> Result<Vec<u8>, WireError> {
    let span = tracing::info_span!("prioritize", candidates = Empty, outcome = Empty);
    call(state, Verb::Prioritize, span, body, |request| {
        Ok(match answer(state, request, now)? {
            Answer::Scored(list) => (list, "scored"),
            Answer::Neutral(reason) => {
                state.metrics.scores.neutral_answers.inc(reason.as_str());
                (NO_OPINION.to_vec(), "neutral")
            }
        })
    })
}

fn answer(state: &State, request: &Request<'_>, now: Timestamp) -> Result<Answer, WireError> {
    let pod = Pod::parse(request.pod)?;
    let read = state.model.read();
    if let Some(reason) = no_opinion(read.snapshot(), &pod, request) {
        return Ok(Answer::Neutral(reason));
    }
    let demand = pod.spec().requests(&state.default_requests).demand();
    let (view, workload) = (read.view(now), pod.workload());
    let subject = PodSubject::new(PodUid::new(pod.uid()), demand).of_workload(workload, view.snapshot);
    let question = Question { pod: &pod, subject, workload, request, view };
    Ok(SCRATCH.with_borrow_mut(|scratch| rank(state, &question, scratch)))
}

/// Why the candidates are not even looked at.
fn no_opinion(snapshot: &Snapshot, pod: &Pod<'_>, request: &Request<'_>) -> Option<NoOpinion> {
    if request.candidates.is_empty() {
        Some(NoOpinion::NoCandidates)
    } else if !snapshot.synced() {
        Some(NoOpinion::NotSynced)
    } else if pod.opted_out() {
        Some(NoOpinion::PodOptedOut)
    } else if snapshot.namespace_opted_out(pod.namespace()) {
        Some(NoOpinion::NamespaceOptedOut)
    } else {
        None
    }
}

fn rank(state: &State, question: &Question<'_>, scratch: &mut Scratch) -> Answer {
    let mut candidates = assess_all(question, &mut scratch.costs);
    count_unknown(state, &candidates);
    let ranking = score(&scratch.costs, &mut scratch.score);
    for (candidate, &score) in candidates.iter_mut().zip(ranking.scores) {
        candidate.score = score;
    }
    let (best, worst) = extremes(ranking.scores);
    let answer = match state.mode {
        _ if ranking.known == 0 => Answer::Neutral(NoOpinion::NothingKnown),
        // Where the pod goes is up to others: nothing is assumed of it.
        Mode::Shadow => Answer::Neutral(NoOpinion::Shadow),
        Mode::Enforce => {
            assume(state, question, &candidates, best, &mut scratch.best);
            let scores = ranking.scores.iter().copied();
            Answer::Scored(wire::write_priorities(question.request.candidates.names().zip(scores)))
        }
    };
    if ranking.known > 0 {
        state.metrics.scores.spread.observe(f64::from(best - worst));
    }
    record(state, question, candidates);
    answer
}

/// What the pod would cost on each candidate, in the order of the request.
fn assess_all(question: &Question<'_>, costs: &mut Vec<Option<Cost>>) -> Vec<Candidate> {
    let Question { subject, request, view, .. } = question;
    let mut candidates = Vec::with_capacity(request.candidates.len());
    costs.clear();
    for name in request.candidates.names() {
        let assessment = assess_named(view, name, subject);
        costs.push(assessment.cost());
        let grams_per_kwh = assessment.intensity.map_or(0.0, |intensity| intensity.reading.value.get());
        candidates.push(Candidate {
            node: assessment.node.map_or_else(|| Arc::from(name), |node| node.name.clone()),
            score: 0,
            terms: assessment.footprint.map(|footprint| Terms::new(&footprint, grams_per_kwh)),
        });
    }
    candidates
}

fn count_unknown(state: &State, candidates: &[Candidate]) {
    if candidates.iter().all(|candidate| candidate.terms.is_ok()) {
        return;
    }
    for reason in NeutralReason::ALL {
        let unknown = candidates.iter().filter(|candidate| candidate.terms == Err(reason)).count();
        if unknown > 0 {
            state.metrics.scores.neutral_candidates.inc_by(reason.label(), u64::try_from(unknown).unwrap_or(u64::MAX));
        }
    }
}

fn extremes(scores: &[Score]) -> (Score, Score) {
    let best = scores.iter().copied().max().unwrap_or_default();
    (best, scores.iter().copied().min().unwrap_or(best))
}

/// Until the pod is seen on a node, the next pods find it on those that it was sent to: the scheduler breaks ties by
/// chance, so each carries its share.
fn assume(state: &State, question: &Question<'_>, candidates: &[Candidate], best: Score, nodes: &mut Vec<(Slot, f64)>) {
    if question.pod.owner() != PodOwner::Workload || question.pod.uid().is_empty() {
        return;
    }
    let sent_to = candidates.iter().filter(|candidate| candidate.score == best);
    let slots = sent_to.filter_map(|candidate| question.view.snapshot.slot(&candidate.node));
    nodes.clear();
    // One more than is accepted, so that the ledger counts what it leaves out.
    nodes.extend(slots.take(MAX_NODES_PER_POD + 1).map(|slot| (slot, 1.0)));
    let share = u32::try_from(nodes.len()).map_or(0.0, |ties| 1.0 / f64::from(ties.max(1)));
    for (_, weight) in nodes.iter_mut() {
        *weight = share;
    }
    state.model.assumptions.assume(question.subject.uid, &question.subject.demand, nodes, question.view.now);
}

fn record(state: &State, question: &Question<'_>, candidates: Vec<Candidate>) {
    let Question { pod, subject, workload, view, .. } = question;
    let recorded = state.recorder.record(Decision {
        pod: PodKey { namespace: pod.namespace().into(), name: pod.name().into() },
        uid: pod.uid().into(),
        at: view.now,
        generation: view.snapshot.generation(),
        mode: state.mode,
        demand: subject.demand,
        workload: *workload,
        candidates,
    });
    if !recorded {
        state.metrics.decisions.dropped.inc();
    }
}
