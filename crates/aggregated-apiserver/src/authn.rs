//! Who is calling: front proxy, client certificate, token, or nobody in particular.

pub(crate) mod authorities;
pub(crate) mod headers;
pub(crate) mod identity;
pub(crate) mod peer;
pub(crate) mod token;
pub(crate) mod trust;
pub(crate) mod watch;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderMap, header::AUTHORIZATION};

use self::{authorities::Authorities, peer::Peer, token::TokenReviewer};
use crate::{clock::Clock, metrics::ServerMetrics, user::UserInfo};

/// Finds out who is calling, in the order in which the API server does: front proxy, certificate, token, anonymous.
#[derive(Debug)]
pub(crate) struct Authenticator {
    authorities: Arc<ArcSwap<Authorities>>,
    tokens: TokenReviewer,
    clock: Arc<dyn Clock>,
    anonymous: Arc<UserInfo>,
    metrics: ServerMetrics,
}

/// Credentials were presented and none of them holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unauthenticated;

impl Authenticator {
    pub(crate) fn new(
        authorities: Arc<ArcSwap<Authorities>>,
        tokens: TokenReviewer,
        clock: Arc<dyn Clock>,
        metrics: ServerMetrics,
    ) -> Self {
        Self { authorities, tokens, clock, anonymous: Arc::new(UserInfo::anonymous()), metrics }
    }

    /// The first method that succeeds decides. A method that was tried and failed makes the caller unauthenticated,
    /// not anonymous, unless another one succeeds.
    pub(crate) async fn authenticate(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> Result<Arc<UserInfo>, Unauthenticated> {
        let mut failed = None;
        if peer.has_certificate() {
            match self.by_certificate(peer, headers) {
                Ok((method, user)) => return Ok(self.found(method, user)),
                Err(method) => failed = Some(method),
            }
        }
        match bearer_token(headers) {
            Ok(None) => {}
            Ok(Some(token)) => match self.tokens.review(token).await {
                Some(user) => return Ok(self.found("token", user)),
                None => failed = Some("token"),
            },
            Err(Unauthenticated) => failed = Some("token"),
        }
        match failed {
            None => Ok(self.found("anonymous", Arc::clone(&self.anonymous))),
            Some(method) => {
                self.metrics.count_authentication(method, "failed");
                Err(Unauthenticated)
            }
        }
    }

    /// The caller that a front proxy names, or that the certificate itself stands for; else the method that failed.
    fn by_certificate(&self, peer: &Peer, headers: &HeaderMap) -> Result<(&'static str, Arc<UserInfo>), &'static str> {
        let authorities = self.authorities.load();
        let verdict = peer.verdict(&authorities, self.clock.now());
        if let Some(names) = authorities.proxy_headers().filter(|_| verdict.is_proxy) {
            match headers::user(names, headers) {
                Ok(Some(user)) => return Ok(("header", Arc::new(user.with_authenticated_group()))),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "identity headers of the front proxy refused");
                    return Err("header");
                }
            }
        }
        match &verdict.client {
            Ok(user) => Ok(("certificate", Arc::clone(user))),
            Err(error) => {
                tracing::debug!(%error, "client certificate refused");
                Err("certificate")
            }
        }
    }

    /// Takes away the headers that must not reach the program.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        headers::strip(self.authorities.load().proxy_headers(), headers);
    }

    fn found(&self, method: &'static str, user: Arc<UserInfo>) -> Arc<UserInfo> {
        self.metrics.count_authentication(method, "ok");
        user
    }
}

/// The token of an `Authorization: Bearer` header. Other schemes are ignored as the API server does; more than one
/// header is refused, because two readers could take different ones.
fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, Unauthenticated> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unauthenticated);
    }
    let value = value.to_str().map_err(|_| Unauthenticated)?.trim();
    let Some((scheme, token)) = value.split_once(' ') else { return Ok(None) };
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Ok(None);
    }
    if token.contains(' ') { Err(Unauthenticated) } else { Ok(Some(token)) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn token(values: &[&'static str]) -> Result<Option<String>, Unauthenticated> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer_token(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn only_one_bearer_token_counts() {
        assert_eq!(token(&[]), Ok(None));
        assert_eq!(token(&["Bearer abc"]), Ok(Some("abc".to_owned())));
        assert_eq!(token(&["bEARER  abc "]), Ok(Some("abc".to_owned())));
        assert_eq!(token(&["Basic abc"]), Ok(None));
        assert_eq!(token(&["Bearer"]), Ok(None));
        assert_eq!(token(&["Bearer "]), Ok(None));
        assert_eq!(token(&["Bearer a b"]), Err(Unauthenticated));
        assert_eq!(token(&["Bearer a", "Bearer a"]), Err(Unauthenticated));
    }
}
