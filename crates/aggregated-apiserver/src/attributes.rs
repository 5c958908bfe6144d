//! What a request wants, derived from its method and path before anything is routed.

pub mod path;
pub mod query;

use std::fmt;

use http::Method;

use self::path::DecodedPath;
use crate::selector::{FieldSelector, LabelSelector, SelectorError};

/// What a request wants: the question that is put to the authoriser, and what the program answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// What is done.
    pub verb: Verb,
    /// True for paths below `/apis/GROUP/VERSION/` and for those that stand for a resource; false for discovery, probes
    /// and whatever else the program serves.
    pub resource_request: bool,
    /// True for a path outside of `/apis` that stands for a resource, as [`Api::stands_for`](crate::Api::stands_for) says.
    pub stands_for: bool,
    /// API group; empty for nonresource requests.
    pub group: String,
    /// API version.
    pub version: String,
    /// Namespace; empty for cluster scope.
    pub namespace: String,
    /// Resource, lower-case plural as written in the path, for instance `pods` or `deployments.apps`.
    pub resource: String,
    /// Subresource; custom metrics put the name of the metric here.
    pub subresource: String,
    /// Name of the object; empty for lists. For lists it comes from a field selector `metadata.name=...`.
    pub name: String,
    /// Decoded segments behind the subresource. Authorisation has not seen them: refuse what you do not expect.
    pub rest: Vec<String>,
    /// Decoded path as a whole.
    pub path: String,
    /// Label selector as sent with list, watch and deletecollection.
    pub label_selector: Option<Result<LabelSelector, SelectorError>>,
    /// Field selector as sent with list, watch and deletecollection.
    pub field_selector: Option<Result<FieldSelector, SelectorError>>,
}

/// The resource that a path outside of `/apis` stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandsFor {
    /// API group; may be empty.
    pub group: String,
    /// Namespace; empty for cluster scope.
    pub namespace: String,
    /// Resource, lower-case plural.
    pub resource: String,
    /// Subresource; may be empty.
    pub subresource: String,
    /// Name of the object; empty for all of them, which makes a read a list.
    pub name: String,
}

/// What is done, as RBAC calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Read one object, or a nonresource path.
    #[default]
    Get,
    /// Read many.
    List,
    /// Follow changes.
    Watch,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Change one.
    Patch,
    /// Remove one.
    Delete,
    /// Remove many.
    DeleteCollection,
    /// Nonresource `HEAD`.
    Head,
    /// Nonresource `POST`.
    Post,
    /// Nonresource `PUT`.
    Put,
    /// Nonresource `OPTIONS`.
    Options,
    /// Pass through to what the object stands for (`/apis/GROUP/VERSION/proxy/...`).
    Proxy,
}

/// Subresources of a namespace itself; whatever else follows its name is a resource in it.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

/// First segments of paths that the server answers itself, or that have attributes of their own.
const OWN: [&str; 7] = ["api", "apis", "openapi", "version", "healthz", "livez", "readyz"];

/// A method that no attribute stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the method is not supported here")]
pub struct MethodError;

impl Attributes {
    /// Derives what a request wants, by the rules that the API server of a cluster has:
    ///
    /// - `/apis/GROUP/VERSION/...` is about resources, everything shorter or elsewhere is not.
    /// - `namespaces/NS/RESOURCE/NAME/SUBRESOURCE`; without more than `namespaces/NS`, or with `status` and `finalize`
    ///   behind it, it is about the namespace itself.
    /// - A read without a name is a list, or a watch if the query says so; a name in the field selector counts.
    pub fn derive(method: &Method, path: DecodedPath, query: &[(String, String)]) -> Result<Self, MethodError> {
        let DecodedPath { path, segments } = path;
        let mut segments = segments.into_iter();
        let mut next = || segments.next().unwrap_or_default();
        let mut this = Self { path, ..Self::default() };
        let (prefix, first, second, third) = (next(), next(), next(), next());
        let mut parts: Vec<String>;
        match prefix.as_str() {
            "apis" if !third.is_empty() => {
                (this.group, this.version) = (first, second);
                parts = std::iter::once(third).chain(segments).collect();
            }
            "api" if !second.is_empty() => {
                this.version = first;
                parts = [second, third].into_iter().filter(|part| !part.is_empty()).chain(segments).collect();
            }
            _ => {
                this.verb = nonresource_verb(method)?;
                return Ok(this);
            }
        }
        this.resource_request = true;
        this.verb = resource_verb(method)?;
        let special = match parts.first().map(String::as_str) {
            Some("watch") => Some(Verb::Watch),
            Some("proxy") => Some(Verb::Proxy),
            _ => None,
        };
        if let Some(verb) = special.filter(|_| parts.len() > 1) {
            this.verb = verb;
            parts.remove(0);
        }
        this.take_parts(parts);
        this.take_selectors(query);
        Ok(this)
    }

