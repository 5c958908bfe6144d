//! Who owns the metrics APIs of the cluster.
//!
//! A cluster has one `APIService` for each group and version, and with it one owner. We never write who that is; we look,
//! and serve what is not somebody else's:
//!
//! | `APIService` names | we |
//! | --- | --- |
//! | our Service | serve it |
//! | another Service | leave it out, and say so in a log, an Event and the readiness detail, until it is free again |
//! | nothing, there is none | serve it: nobody is sent here |
//! | cannot be read | serve it: whoever is sent here is sent by an `APIService` that names us |
//!
//! An autoscaler asks the newest version of a group for all metrics. So where another adapter owns
//! `custom.metrics.k8s.io/v1beta1`, its users would lose their metrics to our `v1beta2`: then neither is served.

mod task;

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ObjectReference, kube_aggregator::pkg::apis::apiregistration::v1::APIService};
use kube_sci_cluster::events::{Note, Severity};

pub use self::task::{Look, Ownership};
use crate::{
    catalogue::{CUSTOM, EXTERNAL, Groups},
    config::ServiceConfig,
};

/// A group and version with an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupVersion {
    /// `custom.metrics.k8s.io/v1beta1`.
    CustomV1Beta1,
    /// `custom.metrics.k8s.io/v1beta2`.
    CustomV1Beta2,
    /// `external.metrics.k8s.io/v1beta1`.
    ExternalV1Beta1,
}

/// Who owns a group and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Nobody has looked yet.
    NotKnown,
    /// There is no `APIService`.
    Nobody,
    /// We do.
    Us,
    /// Another Service, as `NAMESPACE/NAME`, or the API server itself.
    Other(String),
    /// It cannot be read, with the cause.
    Unreadable(String),
}

/// The owner of each group and version, in the order of [`GroupVersion::ALL`].
pub type Owners = [Owner; 3];

/// Something that a person has to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Whose API it is.
    pub version: GroupVersion,
    /// What is wrong and what to do.
    pub text: String,
}

impl Conflict {
    /// For whoever describes the `APIService`.
    pub fn note(&self, at: Timestamp, over: bool) -> Note {
        let (severity, reason) =
            if over { (Severity::Normal, "MetricsApiServed") } else { (Severity::Warning, "MetricsApiNotServed") };
        Note {
            regarding: ObjectReference {
                api_version: Some("apiregistration.k8s.io/v1".to_owned()),
                kind: Some("APIService".to_owned()),
                name: Some(self.version.api_service().to_owned()),
                ..ObjectReference::default()
            },
            at,
            severity,
            reason: reason.into(),
            action: "Registering",
            text: if over { format!("no longer: {}", self.text) } else { self.text.clone() },
        }
    }
}

impl GroupVersion {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::CustomV1Beta1, Self::CustomV1Beta2, Self::ExternalV1Beta1];

    /// Name of its `APIService`.
    pub const fn api_service(self) -> &'static str {
        match self {
            Self::CustomV1Beta1 => "v1beta1.custom.metrics.k8s.io",
            Self::CustomV1Beta2 => "v1beta2.custom.metrics.k8s.io",
            Self::ExternalV1Beta1 => "v1beta1.external.metrics.k8s.io",
        }
    }

    /// Its group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::CustomV1Beta1 | Self::CustomV1Beta2 => CUSTOM,
            Self::ExternalV1Beta1 => EXTERNAL,
        }
    }

    /// Whether it is wanted.
    pub const fn is_in(self, groups: Groups) -> bool {
        match self {
            Self::CustomV1Beta1 => groups.custom_v1beta1,
            Self::CustomV1Beta2 => groups.custom_v1beta2,
            Self::ExternalV1Beta1 => groups.external,
        }
    }
}

impl Owner {
    /// The owner by an `APIService`.
    pub fn of(object: Option<&APIService>, own: &ServiceConfig) -> Self {
        let Some(object) = object else { return Self::Nobody };
        let service = object.spec.as_ref().and_then(|spec| spec.service.as_ref());
        let Some(service) = service else { return Self::Other("the API server itself".to_owned()) };
        let name = |part: &Option<String>| part.clone().unwrap_or_default();
        let (namespace, name) = (name(&service.namespace), name(&service.name));
        if namespace == own.namespace && name == own.name {
            Self::Us
        } else {
            Self::Other(format!("{namespace}/{name}"))
        }
    }

