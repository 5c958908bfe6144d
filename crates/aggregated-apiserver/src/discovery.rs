//! What is served: the documents that clients and the aggregator read before they ask for anything.

mod aggregated;
mod legacy;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use ring::digest::{SHA256, digest};
use serde::Serialize;

use crate::{
    api::{Api, ApiGroup, ApiResource, JSON, Scope},
    hash,
    negotiation::DiscoveryForm,
    openapi,
};

/// How long the answer of [`Api::groups`] is relied on when a request only needs to know whether its group is served.
const RELIANCE: Duration = Duration::from_secs(1);

/// A document and the hash of its content.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) body: Bytes,
    /// Without quotes.
    pub(crate) etag: Arc<str>,
}

/// All documents of one state of the API.
#[derive(Debug)]
pub(crate) struct Documents {
    groups: Vec<ApiGroup>,
    pub(crate) group_list: Document,
    aggregated_v2: Document,
    aggregated_v2beta1: Document,
    by_group: HashMap<String, Document>,
    by_version: HashMap<String, Document>,
    pub(crate) openapi_v2: Document,
    pub(crate) openapi_index: Document,
    openapi_v3: HashMap<String, Document>,
}

/// Keeps the documents of the state that the API is in.
pub(crate) struct Catalogue {
    api: Arc<dyn Api>,
    documents: ArcSwap<Documents>,
    /// What the documents were made of.
    made_of: ArcSwap<Vec<ApiGroup>>,
    started: Instant,
    /// Milliseconds after `started` of the last look.
    looked: AtomicU64,
    version: String,
}

impl Catalogue {
    pub(crate) fn new(api: Arc<dyn Api>, version: String) -> Self {
        let groups = api.groups();
        let documents = Documents::make(&groups, &api.definitions(), &version);
        Self {
            api,
            documents: ArcSwap::from_pointee(documents),
            made_of: ArcSwap::from_pointee(groups),
            started: Instant::now(),
            looked: AtomicU64::new(0),
            version,
        }
    }

    /// The documents of this moment.
    pub(crate) fn current(&self) -> Arc<Documents> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.looked.store(now, Ordering::Relaxed);
        let groups = self.api.groups();
        if **self.made_of.load() != groups {
            let documents = Documents::make(&groups, &self.api.definitions(), &self.version);
            self.documents.store(Arc::new(documents));
            self.made_of.store(Arc::new(groups));
        }
        self.documents.load_full()
    }

    /// The name of a served group, if it serves this version; at most a second old.
    pub(crate) fn served(&self, group: &str, version: &str) -> Option<Cow<'static, str>> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let age = now.saturating_sub(self.looked.load(Ordering::Relaxed));
        if u128::from(age) > RELIANCE.as_millis() {
            return self.current().served(group, version);
        }
        self.documents.load().served(group, version)
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogue").field("documents", &self.documents).finish_non_exhaustive()
    }
}

impl Documents {
    fn make(groups: &[ApiGroup], definitions: &[openapi::Definition], version: &str) -> Self {
        let groups = presentable(groups);
        let mut by_group = HashMap::new();
        let mut by_version = HashMap::new();
        for group in &groups {
            by_group.insert(group.name.to_string(), Document::json(&legacy::group(group)));
            for version in &group.versions {
                let key = format!("{}/{}", group.name, version.name);
                by_version.insert(key, Document::json(&legacy::resources(group, version)));
            }
        }
        let openapi_v3: HashMap<String, Document> = openapi::v3::documents(&groups, definitions, version)
            .into_iter()
            .map(|(path, document)| (path, Document::json(&document)))
            .collect();
        let mut hashes: Vec<(&str, &str)> =
            openapi_v3.iter().map(|(path, document)| (path.as_str(), &*document.etag)).collect();
        hashes.sort_unstable();
        Self {
            group_list: Document::json(&legacy::group_list(&groups)),
            aggregated_v2: Document::aggregated(&groups, "v2"),
            aggregated_v2beta1: Document::aggregated(&groups, "v2beta1"),
            openapi_v2: Document::json(&openapi::v2::document(&groups, definitions, version)),
            openapi_index: Document::json(&openapi::v3::index(&hashes)),
            by_group,
            by_version,
            openapi_v3,
            groups,
        }
    }

    /// The root of discovery.
    pub(crate) fn root(&self, form: DiscoveryForm) -> &Document {
        match form {
            DiscoveryForm::Legacy => &self.group_list,
            DiscoveryForm::AggregatedV2 => &self.aggregated_v2,
            DiscoveryForm::AggregatedV2Beta1 => &self.aggregated_v2beta1,
        }
    }

