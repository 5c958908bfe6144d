//! Measured energy on its way in: text, routes, the join with the cluster, and what it costs a decision.

pub mod agents;
pub mod api_server;
pub mod decisions;
pub mod exposition;
pub mod join;
pub mod route;
pub mod routes;
