//! Labels that mean the same in several spellings, and pods that are named over and over on one page.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::{
    energy::{
        reading::{Pod, key_of},
        window::PodRef,
    },
    exposition::Labels,
};

/// A label of the exporter, and what Prometheus renames it to where the target has one of the same name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub exported: &'static str,
    pub plain: &'static str,
}

/// The pods of a page, each once.
#[derive(Debug, Default)]
pub(super) struct PodTable {
    pods: FxHashMap<u64, Arc<Pod>>,
}

impl Own {
    pub(super) const NAMESPACE: Self = Self { exported: "exported_namespace", plain: "namespace" };
    pub(super) const NAME: Self = Self { exported: "exported_name", plain: "name" };
    pub(super) const UID: Self = Self { exported: "exported_uid", plain: "uid" };
    pub(super) const KIND: Self = Self { exported: "exported_kind", plain: "kind" };
    pub(super) const DOMAIN: Self = Self { exported: "exported_domain", plain: "domain" };

    /// The exporter's value; empty is as good as missing.
    pub(super) fn get<'a>(self, labels: &Labels<'a>) -> Option<&'a str> {
        text(labels, self.exported).or_else(|| text(labels, self.plain))
    }
}

impl PodTable {
    /// The pod of this UID, or else of this namespace and name. `None` where neither is known.
    pub(super) fn pod(&mut self, uid: Option<&str>, namespace: Option<&str>, name: Option<&str>) -> Option<Arc<Pod>> {
        let key = match (uid, namespace, name) {
            (Some(uid), ..) => key_of(&[uid]),
            (None, Some(namespace), Some(name)) => key_of(&[namespace, name]),
            _ => return None,
        };
        let pod = self.pods.entry(key).or_insert_with(|| {
            let (namespace, name) = (namespace.unwrap_or_default().into(), name.unwrap_or_default().into());
            Arc::new(Pod { key, name: PodRef { uid: uid.map(Arc::from), namespace, name } })
        });
        Some(Arc::clone(pod))
    }
}

/// The value of a label that is not empty.
pub(super) fn text<'a>(labels: &Labels<'a>, name: &str) -> Option<&'a str> {
    labels.get(name).filter(|value| !value.is_empty())
}
