//! One round: which questions are due, asking them, and what the answers mean.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use jiff::Timestamp;
use sci_core::intensity::Series;

use super::{
    Fetcher,
    breaker::over,
    question::{Problem, Question},
};
use crate::{
    grid::{
        Answer, DemandedZone, Failure, SourceError,
        providers::{Auth, PlannedRequest, Retry},
    },
    http::{HttpError, HttpErrorKind, Request, Response, Secret},
};

/// Questions asked at the same time.
const AT_ONCE: usize = 4;
/// Least time without questions after the service said that there were too many.
const HOLD: Duration = Duration::from_mins(1);
const LONGEST_REST: Duration = Duration::from_mins(1);

/// What a round brought.
#[derive(Default)]
struct Round {
    changed: bool,
    session_ended: bool,
    answered: usize,
    /// News only.
    problems: Vec<String>,
    notes: Answer,
}

/// Time in which nothing can be due unless the world changes.
#[derive(Debug)]
pub(super) struct Rest {
    since: Timestamp,
    until: Timestamp,
    zones: Arc<Vec<DemandedZone>>,
    secret: Option<u64>,
}

impl Fetcher {
    pub(super) async fn round(&mut self, now: Timestamp) -> Result<Option<Answer>, SourceError> {
        let (zones, secret) = (self.demand.zones(), self.token.look());
        if self.rest.as_ref().is_some_and(|rest| rest.holds(now, &zones, secret)) {
            return Ok(None);
        }
        let mut round = Round { changed: self.plan(now), ..Round::default() };
        let due = self.due(now, secret);
        if !due.is_empty() && self.begin_session(&due, now, &mut round).await {
            self.ask(&due, now, &mut round).await;
        }
        self.publish(now);
        self.rest = self.status.next_attempt.map(|until| Rest { since: now, until, zones, secret });
        self.report(round)
    }

    /// Places of the questions to ask now, one for each address, the most urgent first.
    fn due(&mut self, now: Timestamp, secret: Option<u64>) -> Vec<usize> {
        if self.held.is_some_and(|(since, wait)| !over(since, wait, now)) {
            return Vec::new();
        }
        let quota = self.options.allowance.permits(now).unwrap_or(AT_ONCE);
        let room = self.token.permits(now, self.breaker.permits(now, AT_ONCE.min(quota)));
        let all = self.questions.iter().enumerate();
        let mut due: Vec<_> = all.filter(|(_, question)| question.is_due(now, secret)).collect();
        // Stable: among equals the provider's order of urgency stays.
        due.sort_by(|(_, left), (_, right)| right.lateness(now).total_cmp(&left.lateness(now)));
        let mut chosen: Vec<(usize, &str)> = Vec::new();
        for (place, question) in due {
            let address = question.planned.path_and_query.as_str();
            if chosen.len() < room && chosen.iter().all(|(_, other)| *other != address) {
                chosen.push((place, address));
            }
        }
        chosen.into_iter().map(|(place, _)| place).collect()
    }

    /// Logs in where a question needs it; whether the questions can be asked.
    async fn begin_session(&mut self, due: &[usize], now: Timestamp, round: &mut Round) -> bool {
        let wanting = |place: &&usize| {
            let question = self.questions.get(**place);
            question.is_some_and(|question| self.token.wants_session(question.planned.auth, now))
        };
        let (Some(&first), Some(login)) = (due.iter().find(wanting), self.provider.login()) else { return true };
        let answer = match self.call(&login, now) {
            Ok(Some(call)) => call.await,
            // There were too many, or another source of the token was faster.
            Ok(None) => return false,
            Err(problem) => Err(problem),
        };
        let session = match answer {
            Ok(response) => {
                let status = response.status.as_u16();
                let read = self.provider.read_login(status, &response.body, now);
                read.map_err(|error| (Problem::provider(&error, status), response))
            }
            Err(problem) => {
                self.failed(first, &problem, now, round);
                return false;
            }
        };
        match session {
            Ok(session) => {
                self.http.keep_secret(&Secret::new(session.expose()));
                self.token.began_session(session);
                true
            }
            Err((problem, response)) => {
                self.hold(&problem, &response, now);
                self.fail_all(&problem, now, round);
                false
            }
        }
    }

