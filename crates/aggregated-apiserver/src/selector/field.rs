//! The grammar of field selectors: terms joined by commas, with a backslash before special characters of a value.

use super::{FieldRequirement, FieldSelector, SelectorError};

pub(super) fn parse(text: &str) -> Result<FieldSelector, SelectorError> {
    let mut requirements = Vec::new();
    let mut start = 0;
    for end in term_ends(text) {
        let term = text.get(start..end).unwrap_or_default();
        if !term.is_empty() {
            requirements.push(requirement(term, start)?);
        }
        start = end + 1;
    }
    Ok(FieldSelector { requirements })
}

/// Puts a backslash before what would end a value.
pub(super) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | ',' | '=') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Offsets of commas without a backslash before them, and of the end.
fn term_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => ends.push(at),
            _ => {}
        }
    }
    ends.push(text.len());
    ends
}

fn requirement(term: &str, start: usize) -> Result<FieldRequirement, SelectorError> {
    let Some(at) = term.find(['=', '!']) else {
        return Err(SelectorError::new(start, "expected a field, = or !=, and a value"));
    };
    let (field, rest) = term.split_at_checked(at).unwrap_or((term, ""));
    let (equal, value) = if let Some(value) = rest.strip_prefix("!=") {
        (false, value)
    } else if let Some(value) = rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')) {
        (true, value)
    } else {
        return Err(SelectorError::new(start + at, "expected = or !="));
    };
    if field.is_empty() {
        return Err(SelectorError::new(start, "expected a field"));
    }
    let value = unescape(value, start + term.len() - value.len())?;
    Ok(FieldRequirement { field: field.to_owned(), equal, value })
}

fn unescape(value: &str, start: usize) -> Result<String, SelectorError> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped @ ('\\' | ',' | '='))) => plain.push(escaped),
                _ => return Err(SelectorError::new(start + at, "a backslash stands before \\, a comma or = only")),
            },
            '=' => return Err(SelectorError::new(start + at, "an equals sign in a value needs a backslash")),
            _ => plain.push(c),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terms_are_split_and_unescaped() {
        let selector = parse("metadata.name=web,,status.phase!=Running,a==b\\,c\\=d\\\\").unwrap();
        let found: Vec<_> = selector
            .requirements
            .iter()
            .map(|requirement| (requirement.field.as_str(), requirement.equal, requirement.value.as_str()))
            .collect();
        assert_eq!(found, [("metadata.name", true, "web"), ("status.phase", false, "Running"), ("a", true, "b,c=d\\")]);
        assert_eq!(selector.exact("metadata.name"), Some("web"));
        assert_eq!(selector.exact("status.phase"), None);
        assert_eq!(parse("").unwrap().requirements, []);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["a", "=b", "!=b", "a!b", "a=b=c", "a=b\\", "a=b\\c"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(terms in proptest::collection::vec(("[a-z.]{1,8}", any::<bool>(), "[ -~]{0,10}"), 0..4)) {
            let requirements = terms
                .into_iter()
                .map(|(field, equal, value)| FieldRequirement { field, equal, value })
                .collect();
            let selector = FieldSelector { requirements };
            prop_assert_eq!(parse(&selector.to_string()).unwrap(), selector);
        }

        #[test]
        fn no_text_makes_it_panic(text in "([a=!,\\\\ \u{e4}]){0,20}") {
            if let Ok(selector) = parse(&text) {
                prop_assert_eq!(parse(&selector.to_string()).unwrap(), selector);
            }
        }
    }
}
