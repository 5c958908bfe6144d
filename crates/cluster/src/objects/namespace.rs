//! What is kept of a Namespace.

use kube::core::{ClusterResourceScope, ObjectMeta};
use serde::Deserialize;

use super::meta;
use crate::annotations;

/// A Namespace: its name and whether its pods want no opinion.
#[derive(Debug, Clone, Deserialize)]
pub struct NamespaceView {
    /// Name, labels and annotations.
    #[serde(default, deserialize_with = "meta::described")]
    pub metadata: ObjectMeta,
}

impl NamespaceView {
    /// Opted out by label or annotation.
    pub fn opted_out(&self) -> bool {
        [meta::label(&self.metadata, annotations::OPT_OUT), meta::annotation(&self.metadata, annotations::OPT_OUT)]
            .into_iter()
            .flatten()
            .any(|value| annotations::flag(value) == Some(true))
    }
}

meta::core_resource!(NamespaceView, "Namespace", "namespaces", ClusterResourceScope);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn opted_out(metadata: &Value) -> bool {
        serde_json::from_value::<NamespaceView>(json!({ "metadata": metadata })).unwrap().opted_out()
    }

    #[test]
    fn label_or_annotation_opts_out() {
        assert!(opted_out(&json!({ "name": "a", "labels": { "kube-sci.dev/opt-out": "true" } })));
        assert!(opted_out(&json!({ "name": "a", "annotations": { "kube-sci.dev/opt-out": "true" } })));
        assert!(!opted_out(&json!({ "name": "a", "labels": { "kube-sci.dev/opt-out": "false" } })));
        assert!(!opted_out(&json!({ "name": "a" })));
    }
}
