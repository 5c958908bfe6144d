//! Bearer tokens: the API server says whose they are.

use std::{sync::Arc, time::Instant};

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use moka::future::Cache;
use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};

use crate::{
    delegation::{Delegation, review},
    metrics::{Review, ServerMetrics},
    user::UserInfo,
};

const PATH: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// Asks about tokens and remembers the answers, refusals too. Tokens themselves are neither kept nor logged: answers are
/// filed under a hash with a key that lives as long as the process.
pub(crate) struct TokenReviewer {
    delegation: Delegation,
    key: hmac::Key,
    answers: Cache<[u8; 32], Option<Arc<UserInfo>>>,
    metrics: ServerMetrics,
}

/// The machine has no randomness.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no random numbers from the system")]
pub struct RandomError;

impl TokenReviewer {
    pub(crate) fn new(delegation: &Delegation, metrics: ServerMetrics) -> Result<Self, RandomError> {
        let mut secret = [0; 32];
        SystemRandom::new().fill(&mut secret).map_err(|_| RandomError)?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            answers: Cache::builder().max_capacity(delegation.capacity).time_to_live(delegation.token_ttl).build(),
            delegation: delegation.clone(),
            metrics,
        })
    }

    /// Whose token it is; `None` if it is nobody's or nobody can say.
    pub(crate) async fn review(&self, token: &str) -> Option<Arc<UserInfo>> {
        let tag = hmac::sign(&self.key, token.as_bytes());
        let key: [u8; 32] = tag.as_ref().try_into().ok()?;
        if let Some(answer) = self.answers.get(&key).await {
            self.metrics.count_lookup(Review::Token, "hit");
            return answer;
        }
        self.metrics.count_lookup(Review::Token, "miss");
        // Callers that come with the same token meanwhile wait for the same answer. Failures are not remembered.
        let answer = self.answers.try_get_with(key, self.ask(token)).await;
        answer.unwrap_or_else(|error| {
            tracing::warn!(%error, "a token could not be reviewed");
            None
        })
    }

    async fn ask(&self, token: &str) -> Result<Option<Arc<UserInfo>>, review::ReviewError> {
        let audiences = (!self.delegation.audiences.is_empty()).then(|| self.delegation.audiences.clone());
        let question =
            TokenReview { spec: TokenReviewSpec { token: token.to_owned(), audiences }, ..TokenReview::default() };
        let started = Instant::now();
        let answer = review::ask(&self.delegation, PATH, &question).await;
        self.metrics.observe_review(Review::Token, review::outcome(&answer), started.elapsed());
        let status = answer?.status.ok_or(review::ReviewError::NoStatus)?;
        Ok(self.judge(status).map(Arc::new))
    }

    /// Takes an answer for true only if it is complete and does not contradict itself.
    fn judge(&self, status: TokenReviewStatus) -> Option<UserInfo> {
        let failed = status.error.is_some_and(|error| !error.is_empty());
        if status.authenticated != Some(true) || failed {
            return None;
        }
        let wanted = &self.delegation.audiences;
        if !wanted.is_empty() {
            let granted = status.audiences.unwrap_or_default();
            if !granted.iter().any(|audience| wanted.contains(audience)) {
                return None;
            }
        }
        let user = status.user?;
        let name = user.username.filter(|name| !name.is_empty())?;
        let found = UserInfo {
            name,
            uid: user.uid.unwrap_or_default(),
            groups: user.groups.unwrap_or_default(),
            extra: user.extra.unwrap_or_default().into_iter().collect(),
        };
        Some(found.with_authenticated_group())
    }
}

impl std::fmt::Debug for TokenReviewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenReviewer").field("answers", &self.answers.entry_count()).finish_non_exhaustive()
    }
}
