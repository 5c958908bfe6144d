//! `APIGroupDiscoveryList`: everything in one document.

use serde::Serialize;

use super::split;
use crate::{
    api::{ApiGroup, ApiResource, ApiVersion, Scope},
    attributes::Verb,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List<'a> {
    kind: &'static str,
    api_version: String,
    metadata: Empty,
    items: Vec<GroupEntry<'a>>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct GroupEntry<'a> {
    metadata: Metadata<'a>,
    versions: Vec<VersionEntry<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct VersionEntry<'a> {
    version: &'a str,
    resources: Vec<ResourceEntry<'a>>,
    freshness: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceEntry<'a> {
    resource: &'a str,
    /// All empty for a parent that exists for its subresources only: clients then leave it out.
    response_kind: KindName<'a>,
    scope: &'static str,
    singular_resource: &'a str,
    verbs: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    short_names: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subresources: Vec<SubresourceEntry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubresourceEntry<'a> {
    subresource: &'a str,
    response_kind: KindName<'a>,
    verbs: Vec<&'static str>,
}

#[derive(Default, Serialize)]
struct KindName<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
}

pub(super) fn document<'a>(groups: &'a [ApiGroup], version: &str) -> List<'a> {
    let items = groups
        .iter()
        .map(|group| GroupEntry {
            metadata: Metadata { name: &group.name },
            versions: group.versions.iter().map(|version| self::version(group, version)).collect(),
        })
        .collect();
    List {
        kind: "APIGroupDiscoveryList",
        api_version: format!("apidiscovery.k8s.io/{version}"),
        metadata: Empty {},
        items,
    }
}

fn version<'a>(group: &'a ApiGroup, version: &'a ApiVersion) -> VersionEntry<'a> {
    let mut resources: Vec<ResourceEntry<'a>> = Vec::new();
    for listed in &version.resources {
        let (parent, subresource) = split(listed);
        let at = resources.iter().position(|known| known.resource == parent).unwrap_or_else(|| {
            resources.push(bare(parent, listed.scope));
            resources.len() - 1
        });
        let Some(entry) = resources.get_mut(at) else { continue };
        let kind = KindName { group: &group.name, version: &version.name, kind: &listed.kind };
        let verbs = listed.verbs.iter().copied().map(Verb::as_str).collect();
        match subresource {
            Some(subresource) => entry.subresources.push(SubresourceEntry { subresource, response_kind: kind, verbs }),
            None => fill(entry, listed, kind, verbs),
        }
    }
    VersionEntry { version: &version.name, resources, freshness: "Current" }
}

fn bare(resource: &str, scope: Scope) -> ResourceEntry<'_> {
    ResourceEntry {
        resource,
        response_kind: KindName::default(),
        scope: match scope {
            Scope::Namespaced => "Namespaced",
            Scope::Cluster => "Cluster",
        },
        singular_resource: "",
        verbs: Vec::new(),
        short_names: Vec::new(),
        categories: Vec::new(),
        subresources: Vec::new(),
    }
}

fn fill<'a>(entry: &mut ResourceEntry<'a>, listed: &'a ApiResource, kind: KindName<'a>, verbs: Vec<&'static str>) {
    entry.response_kind = kind;
    entry.verbs = verbs;
    entry.singular_resource = &listed.singular;
    entry.short_names = listed.short_names.iter().map(AsRef::as_ref).collect();
    entry.categories = listed.categories.iter().map(AsRef::as_ref).collect();
}
