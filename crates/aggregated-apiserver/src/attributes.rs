//! What a request wants, derived from its method and path before anything is routed.

use std::fmt;

use crate::selector::{FieldSelector, LabelSelector, SelectorError};

/// What a request wants: the question that is put to the authoriser, and what the program answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// What is done.
    pub verb: Verb,
    /// True for paths below `/apis/GROUP/VERSION/`; false for discovery, probes and whatever else the program serves.
    pub resource_request: bool,
    /// API group; empty for nonresource requests.
    pub group: String,
    /// API version.
    pub version: String,
    /// Namespace; empty for cluster scope.
    pub namespace: String,
    /// Resource, lower-case plural as written in the path, for instance `pods` or `deployments.apps`.
    pub resource: String,
    /// Subresource; custom metrics put the name of the metric here.
    pub subresource: String,
    /// Name of the object; empty for lists. For lists it comes from a field selector `metadata.name=...`.
    pub name: String,
    /// Decoded segments behind the subresource. Authorisation has not seen them: refuse what you do not expect.
    pub rest: Vec<String>,
    /// Decoded path as a whole.
    pub path: String,
    /// Label selector as sent with list, watch and deletecollection.
    pub label_selector: Option<Result<LabelSelector, SelectorError>>,
    /// Field selector as sent with list, watch and deletecollection.
    pub field_selector: Option<Result<FieldSelector, SelectorError>>,
}

/// What is done, as RBAC calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Read one object, or a nonresource path.
    #[default]
    Get,
    /// Read many.
    List,
    /// Follow changes.
    Watch,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Change one.
    Patch,
    /// Remove one.
    Delete,
    /// Remove many.
    DeleteCollection,
    /// Nonresource `HEAD`.
    Head,
    /// Nonresource `POST`.
    Post,
    /// Nonresource `PUT`.
    Put,
    /// Nonresource `OPTIONS`.
    Options,
    /// Pass through to what the object stands for (`/apis/GROUP/VERSION/proxy/...`).
    Proxy,
}

impl Verb {
    /// As RBAC rules write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Head => "head",
            Self::Post => "post",
            Self::Put => "put",
            Self::Options => "options",
            Self::Proxy => "proxy",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
