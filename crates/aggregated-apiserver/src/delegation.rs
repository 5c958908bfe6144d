//! Who is calling and whether they may: asked of the API server of the cluster.

pub(crate) mod review;

use std::{fmt, time::Duration};

pub use crate::authn::{
    authorities::ConfigurationError, headers::decode_extra_key, token::RandomError, watch::StartError,
};

/// How authentication and authorisation are delegated to the API server of the cluster.
#[derive(Clone)]
pub struct Delegation {
    /// Client of the API server. Its identity needs the role `extension-apiserver-authentication-reader` in
    /// `kube-system` and the cluster role `system:auth-delegator`.
    pub client: kube::Client,
    /// Longest wait for one review, retries included.
    pub timeout: Duration,
    /// How long an answer about a token stays valid.
    pub token_ttl: Duration,
    /// How long a permission stays valid.
    pub allowed_ttl: Duration,
    /// How long a refusal stays valid.
    pub denied_ttl: Duration,
    /// Decisions kept.
    pub capacity: u64,
    /// Audiences that a token must be meant for; empty leaves that to the API server.
    pub audiences: Vec<String>,
    /// Longest wait for the first reading of `kube-system/extension-apiserver-authentication`.
    pub start_timeout: Duration,
    /// First pause between attempts of one review; grows by half each time.
    pub first_pause: Duration,
    /// Attempts of one review.
    pub attempts: u32,
}

impl Delegation {
    /// The usual: ten seconds of memory, ten seconds of patience.
    pub fn new(client: kube::Client) -> Self {
        let ten = Duration::from_secs(10);
        Self {
            client,
            timeout: ten,
            token_ttl: ten,
            allowed_ttl: ten,
            denied_ttl: ten,
            capacity: 8192,
            audiences: Vec::new(),
            start_timeout: Duration::from_secs(30),
            first_pause: Duration::from_millis(500),
            attempts: 5,
        }
    }
}

impl fmt::Debug for Delegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delegation")
            .field("timeout", &self.timeout)
            .field("token_ttl", &self.token_ttl)
            .field("allowed_ttl", &self.allowed_ttl)
            .field("denied_ttl", &self.denied_ttl)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
