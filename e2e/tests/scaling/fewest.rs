//! The fewest replicas that there were.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::stage::{AdapterStage, SOON, replicas_in};

/// The autoscaler looks ten times less often.
const SAMPLING: Duration = Duration::from_millis(200);

/// The fewest replicas of each workload of a namespace, from now on; ends when dropped.
pub struct Fewest {
    seen: Arc<Mutex<BTreeMap<String, i32>>>,
    looks: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Fewest {
    /// While nobody answers nothing is seen.
    pub fn watch(stage: &AdapterStage) -> Self {
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let (looked, looks) = watch::channel(0);
        let (client, namespace, into) = (stage.world.client(), stage.name, Arc::clone(&seen));
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SAMPLING);
            loop {
                ticks.tick().await;
                let Ok(now) = replicas_in(client.clone(), namespace).await else { continue };
                let mut seen = into.lock().unwrap_or_else(PoisonError::into_inner);
                for (workload, replicas) in now {
                    seen.entry(workload)
                        .and_modify(|fewest: &mut i32| *fewest = replicas.min(*fewest))
                        .or_insert(replicas);
                }
                drop(seen);
                looked.send_modify(|looks| *looks += 1);
            }
        });
        Self { seen, looks, task }
    }

    /// The fewest since the last call, or since the beginning.
    pub fn take(&self, workload: &str) -> Option<i32> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(workload)
    }

    /// Fails where there were fewer since the last call, and where none were seen.
    pub async fn held(&self, workload: &str, floor: i32) -> Result<()> {
        // One look may be on its way: the next one sees what is now.
        let (mut looks, before) = (self.looks.clone(), *self.looks.borrow());
        timeout(SOON, looks.wait_for(|looks| *looks >= before + 2)).await.context("nobody answers")??;
        let fewest = self.take(workload);
        ensure!(
            fewest.is_some_and(|fewest| fewest >= floor),
            "{workload} had {fewest:?} at times, not {floor} or more"
        );
        Ok(())
    }
}

impl Drop for Fewest {
    fn drop(&mut self) {
        self.task.abort();
    }
}