    /// Segments of the decoded path that may stand for a resource: those of paths that the program answers.
    pub(crate) fn foreign_segments(&self) -> Option<Vec<&str>> {
        let segments: Vec<&str> = self.path.split('/').filter(|segment| !segment.is_empty()).collect();
        let foreign = !self.resource_request && segments.first().is_some_and(|first| !OWN.contains(first));
        foreign.then_some(segments)
    }

    /// Asks about a resource in place of the path. The path stays as it was sent.
    pub(crate) fn stand_for(&mut self, method: &Method, resource: StandsFor) -> Result<(), MethodError> {
        let StandsFor { group, namespace, resource, subresource, name } = resource;
        self.verb = match resource_verb(method)? {
            Verb::Get if name.is_empty() => Verb::List,
            Verb::Delete if name.is_empty() => Verb::DeleteCollection,
            verb => verb,
        };
        (self.resource_request, self.stands_for) = (true, true);
        (self.group, self.namespace, self.resource) = (group, namespace, resource);
        (self.subresource, self.name) = (subresource, name);
        Ok(())
    }

    /// Parts relative to the version: `[namespaces, NS,] RESOURCE [, NAME [, SUBRESOURCE [, ...]]]`.
    fn take_parts(&mut self, mut parts: Vec<String>) {
        if parts.first().is_some_and(|part| part == "namespaces") {
            self.namespace = parts.get(1).cloned().unwrap_or_default();
            if parts.get(2).is_some_and(|part| !NAMESPACE_SUBRESOURCES.contains(&part.as_str())) {
                parts.drain(..2);
            }
        }
        let mut parts = parts.into_iter();
        self.resource = parts.next().unwrap_or_default();
        self.name = parts.next().unwrap_or_default();
        if self.verb != Verb::Proxy {
            self.subresource = parts.next().unwrap_or_default();
        }
        self.rest = parts.collect();
    }

    fn take_selectors(&mut self, query: &[(String, String)]) {
        let fields = query::first(query, "fieldSelector").filter(|text| !text.is_empty()).map(FieldSelector::parse);
        if self.name.is_empty() {
            match self.verb {
                Verb::Get => {
                    self.verb = if wants_watch(query) { Verb::Watch } else { Verb::List };
                    if let Some(Ok(fields)) = &fields {
                        let name = fields.exact("metadata.name").filter(|name| is_segment(name));
                        name.unwrap_or_default().clone_into(&mut self.name);
                    }
                }
                Verb::Delete => self.verb = Verb::DeleteCollection,
                _ => {}
            }
        }
        if matches!(self.verb, Verb::List | Verb::Watch | Verb::DeleteCollection) {
            self.field_selector = fields;
            self.label_selector =
                query::first(query, "labelSelector").filter(|text| !text.is_empty()).map(LabelSelector::parse);
        }
    }
}

fn wants_watch(query: &[(String, String)]) -> bool {
    query::first(query, "watch").is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
}

fn is_segment(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '%'])
}

fn resource_verb(method: &Method) -> Result<Verb, MethodError> {
    match *method {
        Method::GET | Method::HEAD => Ok(Verb::Get),
        Method::POST => Ok(Verb::Create),
        Method::PUT => Ok(Verb::Update),
        Method::PATCH => Ok(Verb::Patch),
        Method::DELETE => Ok(Verb::Delete),
        _ => Err(MethodError),
    }
}

fn nonresource_verb(method: &Method) -> Result<Verb, MethodError> {
    match *method {
        Method::GET => Ok(Verb::Get),
        Method::HEAD => Ok(Verb::Head),
        Method::POST => Ok(Verb::Post),
        Method::PUT => Ok(Verb::Put),
        Method::PATCH => Ok(Verb::Patch),
        Method::DELETE => Ok(Verb::Delete),
        Method::OPTIONS => Ok(Verb::Options),
        _ => Err(MethodError),
    }
}

