//! Who is calling.

use std::collections::BTreeMap;

/// Name of a caller that presented nothing.
pub const ANONYMOUS: &str = "system:anonymous";
/// Group of a caller that presented nothing.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// Group of every other caller.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Group that may do everything.
pub const MASTERS: &str = "system:masters";

/// An authenticated caller, or `system:anonymous`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserInfo {
    /// Name, never empty.
    pub name: String,
    /// Unique identifier, empty if none was given.
    pub uid: String,
    /// Groups, in the order in which they were given.
    pub groups: Vec<String>,
    /// Further facts by lower-case key, for instance scopes or the identifier of the credential.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// The caller that presented nothing.
    pub fn anonymous() -> Self {
        Self { name: ANONYMOUS.to_owned(), groups: vec![UNAUTHENTICATED.to_owned()], ..Self::default() }
    }

    /// True for the caller that presented nothing, or that somebody trusted calls so.
    pub fn is_anonymous(&self) -> bool {
        self.name == ANONYMOUS
    }

    /// True if the caller is in this group.
    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|member| member == group)
    }

    /// Adds `system:authenticated`, as every caller but the anonymous one must have it.
    pub(crate) fn with_authenticated_group(mut self) -> Self {
        if !self.is_anonymous() && !self.in_group(AUTHENTICATED) && !self.in_group(UNAUTHENTICATED) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }
}
