//! Tasks that live as long as the program, and the order in which everything stops.

use std::{collections::HashMap, error::Error, future::Future, io, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::http::{BoundServer, Shared};

type BoxError = Box<dyn Error + Send + Sync>;
type Ended = Result<(Id, Result<(), BoxError>), JoinError>;

/// Owns the long-lived tasks. None of them dies alone: the first that ends on its own ends the program.
#[derive(Debug)]
pub struct Supervisor {
    tasks: JoinSet<Result<(), BoxError>>,
    names: HashMap<Id, &'static str>,
    stop: CancellationToken,
    grace: Duration,
}

/// Why a program ended without being asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuperviseError {
    /// A task returned although it is meant to run for ever.
    #[error("task {name} ended")]
    Ended {
        /// Its name.
        name: &'static str,
    },
    /// A task returned an error.
    #[error("task {name} failed")]
    Failed {
        /// Its name.
        name: &'static str,
        /// The error.
        source: BoxError,
    },
    /// A task panicked.
    #[error("task {name} panicked: {message}")]
    Panicked {
        /// Its name.
        name: &'static str,
        /// The message of the panic.
        message: String,
    },
}

/// What a task may return: nothing, or a result with any error. An endless loop fits as an `async fn`; as an
/// `async` block it would return `!`, for which stable Rust allows no implementation.
pub trait TaskOutcome: Send + 'static {
    /// As a result.
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

impl TaskOutcome for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError> + Send + 'static> TaskOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

impl Supervisor {
    /// A supervisor whose shutdown takes at most `grace`.
    pub fn new(grace: Duration) -> Self {
        Self { tasks: JoinSet::new(), names: HashMap::new(), stop: CancellationToken::new(), grace }
    }

    /// Cancelled once the server has answered its last request.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a task that can be dropped at any await when the program stops.
    pub fn spawn<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output: TaskOutcome> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.add(name, async move {
            tokio::select! {
                biased;
                outcome = task => outcome.into_result(),
                () = stop.cancelled() => Ok(()),
            }
        });
    }

    /// Runs a task that finishes its work itself when the token is cancelled.
    pub fn spawn_graceful<F>(&mut self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output: TaskOutcome> + Send + 'static,
    {
        let task = task(self.stop.clone());
        self.add(name, async move { task.await.into_result() });
    }

    /// Serves until `stop` resolves or a task ends, then stops in this order: readiness off, listener closed and
    /// requests in flight answered, tasks cancelled and joined, telemetry flushed. All of it within the grace period;
    /// what is late is dropped.
    pub async fn run(
        mut self,
        server: BoundServer,
        shared: &Shared,
        stop: impl Future<Output = ()>,
    ) -> Result<(), SuperviseError> {
        let stopper = server.stopper();
        let listener = self.spawn_server(server, shared);

        let failure = tokio::select! {
            biased;
            ended = self.tasks.join_next_with_id() => ended.map(|ended| self.failure(ended)),
            () = stop => None,
        };

        let started = Instant::now();
        let deadline = |share: f64| started + self.grace.mul_f64(share);
        tracing::info!(grace_seconds = self.grace.as_secs(), "shutting down");
        shared.health.drain();
        if timeout_at(deadline(0.7), stopper.stop()).await.is_err() {
            tracing::warn!("requests in flight were not answered in time");
        }
        listener.abort();
        self.stop.cancel();
        let joined_by = deadline(0.85);
        let flushed_by = deadline(1.0);
        self.join(joined_by).await;
        match timeout_at(flushed_by, shared.telemetry.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "telemetry was not flushed"),
            Err(_) => tracing::warn!("telemetry was not flushed in time"),
        }
        failure.map_or(Ok(()), Err)
    }

    fn spawn_server(&mut self, server: BoundServer, shared: &Shared) -> AbortHandle {
        let (listener, reloader) = server.into_tasks();
        let listener = self.add("http-server", async move { listener.await.into_result() });
        if let Some(reloader) = reloader {
            // Generous: a silent reloader is no reason to leave the load balancer for a slow disk.
            let heartbeat = shared.health.register("certificate-reload", Duration::from_mins(1));
            self.spawn("certificate-reload", reloader.run(heartbeat));
        }
        listener
    }

    fn add(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> AbortHandle {
        let handle = self.tasks.spawn(task);
        self.names.insert(handle.id(), name);
        handle
    }

    async fn join(&mut self, deadline: Instant) {
        while let Ok(Some(ended)) = timeout_at(deadline, self.tasks.join_next_with_id()).await {
            if let Some(error) = self.late_failure(ended) {
                tracing::warn!(error = %error, "task failed while shutting down");
            }
        }
        if !self.tasks.is_empty() {
            tracing::warn!(tasks = self.tasks.len(), "tasks did not end in time");
            self.tasks.abort_all();
        }
    }

    /// The reason to stop, for a task that ended before anybody asked for it.
    fn failure(&self, ended: Ended) -> SuperviseError {
        let name = self.name(&ended);
        self.late_failure(ended).unwrap_or(SuperviseError::Ended { name })
    }

    /// The failure of a task; a task that simply ended or was aborted has none.
    fn late_failure(&self, ended: Ended) -> Option<SuperviseError> {
        let name = self.name(&ended);
        match ended {
            Ok((_, Ok(()))) => None,
            Ok((_, Err(source))) => Some(SuperviseError::Failed { name, source }),
            Err(error) if error.is_cancelled() => None,
            Err(error) => Some(SuperviseError::Panicked { name, message: panic_message(error) }),
        }
    }

    fn name(&self, ended: &Ended) -> &'static str {
        let id = match ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        self.names.get(&id).copied().unwrap_or("unknown")
    }
}

/// Resolves on SIGTERM or SIGINT. The handlers are installed by the call, so that no signal is lost before the first
/// poll.
pub fn termination() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "asked to stop");
    })
}

fn panic_message(error: JoinError) -> String {
    let text = error.to_string();
    let Ok(payload) = error.try_into_panic() else { return text };
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or(text)
}
