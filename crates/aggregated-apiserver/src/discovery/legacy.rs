//! `APIGroupList`, `APIGroup`, `APIResourceList`: one document per level.

use serde::Serialize;

use crate::{
    api::{ApiGroup, ApiResource, ApiVersion, Scope},
    attributes::Verb,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupList<'a> {
    kind: &'static str,
    api_version: &'static str,
    groups: Vec<Group<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'static str>,
    name: &'a str,
    versions: Vec<GroupVersion<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_version: Option<GroupVersion<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion<'a> {
    group_version: String,
    version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceList<'a> {
    kind: &'static str,
    api_version: &'static str,
    group_version: String,
    resources: Vec<Resource<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    name: &'a str,
    singular_name: &'a str,
    namespaced: bool,
    kind: &'a str,
    verbs: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    short_names: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<&'a str>,
}

pub(super) fn group_list(groups: &[ApiGroup]) -> GroupList<'_> {
    let groups = groups.iter().map(|group| Group { kind: None, api_version: None, ..self::group(group) }).collect();
    GroupList { kind: "APIGroupList", api_version: "v1", groups }
}

pub(super) fn group(group: &ApiGroup) -> Group<'_> {
    let version = |version| group_version(group, version);
    Group {
        kind: Some("APIGroup"),
        api_version: Some("v1"),
        name: &group.name,
        versions: group.versions.iter().map(version).collect(),
        preferred_version: group.versions.first().map(version),
    }
}

pub(super) fn resources<'a>(group: &ApiGroup, version: &'a ApiVersion) -> ResourceList<'a> {
    ResourceList {
        kind: "APIResourceList",
        api_version: "v1",
        group_version: group_version(group, version).group_version,
        resources: version.resources.iter().map(resource).collect(),
    }
}

fn group_version<'a>(group: &ApiGroup, version: &'a ApiVersion) -> GroupVersion<'a> {
    GroupVersion { group_version: format!("{}/{}", group.name, version.name), version: &version.name }
}

fn resource(resource: &ApiResource) -> Resource<'_> {
    Resource {
        name: &resource.name,
        singular_name: &resource.singular,
        namespaced: resource.scope == Scope::Namespaced,
        kind: &resource.kind,
        verbs: resource.verbs.iter().copied().map(Verb::as_str).collect(),
        short_names: resource.short_names.iter().map(AsRef::as_ref).collect(),
        categories: resource.categories.iter().map(AsRef::as_ref).collect(),
    }
}