impl Verb {
    /// As RBAC rules write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Head => "head",
            Self::Post => "post",
            Self::Put => "put",
            Self::Options => "options",
            Self::Proxy => "proxy",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn derive(method: &str, target: &str) -> Result<Attributes, MethodError> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Attributes::derive(&method, DecodedPath::parse(path).unwrap(), &query::parse(query))
    }

    /// verb, group, version, namespace, resource, name, subresource, rest.
    fn seen(method: &str, target: &str) -> String {
        let a = derive(method, target).unwrap();
        if !a.resource_request {
            return format!("{} path {}", a.verb, a.path);
        }
        let fields = [&a.group, &a.version, &a.namespace, &a.resource, &a.name, &a.subresource, &a.rest.join("+")];
        format!("{} {}", a.verb, fields.map(|field| if field.is_empty() { "-" } else { field.as_str() }).join(" "))
    }

    #[test]
    fn attributes_follow_the_rules_of_the_api_server() {
        let c = "/apis/custom.metrics.k8s.io/v1beta2";
        let cases = [
            ("GET", "/", "get path /"),
            ("GET", "/healthz", "get path /healthz"),
            ("HEAD", "/healthz", "head path /healthz"),
            ("POST", "/apis", "post path /apis"),
            ("GET", "/apis/g", "get path /apis/g"),
            ("GET", "/apis/g/v", "get path /apis/g/v"),
            ("GET", "/apis/g/v/", "get path /apis/g/v/"),
            ("GET", "/api", "get path /api"),
            ("GET", "/api/v1", "get path /api/v1"),
            ("GET", "/explain/a/b/c/d", "get path /explain/a/b/c/d"),
            ("GET", "/apis/g/v/pods", "list g v - pods - - -"),
            ("HEAD", "/apis/g/v/pods/a", "get g v - pods a - -"),
            ("GET", "/api/v1/nodes/n/status", "get - v1 - nodes n status -"),
            ("GET", "/apis/g/v/namespaces", "list g v - namespaces - - -"),
            ("GET", "/apis/g/v/namespaces/ns", "get g v ns namespaces ns - -"),
            ("GET", "/apis/g/v/namespaces/ns/status", "get g v ns namespaces ns status -"),
            ("PUT", "/apis/g/v/namespaces/ns/finalize", "update g v ns namespaces ns finalize -"),
            ("GET", "/apis/g/v/namespaces/ns/metrics/m", "get g v ns metrics m - -"),
            ("GET", "/apis/g/v/namespaces/ns/m", "list g v ns m - - -"),
            ("GET", "/apis/g/v/namespaces/ns/pods/p/m/x/y", "get g v ns pods p m x+y"),
            ("POST", "/apis/g/v/namespaces/ns/pods", "create g v ns pods - - -"),
            ("PATCH", "/apis/g/v/pods/p", "patch g v - pods p - -"),
            ("DELETE", "/apis/g/v/pods/p", "delete g v - pods p - -"),
            ("DELETE", "/apis/g/v/pods", "deletecollection g v - pods - - -"),
            ("GET", "/apis/g/v/pods?watch=true", "watch g v - pods - - -"),
            ("GET", "/apis/g/v/pods?watch", "watch g v - pods - - -"),
            ("GET", "/apis/g/v/pods?watch=0", "list g v - pods - - -"),
            ("GET", "/apis/g/v/pods?watch=False", "list g v - pods - - -"),
            ("GET", "/apis/g/v/pods/p?watch=true", "get g v - pods p - -"),
            ("GET", "/apis/g/v/watch/pods", "watch g v - pods - - -"),
            ("GET", "/apis/g/v/watch", "list g v - watch - - -"),
            ("GET", "/apis/g/v/proxy/pods/p/x", "proxy g v - pods p - x"),
            ("GET", "/apis/g/v/pods?fieldSelector=metadata.name%3Dweb", "list g v - pods web - -"),
            ("GET", "/apis/g/v/pods?fieldSelector=metadata.name%3Da%2Fb", "list g v - pods - - -"),
            ("GET", "/apis/g/v/pods?fieldSelector=metadata.name!%3Dweb", "list g v - pods - - -"),
            ("GET", "/apis/g/v/pods?fieldSelector=bad", "list g v - pods - - -"),
        ];
        for (method, target, expected) in cases {
            assert_eq!(seen(method, target), expected, "{method} {target}");
        }
        let custom = format!("{c}/namespaces/ns/deployments.apps/web/m?metricLabelSelector=a%3Db");
        assert_eq!(seen("GET", &custom), "get custom.metrics.k8s.io v1beta2 ns deployments.apps web m -");
        let all = format!("{c}/namespaces/ns/pods/%2A/m?labelSelector=app%3Dweb");
        assert_eq!(seen("GET", &all), "get custom.metrics.k8s.io v1beta2 ns pods * m -");
    }

    fn web() -> StandsFor {
        StandsFor {
            group: "g".to_owned(),
            namespace: "ns".to_owned(),
            resource: "things".to_owned(),
            subresource: "why".to_owned(),
            name: "web".to_owned(),
        }
    }

    #[test]
    fn a_path_that_stands_for_a_resource_asks_about_it() {
        let mut a = derive("GET", "/why/ns/web/").unwrap();
        assert_eq!(a.foreign_segments(), Some(vec!["why", "ns", "web"]));
        a.stand_for(&Method::GET, web()).unwrap();
        assert!(a.resource_request && a.stands_for);
        assert_eq!((a.verb, a.path.as_str()), (Verb::Get, "/why/ns/web/"));
        let named = [&a.group, &a.version, &a.namespace, &a.resource, &a.subresource, &a.name];
        assert_eq!(named, ["g", "", "ns", "things", "why", "web"]);
        assert_eq!(a.foreign_segments(), None, "only once");

        let all = StandsFor { name: String::new(), ..web() };
        for (method, one, many) in [
            (Method::GET, Verb::Get, Verb::List),
            (Method::HEAD, Verb::Get, Verb::List),
            (Method::POST, Verb::Create, Verb::Create),
            (Method::DELETE, Verb::Delete, Verb::DeleteCollection),
        ] {
            let mut a = Attributes::default();
            a.stand_for(&method, web()).unwrap();
            assert_eq!(a.verb, one);
            a.stand_for(&method, all.clone()).unwrap();
            assert_eq!(a.verb, many);
        }
        assert_eq!(Attributes::default().stand_for(&Method::OPTIONS, web()), Err(MethodError));
    }

    #[test]
    fn paths_of_the_server_itself_stand_for_nothing_else() {
        for path in ["/", "/apis", "/apis/g/v", "/apis/g/v/pods", "/api/v1", "/openapi/v2", "/version", "/livez/x"] {
            assert_eq!(derive("GET", path).unwrap().foreign_segments(), None, "{path}");
        }
    }

    #[test]
    fn selectors_go_with_lists_only() {
        let list = derive("GET", "/apis/g/v/m?labelSelector=a%3Db&fieldSelector=metadata.name%3Dx").unwrap();
        assert_eq!(list.label_selector, Some(LabelSelector::parse("a=b")));
        assert_eq!(list.field_selector, Some(FieldSelector::parse("metadata.name=x")));
        let get = derive("GET", "/apis/g/v/m/n?labelSelector=a%3Db").unwrap();
        assert_eq!((get.label_selector, get.field_selector), (None, None));
        let bad = derive("GET", "/apis/g/v/m?labelSelector=a%3D%3D%3D").unwrap();
        assert!(matches!(bad.label_selector, Some(Err(_))));
    }

    #[test]
    fn unknown_methods_are_refused() {
        for (method, path) in
            [("TRACE", "/apis"), ("CONNECT", "/x"), ("BREW", "/apis/g/v/pods"), ("OPTIONS", "/apis/g/v/pods")]
        {
            assert_eq!(derive(method, path), Err(MethodError), "{method} {path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic_and_nothing_gets_lost(
            segments in proptest::collection::vec("(apis|api|namespaces|watch|proxy|status|[a-z*]{1,3})", 0..9),
        ) {
            let path = format!("/{}", segments.join("/"));
            let a = derive("GET", &path).unwrap();
            if a.resource_request {
                // Every segment is seen by the authoriser or handed out as `rest`.
                for segment in segments.iter().skip(1) {
                    let known = [&a.group, &a.version, &a.namespace, &a.resource, &a.name, &a.subresource];
                    let special = ["watch", "proxy", "namespaces"].contains(&segment.as_str());
                    prop_assert!(special || known.contains(&segment) || a.rest.contains(segment), "{path}: {segment}");
                }
                prop_assert!(!a.resource.is_empty());
            } else {
                prop_assert!(segments.len() < 4 || segments[0] != "apis");
            }
        }
    }
}
