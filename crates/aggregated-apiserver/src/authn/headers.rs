//! The identity that a trusted front proxy writes into headers.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::user::UserInfo;

/// Which headers carry what. Names are lower-case, as HTTP libraries hold them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderNames {
    pub(crate) username: Vec<HeaderName>,
    pub(crate) uid: Vec<HeaderName>,
    pub(crate) groups: Vec<HeaderName>,
    /// Prefixes, lower-case.
    pub(crate) extra: Vec<String>,
}

/// A header of a front proxy that is no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {0} is no UTF-8")]
pub(crate) struct HeaderError(HeaderName);

/// Prefix of headers that ask to act as somebody else.
pub(crate) const IMPERSONATION: &str = "impersonate-";

/// Names that carry credentials or identities by custom, whatever is configured.
const WELL_KNOWN: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "x-remote-user", "x-remote-uid"];
const WELL_KNOWN_PREFIXES: [&str; 3] = ["x-remote-group", "x-remote-extra-", IMPERSONATION];

/// The caller that the headers name; nobody without a username. The certificate of the proxy was verified before.
pub(crate) fn user(names: &HeaderNames, headers: &HeaderMap) -> Result<Option<UserInfo>, HeaderError> {
    let Some(name) = first_value(&names.username, headers)? else { return Ok(None) };
    let mut groups = Vec::new();
    for header in &names.groups {
        for value in headers.get_all(header) {
            let group = text(header, value)?;
            if !group.is_empty() {
                groups.push(group.to_owned());
            }
        }
    }
    let uid = first_value(&names.uid, headers)?.unwrap_or_default().to_owned();
    Ok(Some(UserInfo { name: name.to_owned(), uid, groups, extra: extra(&names.extra, headers)? }))
}

/// Takes away whatever identifies or authenticates.
pub(crate) fn strip(names: Option<&HeaderNames>, headers: &mut HeaderMap) {
    let configured = |name: &HeaderName| {
        names.is_some_and(|names| {
            names.username.contains(name)
                || names.uid.contains(name)
                || names.groups.contains(name)
                || names.extra.iter().any(|prefix| name.as_str().starts_with(prefix))
        })
    };
    let doomed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            WELL_KNOWN.contains(&name.as_str())
                || WELL_KNOWN_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
                || configured(name)
        })
        .cloned()
        .collect();
    for name in doomed {
        headers.remove(name);
    }
}

/// The first header that has a text counts; of several values of one header it is the first.
fn first_value<'a>(names: &[HeaderName], headers: &'a HeaderMap) -> Result<Option<&'a str>, HeaderError> {
    for name in names {
        if let Some(value) = headers.get(name) {
            let value = text(name, value)?;
            if !value.is_empty() {
                return Ok(Some(value));
            }
        }
    }
    Ok(None)
}

fn extra(prefixes: &[String], headers: &HeaderMap) -> Result<BTreeMap<String, Vec<String>>, HeaderError> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if prefixes.is_empty() {
        return Ok(extra);
    }
    for (header, value) in headers {
        for prefix in prefixes {
            let Some(key) = header.as_str().strip_prefix(prefix.as_str()).filter(|key| !key.is_empty()) else {
                continue;
            };
            extra.entry(decode_extra_key(key)).or_default().push(text(header, value)?.to_owned());
        }
    }
    Ok(extra)
}

