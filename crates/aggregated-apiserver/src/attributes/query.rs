//! The query of a request.

use percent_encoding::percent_decode;

/// Decoded pairs of a query, in order. What is no UTF-8 becomes the replacement character.
pub fn parse(raw: &str) -> Vec<(String, String)> {
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// The first value of a key.
pub fn first<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
}

fn decode(raw: &str) -> String {
    if !raw.contains(['%', '+']) {
        return raw.to_owned();
    }
    let spaced = raw.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_in_order() {
        let pairs = parse("labelSelector=a%3Db%2Cc+in+(d)&watch&&x=1&x=2&bad=%ff%zz");
        assert_eq!(first(&pairs, "labelSelector"), Some("a=b,c in (d)"));
        assert_eq!(first(&pairs, "watch"), Some(""));
        assert_eq!(first(&pairs, "x"), Some("1"));
        assert_eq!(first(&pairs, "bad"), Some("\u{fffd}%zz"));
        assert_eq!(first(&pairs, "none"), None);
        assert!(parse("").is_empty());
    }
}
