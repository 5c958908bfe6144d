//! Bounds that schema and code share.

/// Steps of a curve.
pub(super) const MAX_STEPS: usize = 16;
/// Windows of a policy.
pub(super) const MAX_WINDOWS: usize = 16;
/// Bytes of a query.
pub(super) const MAX_QUERY: usize = 4_096;
