//! Writes statuses and events while this replica leads.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use kube_sci_cluster::events::Note;
use rustc_hash::FxHashMap;
use sci_core::scaling::GreenFactor;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    budget_notes, budget_status,
    conditions::{Verdict, budget_verdicts, policy_verdicts},
    policy_notes, policy_status,
};
use crate::{
    budget::{BudgetState, CarbonBudget},
    lease::Leadership,
    policy::{GROUP, GreenScalingPolicy, VERSION},
    table::{Outcome, PolicyKey, PolicyState, PolicyTable, PolicyTableHandle},
};

const FIELD_MANAGER: &str = "kube-sci-metrics-adapter";
/// How often it is looked whether there is something to write.
const LOOK: Duration = Duration::from_secs(1);
/// Numbers that move are written this often, and less often where there are many policies.
const REFRESH: SignedDuration = SignedDuration::from_secs(60);
/// A status that could not be written is tried again after this.
const RETRY: SignedDuration = SignedDuration::from_secs(5);
/// Writes at the same time.
const AT_ONCE: usize = 8;
/// Writes per look; others wait for the next one.
const PER_LOOK: usize = 20;
/// Of these, statuses where only numbers moved: those of a thousand policies are minutes apart, and cost the API server
/// less than their autoscalers do.
const REFRESHES_PER_LOOK: usize = 4;
/// Between two of these: a write keeps the API server busy for milliseconds, and autoscalers are waiting for it.
const PACE: Duration = Duration::from_millis(200);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the writer is given.
pub struct StatusOptions {
    /// The API server.
    pub client: Client,
    /// What the engine says.
    pub table: PolicyTableHandle,
    /// Whether this replica writes.
    pub leadership: Leadership,
    /// Where events go; `None`: there are none.
    pub events: Option<mpsc::Sender<Note>>,
    /// Hears of everything worth counting.
    pub metrics: Arc<dyn StatusMetrics>,
    /// The clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteOutcome {
    /// It stands.
    Written,
    /// The object is gone, or another one.
    Gone,
    /// Neither.
    Failed,
}

/// Hears of everything worth counting. Every method does nothing unless it is overridden.
#[allow(unused_variables)] // names say more than underscores in a trait of notices
pub trait StatusMetrics: Send + Sync {
    /// A status was written, or not.
    fn written(&self, kind: &'static str, outcome: WriteOutcome) {}
    /// Nobody took an event.
    fn event_dropped(&self) {}
}

impl StatusMetrics for crate::engine::NoMetrics {}

/// Writes statuses and events while this replica leads.
pub struct StatusWriter {
    options: StatusOptions,
    policies: Book,
    budgets: Book,
    failing: bool,
    led: bool,
}

/// What was written of every object of a kind.
type Book = FxHashMap<PolicyKey, Written>;

#[derive(Debug)]
struct Written {
    uid: Arc<str>,
    mark: Mark,
    at: Timestamp,
    /// Conditions as written: events tell what is different from them.
    conditions: Vec<Condition>,
    failed: bool,
}

/// What is written at once where it changes.
#[derive(Debug, Clone, PartialEq)]
struct Mark {
    generation: i64,
    verdicts: Vec<Verdict>,
    /// What a restarted process goes on from.
    remembered: Remembered,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Remembered {
    Nothing,
    Factor(f64, f64),
    Waiting(Option<Timestamp>),
    Budget([f64; 3]),
}

/// A status on its way.
struct Job {
    key: PolicyKey,
    mark: Mark,
    uid: Arc<str>,
    conditions: Vec<Condition>,
    notes: Vec<Note>,
    body: Value,
    /// How long it can wait.
    delay: Duration,
}

/// Why a status is to be written; what comes first is more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// It tells something else, or was refused.
    Changed,
    /// Numbers may have moved since then.
    Old(Timestamp),
}

/// An object whose status is to be written.
struct Due<'t, S> {
    reason: Reason,
    state: &'t S,
    mark: Mark,
}

impl StatusWriter {
    /// Nothing is written before it runs.
    pub fn new(options: StatusOptions) -> Self {
        Self { options, policies: Book::default(), budgets: Book::default(), failing: false, led: false }
    }

