//! What a program implements: the groups it serves and the answers it gives.

use std::{borrow::Cow, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use crate::{
    attributes::{Attributes, StandsFor, Verb},
    openapi::Definition,
    status::Status,
    user::UserInfo,
};

/// Content type of nearly every answer.
pub const JSON: &str = "application/json";

/// An API that a program serves.
///
/// Every request that reaches [`Api::handle`] is authenticated, authorised and stripped of credentials. Discovery,
/// OpenAPI, `/version` and the probes are answered before.
pub trait Api: Send + Sync + 'static {
    /// The groups served now. Called often; documents made of it are kept for as long as the answer stays the same.
    fn groups(&self) -> Vec<ApiGroup>;

    /// Schemas of the kinds served, for `kubectl explain` and for clients that generate code. Kinds without one are
    /// described as objects of unknown content.
    fn definitions(&self) -> Vec<Definition> {
        Vec::new()
    }

    /// The resource that a path outside of `/apis` stands for, so that a right to the resource, such as one in a single
    /// namespace, is what the caller needs. `None` leaves the path to rules for `nonResourceURLs`.
    ///
    /// It is asked before anybody is authenticated, with the decoded segments, never empty, and not about paths that the
    /// server answers itself. What it says is what is authorised: take namespace and name of the answer from
    /// [`ApiRequest::attributes`], not from the path again.
    fn stands_for(&self, segments: &[&str]) -> Option<StandsFor> {
        let _ = segments;
        None
    }

    /// Answers one request, in a served group version or of a path outside `/apis`. The future is dropped when the
    /// caller goes away or the deadline passes.
    fn handle<'a>(&'a self, request: &'a ApiRequest) -> BoxFuture<'a, Result<ApiResponse, Status>>;
}

/// An API group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiGroup {
    /// For instance `custom.metrics.k8s.io`.
    pub name: Cow<'static, str>,
    /// Its versions, the preferred one first. A group without versions is left out.
    pub versions: Vec<ApiVersion>,
}

/// A version of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersion {
    /// For instance `v1beta2`.
    pub name: Cow<'static, str>,
    /// What is listed in discovery. Requests for other resources reach the program too.
    pub resources: Vec<ApiResource>,
}

/// A resource or subresource in discovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiResource {
    /// Plural, with the subresource if it is one: `greetings` or `pods/metric`.
    pub name: Cow<'static, str>,
    /// Singular, may be empty.
    pub singular: Cow<'static, str>,
    /// In namespaces or in the cluster. All `RES/x` of one `RES` must agree; the first one listed decides.
    pub scope: Scope,
    /// Kind of the objects answered.
    pub kind: Cow<'static, str>,
    /// What may be done.
    pub verbs: Vec<Verb>,
    /// Short names for the command line.
    pub short_names: Vec<Cow<'static, str>>,
    /// Groups of resources it belongs to, for instance `all`.
    pub categories: Vec<Cow<'static, str>>,
}

/// Where objects of a resource live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In namespaces.
    Namespaced,
    /// In the cluster.
    Cluster,
}

/// A request that may be answered: authenticated, authorised, without credentials.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// Who is calling.
    pub user: Arc<UserInfo>,
    /// What for.
    pub attributes: Attributes,
    /// HTTP method.
    pub method: Method,
    /// Decoded pairs of the query, in order.
    pub query: Vec<(String, String)>,
    /// Headers without anything that identifies or authenticates.
    pub headers: HeaderMap,
    /// Body, within the limit.
    pub body: Bytes,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiResponse {
    /// HTTP status code, 200 if not said otherwise.
    pub code: StatusCode,
    /// Media type of the body.
    pub content_type: Cow<'static, str>,
    /// The body.
    pub body: Bytes,
    /// Entity tag without quotes. With it, `If-None-Match` is answered with 304.
    pub etag: Option<String>,
}

impl ApiGroup {
    /// A group.
    pub fn new(name: impl Into<Cow<'static, str>>, versions: Vec<ApiVersion>) -> Self {
        Self { name: name.into(), versions }
    }
}

impl ApiVersion {
    /// A version with its resources.
    pub fn new(name: impl Into<Cow<'static, str>>, resources: Vec<ApiResource>) -> Self {
        Self { name: name.into(), resources }
    }
}

impl ApiResource {
    /// A resource in namespaces, without singular, short names and categories.
    pub fn namespaced(name: impl Into<Cow<'static, str>>, kind: impl Into<Cow<'static, str>>, verbs: &[Verb]) -> Self {
        Self {
            name: name.into(),
            singular: Cow::Borrowed(""),
            scope: Scope::Namespaced,
            kind: kind.into(),
            verbs: verbs.to_vec(),
            short_names: Vec::new(),
            categories: Vec::new(),
        }
    }

    /// A resource of the cluster, without singular, short names and categories.
    pub fn cluster(name: impl Into<Cow<'static, str>>, kind: impl Into<Cow<'static, str>>, verbs: &[Verb]) -> Self {
        Self { scope: Scope::Cluster, ..Self::namespaced(name, kind, verbs) }
    }
}

impl ApiRequest {
    /// The first value of a parameter of the query.
    pub fn query(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }
}

impl ApiResponse {
    /// 200 with a value as JSON.
    pub fn json(value: &impl Serialize) -> Result<Self, Status> {
        let mut buffer = BytesMut::with_capacity(512).writer();
        serde_json::to_writer(&mut buffer, value).map_err(|error| {
            tracing::error!(%error, "answer cannot be serialised");
            Status::internal("the answer cannot be serialised")
        })?;
        Ok(Self::json_bytes(buffer.into_inner().freeze()))
    }

    /// 200 with JSON that is serialised already.
    pub fn json_bytes(body: impl Into<Bytes>) -> Self {
        Self::bytes(JSON, body)
    }

    /// 200 with text.
    pub fn text(body: impl Into<Bytes>) -> Self {
        Self::bytes("text/plain; charset=utf-8", body)
    }

    /// 200 with a body of some media type.
    pub fn bytes(content_type: impl Into<Cow<'static, str>>, body: impl Into<Bytes>) -> Self {
        Self { code: StatusCode::OK, content_type: content_type.into(), body: body.into(), etag: None }
    }

    /// The same with another code.
    #[must_use]
    pub fn with_code(mut self, code: StatusCode) -> Self {
        self.code = code;
        self
    }

    /// The same with an entity tag, given without quotes.
    #[must_use]
    pub fn with_etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into());
        self
    }
}
