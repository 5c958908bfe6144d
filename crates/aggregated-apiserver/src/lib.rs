//! Aggregated Kubernetes API servers.
//!
//! A program that implements [`Api`] says which groups it serves and answers requests; everything between the socket
//! and that answer is here: TLS, who is calling, whether they may, discovery, OpenAPI, limits, probes, metrics.
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
    attributes::{Attributes, Verb},
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