    const fn is_other(&self) -> bool {
        matches!(self, Self::Other(_))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotKnown => f.write_str("owner not looked up yet"),
            Self::Nobody => f.write_str("not registered"),
            Self::Us => f.write_str("ours"),
            Self::Other(owner) => write!(f, "owned by {owner}"),
            Self::Unreadable(cause) => write!(f, "owner cannot be read: {cause}"),
        }
    }
}

/// What to serve of what is wanted.
pub fn served(wanted: Groups, owners: &Owners) -> Groups {
    let [older, newer, external] = owners.each_ref().map(Owner::is_other);
    Groups {
        custom_v1beta1: wanted.custom_v1beta1 && !older,
        custom_v1beta2: wanted.custom_v1beta2 && !newer && !older,
        external: wanted.external && !external,
    }
}

/// What a person has to put right, or at least to know.
pub fn conflicts(wanted: Groups, owners: &Owners) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (version, owner) in GroupVersion::ALL.into_iter().zip(owners) {
        if !version.is_in(wanted) {
            continue;
        }
        if let Owner::Other(owner) = owner {
            let text = format!(
                "APIService {} belongs to {owner} and is left to it; metrics of this API are not served here",
                version.api_service()
            );
            found.push(Conflict { version, text });
        }
    }
    let [older, newer, _] = owners;
    if wanted.custom_v1beta2 && older.is_other() && *newer == Owner::Us {
        let text = format!(
            "APIService {} names this adapter while {} is {older}: autoscalers prefer the newer version and would not \
             find the metrics of the other adapter any more, so it is not served; delete APIService {}",
            GroupVersion::CustomV1Beta2.api_service(),
            GroupVersion::CustomV1Beta1.api_service(),
            GroupVersion::CustomV1Beta2.api_service(),
        );
        found.push(Conflict { version: GroupVersion::CustomV1Beta2, text });
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn other() -> Owner {
        Owner::Other("monitoring/prometheus-adapter".to_owned())
    }

    fn object(spec: &serde_json::Value) -> APIService {
        serde_json::from_value(json!({ "metadata": { "name": "x" }, "spec": spec })).unwrap()
    }

    #[test]
    fn the_service_tells_who_owns_an_api() {
        let own = ServiceConfig::default();
        let spec = |service: serde_json::Value| {
            object(&json!({ "groupPriorityMinimum": 1, "versionPriority": 1, "service": service }))
        };
        let ours = spec(json!({ "namespace": "kube-sci", "name": "kube-sci-metrics-adapter", "port": 443 }));
        assert_eq!(Owner::of(Some(&ours), &own), Owner::Us);
        let keda = spec(json!({ "namespace": "keda", "name": "kube-sci-metrics-adapter" }));
        assert_eq!(Owner::of(Some(&keda), &own), Owner::Other("keda/kube-sci-metrics-adapter".to_owned()));
        assert!(Owner::of(Some(&spec(json!(null))), &own).is_other());
        assert_eq!(Owner::of(None, &own), Owner::Nobody);
    }

    #[test]
    fn what_is_somebody_elses_is_left_out_and_the_rest_goes_on() {
        let all = Groups::ALL;
        let owners = [Owner::Us, Owner::Us, other()];
        assert_eq!(served(all, &owners), Groups { external: false, ..all });
        let found = conflicts(all, &owners);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("v1beta1.external.metrics.k8s.io"), "{}", found[0].text);
        // What is not wanted is nobody's business.
        assert!(conflicts(Groups { external: false, ..all }, &owners).is_empty());
        let unknown = [Owner::NotKnown, Owner::Nobody, Owner::Unreadable("forbidden".to_owned())];
        assert_eq!(served(all, &unknown), all);
    }

    #[test]
    fn the_newer_version_alone_never_takes_autoscalers_over() {
        let all = Groups::ALL;
        for newer in [Owner::Us, Owner::Nobody] {
            let owners = [other(), newer.clone(), Owner::Us];
            let served = served(all, &owners);
            assert_eq!(served, Groups { external: true, ..Groups::default() }, "{newer}");
            let told =
                conflicts(all, &owners).iter().any(|conflict| conflict.text.contains("delete APIService v1beta2"));
            assert_eq!(told, newer == Owner::Us);
        }
        // Each of them with another adapter: ours is whatever is left.
        let owners = [Owner::Us, other(), Owner::Us];
        assert_eq!(served(all, &owners), Groups { custom_v1beta2: false, ..all });
    }
}
