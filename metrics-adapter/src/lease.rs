//! Which replica writes: the holder of a Lease. All replicas serve.
//!
//! The clock of another replica is never believed: a Lease is free once it has not changed for its whole duration by
//! the clock of whoever wants it. The holder stops writing on its own well before that, if it cannot renew.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
    core::ObjectMeta,
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Who applies the Lease.
const FIELD_MANAGER: &str = "kube-sci-metrics-adapter";
/// The Lease is looked at so often in its duration.
const LOOKS: u32 = 5;
/// A call that takes longer than this part of the duration has failed.
const PATIENCE: u32 = 4;

/// Which Lease, and who wants it.
#[derive(Debug, Clone)]
pub struct LeaseOptions {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who wants it: different for every replica.
    pub identity: String,
    /// How long it holds without being renewed.
    pub duration: Duration,
}

/// Whether this replica leads. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Leadership(Arc<Mutex<Until>>);

#[derive(Debug, Clone, Copy, Default)]
enum Until {
    #[default]
    Never,
    At(Instant),
    Always,
}

impl Leadership {
    /// Of the only replica.
    pub fn always() -> Self {
        Self(Arc::new(Mutex::new(Until::Always)))
    }

    /// Whether this replica may write now.
    pub fn leads(&self) -> bool {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Until::Never => false,
            Until::At(end) => Instant::now() < end,
            Until::Always => true,
        }
    }

    fn set(&self, until: Until) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// What to do about a Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There is none.
    Create,
    /// It is ours: hold it longer. Or nobody's: take it.
    Apply { transitions: i32 },
    /// It is somebody else's.
    Wait,
}

/// Wants the Lease, until cancelled; then gives it back.
pub struct Elector {
    api: Api<Lease>,
    options: LeaseOptions,
    leadership: Leadership,
    /// The Lease as it was seen last, and since when it has been so by our clock.
    seen: Option<(LeaseSpec, Instant)>,
    led: bool,
}

impl Elector {
    /// Nothing is asked before it runs.
    pub fn new(client: Client, options: LeaseOptions) -> Self {
        let api = Api::namespaced(client, &options.namespace);
        Self { api, options, leadership: Leadership::default(), seen: None, led: false }
    }

    /// Where it is seen whether this replica leads.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Works until cancelled. `clock` gives the time that the Lease shows to people, `beat` is called with every look.
    pub async fn run(mut self, clock: impl Fn() -> Timestamp + Send, beat: impl Fn() + Send, stop: CancellationToken) {
        loop {
            self.look(clock()).await;
            beat();
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(self.options.duration / LOOKS) => {}
            }
        }
        self.release(clock()).await;
    }

    async fn look(&mut self, now: Timestamp) {
        let asked = Instant::now();
        let patience = self.options.duration / PATIENCE;
        let renewed = timeout(patience, self.try_hold(now)).await;
        match renewed {
            // It counts from before the call: nobody else counts from earlier.
            Ok(Ok(true)) => self.leadership.set(Until::At(asked + self.options.duration * 2 / 3)),
            Ok(Ok(false)) => self.leadership.set(Until::Never),
            Ok(Err(error)) => tracing::warn!(lease = self.options.name, %error, "Lease cannot be held or looked at"),
            Err(_) => tracing::warn!(lease = self.options.name, "Lease cannot be held or looked at: no answer in time"),
        }
        let leads = self.leadership.leads();
        if leads != self.led {
            tracing::info!(lease = self.options.name, identity = self.options.identity, leads, "leadership changed");
        }
        self.led = leads;
    }

    /// Whether the Lease is ours.
    async fn try_hold(&mut self, now: Timestamp) -> Result<bool, kube::Error> {
        let found = self.api.get_opt(&self.options.name).await?;
        let (spec, version) = match found {
            Some(lease) => (lease.spec, lease.metadata.resource_version),
            None => (None, None),
        };
        match self.step(spec, Instant::now()) {
            Step::Wait => Ok(false),
            Step::Create => won(self.api.create(&PostParams::default(), &self.lease(None, 0, now)).await),
            Step::Apply { transitions } => self.apply(&self.lease(version, transitions, now)).await,
        }
    }

    /// Decides what to do about a Lease as it is at `now` by our clock.
    fn step(&mut self, found: Option<LeaseSpec>, now: Instant) -> Step {
        let Some(found) = found else {
            self.seen = None;
            return Step::Create;
        };
        let since = match &self.seen {
            Some((known, since)) if *known == found => *since,
            _ => now,
        };
        let transitions = found.lease_transitions.unwrap_or(0);
        let holder = found.holder_identity.clone().unwrap_or_default();
        let seconds = found.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        self.seen = Some((found, since));
        if holder == self.options.identity {
            Step::Apply { transitions }
        } else if holder.is_empty() || now.duration_since(since) > Duration::from_secs(seconds) {
            Step::Apply { transitions: transitions.saturating_add(1) }
        } else {
            Step::Wait
        }
    }

    /// With the version that was seen: a conflict means that somebody else was faster.
    async fn apply(&self, lease: &Lease) -> Result<bool, kube::Error> {
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        won(self.api.patch(&self.options.name, &parameters, &Patch::Apply(lease)).await)
    }

    fn lease(&self, version: Option<String>, transitions: i32, now: Timestamp) -> Lease {
        let ours =
            self.seen.as_ref().filter(|(seen, _)| seen.holder_identity.as_deref() == Some(&self.options.identity));
        let acquired = ours.and_then(|(seen, _)| seen.acquire_time.clone()).unwrap_or(MicroTime(now));
        Lease {
            metadata: ObjectMeta {
                name: Some(self.options.name.clone()),
                namespace: Some(self.options.namespace.clone()),
                resource_version: version,
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.options.identity.clone()),
                lease_duration_seconds: Some(i32::try_from(self.options.duration.as_secs()).unwrap_or(i32::MAX).max(1)),
                acquire_time: Some(acquired),
                renew_time: Some(MicroTime(now)),
                lease_transitions: Some(transitions),
                ..LeaseSpec::default()
            }),
        }
    }

    /// So that another replica need not wait.
    async fn release(self, now: Timestamp) {
        if !self.leadership.leads() {
            return;
        }
        self.leadership.set(Until::Never);
        let released = async {
            let found = self.api.get(&self.options.name).await?;
            let spec = found.spec.unwrap_or_default();
            if spec.holder_identity.as_deref() != Some(&self.options.identity) {
                return Ok(false);
            }
            let mut lease = self.lease(found.metadata.resource_version, spec.lease_transitions.unwrap_or(0), now);
            if let Some(spec) = &mut lease.spec {
                spec.holder_identity = Some(String::new());
                spec.lease_duration_seconds = Some(1);
            }
            self.apply(&lease).await
        };
        if let Ok(Err(error)) = timeout(self.options.duration / PATIENCE, released).await {
            tracing::info!(lease = self.options.name, %error, "Lease was not given back");
        }
    }
}

impl std::fmt::Debug for Elector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elector").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Whether a write was accepted; whoever was slower has lost, without an error.
fn won(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
