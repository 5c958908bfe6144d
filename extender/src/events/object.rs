use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube_sci_cluster::events::{Note, Severity};

use super::Notice;
use crate::decisions::PodKey;

/// What a notice says.
pub(super) fn note(notice: &Notice) -> Note {
    match notice {
        Notice::Bound(report) => Note {
            regarding: reference(&report.pod, &report.uid),
            at: report.at,
            severity: Severity::Normal,
            reason: "CarbonFootprint".into(),
            action: "Binding",
            text: report.to_string(),
        },
        Notice::MalformedLimit { pod, uid, error, at } => Note {
            regarding: reference(pod, uid),
            at: *at,
            severity: Severity::Warning,
            reason: "CarbonLimitIgnored".into(),
            action: "Filtering",
            text: format!("no carbon limit is applied: {error}"),
        },
    }
}

fn reference(pod: &PodKey, uid: &Arc<str>) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(pod.namespace.to_string()),
        name: Some(pod.name.to_string()),
        uid: Some(uid.to_string()),
        ..ObjectReference::default()
    }
}
