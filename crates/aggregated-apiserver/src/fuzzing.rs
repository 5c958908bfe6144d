//! Doors for fuzz targets to parsers that are not part of the interface.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    authn::{
        authorities::Authorities,
        headers::{self, HeaderNames},
    },
    negotiation,
    user::UserInfo,
};

/// What comes of an `Accept` header: whether JSON will do, and whether there is a form of discovery.
pub fn accept(value: &[u8]) -> (bool, bool) {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(header::ACCEPT, value);
    }
    (negotiation::accepts_json(&headers), negotiation::discovery_form(&headers).is_some())
}

/// The caller that a front proxy names in these headers, and what is left of them afterwards.
pub fn front_proxy(pairs: &[(&[u8], &[u8])]) -> (Option<UserInfo>, Vec<String>) {
    let names = HeaderNames {
        username: vec![HeaderName::from_static("x-remote-user")],
        uid: vec![HeaderName::from_static("x-remote-uid")],
        groups: vec![HeaderName::from_static("x-remote-group")],
        extra: vec!["x-remote-extra-".to_owned()],
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let user = headers::user(&names, &headers).ok().flatten();
    headers::strip(Some(&names), &mut headers);
    (user, headers.keys().map(|name| name.as_str().to_owned()).collect())
}

/// True if the authentication configuration of a cluster can be used.
pub fn configuration(data: &BTreeMap<String, String>) -> bool {
    Authorities::parse(data, 1).is_ok()
}
