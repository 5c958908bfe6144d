//! Recording.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::DeleteParams;
use sci_core::scaling::hpa::{Controller, Memory, MetricReading as Reading, Pod as ModelPod, Scale, Situation};
use tokio::sync::Semaphore;

use super::answers::{now, set};
use super::observed::{Reasons, Watch, outcome};
use super::stage::{self, CONCURRENCY, Stage};
use super::{Case, Recording, Round, cases, objects, short_names, timing};
use crate::control_plane::ControlPlane;
use crate::scripted_metrics::{ScriptedMetrics, ScriptedMetricsError};
use crate::wait::{Late, eventually};
use crate::world::{WorldError, node};

/// Cases at a time: enough to be quick, few enough that a round of all takes no second.
const BATCH: usize = 80;
/// How often rounds that are in doubt are played.
const ATTEMPTS: u32 = 3;
const DEADLINE: Duration = Duration::from_mins(1);
/// What [`Options::fast_autoscaler`](crate::control_plane::Options::fast_autoscaler) sets.
const DOWNSCALE_STABILIZATION_SECONDS: u32 = 5;

/// A recording did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    #[error("{action}")]
    Kube { action: String, source: Box<kube::Error> },
    #[error(transparent)]
    World(#[from] WorldError),
    #[error(transparent)]
    Metrics(#[from] ScriptedMetricsError),
    #[error(transparent)]
    Late(#[from] Late),
    #[error("write an object of a case")]
    Object(#[from] serde_json::Error),
    #[error("{name}: {what}")]
    Case { name: String, what: &'static str },
}

impl RecordError {
    pub(super) fn kube(action: impl Into<String>, source: kube::Error) -> Self {
        Self::Kube { action: action.into(), source: Box::new(source) }
    }
}

/// Makes the situations up on a control plane with fast autoscalers that nobody else scales on, and writes down what the
/// controller does.
pub async fn record(plane: &ControlPlane, cases: &[Case]) -> Result<Vec<Recording>, RecordError> {
    let world = plane.world();
    world.create_nodes([node(objects::NODE).capacity("100k", "100Ti").max_pods(10_000)]).await?;
    let metrics = ScriptedMetrics::start(plane).await?;
    warm_up(plane, &metrics).await?;
    let mut recordings: Vec<Recording> = Vec::new();
    let (single, several): (Vec<_>, Vec<_>) = cases.iter().cloned().partition(|case| case.rounds.len() == 1);
    for (number, batch) in single.chunks(BATCH).enumerate() {
        recordings.extend(record_batch(plane, &metrics, &format!("hpa-{number}"), batch).await?);
    }
    recordings.extend(record_rounds(plane, &metrics, several).await?);
    Ok(recordings)
}

/// Several rounds each. What is in doubt is played again; in the end rounds in doubt, and all after them, are left out.
async fn record_rounds(
    plane: &ControlPlane,
    metrics: &ScriptedMetrics,
    mut cases: Vec<Case>,
) -> Result<Vec<Recording>, RecordError> {
    let mut best: BTreeMap<String, (usize, Recording)> = BTreeMap::new();
    for attempt in 0..ATTEMPTS {
        if cases.is_empty() {
            break;
        }
        for recording in record_batch(plane, metrics, &format!("hpa-rounds-{attempt}"), &cases).await? {
            let clear = timing::clear_rounds(&recording);
            if best.get(&recording.name).is_none_or(|(before, _)| *before < clear) {
                best.insert(recording.name.clone(), (clear, recording));
            }
        }
        cases.retain(|case| best.get(&case.name).is_none_or(|(clear, _)| *clear < case.rounds.len()));
    }
    let recordings = best.into_values().map(|(clear, mut recording)| {
        recording.rounds.truncate(clear);
        recording
    });
    Ok(recordings.collect())
}

/// The controller's first rounds fail until it has discovered the metrics' groups.
async fn warm_up(plane: &ControlPlane, metrics: &ScriptedMetrics) -> Result<(), RecordError> {
    let case = cases::warm_up();
    let stage = open(plane, "hpa-warm-up").await?;
    stage.build(std::slice::from_ref(&case)).await?;
    let api = stage.api::<HorizontalPodAutoscaler>();
    set(metrics, &stage.namespace, &case, 0, &BTreeMap::new(), now());
    stage::create(&api, &objects::autoscaler(&case)?).await?;
    eventually(DEADLINE, "the first metric read by the controller", async || {
        let found = api.get(&case.name).await.map_err(|error| error.to_string())?;
        let conditions = found.status.and_then(|status| status.conditions).unwrap_or_default();
        let active = conditions.iter().find(|condition| condition.type_ == "ScalingActive");
        if active.is_some_and(|active| active.status == "True") { Ok(()) } else { Err(format!("{active:?}")) }
    })
    .await?;
    close(stage).await
}

async fn record_batch(
    plane: &ControlPlane,
    metrics: &ScriptedMetrics,
    namespace: &str,
    batch: &[Case],
) -> Result<Vec<Recording>, RecordError> {
    let stage = open(plane, namespace).await?;
    let pods = stage.build(batch).await?;
    let watches = Watches {
        autoscalers: Watch::start(stage.api(), |autoscaler: &HorizontalPodAutoscaler| {
            // Before the first round there is no condition.
            autoscaler.status.as_ref().is_some_and(|status| status.conditions.is_some())
        }),
        deployments: Watch::start(stage.api(), |_any: &Deployment| true),
    };
    let turn = Semaphore::new(CONCURRENCY);
    let recordings = batch.iter().map(|case| {
        let session = Session { stage: &stage, metrics, watches: &watches, case };
        let (turn, pods) = (&turn, pods.get(&case.name).map(Vec::as_slice).unwrap_or_default());
        async move {
            // A few at a time. What follows must not wait: the controller does not.
            let place = turn.acquire().await;
            let first = session.first(pods).await?;
            drop(place);
            written(case, session.follow(first).await?)
        }
    });
    let mut recordings = try_join_all(recordings).await?;
    let reasons = Reasons::of_log(&plane.controller_manager_log(), namespace);
    for recording in &mut recordings {
        reasons.write(recording);
    }
    close(stage).await?;
    Ok(recordings)
}

struct Watches {
    autoscalers: Watch<HorizontalPodAutoscaler>,
    deployments: Watch<Deployment>,
}

/// One case while it is played.
struct Session<'s> {
    stage: &'s Stage,
    metrics: &'s ScriptedMetrics,
    watches: &'s Watches,
    case: &'s Case,
}

/// A round, and the autoscaler after it.
struct Seen {
    situation: Situation,
    autoscaler: HorizontalPodAutoscaler,
}

impl Session<'_> {
    /// The first round: the autoscaler is created, and looked at by the controller at once.
    async fn first(&self, pods: &[Pod]) -> Result<Seen, RecordError> {
        let case = self.case;
        let names = short_names(pods.iter().filter_map(|pod| pod.metadata.name.as_deref()));
        let started = now();
        let readings = set(self.metrics, &self.stage.namespace, case, 0, &names, started);
        stage::create(&self.stage.api(), &objects::autoscaler(case)?).await?;
        let what = format!("the first round of {}", case.name);
        let autoscaler =
            eventually(DEADLINE, what, async || self.watches.autoscalers.first(&case.name).ok_or("no state yet"));
        let autoscaler = autoscaler.await?;
        let pods = pods.iter().map(|pod| {
            let name = pod.metadata.name.as_ref().and_then(|name| names.get(name)).map_or("", String::as_str);
            stage::modelled(pod, name, case.request_milli)
        });
        // Later rounds have other pods, and nothing that depends on them.
        let pods = if case.rounds.len() == 1 { pods.collect() } else { Vec::new() };
        let scale = Scale { spec_replicas: case.replicas, status_replicas: case.replicas };
        let situation = self.situation(self.asked(0).unwrap_or(started), scale, pods, readings);
        Ok(Seen { situation, autoscaler })
    }

    /// All rounds.
    async fn follow(&self, first: Seen) -> Result<Vec<Seen>, RecordError> {
        let case = self.case;
        let mut rounds = vec![first];
        for number in 1..case.rounds.len() {
            let readings = set(self.metrics, &self.stage.namespace, case, number, &BTreeMap::new(), now());
            let at = self.wait_asked(number).await?;
            // Not the scale that this round may have written by now.
            let deployment = self.watches.deployments.before(&case.name, at);
            let before = self.watches.autoscalers.before(&case.name, at);
            let missing = |what| RecordError::Case { name: case.name.clone(), what };
            if let (Some(before), Some(last)) = (before, rounds.last_mut()) {
                last.autoscaler = before;
            }
            let scale = scale_of(&deployment.ok_or_else(|| missing("no state of the deployment"))?);
            let situation = self.situation(at, scale, Vec::new(), readings);
            let autoscaler = rounds.last().map(|last| last.autoscaler.clone());
            rounds.push(Seen { situation, autoscaler: autoscaler.ok_or_else(|| missing("no first round"))? });
        }
        if case.rounds.len() > 1 {
            // The next round begins where the last one's state is complete.
            let end = self.wait_asked(case.rounds.len()).await?;
            if let (Some(after), Some(last)) = (self.watches.autoscalers.before(&case.name, end), rounds.last_mut()) {
                last.autoscaler = after;
            }
        }
        Ok(rounds)
    }

    fn situation(&self, now: Timestamp, scale: Scale, pods: Vec<ModelPod>, readings: Vec<Reading>) -> Situation {
        let controller =
            Controller { downscale_stabilization_seconds: DOWNSCALE_STABILIZATION_SECONDS, ..Controller::default() };
        let (spec, memory) = (self.case.spec.clone(), Memory::default());
        Situation { now, controller, spec, scale, pods, readings, memory }
    }

    /// When the controller asked for the last metric in this round.
    fn asked(&self, round: usize) -> Option<Timestamp> {
        let last = self.case.spec.metrics.len().checked_sub(1)?;
        let question = objects::question(&self.stage.namespace, self.case, last)?;
        self.metrics.asked(&question).get(round).map(|asked| asked.at)
    }

    async fn wait_asked(&self, round: usize) -> Result<Timestamp, RecordError> {
        let what = format!("round {round} of {}", self.case.name);
        Ok(eventually(DEADLINE, what, async || self.asked(round).ok_or("not asked yet")).await?)
    }
}

async fn open(plane: &ControlPlane, namespace: &str) -> Result<Stage, RecordError> {
    plane.world().create_namespace(namespace, &[]).await?;
    Ok(Stage { client: plane.client(), namespace: namespace.to_owned() })
}

/// Removes everything; nobody waits for it.
async fn close(stage: Stage) -> Result<(), RecordError> {
    let api: Api<Namespace> = Api::all(stage.client);
    let removed = api.delete(&stage.namespace, &DeleteParams::background()).await;
    removed.map(drop).map_err(|error| RecordError::kube(format!("delete {}", stage.namespace), error))
}

fn written(case: &Case, rounds: Vec<Seen>) -> Result<Recording, RecordError> {
    let mut before = case.replicas;
    let mut written = Vec::new();
    for Seen { situation, autoscaler } in rounds {
        let missing = || RecordError::Case { name: case.name.clone(), what: "an autoscaler without status" };
        let status = autoscaler.status.ok_or_else(missing)?;
        let outcome = outcome(&status, before);
        before = outcome.replicas;
        written.push(Round { situation, outcome });
    }
    Ok(Recording { name: case.name.clone(), rounds: written })
}

fn scale_of(deployment: &Deployment) -> Scale {
    let seen = deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or_default();
    Scale { spec_replicas: deployment.spec.replicas.unwrap_or(1), status_replicas: seen }
}
