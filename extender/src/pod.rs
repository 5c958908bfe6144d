//! What is read of the scheduler's pod: who it is, what it asks for, and our annotations on it.
//!
//! A pod is 3 to 15 KB, most of it foreign annotations, environment and managed fields: all of that is skipped
//! without a copy. What the containers ask for is worked out by the code that also reads bound pods.

use std::{borrow::Cow, fmt};

use kube_sci_cluster::{
    annotations,
    objects::{Controller, PodOwner, PodSpec, WorkloadKey},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::wire::{Text, WireError};

/// Our annotations begin with this; others are skipped unread.
const OURS: &str = "kube-sci.dev/";

/// A pod that waits for a node.
#[derive(Debug, Deserialize)]
pub struct Pod<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(default)]
    spec: PodSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    namespace: Text<'a>,
    #[serde(borrow, default)]
    uid: Text<'a>,
    #[serde(borrow, default)]
    annotations: Option<OurAnnotations<'a>>,
    #[serde(borrow, default)]
    owner_references: Option<Vec<OwnerReference<'a>>>,
}

#[derive(Debug, Deserialize)]
struct OwnerReference<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(default)]
    controller: Option<bool>,
}

impl<'a> Pod<'a> {
    /// Reads the pod of a request.
    ///
    /// # Errors
    /// [`WireError::Pod`] where a field that is read has the wrong type.
    pub fn parse(raw: &'a RawValue) -> Result<Self, WireError> {
        serde_json::from_str(raw.get()).map_err(WireError::Pod)
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        &self.metadata.name.0
    }

    /// `metadata.namespace`.
    pub fn namespace(&self) -> &str {
        &self.metadata.namespace.0
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        &self.metadata.uid.0
    }

    /// What its containers ask for.
    pub fn spec(&self) -> &PodSpec {
        &self.spec
    }

    /// The value of one of our annotations.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        let ours = &self.metadata.annotations.as_ref()?.0;
        ours.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_ref())
    }

    /// The pod asked for no opinion.
    pub fn opted_out(&self) -> bool {
        self.annotation(annotations::OPT_OUT).and_then(annotations::flag) == Some(true)
    }

    /// Who made it, by the rule for bound pods.
    pub fn owner(&self) -> PodOwner {
        PodOwner::controlled_by(self.controller().map(|controller| controller.kind))
    }

    /// What it belongs to, by the rule for bound pods.
    pub fn workload(&self) -> WorkloadKey {
        WorkloadKey::of(self.namespace(), self.name(), self.controller())
    }

    fn controller(&self) -> Option<Controller<'_>> {
        let owners = self.metadata.owner_references.as_deref().unwrap_or_default();
        let controller = owners.iter().find(|owner| owner.controller == Some(true))?;
        Some(Controller { kind: &controller.kind.0, name: &controller.name.0 })
    }
}

/// The annotations with our prefix.
#[derive(Debug)]
struct OurAnnotations<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for OurAnnotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnnotationsVisitor)
    }
}

struct AnnotationsVisitor;

impl<'de> Visitor<'de> for AnnotationsVisitor {
    type Value = OurAnnotations<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut ours = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            if key.starts_with(OURS) {
                let Text(value) = map.next_value()?;
                ours.push((key, value));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(OurAnnotations(ours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn foreign_annotations_are_skipped_and_ours_are_read() {
        let raw = raw(r#"{"metadata":{"name":"p","namespace":"ns","uid":"u","annotations":
            {"kubectl.kubernetes.io/last-applied-configuration":"{}","kube-sci.dev/opt-out":"true"}}}"#);
        let pod = Pod::parse(&raw).unwrap();
        assert_eq!((pod.namespace(), pod.name(), pod.uid()), ("ns", "p", "u"));
        assert!(pod.opted_out());
        assert_eq!(pod.metadata.annotations.as_ref().unwrap().0.len(), 1);
    }

    #[test]
    fn opt_out_needs_the_word_true() {
        for value in ["false", "yes", ""] {
            let raw = raw(&format!(r#"{{"metadata":{{"annotations":{{"kube-sci.dev/opt-out":"{value}"}}}}}}"#));
            assert!(!Pod::parse(&raw).unwrap().opted_out(), "{value}");
        }
    }

    #[test]
    fn nulls_and_absent_fields_are_empty() {
        let raw = raw(r#"{"metadata":{"annotations":null,"ownerReferences":null},"spec":{"containers":null}}"#);
        let pod = Pod::parse(&raw).unwrap();
        assert_eq!((pod.name(), pod.owner()), ("", PodOwner::Workload));
    }

    #[test]
    fn a_daemon_set_is_known_by_the_owner_that_controls_the_pod() {
        let owner = |controller: &str| {
            let raw = raw(&format!(
                r#"{{"metadata":{{"ownerReferences":[{{"kind":"DaemonSet","name":"d"{controller}}}]}}}}"#
            ));
            Pod::parse(&raw).unwrap().owner()
        };
        assert_eq!(owner(r#","controller":true"#), PodOwner::DaemonSet);
        // As for pods that are bound already: an owner that only holds the pod alive says nothing.
        assert_eq!(owner(r#","controller":false"#), PodOwner::Workload);
        assert_eq!(owner(""), PodOwner::Workload);
    }

    #[test]
    fn wrong_types_are_errors_that_name_the_place() {
        for text in ["1", "[]", r#"{"metadata":7}"#, r#"{"metadata":{"name":1}}"#, r#"{"metadata":{},"spec":7}"#] {
            let raw = raw(text);
            let error = Pod::parse(&raw).unwrap_err();
            assert_eq!(error.kind(), "pod", "{text}");
            assert!(error.to_string().contains("line 1"), "{error}");
        }
    }
}