    /// Works for ever. `beat` is called every second, writes aside.
    pub async fn run(mut self, beat: impl Fn() + Send) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            beat();
            self.look(&beat).await;
        }
    }

    async fn look(&mut self, beat: &(impl Fn() + Send)) {
        let leads = self.options.leadership.leads();
        if leads && !self.led {
            // Another replica wrote meanwhile: what the API server says counts.
            self.policies.clear();
            self.budgets.clear();
        }
        self.led = leads;
        let table = self.options.table.load_full();
        if !leads || !table.synced {
            return;
        }
        let now = (self.options.clock)();
        let policies = policy_jobs(&table, &mut self.policies, now);
        self.write::<GreenScalingPolicy>("GreenScalingPolicy", policies, now, beat).await;
        let budgets = budget_jobs(&table, &mut self.budgets, now);
        self.write::<CarbonBudget>("CarbonBudget", budgets, now, beat).await;
    }

    async fn write<K>(&mut self, kind: &'static str, jobs: Vec<Job>, now: Timestamp, beat: &(impl Fn() + Send))
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + Debug
            + serde::de::DeserializeOwned,
    {
        let (client, leadership) = (self.options.client.clone(), self.options.leadership.clone());
        let mut writes = stream::iter(jobs)
            .map(|job| {
                let (client, leadership) = (client.clone(), leadership.clone());
                async move {
                    sleep(job.delay).await;
                    let outcome = if leadership.leads() { apply::<K>(client, &job).await } else { Err(None) };
                    (job, outcome)
                }
            })
            .buffer_unordered(AT_ONCE);
        let mut last_beat = Instant::now();
        while let Some((job, outcome)) = writes.next().await {
            if last_beat.elapsed() > LOOK {
                beat();
                last_beat = Instant::now();
            }
            let outcome = match outcome {
                Err(None) => continue,
                Err(Some(problem)) => {
                    // One line per outage, not per object; a counter has the rest.
                    if !self.failing {
                        tracing::warn!(kind, object = %job.key, problem, "status cannot be written");
                    }
                    self.failing = true;
                    WriteOutcome::Failed
                }
                Ok(outcome) => {
                    self.failing = false;
                    outcome
                }
            };
            self.options.metrics.written(kind, outcome);
            let book = if kind == "CarbonBudget" { &mut self.budgets } else { &mut self.policies };
            if outcome == WriteOutcome::Failed {
                book.entry(job.key.clone())
                    .and_modify(|known| (known.failed, known.at) = (true, now))
                    .or_insert(Written { uid: job.uid, mark: job.mark, at: now, conditions: Vec::new(), failed: true });
                continue;
            }
            let written = Written { uid: job.uid, mark: job.mark, at: now, conditions: job.conditions, failed: false };
            book.insert(job.key, written);
            if outcome == WriteOutcome::Written {
                tell(&self.options, job.notes);
            }
        }
    }
}

impl Debug for StatusOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusOptions").field("leadership", &self.leadership).finish_non_exhaustive()
    }
}

impl Debug for StatusWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusWriter").field("policies", &self.policies.len()).finish_non_exhaustive()
    }
}

fn tell(options: &StatusOptions, notes: Vec<Note>) {
    let Some(events) = &options.events else { return };
    for note in notes {
        if events.try_send(note).is_err() {
            options.metrics.event_dropped();
        }
    }
}

/// With the UID, so that an object of the same name that came in its place does not get it.
async fn apply<K>(client: Client, job: &Job) -> Result<WriteOutcome, Option<String>>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client, &job.key.namespace);
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(&job.body);
    match timeout(WRITE_TIMEOUT, api.patch_status(&job.key.name, &parameters, &patch)).await {
        // What comes back may be unreadable, but then it was written.
        Ok(Ok(_) | Err(kube::Error::SerdeError(_))) => Ok(WriteOutcome::Written),
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Ok(WriteOutcome::Gone),
        Ok(Err(error)) => Err(Some(error.to_string())),
        Err(_) => Err(Some(format!("no answer within {} s", WRITE_TIMEOUT.as_secs()))),
    }
}

fn policy_jobs(table: &PolicyTable, book: &mut Book, now: Timestamp) -> Vec<Job> {
    book.retain(|key, _| table.get(&key.namespace, &key.name).is_some());
    let due = table.policies().filter_map(|state| {
        let mark = policy_mark(state, now);
        due(book.get(&state.key), &state.uid, &mark, now).map(|reason| Due { reason, state, mark })
    });
    let due = due.collect();
    in_turn(due, |Due { state, mark, .. }| {
        let before = known(book.get(&state.key), &state.uid).unwrap_or(&state.stored.conditions);
        let notes = policy_notes(state, before, now);
        let status = policy_status(state, now);
        if !book.contains_key(&state.key) && is_same_policy(&status, &state.stored) {
            // Another process wrote the same: it need not be written again at once.
            let (uid, conditions) = (Arc::clone(&state.uid), status.conditions);
            book.insert(state.key.clone(), Written { uid, mark, at: now, conditions, failed: false });
            return None;
        }
        let body = body("GreenScalingPolicy", &state.key, &state.uid, &status);
        let (key, uid, conditions) = (state.key.clone(), Arc::clone(&state.uid), status.conditions);
        Some(Job { key, mark, uid, conditions, notes, body, delay: Duration::ZERO })
    })
}

