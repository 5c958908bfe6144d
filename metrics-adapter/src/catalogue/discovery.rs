//! What clients see when they ask what there is.

use aggregated_apiserver::{ApiGroup, ApiResource, ApiVersion, Verb};

use super::{CUSTOM, EXTERNAL, EXTERNAL_VERSION, ExternalMetric, Metric, Subject};
use crate::{policy, serve::body::CustomVersion};

/// Which group-versions are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Groups {
    /// `custom.metrics.k8s.io/v1beta1`.
    pub custom_v1beta1: bool,
    /// `custom.metrics.k8s.io/v1beta2`.
    pub custom_v1beta2: bool,
    /// `external.metrics.k8s.io/v1beta1`.
    pub external: bool,
}

/// Workloads that are listed. Others are served as well; lists are to be small.
const WORKLOADS: [&str; 6] =
    ["deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "jobs.batch", "cronjobs.batch"];

impl Groups {
    /// Everything.
    pub const ALL: Self = Self { custom_v1beta1: true, custom_v1beta2: true, external: true };

    /// Whether a version of the custom group is served.
    pub const fn serves(self, version: CustomVersion) -> bool {
        match version {
            CustomVersion::V1Beta1 => self.custom_v1beta1,
            CustomVersion::V1Beta2 => self.custom_v1beta2,
        }
    }
}

/// The groups as discovery has them.
pub fn groups(served: Groups) -> Vec<ApiGroup> {
    let versions: Vec<ApiVersion> = CustomVersion::ALL
        .into_iter()
        .filter(|&version| served.serves(version))
        .map(|version| ApiVersion::new(version.as_str(), custom_resources()))
        .collect();
    let custom = (!versions.is_empty()).then(|| ApiGroup::new(CUSTOM, versions));
    let external =
        served.external.then(|| ApiGroup::new(EXTERNAL, vec![ApiVersion::new(EXTERNAL_VERSION, external_resources())]));
    custom.into_iter().chain(external).collect()
}

fn custom_resources() -> Vec<ApiResource> {
    let resources = Subject::ALL.into_iter().flat_map(resources_of);
    resources.flat_map(|(subject, resource)| metrics_on(subject, resource)).collect()
}

fn resources_of(subject: Subject) -> Vec<(Subject, String)> {
    let names = match subject {
        Subject::Policy => vec![format!("greenscalingpolicies.{}", policy::GROUP)],
        Subject::Node => vec!["nodes".to_owned()],
        Subject::Namespace => vec!["namespaces".to_owned()],
        Subject::Pod => vec!["pods".to_owned()],
        Subject::Workload => WORKLOADS.map(str::to_owned).to_vec(),
    };
    names.into_iter().map(|name| (subject, name)).collect()
}

fn metrics_on(subject: Subject, resource: String) -> impl Iterator<Item = ApiResource> {
    let cluster = matches!(subject, Subject::Node | Subject::Namespace);
    Metric::ALL.into_iter().filter(move |metric| metric.is_of(subject)).map(move |metric| {
        let name = format!("{resource}/{}", metric.doc().name);
        if cluster {
            ApiResource::cluster(name, "MetricValueList", &[Verb::Get])
        } else {
            ApiResource::namespaced(name, "MetricValueList", &[Verb::Get])
        }
    })
}

fn external_resources() -> Vec<ApiResource> {
    let resource =
        |metric: ExternalMetric| ApiResource::namespaced(metric.doc().name, "ExternalMetricValueList", &[Verb::Get]);
    ExternalMetric::ALL.map(resource).to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_newer_version_is_preferred_and_both_list_the_same() {
        let groups = groups(Groups::ALL);
        let names: Vec<&str> = groups.iter().map(|group| &*group.name).collect();
        assert_eq!(names, [CUSTOM, EXTERNAL]);
        let [newer, older] = groups[0].versions.as_slice() else { panic!("two versions") };
        assert_eq!((&*newer.name, &*older.name), ("v1beta2", "v1beta1"));
        assert_eq!(newer.resources, older.resources);
        assert!(newer.resources.len() < 60, "{} entries slow every kubectl", newer.resources.len());
        assert_eq!(groups[1].versions[0].resources.len(), ExternalMetric::ALL.len());
    }

    #[test]
    fn all_metrics_of_one_resource_have_one_scope() {
        let mut scopes = HashMap::new();
        for resource in custom_resources() {
            let (parent, _) = resource.name.split_once('/').unwrap();
            let scope = *scopes.entry(parent.to_owned()).or_insert(resource.scope);
            assert_eq!(scope, resource.scope, "{}", resource.name);
        }
    }

    #[test]
    fn what_is_switched_off_is_not_listed() {
        assert!(groups(Groups::default()).is_empty());
        let only = groups(Groups { custom_v1beta1: true, ..Groups::default() });
        assert_eq!((only.len(), only[0].versions.len(), &*only[0].versions[0].name), (1, 1, "v1beta1"));
    }
}
