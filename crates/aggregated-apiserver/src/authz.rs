//! Whether the caller may: always for probes and masters, else as the API server says.

mod spec;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewStatus};
use moka::{Expiry, future::Cache};

use crate::{
    attributes::Attributes,
    delegation::{
        Delegation,
        review::{self, ReviewError},
    },
    metrics::{Review, ServerMetrics},
    status::Status,
    user::{MASTERS, UserInfo},
};

const PATH: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// Open to everybody, exactly these and nothing below them.
const ALWAYS_ALLOWED: [&str; 3] = ["/healthz", "/livez", "/readyz"];

/// Attributes of more bytes than this are asked about each time, so that nobody fills the memory with them.
const CACHEABLE_BYTES: usize = 10_000;

/// Asks whether callers may, and remembers the answers.
#[derive(Debug)]
pub(crate) struct Authorizer {
    delegation: Delegation,
    decisions: Cache<[u8; 32], Decision>,
    metrics: ServerMetrics,
}

/// An answer of the API server.
#[derive(Clone, Debug)]
struct Decision {
    allowed: bool,
    reason: Arc<str>,
}

/// Permissions and refusals live for different times.
#[derive(Debug)]
struct Lifetimes {
    allowed: Duration,
    denied: Duration,
}

impl Authorizer {
    pub(crate) fn new(delegation: &Delegation, metrics: ServerMetrics) -> Self {
        let lifetimes = Lifetimes { allowed: delegation.allowed_ttl, denied: delegation.denied_ttl };
        let decisions = Cache::builder().max_capacity(delegation.capacity).expire_after(lifetimes).build();
        Self { delegation: delegation.clone(), decisions, metrics }
    }

    /// Lets the caller pass, or says why not. Whatever goes wrong counts as a no.
    pub(crate) async fn authorize(&self, user: &UserInfo, attributes: &Attributes) -> Result<(), Status> {
        if always_allowed(user, attributes) {
            self.metrics.count_authorisation("always");
            return Ok(());
        }
        match self.decide(user, attributes).await {
            Ok(decision) if decision.allowed => {
                self.metrics.count_authorisation("allowed");
                Ok(())
            }
            Ok(decision) => {
                self.metrics.count_authorisation("denied");
                Err(spec::forbidden(user, attributes, &decision.reason))
            }
            Err(error) => {
                self.metrics.count_authorisation("error");
                tracing::warn!(%error, "access could not be reviewed, refused");
                Err(Status::internal("whether this is allowed could not be found out"))
            }
        }
    }

    async fn decide(&self, user: &UserInfo, attributes: &Attributes) -> Result<Decision, ReviewError> {
        if spec::size(attributes) > CACHEABLE_BYTES {
            self.metrics.count_lookup(Review::Access, "bypass");
            return self.ask(user, attributes).await;
        }
        let key = spec::digest(user, attributes);
        if let Some(decision) = self.decisions.get(&key).await {
            self.metrics.count_lookup(Review::Access, "hit");
            return Ok(decision);
        }
        self.metrics.count_lookup(Review::Access, "miss");
        // The same question meanwhile waits for the same answer. Failures are not remembered.
        self.decisions.try_get_with(key, self.ask(user, attributes)).await.map_err(|error| *error)
    }

    async fn ask(&self, user: &UserInfo, attributes: &Attributes) -> Result<Decision, ReviewError> {
        let question = SubjectAccessReview { spec: spec::spec(user, attributes), ..SubjectAccessReview::default() };
        let started = Instant::now();
        let answer = review::ask(&self.delegation, PATH, &question).await;
        self.metrics.observe_review(Review::Access, review::outcome(&answer), started.elapsed());
        Ok(judge(answer?.status.ok_or(ReviewError::NoStatus)?))
    }
}

/// An answer that says both means no.
fn judge(status: SubjectAccessReviewStatus) -> Decision {
    let allowed = status.allowed && status.denied != Some(true);
    Decision { allowed, reason: status.reason.unwrap_or_default().into() }
}

fn always_allowed(user: &UserInfo, attributes: &Attributes) -> bool {
    user.in_group(MASTERS) || (!attributes.resource_request && is_open(&attributes.path))
}

/// True for the paths that are open to everybody.
pub(crate) fn is_open(path: &str) -> bool {
    ALWAYS_ALLOWED.contains(&path)
}

impl Expiry<[u8; 32], Decision> for Lifetimes {
    fn expire_after_create(&self, _key: &[u8; 32], decision: &Decision, _created: Instant) -> Option<Duration> {
        Some(if decision.allowed { self.allowed } else { self.denied })
    }
}
