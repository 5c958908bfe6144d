//! Asks a grid API: when, how often, with which secret, and what to do when it fails.
//!
//! ```text
//! provider.plan -> questions -> due, stalest first -> breaker, quota, token -> HTTP -> provider.read -> answer
//! ```
//!
//! - The zones are those that nodes stand in; several regions of one zone are one question.
//! - No stretch of time holds more calls than the token is good for. When calls are short, the question that is the
//!   furthest behind its own pace comes first, so that no zone starves.
//! - `429` and `Retry-After` stop everything until then. A service that fails again and again is left alone for a
//!   while, then probed by one question.
//! - A refused secret is not shown again for the same question until its file changes, or six hours have passed.

mod backoff;
mod breaker;
mod question;
mod quota;
mod round;
mod token;

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};
use sci_core::intensity::Zone;

pub use self::quota::Allowance;
use self::{backoff::Backoff, breaker::Breaker, question::Question, round::Rest, token::Token};
use super::{
    Answer, IntensitySource, SourceError, SourceStatus, StatusHandle, ZoneDemand,
    demand::DemandedZone,
    providers::{CallLimit, Provider, ZoneRequest},
};
use crate::http::{HttpService, SecretFile};

/// How often questions are looked through; most rounds ask nothing.
const PERIOD: Duration = Duration::from_secs(1);
/// First wait after a failure, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(30), Duration::from_hours(1));
/// What a forecast learns from.
const LEARN_FROM: Duration = Duration::from_hours(28 * 24);

/// What a fetcher is told about its source.
#[derive(Debug)]
pub struct FetcherOptions {
    /// Configured name of the source.
    pub name: String,
    /// What it is, as in the configuration.
    pub kind: &'static str,
    /// Token of the source; without it the secret of the service, if it has one.
    pub token: Option<SecretFile>,
    /// Only these zones; empty: all that are demanded.
    pub only: Vec<Zone>,
    /// The provider's own names of zones.
    pub ids: Vec<(Zone, Arc<str>)>,
    /// Asked for even where no node stands.
    pub further: Vec<Zone>,
    /// Calls per hour beside what the publisher allows.
    pub calls_per_hour: Option<u32>,
    /// What the token is good for; shared with other sources of the same token.
    pub allowance: Allowance,
    /// No question is asked more often.
    pub period: Duration,
    /// Whether forecasts, and values to learn them from, are wanted.
    pub forecast: bool,
    /// For the jitter of waits.
    pub seed: u64,
}

/// A grid API as a source.
#[derive(Debug)]
pub struct Fetcher {
    provider: Arc<dyn Provider>,
    http: HttpService,
    demand: ZoneDemand,
    options: FetcherOptions,
    questions: Vec<Question>,
    token: Token,
    breaker: Breaker,
    backoff: Backoff,
    /// Until when the service wants no question at all.
    held: Option<(Timestamp, Duration)>,
    rest: Option<Rest>,
    status: SourceStatus,
    handle: StatusHandle,
}

impl FetcherOptions {
    /// Every demanded zone, no quota of its own, a seed by chance.
    pub fn new(name: &str, kind: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            token: None,
            only: Vec::new(),
            ids: Vec::new(),
            further: Vec::new(),
            calls_per_hour: None,
            allowance: Allowance::default(),
            period: Duration::ZERO,
            forecast: true,
            seed: RandomState::new().hash_one(name),
        }
    }
}

impl Fetcher {
    /// A source that asks `provider`'s questions of `http`; nothing is asked yet.
    pub fn new(provider: Arc<dyn Provider>, http: HttpService, demand: ZoneDemand, options: FetcherOptions) -> Self {
        let (base, max) = BACKOFF;
        let own = options.calls_per_hour.map(|calls| (calls, Duration::from_hours(1)));
        let publisher = provider.limits().iter().map(|&CallLimit { calls, per, .. }| (calls, per));
        own.into_iter().chain(publisher).for_each(|(calls, per)| options.allowance.limit(calls, per));
        provider.login_limits().iter().for_each(|limit| options.allowance.limit_logins(limit.calls, limit.per));
        let status = SourceStatus::new(&options.name, options.kind);
        Self {
            token: Token::new(options.token.clone(), &http),
            backoff: Backoff { base, max, seed: options.seed },
            handle: StatusHandle::new(status.clone()),
            status,
            provider,
            http,
            demand,
            options,
            questions: Vec::new(),
            breaker: Breaker::default(),
            held: None,
            rest: None,
        }
    }

    /// The zones to ask for.
    fn wanted(&self, now: Timestamp) -> Vec<ZoneRequest> {
        let demanded = self.demand.zones();
        let further = self.options.further.iter().cloned().map(DemandedZone::new);
        let mut seen = FxHashSet::default();
        let zones = demanded.iter().cloned().chain(further);
        zones
            .filter(|demanded| self.options.only.is_empty() || self.options.only.contains(&demanded.zone))
            .filter(|demanded| seen.insert(demanded.zone.clone()))
            .map(|demanded| self.request(demanded, now))
            .filter(|request| self.provider.serves(request))
            .collect()
    }

    fn request(&self, demanded: DemandedZone, now: Timestamp) -> ZoneRequest {
        let id = self.options.ids.iter().find(|(zone, _)| *zone == demanded.zone).map(|(_, id)| Arc::clone(id));
        let since = now.checked_sub(LEARN_FROM).ok().filter(|_| self.options.forecast);
        ZoneRequest { id, region: demanded.region, since, forecast: self.options.forecast, zone: demanded.zone }
    }

    /// Brings the questions in line with the plan; whether an answer went with the question it belonged to.
    fn plan(&mut self, now: Timestamp) -> bool {
        let planned = self.provider.plan(&self.wanted(now), now);
        let old = std::mem::take(&mut self.questions).into_iter();
        let mut old: FxHashMap<_, _> = old.map(|question| (Arc::clone(&question.planned.key), question)).collect();
        let known = planned.into_iter().map(|planned| match old.remove(&planned.key) {
            Some(question) => question.planned_as(planned),
            None => Question::new(planned),
        });
        self.questions = known.collect();
        old.values().any(|question| !question.series.is_empty())
    }
}

impl IntensitySource for Fetcher {
    fn name(&self) -> &str {
        &self.options.name
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    fn status(&self) -> Option<StatusHandle> {
        Some(self.handle.clone())
    }

    fn poll(&mut self, now: Timestamp) -> BoxFuture<'_, Result<Option<Answer>, SourceError>> {
        self.round(now).boxed()
    }
}
