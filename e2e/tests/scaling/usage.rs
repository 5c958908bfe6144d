//! What pods use, as a metrics server would tell it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use kube_sci_e2e::scripted_metrics::{Question, Said, Sample, ScriptedMetrics};
use tokio::task::JoinHandle;

use super::stage::{AdapterStage, WORKLOAD};

const PERIOD: Duration = Duration::from_millis(200);
/// Of a young pod CPU counts only where it was measured well after the pod became ready.
const LATER: Duration = Duration::from_mins(2);

/// CPU that the pods of a stage's workload use together, each the same part; it stays as it is when this is dropped.
pub struct Usage {
    milli: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl Usage {
    /// In thousandths of a core.
    pub fn start(metrics: Arc<ScriptedMetrics>, stage: &AdapterStage, milli: i64) -> Self {
        let (pods, namespace) = (stage.world.pods(), stage.name.to_owned());
        let milli = Arc::new(AtomicI64::new(milli));
        let wanted = Arc::clone(&milli);
        let task = tokio::spawn(async move {
            let question = Question::Usage { namespace, app: WORKLOAD.to_owned() };
            loop {
                // Who cannot list them now can soon.
                if let Ok(samples) = samples(&pods, wanted.load(Ordering::Relaxed)).await {
                    metrics.set(question.clone(), Said::Samples(samples));
                }
                tokio::time::sleep(PERIOD).await;
            }
        });
        Self { milli, task }
    }

    pub fn set(&self, milli: i64) {
        self.milli.store(milli, Ordering::Relaxed);
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn samples(pods: &Api<Pod>, milli: i64) -> Result<Vec<Sample>> {
    let found = pods.list(&ListParams::default().labels(&format!("app={WORKLOAD}"))).await?.items;
    let running = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
    let names: Vec<String> = found.into_iter().filter(running).filter_map(|pod| pod.metadata.name).collect();
    let each = milli / i64::try_from(names.len().max(1))?;
    let sample = |name| Sample::usage(name, "cpu", each).taken(Timestamp::now() + LATER, 60);
    Ok(names.into_iter().map(sample).collect())
}