fn budget_jobs(table: &PolicyTable, book: &mut Book, now: Timestamp) -> Vec<Job> {
    book.retain(|key, _| table.budgets().iter().any(|budget| budget.key == *key));
    let due = table.budgets().iter().filter_map(|state| {
        let mark = budget_mark(state);
        due(book.get(&state.key), &state.uid, &mark, now).map(|reason| Due { reason, state, mark })
    });
    let due = due.collect();
    in_turn(due, |Due { state, mark, .. }| {
        let before = known(book.get(&state.key), &state.uid).unwrap_or(&state.stored.conditions);
        let notes = budget_notes(state, before, now);
        let status = budget_status(state, now);
        let body = body("CarbonBudget", &state.key, &state.uid, &status);
        let (key, uid, conditions) = (state.key.clone(), Arc::clone(&state.uid), status.conditions);
        Some(Job { key, mark, uid, conditions, notes, body, delay: Duration::ZERO })
    })
}

/// What is written in this look: all that changed before what is only old, of that the oldest.
fn in_turn<'t, S>(mut due: Vec<Due<'t, S>>, mut job: impl FnMut(Due<'t, S>) -> Option<Job>) -> Vec<Job> {
    due.sort_by_key(|due| due.reason);
    let old = due.partition_point(|due| due.reason == Reason::Changed);
    let old = due.split_off(old);
    let mut jobs: Vec<Job> = due.into_iter().filter_map(&mut job).take(PER_LOOK).collect();
    let room = REFRESHES_PER_LOOK.min(PER_LOOK.saturating_sub(jobs.len()));
    let delays = std::iter::successors(Some(Duration::ZERO), |delay| Some(*delay + PACE));
    let old = old.into_iter().filter_map(job).zip(delays).map(|(job, delay)| Job { delay, ..job });
    jobs.extend(old.take(room));
    jobs
}

fn known<'b>(written: Option<&'b Written>, uid: &str) -> Option<&'b Vec<Condition>> {
    written.filter(|written| *written.uid == *uid && !written.conditions.is_empty()).map(|written| &written.conditions)
}

/// Why a status is due; `None` where it is not.
fn due(written: Option<&Written>, uid: &str, mark: &Mark, now: Timestamp) -> Option<Reason> {
    let Some(written) = written.filter(|written| *written.uid == *uid) else { return Some(Reason::Changed) };
    let age = now.duration_since(written.at);
    if written.failed {
        return (age >= RETRY).then_some(Reason::Changed);
    }
    if written.mark != *mark {
        return Some(Reason::Changed);
    }
    (age >= REFRESH).then_some(Reason::Old(written.at))
}

fn policy_mark(state: &PolicyState, now: Timestamp) -> Mark {
    let remembered = match state.outcome.as_deref() {
        Some(Outcome::Service(decision)) => Remembered::Factor(decision.state.level.get(), decision.state.factor.get()),
        Some(Outcome::Batch(batch)) => Remembered::Waiting(batch.waiting_since),
        None => Remembered::Nothing,
    };
    Mark { generation: state.generation, verdicts: policy_verdicts(state, now).to_vec(), remembered }
}

fn budget_mark(state: &BudgetState) -> Mark {
    let remembered = state.outlook.map_or(Remembered::Nothing, |outlook| {
        let tightening = outlook.tightening;
        Remembered::Budget([tightening.best_effort, tightening.standard, tightening.critical].map(GreenFactor::get))
    });
    Mark { generation: state.generation, verdicts: budget_verdicts(state).to_vec(), remembered }
}

/// Whether two statuses of a policy tell the same, times and loads aside.
fn is_same_policy(one: &crate::policy::PolicyStatus, other: &crate::policy::PolicyStatus) -> bool {
    let verdict = |condition: &Condition| (condition.type_.clone(), condition.status.clone(), condition.reason.clone());
    one.observed_generation == other.observed_generation
        && one.conditions.iter().map(verdict).eq(other.conditions.iter().map(verdict))
        && one.governor == other.governor
}

fn body(kind: &str, key: &PolicyKey, uid: &str, status: &impl Serialize) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": kind,
        "metadata": { "namespace": &*key.namespace, "name": &*key.name, "uid": uid },
        "status": status,
    })
}

#[cfg(test)]
mod tests;
