//! Aggregated Kubernetes API servers.
//!
//! A program that implements [`Api`] says which groups it serves and answers requests. Everything between the socket and
//! that answer is here: TLS, who is calling, whether they may, discovery, OpenAPI, limits, probes, metrics.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use aggregated_apiserver::{
//!     Api, ApiGroup, ApiRequest, ApiResource, ApiResponse, ApiVersion, Delegation, Server, ServerOptions, Serving, Status,
//!     Verb,
//! };
//! use futures::future::BoxFuture;
//!
//! struct Greetings;
//!
//! impl Api for Greetings {
//!     fn groups(&self) -> Vec<ApiGroup> {
//!         let greetings = ApiResource::namespaced("greetings", "Greeting", &[Verb::Get]);
//!         vec![ApiGroup::new("greetings.example.dev", vec![ApiVersion::new("v1", vec![greetings])])]
//!     }
//!
//!     fn handle<'a>(&'a self, request: &'a ApiRequest) -> BoxFuture<'a, Result<ApiResponse, Status>> {
//!         Box::pin(async move { ApiResponse::json(&serde_json::json!({"kind": "Greeting", "text": request.attributes.name})) })
//!     }
//! }
//!
//! # async fn run(client: kube::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let serving = Serving::Files { certificate: "/tls/tls.crt".into(), key: "/tls/tls.key".into() };
//! let options = ServerOptions::new("[::]:6443".parse()?, serving, Delegation::new(client));
//! let server = Server::bind(options, Arc::new(Greetings)).await?;
//! server.run(tokio_util::sync::CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a request
//!
//! 1. TLS asks for a certificate and takes what comes; the client proves that it has the key.
//! 2. What is ambiguous is refused: paths, methods, impersonation.
//! 3. [`Attributes`] are derived, before anything is routed.
//! 4. A place among the requests in flight is taken.
//! 5. Authentication: front proxy, certificate, token, anonymous. Chains are judged under the authorities of this moment.
//! 6. Authorisation: by the API server of the cluster, remembered for some seconds.
//! 7. The body is read, credentials are taken away, and the server or the program answers.
//!
//! The README has guarantees, rights, limits, and threats.
#![warn(missing_docs)]

pub mod api;
pub mod attributes;
mod authn;
mod authz;
pub mod certificates;
pub mod clock;
pub mod delegation;
mod discovery;
#[doc(hidden)]
pub mod fuzzing;
mod hash;
pub mod health;
pub mod metrics;
mod negotiation;
pub mod openapi;
mod raw;
pub mod selector;
pub mod server;
pub mod status;
pub mod user;

pub use self::{
    api::{Api, ApiGroup, ApiRequest, ApiResource, ApiResponse, ApiVersion, Scope},
    attributes::{Attributes, StandsFor, Verb},
    certificates::{SelfSigned, Serving},
    clock::{Clock, SystemClock},
    delegation::Delegation,
    health::{Check, Probe, Ready},
    metrics::ServerMetrics,
    openapi::Definition,
    server::{BoundServer, Limits, Server, ServerError, ServerOptions},
    status::{Reason, Status},
    user::UserInfo,
};
