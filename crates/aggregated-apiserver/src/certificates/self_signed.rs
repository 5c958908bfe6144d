//! An authority of our own.

use std::sync::Arc;

use super::{
    CertificateError, SelfSigned,
    key::{Pair, ServingKey},
};
use crate::{clock::Clock, metrics::ServerMetrics};

/// Keeps authority, bundles and certificate current.
#[derive(Debug)]
pub(super) struct Rotation {}

impl Rotation {
    pub(super) async fn start(
        _settings: SelfSigned,
        _clock: Arc<dyn Clock>,
        _metrics: ServerMetrics,
    ) -> Result<(Self, Pair), CertificateError> {
        Err(CertificateError::Unparsable)
    }

    pub(super) async fn follow(self, _key: &ServingKey) {}
}
