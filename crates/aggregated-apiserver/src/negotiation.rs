//! What form of an answer a client accepts.

use http::{HeaderMap, header};

/// One alternative of an `Accept` header.
#[derive(Debug)]
struct Clause<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// Thousandths.
    quality: u16,
}

/// Forms of the root of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiscoveryForm {
    /// A list of groups only.
    Legacy,
    /// Everything in one document, `v2`.
    AggregatedV2,
    /// The same, `v2beta1`.
    AggregatedV2Beta1,
}

/// Parameters that ask for another object than the one served.
const TRANSFORMING: [&str; 4] = ["as", "g", "v", "stream"];

/// True if plain JSON will do. Clauses that want another form of it (a table, a stream) do not count.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    accepts(headers, "application", "json")
}

/// True if a media type without parameters will do.
pub(crate) fn accepts(headers: &HeaderMap, kind: &str, subtype: &str) -> bool {
    let mut any = false;
    for text in texts(headers) {
        for clause in clauses(text) {
            any = true;
            if clause.quality > 0 && clause.is_plain() && clause.covers(kind, subtype) {
                return true;
            }
        }
    }
    !any
}

/// The form of discovery that the client likes best; `None` if it likes none.
pub(crate) fn discovery_form(headers: &HeaderMap) -> Option<DiscoveryForm> {
    let mut found: Vec<(u16, DiscoveryForm)> = Vec::new();
    let mut any = false;
    for text in texts(headers) {
        for clause in clauses(text) {
            any = true;
            if clause.quality == 0 || !clause.covers("application", "json") {
                continue;
            }
            if clause.is_plain() {
                found.push((clause.quality, DiscoveryForm::Legacy));
            } else if let Some(form) = clause.aggregated() {
                found.push((clause.quality, form));
            }
        }
    }
    if !any {
        return Some(DiscoveryForm::Legacy);
    }
    // Stable, so that among equals the first counts.
    found.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    found.first().map(|(_, form)| *form)
}

fn texts(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok())
}

fn clauses(text: &str) -> impl Iterator<Item = Clause<'_>> {
    text.split(',').filter_map(|clause| {
        let mut parts = clause.split(';').map(str::trim);
        let media = parts.next().filter(|media| !media.is_empty())?;
        let mut quality = 1000;
        let mut parameters = Vec::new();
        for part in parts {
            let Some((key, value)) = part.split_once('=') else { continue };
            if key.eq_ignore_ascii_case("q") {
                quality = thousandths(value);
            } else {
                parameters.push((key, value.trim_matches('"')));
            }
        }
        Some(Clause { media, parameters, quality })
    })
}

/// `0.5` is 500; what cannot be read is taken for 1.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse::<u16>()) {
        ("0", Ok(thousandths)) => thousandths,
        _ => 1000,
    }
}

impl Clause<'_> {
    fn covers(&self, kind: &str, subtype: &str) -> bool {
        let Some((own_kind, own_subtype)) = self.media.split_once('/') else { return false };
        (own_kind == "*" || own_kind.eq_ignore_ascii_case(kind))
            && (own_subtype == "*" || own_subtype.eq_ignore_ascii_case(subtype))
    }

    fn is_plain(&self) -> bool {
        !self.parameters.iter().any(|(key, _)| TRANSFORMING.contains(key))
    }

    fn aggregated(&self) -> Option<DiscoveryForm> {
        let value = |wanted| self.parameters.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
        if value("g") != Some("apidiscovery.k8s.io") || value("as") != Some("APIGroupDiscoveryList") {
            return None;
        }
        match value("v") {
            Some("v2") => Some(DiscoveryForm::AggregatedV2),
            Some("v2beta1") => Some(DiscoveryForm::AggregatedV2Beta1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(accept: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in accept {
            map.append(header::ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn json_is_the_answer_to_nearly_everything() {
        let cases: [(&[&str], bool); 14] = [
            (&[], true),
            (&[""], true),
            (&["*/*"], true),
            (&["application/*"], true),
            (&["application/json"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["application/vnd.kubernetes.protobuf, */*"], true),
            (&["application/vnd.kubernetes.protobuf", "application/json"], true),
            (&["application/json;as=Table;v=v1;g=meta.k8s.io,application/json"], true),
            (&["application/json;as=Table;v=v1;g=meta.k8s.io"], false),
            (&["application/json;stream=watch"], false),
            (&["application/vnd.kubernetes.protobuf"], false),
            (&["application/json;q=0"], false),
            (&["text/html"], false),
        ];
        for (accept, expected) in cases {
            assert_eq!(accepts_json(&headers(accept)), expected, "{accept:?}");
        }
    }

    #[test]
    fn discovery_takes_the_form_that_the_client_likes_best() {
        let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        let both = format!("{v2},{beta},application/json");
        let worse = format!("{v2};q=0.8,application/json;q=0.9");
        let v3 = "application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList";
        let cases = [
            ("*/*", Some(DiscoveryForm::Legacy)),
            (v2, Some(DiscoveryForm::AggregatedV2)),
            (beta, Some(DiscoveryForm::AggregatedV2Beta1)),
            (both.as_str(), Some(DiscoveryForm::AggregatedV2)),
            (worse.as_str(), Some(DiscoveryForm::Legacy)),
            (v3, None),
            ("application/json;g=other;v=v2;as=APIGroupDiscoveryList", None),
            ("application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", None),
        ];
        for (accept, expected) in cases {
            assert_eq!(discovery_form(&headers(&[accept])), expected, "{accept}");
        }
        assert_eq!(discovery_form(&HeaderMap::new()), Some(DiscoveryForm::Legacy));
    }
}