    pub(crate) fn group(&self, group: &str) -> Option<&Document> {
        self.by_group.get(group)
    }

    /// The resources of `GROUP/VERSION`.
    pub(crate) fn version(&self, group_version: &str) -> Option<&Document> {
        self.by_version.get(group_version)
    }

    /// The OpenAPI v3 document of `apis/GROUP/VERSION`.
    pub(crate) fn openapi_v3(&self, path: &str) -> Option<&Document> {
        self.openapi_v3.get(path)
    }

    fn served(&self, group: &str, version: &str) -> Option<Cow<'static, str>> {
        let found = self.groups.iter().find(|known| known.name == group)?;
        found.versions.iter().any(|known| known.name == version).then(|| found.name.clone())
    }
}

impl Document {
    fn json(content: &impl Serialize) -> Self {
        Self::with_type(Cow::Borrowed(JSON), content)
    }

    /// What `/version` says. Clients read major and minor from the front of the text.
    pub(crate) fn version(version: &str) -> Self {
        let mut numbers = version.trim_start_matches('v').split(|c: char| !c.is_ascii_digit());
        let mut number = || numbers.next().unwrap_or_default().to_owned();
        let (major, minor) = (number(), number());
        Self::json(&serde_json::json!({
            "major": major, "minor": minor, "gitVersion": version, "gitCommit": "", "gitTreeState": "",
            "buildDate": "", "goVersion": "", "compiler": "rustc",
            "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        }))
    }

    fn aggregated(groups: &[ApiGroup], version: &str) -> Self {
        let content_type = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
        Self::with_type(Cow::Owned(content_type), &aggregated::document(groups, version))
    }

    fn with_type(content_type: Cow<'static, str>, content: &impl Serialize) -> Self {
        // Our own types have text keys only and are always writable.
        let body = serde_json::to_vec(content).unwrap_or_default();
        let etag = hash::hex(digest(&SHA256, &body).as_ref()).to_ascii_uppercase();
        Self { content_type, body: body.into(), etag: etag.into() }
    }
}

/// What may be shown: an empty list makes clients print errors, and the aggregator cannot convert a parent whose
/// subresources disagree about their scope.
fn presentable(groups: &[ApiGroup]) -> Vec<ApiGroup> {
    let mut groups = groups.to_vec();
    for group in &mut groups {
        for version in &mut group.versions {
            let mut scopes: HashMap<String, Scope> = HashMap::new();
            version.resources.retain(|resource| {
                let (parent, _) = split(resource);
                let agreed = *scopes.entry(parent.to_owned()).or_insert(resource.scope);
                if agreed != resource.scope {
                    tracing::warn!(resource = %resource.name, "scope differs from that of its parent, left out of discovery");
                }
                agreed == resource.scope
            });
        }
        let group_name = group.name.clone();
        group.versions.retain(|version| {
            if version.resources.is_empty() {
                tracing::warn!(group = %group_name, version = %version.name, "version without resources, not served");
            }
            !version.resources.is_empty()
        });
    }
    groups.retain(|group| !group.versions.is_empty());
    groups
}

/// `pods/metric` is a parent and a subresource.
fn split(resource: &ApiResource) -> (&str, Option<&str>) {
    match resource.name.split_once('/') {
        Some((parent, subresource)) => (parent, Some(subresource)),
        None => (&resource.name, None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::future::BoxFuture;

    use super::*;
    use crate::{
        api::{ApiRequest, ApiResponse, ApiVersion},
        attributes::Verb,
        status::Status,
    };

    fn resource(name: &'static str, scope: Scope) -> ApiResource {
        ApiResource { scope, ..ApiResource::namespaced(name, "MetricValueList", &[Verb::Get]) }
    }

    fn groups() -> Vec<ApiGroup> {
        vec![
            ApiGroup::new(
                "custom.metrics.k8s.io",
                vec![
                    ApiVersion::new(
                        "v1beta2",
                        vec![
                            resource("pods/load", Scope::Namespaced),
                            resource("nodes/watts", Scope::Cluster),
                            resource("pods/other", Scope::Cluster),
                            resource("policies", Scope::Namespaced),
                        ],
                    ),
                    ApiVersion::new("v1beta1", vec![resource("pods/load", Scope::Namespaced)]),
                    ApiVersion::new("v1alpha1", vec![]),
                ],
            ),
            ApiGroup::new("empty.example.dev", vec![ApiVersion::new("v1", vec![])]),
        ]
    }

    fn json(document: &Document) -> serde_json::Value {
        serde_json::from_slice(&document.body).unwrap()
    }

    #[test]
    fn legacy_documents_name_groups_versions_and_resources() {
        let documents = Documents::make(&groups(), &[], "v1");
        let list = json(&documents.group_list);
        assert_eq!(list["kind"], "APIGroupList");
        assert_eq!(list["groups"].as_array().unwrap().len(), 1);
        let group = json(documents.group("custom.metrics.k8s.io").unwrap());
        assert_eq!(group["preferredVersion"]["groupVersion"], "custom.metrics.k8s.io/v1beta2");
        assert_eq!(group["versions"].as_array().unwrap().len(), 2);
        let resources = json(documents.version("custom.metrics.k8s.io/v1beta2").unwrap());
        assert_eq!(resources["groupVersion"], "custom.metrics.k8s.io/v1beta2");
        assert_eq!(
            resources["resources"][0],
            serde_json::json!({"name": "pods/load", "singularName": "", "namespaced": true, "kind": "MetricValueList", "verbs": ["get"]})
        );
        let names: Vec<_> = resources["resources"].as_array().unwrap().iter().map(|entry| &entry["name"]).collect();
        assert_eq!(names, ["pods/load", "nodes/watts", "policies"], "one scope per parent");
        assert!(documents.version("custom.metrics.k8s.io/v1alpha1").is_none());
        assert!(documents.group("empty.example.dev").is_none());
        assert_eq!(documents.served("custom.metrics.k8s.io", "v1beta1").as_deref(), Some("custom.metrics.k8s.io"));
        assert_eq!(documents.served("custom.metrics.k8s.io", "v1alpha1"), None);
    }

    #[test]
    fn the_aggregated_document_nests_subresources() {
        let documents = Documents::make(&groups(), &[], "v1");
        let document = documents.root(DiscoveryForm::AggregatedV2);
        assert_eq!(document.content_type, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
        let list = json(document);
        assert_eq!(list["kind"], "APIGroupDiscoveryList");
        assert_eq!(list["apiVersion"], "apidiscovery.k8s.io/v2");
        let item = &list["items"][0];
        assert_eq!(item["metadata"]["name"], "custom.metrics.k8s.io");
        let version = &item["versions"][0];
        assert_eq!((&version["version"], &version["freshness"]), (&"v1beta2".into(), &"Current".into()));
        let pods = &version["resources"][0];
        assert_eq!(pods["resource"], "pods");
        assert_eq!(pods["scope"], "Namespaced");
        assert_eq!(pods["responseKind"], serde_json::json!({"group": "", "version": "", "kind": ""}));
        assert_eq!(
            pods["subresources"][0],
            serde_json::json!({
                "subresource": "load", "verbs": ["get"],
                "responseKind": {"group": "custom.metrics.k8s.io", "version": "v1beta2", "kind": "MetricValueList"},
            })
        );
        assert_eq!(version["resources"][1]["scope"], "Cluster");
        assert_eq!(version["resources"][2]["responseKind"]["kind"], "MetricValueList");
        let beta = json(documents.root(DiscoveryForm::AggregatedV2Beta1));
        assert_eq!(beta["apiVersion"], "apidiscovery.k8s.io/v2beta1");
    }

    struct Changing(Mutex<Vec<ApiGroup>>);

    impl Api for Changing {
        fn groups(&self) -> Vec<ApiGroup> {
            self.0.lock().unwrap().clone()
        }

        fn handle<'a>(&'a self, _request: &'a ApiRequest) -> BoxFuture<'a, Result<ApiResponse, Status>> {
            Box::pin(async { Err(Status::not_found("nothing")) })
        }
    }

    #[test]
    fn documents_follow_the_groups_and_stay_while_these_do() {
        let api = Arc::new(Changing(Mutex::new(groups())));
        let catalogue = Catalogue::new(api.clone(), "v1".to_owned());
        let first = catalogue.current();
        assert!(Arc::ptr_eq(&first, &catalogue.current()));
        api.0.lock().unwrap()[0].versions.truncate(1);
        let second = catalogue.current();
        assert!(!Arc::ptr_eq(&first, &second));
        assert_ne!(first.root(DiscoveryForm::AggregatedV2).etag, second.root(DiscoveryForm::AggregatedV2).etag);
        assert_eq!(catalogue.served("custom.metrics.k8s.io", "v1beta1"), None);
    }
}
