//! The other end of a connection: what it presented at the handshake, and what that is worth now.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use rustls::pki_types::CertificateDer;
use tokio::sync::Notify;

use super::{
    authorities::Authorities,
    identity::{Leaf, LeafError},
};
use crate::user::UserInfo;

/// How long a verified chain is not looked at again while authorities stay the same. The end of the leaf's validity
/// comes on top; this bounds what else depends on the time.
const RECHECK: Duration = Duration::from_secs(10);

/// The other end of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The leaf first. The handshake proved possession of its key and nothing else.
    chain: Vec<CertificateDer<'static>>,
    leaf: Option<Result<Leaf, LeafError>>,
    verdict: ArcSwapOption<Verdict>,
    /// Rung to have the connection closed after the requests in flight.
    pub(crate) close: Notify,
}

/// What the chain is worth, under one generation of authorities.
#[derive(Debug)]
pub(crate) struct Verdict {
    generation: u64,
    since: SystemTime,
    until: SystemTime,
    /// May say in headers who is calling.
    pub(crate) is_proxy: bool,
    /// Whom it stands for itself.
    pub(crate) client: Result<Arc<UserInfo>, ChainError>,
}

/// Why a chain stands for nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChainError {
    #[error("no authority of clients is known")]
    NoAuthority,
    #[error("the certificate has no common name")]
    Nameless,
    #[error(transparent)]
    Leaf(#[from] LeafError),
    #[error("the chain does not hold: {0}")]
    Chain(#[from] webpki::Error),
}

impl Peer {
    pub(crate) fn new(chain: Vec<CertificateDer<'static>>) -> Self {
        let leaf = chain.first().map(Leaf::parse);
        Self { chain, leaf, verdict: ArcSwapOption::empty(), close: Notify::new() }
    }

    pub(crate) fn has_certificate(&self) -> bool {
        !self.chain.is_empty()
    }

    /// True if this is the front proxy, by the last verdict: its connection carries requests of many callers.
    pub(crate) fn is_proxy(&self) -> bool {
        self.verdict.load().as_ref().is_some_and(|verdict| verdict.is_proxy)
    }

    /// What the chain is worth now. Signatures are checked once per connection and generation of authorities, and every
    /// few seconds; a request in between costs a comparison.
    pub(crate) fn verdict(&self, authorities: &Authorities, now: SystemTime) -> Arc<Verdict> {
        if let Some(known) = &*self.verdict.load()
            && known.generation == authorities.generation
            && known.since <= now
            && now < known.until
        {
            return Arc::clone(known);
        }
        let fresh = Arc::new(self.judge(authorities, now));
        self.verdict.store(Some(Arc::clone(&fresh)));
        fresh
    }

    fn judge(&self, authorities: &Authorities, now: SystemTime) -> Verdict {
        let recheck = now + RECHECK;
        let generation = authorities.generation;
        let leaf = match &self.leaf {
            Some(Ok(leaf)) => leaf,
            Some(Err(error)) => return Verdict::refused(generation, now, recheck, ChainError::Leaf(*error)),
            None => return Verdict::refused(generation, now, recheck, ChainError::Nameless),
        };
        let is_proxy = authorities
            .proxy
            .as_ref()
            .is_some_and(|proxy| proxy.allows(&leaf.common_name) && proxy.trust.verify(&self.chain, now).is_ok());
        let client = match &authorities.clients {
            None => Err(ChainError::NoAuthority),
            Some(trust) => match trust.verify(&self.chain, now) {
                Ok(()) => leaf.user().ok_or(ChainError::Nameless),
                Err(error) => Err(ChainError::Chain(error)),
            },
        };
        // A leaf is valid up to and including its last second; from the next one on the chain is judged again.
        let until = if now <= leaf.not_after { recheck.min(leaf.not_after + Duration::from_secs(1)) } else { recheck };
        Verdict { generation, since: now, until, is_proxy, client }
    }
}

impl Verdict {
    fn refused(generation: u64, since: SystemTime, until: SystemTime, error: ChainError) -> Self {
        Self { generation, since, until, is_proxy: false, client: Err(error) }
    }
}
