//! The path of a request, decoded once: authorisation and routing must see the same.

use percent_encoding::percent_decode_str;

/// A decoded path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedPath {
    /// The path as a whole, decoded.
    pub path: String,
    /// Its segments, decoded. A slash at the end makes none.
    pub segments: Vec<String>,
}

/// A path that could mean two things to two readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// No slash at the start.
    #[error("the path must start with a slash")]
    Relative,
    /// Two slashes in a row.
    #[error("the path has an empty segment")]
    Empty,
    /// `.` or `..`, encoded or not.
    #[error("the path has a dot segment")]
    Dots,
    /// An encoded slash, backslash, percent sign or control character, or no UTF-8.
    #[error("the path has a character that is not allowed in a segment")]
    Character,
}

impl DecodedPath {
    /// Decodes a path. Everything is refused that a proxy or a router may read in another way: empty and dot segments,
    /// and encoded characters that separate or encode.
    pub fn parse(raw: &str) -> Result<Self, PathError> {
        let Some(below) = raw.strip_prefix('/') else { return Err(PathError::Relative) };
        let (below, slash) = match below.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (below, false),
        };
        let mut path = String::with_capacity(raw.len());
        let mut segments = Vec::new();
        if below.is_empty() {
            // The root, and only one way to write it.
            return if slash { Err(PathError::Empty) } else { Ok(Self { path: "/".to_owned(), segments }) };
        }
        for raw in below.split('/') {
            let segment = percent_decode_str(raw).decode_utf8().map_err(|_| PathError::Character)?;
            check(&segment)?;
            path.push('/');
            path.push_str(&segment);
            segments.push(segment.into_owned());
        }
        if slash {
            path.push('/');
        }
        Ok(Self { path, segments })
    }
}

fn check(segment: &str) -> Result<(), PathError> {
    match segment {
        "" => Err(PathError::Empty),
        "." | ".." => Err(PathError::Dots),
        _ if segment.contains(|c: char| c.is_control() || matches!(c, '/' | '\\' | '%')) => Err(PathError::Character),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_are_decoded() {
        let path = DecodedPath::parse("/apis/g/v/namespaces/ns/pods/%2A/m%20x").unwrap();
        assert_eq!(path.segments, ["apis", "g", "v", "namespaces", "ns", "pods", "*", "m x"]);
        assert_eq!(path.path, "/apis/g/v/namespaces/ns/pods/*/m x");
        assert_eq!(DecodedPath::parse("/").unwrap(), DecodedPath { path: "/".to_owned(), segments: Vec::new() });
        assert_eq!(DecodedPath::parse("/apis/").unwrap().segments, ["apis"]);
        assert_eq!(DecodedPath::parse("/apis/").unwrap().path, "/apis/");
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        let cases = [
            ("", PathError::Relative),
            ("*", PathError::Relative),
            ("apis", PathError::Relative),
            ("//", PathError::Empty),
            ("//apis", PathError::Empty),
            ("/apis//g", PathError::Empty),
            ("/apis//", PathError::Empty),
            ("/apis/.", PathError::Dots),
            ("/apis/../healthz", PathError::Dots),
            ("/apis/%2e%2E/x", PathError::Dots),
            ("/apis/a%2Fb", PathError::Character),
            ("/apis/a%2fb", PathError::Character),
            ("/apis/a%5Cb", PathError::Character),
            ("/apis/a%00", PathError::Character),
            ("/apis/a%0d%0a", PathError::Character),
            ("/apis/a%252Fb", PathError::Character),
            ("/apis/%zz", PathError::Character),
            ("/apis/%", PathError::Character),
            ("/apis/%ff", PathError::Character),
        ];
        for (raw, expected) in cases {
            assert_eq!(DecodedPath::parse(raw), Err(expected), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn a_decoded_path_is_its_segments(raw in "(/[a-z%*.25eEfF /]{0,6}){0,5}") {
            if let Ok(decoded) = DecodedPath::parse(&raw) {
                let joined = format!("/{}", decoded.segments.join("/"));
                prop_assert_eq!(decoded.path.trim_end_matches('/'), joined.trim_end_matches('/'));
                for segment in &decoded.segments {
                    prop_assert!(!segment.is_empty() && !segment.contains('/') && segment != "." && segment != "..");
                }
            }
        }
    }
}