    /// Without a session no question that needs one can be asked.
    fn fail_all(&mut self, problem: &Problem, now: Timestamp, round: &mut Round) {
        let all = self.questions.iter().enumerate();
        let waiting = all.filter(|(_, question)| question.planned.auth == Auth::Session);
        let places: Vec<usize> = waiting.map(|(place, _)| place).collect();
        for place in places {
            self.failed(place, problem, now, round);
        }
    }

    async fn ask(&mut self, due: &[usize], now: Timestamp, round: &mut Round) {
        let (mut asked, mut calls) = (Vec::new(), Vec::new());
        for &place in due {
            let Some(planned) = self.questions.get(place).map(|question| question.planned.clone()) else { continue };
            match self.call(&planned, now) {
                Ok(Some(call)) => {
                    calls.push(call);
                    asked.push((place, planned));
                }
                // The login took the last one, or another source of the token: the question stays due.
                Ok(None) => {}
                Err(problem) => self.failed(place, &problem, now, round),
            }
        }
        for ((place, planned), answer) in asked.into_iter().zip(join_all(calls).await) {
            match answer {
                Ok(response) => self.answered(place, &planned, &response, now, round),
                Err(problem) => self.failed(place, &problem, now, round),
            }
        }
    }

    /// Gives an answer to every question with the same address.
    fn answered(
        &mut self,
        place: usize,
        asked: &PlannedRequest,
        response: &Response,
        now: Timestamp,
        round: &mut Round,
    ) {
        self.status.calls.unmodified += u64::from(response.from_cache);
        let same = |planned: &PlannedRequest| planned.path_and_query == asked.path_and_query;
        let places = self.questions.iter().enumerate().filter(|(_, question)| same(&question.planned));
        let mut places: Vec<usize> = places.map(|(place, _)| place).collect();
        places.sort_by_key(|&other| other != place);
        let status = response.status.as_u16();
        for place in places {
            let Some(question) = self.questions.get_mut(place) else { continue };
            match self.provider.read(&question.planned, status, &response.body, now) {
                Ok(mut answer) => {
                    let series = std::mem::take(&mut answer.series);
                    let period = self.options.period;
                    round.changed |= question.answered(series, now, period, &self.backoff);
                    self.status.left_out(&answer);
                    round.note(question.only_news(answer));
                    self.succeeded(now);
                }
                Err(error) => {
                    let problem = Problem::provider(&error, status);
                    self.hold(&problem, response, now);
                    self.failed(place, &problem, now, round);
                }
            }
        }
    }

    fn succeeded(&mut self, now: Timestamp) {
        self.breaker.succeeded();
        self.token.was_accepted();
        self.status.succeeded(now);
    }

    fn failed(&mut self, place: usize, problem: &Problem, now: Timestamp, round: &mut Round) {
        if problem.service {
            self.breaker.failed(now, &self.backoff);
        }
        let secret = self.token.look();
        let refused = problem.retry == Retry::NewToken;
        let ended = refused && (self.token.end_session() || round.session_ended);
        round.session_ended |= ended;
        let Some(question) = self.questions.get_mut(place) else { return };
        if ended {
            return question.again();
        }
        if refused {
            self.token.was_refused(now);
        }
        let said = self.http.redact(&problem.text);
        let text = match self.token.place().filter(|_| refused) {
            Some(file) => format!("{said} ({file})"),
            None => said,
        };
        let failure = Failure { at: now, kind: problem.kind, text: text.as_str().into() };
        self.status.failed(failure.clone());
        if question.failed(failure, problem.retry, secret, &self.backoff) {
            // A token that was never good is one problem, whichever questions find it out.
            let never = refused && self.status.last_success.is_none();
            round.problem(Some(&question.planned).filter(|_| !never), &text);
        }
    }

