//! An authority of our own: shared by replicas through a Secret, rotated without a request that finds nobody to trust.

mod authority;
mod cluster;
mod state;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{self, MissedTickBehavior};

use self::{
    authority::{Authority, Issued},
    cluster::{Bundle, Stored, Written},
    state::{State, Step},
};
use super::{
    CertificateError, SelfSigned,
    key::{Pair, ServingKey},
};
use crate::{clock::Clock, metrics::ServerMetrics};

/// Steps of one round: announce, promote, retire, and one that another replica overtook.
const STEPS: usize = 4;
/// Longest wait for the API server in one round.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps authority, bundles and certificate current.
#[derive(Debug)]
pub(super) struct Rotation {
    settings: SelfSigned,
    clock: Arc<dyn Clock>,
    metrics: ServerMetrics,
    issued: Option<Issued>,
    /// What was last said about each APIService.
    told: HashMap<String, Bundle>,
}

impl Rotation {
    /// Makes or adopts the authority and issues the first certificate.
    pub(super) async fn start(
        settings: SelfSigned,
        clock: Arc<dyn Clock>,
        metrics: ServerMetrics,
    ) -> Result<(Self, Pair), CertificateError> {
        let mut this = Self { settings, clock, metrics, issued: None, told: HashMap::new() };
        let pair = this.round_in_time().await?;
        pair.map(|pair| (this, pair)).ok_or(CertificateError::Overtaken)
    }

    /// Looks after everything until dropped.
    pub(super) async fn follow(mut self, key: &ServingKey) {
        let mut ticks = time::interval(self.settings.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.round_in_time().await {
                Ok(None) => {}
                Ok(Some(pair)) => {
                    key.replace(pair);
                    tracing::info!("new serving certificate in use");
                }
                Err(error) => {
                    tracing::warn!(%error, source = ?std::error::Error::source(&error), "certificate authority could not be looked after");
                }
            }
        }
    }

    async fn round_in_time(&mut self) -> Result<Option<Pair>, CertificateError> {
        time::timeout(PATIENCE, self.round()).await.unwrap_or(Err(CertificateError::Timeout))
    }

    /// Takes every step that is due; a new pair if there is one to serve.
    async fn round(&mut self) -> Result<Option<Pair>, CertificateError> {
        let now = self.clock.now();
        let mut state = self.load().await?;
        for _ in 0..STEPS {
            let published = self.publish(&state.1).await;
            let (stored, current) = &state;
            let mut changed = current.clone();
            let name = match current.step(now, self.settings.overlap, published) {
                Step::Nothing => break,
                Step::Announce => {
                    changed.announce(Authority::make(&self.settings, now)?, now);
                    "announce"
                }
                Step::Promote => {
                    changed.promote(now);
                    "promote"
                }
                Step::Retire => {
                    changed.retire();
                    "retire"
                }
            };
            let written = cluster::replace(&self.settings, stored, &changed).await;
            self.count(name, written.is_ok());
            if written? == Written::Done {
                tracing::info!(step = name, "certificate authority rotated");
            }
            // Read back: what counts is what all replicas see.
            state = self.load().await?;
        }
        self.metrics.set_not_after("authority", state.1.current.not_after);
        self.issue(&state.1)
    }

    /// The shared state; made if there is none.
    async fn load(&mut self) -> Result<(Stored, State), CertificateError> {
        for turn in 0..STEPS {
            let found = cluster::read(&self.settings).await?;
            if let Some(Stored { state: Some(state), .. }) = &found {
                let state = state.clone();
                if let Some(stored) = found {
                    if turn == 0 && self.issued.is_none() {
                        self.count("adopt", true);
                    }
                    return Ok((stored, state));
                }
            }
            let first = State::first(Authority::make(&self.settings, self.clock.now())?);
            // Whoever is overtaken adopts what the other replica made, on the next turn of the loop.
            let written = match found {
                None => cluster::create(&self.settings, &first).await,
                Some(empty) => cluster::replace(&self.settings, &empty, &first).await,
            };
            self.count("create", written.is_ok());
            written?;
        }
        Err(CertificateError::Overtaken)
    }

    /// True if every bundle of ours has everything. One that cannot be written is tried again in the next round.
    async fn publish(&mut self, state: &State) -> bool {
        let bundle = state.bundle();
        let mut complete = true;
        for name in self.settings.api_services.clone() {
            match cluster::publish(&self.settings, &name, &bundle).await {
                Ok(outcome) => {
                    if outcome == Bundle::Patched {
                        self.count("publish", true);
                    }
                    self.tell(name, outcome);
                }
                Err(error) => {
                    complete = false;
                    self.count("publish", false);
                    tracing::warn!(%error, source = ?std::error::Error::source(&error), "authority could not be published");
                }
            }
        }
        complete
    }

    fn tell(&mut self, name: String, outcome: Bundle) {
        match outcome {
            Bundle::Patched => tracing::info!(name, "authority published in the APIService"),
            Bundle::Absent if self.told.get(&name) != Some(&outcome) => {
                tracing::warn!(name, "no such APIService: the aggregator does not know us by it");
            }
            Bundle::Foreign if self.told.get(&name) != Some(&outcome) => {
                tracing::warn!(name, "the APIService belongs to another service and is left alone");
            }
            _ => {}
        }
        self.told.insert(name, outcome);
    }

    /// A pair by the current authority, if the one in use is of another, or old.
    fn issue(&mut self, state: &State) -> Result<Option<Pair>, CertificateError> {
        let now = self.clock.now();
        if self.issued.as_ref().is_some_and(|issued| issued.by == state.current.certificate && now < issued.renew) {
            return Ok(None);
        }
        let issued = state.current.issue(&self.settings, now);
        self.count("issue", issued.is_ok());
        let (issued, pair) = issued?;
        self.issued = Some(issued);
        Ok(Some(pair))
    }

    fn count(&self, step: &'static str, success: bool) {
        self.metrics.count_rotation(step, if success { "success" } else { "failure" });
    }
}
