//! What can be seen of the controller's work: the states of objects in order, and when they were seen.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerStatus;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use sci_core::scaling::hpa::{Condition, Conditions, Outcome, RescaleReason};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::Recording;

/// What the controller logs of a change of replicas.
const RESCALED: &str = "\"Successfully rescaled\"";

/// Watches the objects of a namespace until dropped.
pub(super) struct Watch<K> {
    states: Arc<Mutex<States<K>>>,
    task: JoinHandle<()>,
}

type States<K> = HashMap<String, Vec<(Timestamp, K)>>;

impl<K> Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Notes every state that is `wanted`.
    pub(super) fn start(api: Api<K>, wanted: impl Fn(&K) -> bool + Send + Sync + 'static) -> Self {
        let states: Arc<Mutex<States<K>>> = Arc::default();
        let seen = Arc::clone(&states);
        let task = tokio::spawn(async move {
            let stream = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
            let noted = stream.try_for_each(|object| {
                if wanted(&object) {
                    let name = object.meta().name.clone().unwrap_or_default();
                    let mut states = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    states.entry(name).or_default().push((Timestamp::now(), object));
                }
                futures::future::ready(Ok(()))
            });
            // The stream ends with this task; a case that got no state says so itself.
            drop(noted.await);
        });
        Self { states, task }
    }

    /// The first state.
    pub(super) fn first(&self, name: &str) -> Option<K> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(name)?.first().map(|(_, state)| state.clone())
    }

    /// The last state that was seen before an instant.
    pub(super) fn before(&self, name: &str, instant: Timestamp) -> Option<K> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = states.get(name)?.iter().rev().find(|(seen, _)| *seen < instant);
        earlier.map(|(_, state)| state.clone())
    }
}

impl<K> Drop for Watch<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A state as the outcome of a round that found `before` replicas; why they changed is told by [`Reasons`].
pub(super) fn outcome(status: &HorizontalPodAutoscalerStatus, before: i32) -> Outcome {
    let conditions = conditions(status);
    // A round that could not tell leaves the wish as it was, or empty in the first round.
    let rescaled = conditions.able_to_scale.is_some_and(|condition| told(condition) == json!("SucceededRescale"));
    Outcome {
        replicas: if rescaled { status.desired_replicas } else { before },
        rescaled,
        rescale_reason: None,
        proposed: None,
        metric: None,
        failed: Vec::new(),
        conditions,
    }
}

fn told(condition: Condition) -> Value {
    serde_json::to_value(condition.reason).unwrap_or_default()
}

fn conditions(status: &HorizontalPodAutoscalerStatus) -> Conditions {
    let find = |kind: &str| {
        let condition = status.conditions.iter().flatten().find(|condition| condition.type_ == kind)?;
        // A reason that the model does not know stays out, and is missed when it is compared.
        serde_json::from_value(json!({ "status": condition.status, "reason": condition.reason })).ok()
    };
    Conditions {
        able_to_scale: find("AbleToScale"),
        scaling_active: find("ScalingActive"),
        scaling_limited: find("ScalingLimited"),
        scaled_to_zero: find("ScaledToZero"),
    }
}

/// Why replicas changed, as the controller's log tells, in order: by name. Events tell it too, but get lost in a crowd.
pub(super) struct Reasons(HashMap<String, Vec<(i32, RescaleReason)>>);

impl Reasons {
    /// Of the autoscalers of one namespace.
    pub(super) fn of_log(log: &str, namespace: &str) -> Self {
        let mut reasons: HashMap<String, Vec<_>> = HashMap::new();
        for (name, size, reason) in log.lines().filter_map(|line| read_line(line, namespace)) {
            reasons.entry(name).or_default().push((size, reason));
        }
        Self(reasons)
    }

    /// Writes the reasons into rounds that changed replicas.
    pub(super) fn write(&self, recording: &mut Recording) {
        let mut told = self.0.get(&recording.name).into_iter().flatten();
        for round in recording.rounds.iter_mut().filter(|round| round.outcome.rescaled) {
            let own = told.by_ref().find(|(size, _)| *size == round.outcome.replicas);
            round.outcome.rescale_reason = own.map(|(_, reason)| *reason);
        }
    }
}

/// `... "Successfully rescaled" HPA="shop/web" currentReplicas=6 desiredReplicas=5 reason="All metrics below target"`
fn read_line(line: &str, namespace: &str) -> Option<(String, i32, RescaleReason)> {
    let (_, rest) = line.split_once(RESCALED)?;
    let (name, rest) = rest.strip_prefix(&format!(" HPA=\"{namespace}/"))?.split_once('"')?;
    let (size, reason) = rest.split_once("desiredReplicas=")?.1.split_once(" reason=\"")?;
    let reason = match reason.strip_suffix('"')? {
        "Current number of replicas above Spec.MaxReplicas" => RescaleReason::AboveMaximum,
        "Current number of replicas below Spec.MinReplicas" => RescaleReason::BelowMinimum,
        "All metrics below target" => RescaleReason::MetricsBelowTarget,
        other if other.ends_with(" above target") => RescaleReason::MetricAboveTarget,
        _other => return None,
    };
    Some((name.to_owned(), size.parse().ok()?, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_from_the_log() {
        let line = |name: &str, reason: &str| {
            format!(
                "I1128 00:28:45.052536   23494 horizontal.go:1032] \"Successfully rescaled\" HPA=\"{name}\" \
                 currentReplicas=6 desiredReplicas=5 reason=\"{reason}\""
            )
        };
        let read = |reason: &str| read_line(&line("shop/web", reason), "shop");
        let five = |reason| Some(("web".to_owned(), 5, reason));
        assert_eq!(read("All metrics below target"), five(RescaleReason::MetricsBelowTarget));
        assert_eq!(read("external metric web-m0(nil) above target"), five(RescaleReason::MetricAboveTarget));
        assert_eq!(read("Current number of replicas above Spec.MaxReplicas"), five(RescaleReason::AboveMaximum));
        assert_eq!(read("Current number of replicas below Spec.MinReplicas"), five(RescaleReason::BelowMinimum));
        assert_eq!(read("something new"), None);
        assert_eq!(read_line(&line("other/web", "All metrics below target"), "shop"), None);
        assert_eq!(read_line("nothing", "shop"), None);
    }

    #[test]
    fn a_state_is_an_outcome() {
        let status: HorizontalPodAutoscalerStatus = serde_json::from_value(json!({
            "currentReplicas": 4,
            "desiredReplicas": 7,
            "conditions": [
                { "type": "AbleToScale", "status": "True", "reason": "SucceededRescale" },
                { "type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas" },
            ],
        }))
        .unwrap();
        let seen = outcome(&status, 4);
        assert_eq!((seen.replicas, seen.rescaled), (7, true));
        assert!(seen.conditions.scaling_limited.is_some() && seen.conditions.scaling_active.is_none());
    }
}
