//! Why a policy serves what it serves: all of its inputs with age and source, and every step in between.
//!
//! | path | answer | right |
//! | --- | --- | --- |
//! | `/explain` | all policies | `get` the path |
//! | `/explain/namespaces/NAMESPACE/greenscalingpolicies` | those of a namespace | `list greenscalingpolicies/explain` there |
//! | `/explain/namespaces/NAMESPACE/greenscalingpolicies/NAME` | one, with every step | `get greenscalingpolicies/explain` |
//! | `/keda/v1/namespaces/NAMESPACE/policies/NAME` | the number for KEDA | `get greenscalingpolicies/keda` |
//!
//! A Role in the namespace is enough for all but the first. The summary is the same sentence as in the status of the
//! policy.

mod document;
mod sentence;

use aggregated_apiserver::{ApiResponse, Attributes, StandsFor, Status};
use serde::Serialize;

pub use self::{document::Explanation, sentence::summary};
use crate::{
    keda,
    policy::{GROUP, POLICIES},
    serve::values::View,
};

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

/// Subresource that a right to explanations names.
pub const EXPLAIN: &str = "explain";
/// Subresource that a right to values for KEDA names.
pub const KEDA: &str = "keda";

/// What a path outside the metrics APIs is about, and so what a caller must be allowed. `None` where it names neither
/// namespace nor policy.
pub fn stands_for(segments: &[&str]) -> Option<StandsFor> {
    let (namespace, subresource, name) = match segments {
        ["explain", "namespaces", namespace, POLICIES] => (namespace, EXPLAIN, ""),
        ["explain", "namespaces", namespace, POLICIES, name] => (namespace, EXPLAIN, *name),
        ["keda", "v1", "namespaces", namespace, "policies", name] => (namespace, KEDA, *name),
        _ => return None,
    };
    Some(StandsFor {
        group: GROUP.to_owned(),
        namespace: (*namespace).to_owned(),
        resource: POLICIES.to_owned(),
        subresource: subresource.to_owned(),
        name: name.to_owned(),
    })
}

/// Answers a path outside the metrics APIs: what was authorised, never the path read again.
///
/// # Errors
/// 404 for what is none of the paths above, for policies that do not exist, and before policies were listed.
pub fn answer(attributes: &Attributes, view: &View<'_>) -> Result<ApiResponse, Status> {
    let Attributes { namespace, name, .. } = attributes;
    match (attributes.stands_for, attributes.subresource.as_str()) {
        (true, EXPLAIN) if name.is_empty() => ApiResponse::json(&index(view, Some(namespace))),
        (true, EXPLAIN) => ApiResponse::json(&Explanation::new(view.policy_named(namespace, name)?, view.now)),
        (true, KEDA) => ApiResponse::json(&keda::Document::new(view.policy_named(namespace, name)?, view.now)?),
        (false, _) if attributes.path.trim_end_matches('/') == ROOT => ApiResponse::json(&index(view, None)),
        _ => Err(Status::not_found(format!("there is nothing at this path: {ROOT} lists what can be explained"))),
    }
}

fn index(view: &View<'_>, namespace: Option<&str>) -> Index {
    let mut policies: Vec<Entry> = view
        .policies
        .policies()
        .filter(|policy| namespace.is_none_or(|namespace| *policy.key.namespace == *namespace))
        .map(|policy| Entry {
            namespace: policy.key.namespace.to_string(),
            name: policy.key.name.to_string(),
            path: format!("{ROOT}/namespaces/{}/{POLICIES}/{}", policy.key.namespace, policy.key.name),
            summary: summary(policy, view.now),
        })
        .collect();
    policies.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    Index { at: view.now, policies }
}
