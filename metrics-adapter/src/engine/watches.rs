//! The watches of the engine, and what to do where a kind is not installed.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use kube::{Client, Resource};
use kube_sci_cluster::watch::{self, Listener, Step, WatchError};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::{EngineError, EngineMetrics, EngineTask, HeartbeatFn, Input};
use crate::policy::GROUP;

/// Kinds that the API server does not have. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct MissingKinds(Arc<Mutex<BTreeSet<String>>>);

impl MissingKinds {
    /// As a detail of readiness.
    pub fn detail(&self) -> String {
        let missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.is_empty() {
            return "all installed".to_owned();
        }
        advice(&missing.iter().map(String::as_str).collect::<Vec<_>>().join(" and "))
    }

    fn set(&self, kind: &str, is_missing: bool) {
        let mut missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_missing {
            missing.insert(kind.to_owned());
        } else {
            missing.remove(kind);
        }
    }
}

/// What to do about kinds that are missing.
fn advice(kinds: &str) -> String {
    format!("{kinds} of {GROUP} not installed: kubectl apply --server-side --kustomize manifests/crds")
}

/// What a watch tells, and whom.
pub(super) struct Wiring {
    pub task: &'static str,
    pub sender: mpsc::Sender<Input>,
    pub heartbeat: HeartbeatFn,
    pub metrics: Arc<dyn EngineMetrics>,
    pub missing: MissingKinds,
}

/// Tells the engine what a watch says.
struct Teller<K> {
    wiring: Wiring,
    input: fn(Step<K>) -> Input,
    kind: PhantomData<fn() -> K>,
}

impl<K: Resource<DynamicType = ()> + Debug + Send> Listener<K> for Teller<K> {
    async fn hear(&mut self, step: Step<K>) -> bool {
        match step {
            Step::Malformed(_) => self.wiring.metrics.malformed(self.wiring.task),
            Step::End => self.wiring.missing.set(&K::kind(&()), false),
            _ => {}
        }
        self.wiring.sender.send((self.input)(step)).await.is_ok()
    }

    fn failed(&mut self, error: &WatchError) -> Option<String> {
        self.wiring.metrics.watch_failed(self.wiring.task);
        let missing = error.is_missing_kind() && K::group(&()) == GROUP;
        self.wiring.missing.set(&K::kind(&()), missing);
        missing.then(|| advice(&K::kind(&())))
    }

    fn alive(&mut self) {
        (self.wiring.heartbeat)(self.wiring.task);
    }
}

/// Watches a kind for as long as the engine listens.
pub(super) fn watch_task<K>(client: &Client, wiring: Wiring, input: fn(Step<K>) -> Input) -> EngineTask
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (client, name) = (client.clone(), wiring.task);
    let teller = Teller { wiring, input, kind: PhantomData };
    let future = async move {
        watch::follow::<K>(client, teller).await;
        Err(EngineError::Closed)
    };
    EngineTask { name, future: Box::pin(future) }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
    use kube::{core::Status, runtime::watcher};

    use super::*;
    use crate::{
        engine::{NoMetrics, task},
        policy::{CarbonBudget, GreenScalingPolicy},
    };

    fn refused(code: u16) -> WatchError {
        let status = Status { code, ..Status::failure("no", "Reason") };
        watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status))).into()
    }

    fn teller<K>(missing: &MissingKinds, input: fn(Step<K>) -> Input) -> (Teller<K>, mpsc::Receiver<Input>) {
        let (sender, receiver) = mpsc::channel(8);
        let wiring = Wiring {
            task: task::POLICIES,
            sender,
            heartbeat: Arc::new(|_| ()),
            metrics: Arc::new(NoMetrics),
            missing: missing.clone(),
        };
        (Teller { wiring, input, kind: PhantomData }, receiver)
    }

    #[tokio::test]
    async fn a_kind_that_is_not_installed_is_named_with_its_remedy() {
        let missing = MissingKinds::default();
        let (mut policies, _inputs) = teller::<GreenScalingPolicy>(&missing, Input::Policy);
        let (mut budgets, _others) = teller::<CarbonBudget>(&missing, Input::Budget);
        assert_eq!(missing.detail(), "all installed");
        let advice = policies.failed(&refused(404)).unwrap();
        assert_eq!(
            advice,
            "GreenScalingPolicy of kube-sci.dev not installed: kubectl apply --server-side --kustomize manifests/crds"
        );
        assert_eq!(missing.detail(), advice);
        budgets.failed(&refused(404));
        assert!(missing.detail().starts_with("CarbonBudget and GreenScalingPolicy of kube-sci.dev"));
        // Once it is listed it is there, and an API server that refuses or is gone says nothing of what is installed.
        assert!(policies.hear(Step::End).await);
        assert_eq!(budgets.failed(&refused(403)), None);
        assert_eq!(missing.detail(), "all installed");
    }

    #[test]
    fn a_kind_of_kubernetes_has_no_remedy_here() {
        let missing = MissingKinds::default();
        let (mut autoscalers, _inputs) = teller::<HorizontalPodAutoscaler>(&missing, Input::Autoscaler);
        assert_eq!(autoscalers.failed(&refused(404)), None);
        assert_eq!(missing.detail(), "all installed");
    }
}
