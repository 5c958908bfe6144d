//! Why a policy serves what it serves: all of its inputs with age and source, and every step in between.
//!
//! `GET /explain` lists the policies, `GET /explain/namespaces/NAMESPACE/greenscalingpolicies/NAME` explains one, and
//! `GET /keda/v1/namespaces/NAMESPACE/policies/NAME` is the number for KEDA. The aggregated API server authenticates
//! and authorises them as `nonResourceURLs`. The summary is the same sentence as in the status of the policy.

mod document;
mod sentence;

use aggregated_apiserver::{ApiResponse, Status};
use serde::Serialize;

pub use self::{document::Explanation, sentence::summary};
use crate::{keda, serve::values::View};

/// Where explanations are.
pub const ROOT: &str = "/explain";

/// Policies in one list.
#[derive(Serialize)]
struct Index {
    at: jiff::Timestamp,
    policies: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    namespace: String,
    name: String,
    path: String,
    summary: String,
}

/// Answers a path outside the metrics APIs.
///
/// # Errors
/// 404 for what is none of the paths above, for policies that do not exist, and before policies were listed.
pub fn answer(path: &str, view: &View<'_>) -> Result<ApiResponse, Status> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["explain"] => ApiResponse::json(&index(view)),
        ["explain", "namespaces", namespace, "greenscalingpolicies", name] => {
            let policy = view.policy_named(namespace, name)?;
            ApiResponse::json(&Explanation::new(policy, view.now))
        }
        ["keda", "v1", "namespaces", namespace, "policies", name] => {
            ApiResponse::json(&keda::Document::new(view.policy_named(namespace, name)?, view.now)?)
        }
        _ => Err(Status::not_found(format!("there is nothing at this path: {ROOT} lists what can be explained"))),
    }
}

fn index(view: &View<'_>) -> Index {
    let mut policies: Vec<Entry> = view
        .policies
        .policies()
        .map(|policy| Entry {
            namespace: policy.key.namespace.to_string(),
            name: policy.key.name.to_string(),
            path: format!("{ROOT}/namespaces/{}/greenscalingpolicies/{}", policy.key.namespace, policy.key.name),
            summary: summary(policy, view.now),
        })
        .collect();
    policies.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    Index { at: view.now, policies }
}
