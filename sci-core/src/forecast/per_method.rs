//! One of something for each method.

use super::Method;

/// Looked up without a chance to miss.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct PerMethod<T> {
    provider: T,
    anchored_profile: T,
    persistence: T,
    climatology: T,
}

impl<T> PerMethod<T> {
    pub(super) fn get(&self, method: Method) -> &T {
        match method {
            Method::Provider => &self.provider,
            Method::AnchoredProfile => &self.anchored_profile,
            Method::Persistence => &self.persistence,
            Method::Climatology => &self.climatology,
        }
    }

    pub(super) fn get_mut(&mut self, method: Method) -> &mut T {
        match method {
            Method::Provider => &mut self.provider,
            Method::AnchoredProfile => &mut self.anchored_profile,
            Method::Persistence => &mut self.persistence,
            Method::Climatology => &mut self.climatology,
        }
    }
}