    /// Stops all questions where the service asks for it.
    fn hold(&mut self, problem: &Problem, response: &Response, now: Timestamp) {
        let asked_for = response.retry_after.map(|after| after.instant(now).duration_since(now).unsigned_abs());
        let too_many = response.status.as_u16() == 429 || matches!(problem.retry, Retry::After(_));
        if !too_many && (asked_for.is_none() || response.is_success()) {
            return;
        }
        let ban = self.provider.limits().iter().map(|limit| limit.ban).max().unwrap_or_default();
        let wait = asked_for.unwrap_or_else(|| HOLD.max(ban));
        self.held = Some((now, wait));
    }

    /// A call that waits to be awaited, counted already; several are made at once. `None`: the token is not good for it.
    fn call(
        &mut self,
        planned: &PlannedRequest,
        now: Timestamp,
    ) -> Result<Option<impl Future<Output = Result<Response, Problem>> + Send + use<>>, Problem> {
        let credential = self.token.credential(planned.auth).map_err(|error| Problem::secret(error.to_string()))?;
        if !self.options.allowance.take(planned.purpose, now) {
            return Ok(None);
        }
        self.status.calls.made += 1;
        let (http, request) = (self.http.clone(), Request::get(planned.path_and_query.as_str()));
        Ok(Some(async move { http.get_as(&request, credential.as_ref()).await.map_err(|error| problem(&error)) }))
    }

    fn publish(&mut self, now: Timestamp) {
        self.status.breaker = self.breaker.state(now);
        self.status.calls.left = self.options.allowance.left(now);
        let earliest = self.questions.iter().map(|question| question.next_attempt(now)).min();
        let held = self.held.and_then(|(since, wait)| since.checked_add(wait).ok());
        let not_before = held.into_iter().chain(self.breaker.opens_at()).max();
        self.status.next_attempt = earliest.map(|at| not_before.map_or(at, |least| at.max(least)));
        self.status.questions = self.questions.iter().map(|question| question.status(now)).collect();
        self.handle.store(self.status.clone());
    }

    fn report(&mut self, round: Round) -> Result<Option<Answer>, SourceError> {
        let Round { changed, answered, problems, notes, .. } = round;
        if !changed && problems.is_empty() {
            return Ok(None);
        }
        if !changed && answered == 0 {
            return Err(SourceError::Other(problems.join("; ")));
        }
        // Values of now come before forecasts, so that no order among the questions is needed later.
        self.questions.sort_by_key(|question| question.planned.purpose);
        let series: Vec<Series> = self.questions.iter_mut().flat_map(Question::report).collect();
        Ok(Some(Answer { series, unanswered: problems, ..notes }))
    }
}

impl Rest {
    fn holds(&self, now: Timestamp, zones: &Arc<Vec<DemandedZone>>, secret: Option<u64>) -> bool {
        let unchanged = Arc::ptr_eq(&self.zones, zones) && self.secret == secret;
        // A longer one would show an old quota.
        let latest = self.since.checked_add(LONGEST_REST).unwrap_or(now);
        unchanged && (self.since..self.until.min(latest)).contains(&now)
    }
}

impl Round {
    fn note(&mut self, answer: Answer) {
        self.answered += 1;
        self.notes.refused_rows += answer.refused_rows;
        self.notes.refused.extend(answer.refused);
        self.notes.flagged.extend(answer.flagged);
    }

    /// The same words for several zones are one problem; without a question it is one of the whole source.
    fn problem(&mut self, asked: Option<&PlannedRequest>, text: &str) {
        let named = self.problems.iter_mut().find(|problem| problem.ends_with(text));
        let Some(asked) = asked else {
            if named.is_none() {
                self.problems.push(text.to_owned());
            }
            return;
        };
        let zone = asked.zones.first().map(|zone| zone.zone.to_string()).unwrap_or_default();
        let purpose = asked.purpose.as_str();
        match named {
            Some(problem) => *problem = format!("{zone} {purpose}, {problem}"),
            None => self.problems.push(format!("{zone} {purpose}: {text}")),
        }
    }
}

fn problem(error: &HttpError) -> Problem {
    match &error.kind {
        HttpErrorKind::Secret(error) => Problem::secret(error.to_string()),
        _ => Problem::transport(error.to_string()),
    }
}
