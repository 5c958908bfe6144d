//! `METHOD TARGET` of a request: nobody can read the path in two ways, and no part of it escapes authorisation unseen.
#![no_main]

use aggregated_apiserver::attributes::{Attributes, path::DecodedPath, query};
use http::Method;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
    let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
    let Ok(path) = DecodedPath::parse(path) else { return };
    let segments = path.segments.clone();
    for segment in &segments {
        assert!(!segment.is_empty() && segment != "." && segment != "..");
        assert!(!segment.contains(['/', '\\', '%', '\0']));
    }
    // Whoever splits the decoded path sees the same segments.
    assert!(path.path.starts_with('/'));
    assert!(path.path.split('/').filter(|part| !part.is_empty()).eq(segments.iter().map(String::as_str)));

    let pairs = query::parse(raw_query);
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let Ok(attributes) = Attributes::derive(&method, path, &pairs) else { return };
    if !attributes.resource_request {
        assert!(attributes.resource.is_empty() && attributes.namespace.is_empty() && attributes.rest.is_empty());
        return;
    }
    assert!(!attributes.resource.is_empty());
    let Attributes { group, version, namespace, resource, subresource, name, rest, .. } = &attributes;
    for segment in segments.iter().skip(1) {
        let known = [group, version, namespace, resource, subresource, name];
        let word = ["watch", "proxy", "namespaces"].contains(&segment.as_str());
        assert!(word || known.contains(&segment) || rest.contains(segment), "{segment} is lost");
    }
});
