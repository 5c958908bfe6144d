//! A client that asks the same without a pause.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use kube_sci_e2e::control_plane::ControlPlane;
use kube_sci_e2e::pki::Subject;
use kube_sci_e2e::wait::eventually;
use tokio::task::JoinHandle;

use super::stage::SOON;

/// Between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(5);

/// The API server gives up before.
const PATIENCE: Duration = Duration::from_mins(2);

/// Asks for paths of the API server again and again, each in a task of its own; ends when dropped.
pub struct Poller {
    seen: Arc<Seen>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    answered: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Poller {
    pub fn start(plane: &ControlPlane, paths: &[String]) -> Result<Self> {
        let (seen, mut tasks) = (Arc::new(Seen::default()), Vec::new());
        let subject = Subject::client("poller", Some("system:masters"));
        let credentials = plane.authority().issue(plane.folder(), "poller", &subject)?;
        for path in paths {
            // Not a client of Kubernetes: those ask again where the server is not available.
            let client = plane.authority().https_client(Some(&credentials))?;
            let url = format!("{}{path}", plane.server());
            tasks.push(tokio::spawn(poll(client, url, Arc::clone(&seen))));
        }
        Ok(Self { seen, tasks })
    }

    /// Requests that were answered as they should be.
    pub fn answered(&self) -> usize {
        self.seen.answered.load(Ordering::Relaxed)
    }

    /// Waits for that many further answers.
    pub async fn wait_answers(&self, count: usize) -> Result<()> {
        let before = self.answered();
        eventually(SOON, format!("{count} further answers"), async || {
            let further = self.answered() - before;
            if further >= count { Ok(()) } else { Err(format!("{further}, failures {:?}", self.failures().last())) }
        })
        .await?;
        Ok(())
    }

    /// What was said instead of an answer, in order.
    pub fn failures(&self) -> Vec<String> {
        self.seen.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn poll(client: reqwest::Client, url: String, seen: Arc<Seen>) {
    loop {
        let asked = client.get(&url).timeout(PATIENCE).send().await;
        match asked.and_then(reqwest::Response::error_for_status) {
            Ok(_) => drop(seen.answered.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                seen.failures.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{error:?}"));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