/// Undoes the percent-encoding of an extra key, lower-cased before. A key that is not encoded properly stays as it is.
pub fn decode_extra_key(key: &str) -> String {
    let key = key.to_ascii_lowercase();
    let mut rest = key.as_str();
    while let Some((_, behind)) = rest.split_once('%') {
        let digits = behind.as_bytes().get(..2);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return key;
        }
        rest = behind;
    }
    match percent_decode_str(&key).decode_utf8() {
        Ok(decoded) => decoded.into_owned(),
        Err(_) => key,
    }
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, HeaderError> {
    std::str::from_utf8(value.as_bytes()).map_err(|_| HeaderError(name.clone()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> HeaderNames {
        HeaderNames {
            username: vec![HeaderName::from_static("x-remote-user"), HeaderName::from_static("x-other-user")],
            uid: vec![],
            groups: vec![HeaderName::from_static("x-remote-group"), HeaderName::from_static("x-team")],
            extra: vec!["x-remote-extra-".to_owned()],
        }
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn an_identity_is_collected_from_all_of_its_headers() {
        let found = user(
            &names(),
            &headers(&[
                ("X-Remote-User", ""),
                ("X-Other-User", "ada"),
                ("X-REMOTE-GROUP", "a"),
                ("x-remote-group", "b"),
                ("X-Team", "c"),
                ("X-Remote-Group", ""),
                ("X-Remote-Uid", "not configured"),
                ("X-Remote-Extra-Authentication.kubernetes.io%2fCredential-Id", "1"),
                ("X-Remote-Extra-Scopes", "x"),
                ("X-Remote-Extra-scopes", "y"),
                ("X-Remote-Extra-", "nameless"),
            ]),
        )
        .unwrap()
        .unwrap();
        assert_eq!(found.name, "ada");
        assert_eq!(found.uid, "");
        assert_eq!(found.groups, ["a", "b", "c"]);
        let extra: Vec<_> = found.extra.iter().map(|(key, values)| (key.as_str(), values.join("+"))).collect();
        let credential = ("authentication.kubernetes.io/credential-id", "1".to_owned());
        assert_eq!(extra, [credential, ("scopes", "x+y".to_owned())]);
    }

    #[test]
    fn the_first_of_several_usernames_counts_and_none_is_nobody() {
        let two = headers(&[("x-remote-user", "ada"), ("x-remote-user", "bob")]);
        assert_eq!(user(&names(), &two).unwrap().unwrap().name, "ada");
        assert_eq!(user(&names(), &headers(&[("x-remote-group", "a")])), Ok(None));
        let uid = HeaderNames { uid: vec![HeaderName::from_static("x-remote-uid")], ..names() };
        let found = user(&uid, &headers(&[("x-remote-user", "ada"), ("x-remote-uid", "7")]));
        assert_eq!(found.unwrap().unwrap().uid, "7");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let mut map = headers(&[]);
        map.insert("x-remote-user", HeaderValue::from_bytes(b"a\xff").unwrap());
        assert!(user(&names(), &map).is_err());
        map.insert("x-remote-user", HeaderValue::from_bytes("\u{e4}da".as_bytes()).unwrap());
        assert_eq!(user(&names(), &map).unwrap().unwrap().name, "\u{e4}da");
    }

    #[test]
    fn nothing_that_identifies_is_left() {
        let mut map = headers(&[
            ("authorization", "Bearer x"),
            ("cookie", "x"),
            ("x-remote-user", "a"),
            ("x-remote-uid", "a"),
            ("x-remote-group", "a"),
            ("x-remote-group", "b"),
            ("x-remote-extra-a", "a"),
            ("x-other-user", "a"),
            ("x-team", "a"),
            ("impersonate-user", "a"),
            ("accept", "*/*"),
        ]);
        strip(Some(&names()), &mut map);
        assert_eq!(map.keys().collect::<Vec<_>>(), ["accept"]);
        let mut map = headers(&[("x-remote-user", "a"), ("x-team", "a")]);
        strip(None, &mut map);
        assert_eq!(map.keys().collect::<Vec<_>>(), ["x-team"]);
    }

    #[test]
    fn extra_keys_are_decoded_or_left() {
        let cases = [
            ("Scopes", "scopes"),
            ("a%2Fb", "a/b"),
            ("a%2fb%3D", "a/b="),
            ("a%", "a%"),
            ("a%2", "a%2"),
            ("a%zz", "a%zz"),
            ("a%2Fb%zz", "a%2fb%zz"),
            ("%ff", "%ff"),
            ("%25", "%"),
            ("%252f", "%2f"),
            ("%C3%A4", "\u{e4}"),
        ];
        for (key, expected) in cases {
            assert_eq!(decode_extra_key(key), expected, "{key}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_key_is_read_back(key in "[a-z0-9./_ -]{1,20}") {
            let encoded = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(decode_extra_key(&encoded), key);
        }

        #[test]
        fn no_key_makes_it_panic(key in "[%a-fA-F0-9\u{e4}]{0,12}") {
            let _ = decode_extra_key(&key);
        }
    }
}
