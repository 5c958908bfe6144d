//! The grammar of label selectors.
//!
//! `requirement {"," requirement}` with `requirement` one of `key`, `!key`, `key (=|==|!=|<|>) value` and
//! `key (in|notin) "(" value {"," value} ")"`. Values may be empty. Blanks separate, nothing is quoted.

use super::{LabelSelector, Operator, Requirement, SelectorError};

/// Longest name part of a key, and longest value.
const NAME_LIMIT: usize = 63;
/// Longest prefix of a key.
const PREFIX_LIMIT: usize = 253;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Symbol(&'static str),
    End,
}

/// Reads tokens one ahead.
struct Lexer<'a> {
    text: &'a str,
    /// Where the token read ahead starts.
    start: usize,
    /// Behind it.
    end: usize,
    ahead: Token<'a>,
}

pub(super) fn parse(text: &str) -> Result<LabelSelector, SelectorError> {
    let mut lexer = Lexer::new(text);
    let mut requirements = Vec::new();
    if lexer.ahead == Token::End {
        return Ok(LabelSelector { requirements });
    }
    loop {
        requirements.push(requirement(&mut lexer)?);
        match lexer.take() {
            (Token::End, _) => return Ok(LabelSelector { requirements }),
            (Token::Symbol(","), _) => {}
            (_, at) => return Err(SelectorError::new(at, "expected a comma or the end")),
        }
    }
}

fn requirement(lexer: &mut Lexer<'_>) -> Result<Requirement, SelectorError> {
    if lexer.ahead == Token::Symbol("!") {
        lexer.take();
        let key = key(lexer)?;
        return Ok(Requirement { key, operator: Operator::DoesNotExist, values: Vec::new() });
    }
    let key = key(lexer)?;
    if matches!(lexer.ahead, Token::End | Token::Symbol(",")) {
        return Ok(Requirement { key, operator: Operator::Exists, values: Vec::new() });
    }
    let (operator, values) = match lexer.take() {
        (Token::Symbol("=" | "=="), _) => (Operator::In, vec![value(lexer)?]),
        (Token::Symbol("!="), _) => (Operator::NotIn, vec![value(lexer)?]),
        (Token::Symbol(">"), _) => (Operator::GreaterThan, vec![number(lexer)?]),
        (Token::Symbol("<"), _) => (Operator::LessThan, vec![number(lexer)?]),
        (Token::Word("in"), _) => (Operator::In, set(lexer)?),
        (Token::Word("notin"), _) => (Operator::NotIn, set(lexer)?),
        (_, at) => return Err(SelectorError::new(at, "expected =, ==, !=, <, >, in or notin")),
    };
    Ok(Requirement { key, operator, values })
}

fn key(lexer: &mut Lexer<'_>) -> Result<String, SelectorError> {
    match lexer.take() {
        (Token::Word(word), at) => {
            check_key(word).map_err(|message| SelectorError::new(at, message))?;
            Ok(word.to_owned())
        }
        (_, at) => Err(SelectorError::new(at, "expected a label key")),
    }
}

/// A value, empty if none follows.
fn value(lexer: &mut Lexer<'_>) -> Result<String, SelectorError> {
    match lexer.ahead {
        Token::Word(word) => {
            let (_, at) = lexer.take();
            check_value(word).map_err(|message| SelectorError::new(at, message))?;
            Ok(word.to_owned())
        }
        Token::End | Token::Symbol("," | ")") => Ok(String::new()),
        Token::Symbol(_) => Err(SelectorError::new(lexer.start, "expected a label value")),
    }
}

fn number(lexer: &mut Lexer<'_>) -> Result<String, SelectorError> {
    let at = lexer.start;
    let text = value(lexer)?;
    text.parse::<i64>().map_err(|_| SelectorError::new(at, "expected a whole number"))?;
    Ok(text)
}

fn set(lexer: &mut Lexer<'_>) -> Result<Vec<String>, SelectorError> {
    let (token, at) = lexer.take();
    if token != Token::Symbol("(") {
        return Err(SelectorError::new(at, "expected an opening parenthesis"));
    }
    if lexer.ahead == Token::Symbol(")") {
        return Err(SelectorError::new(lexer.start, "expected at least one value"));
    }
    let mut values = Vec::new();
    loop {
        values.push(value(lexer)?);
        match lexer.take() {
            (Token::Symbol(","), _) => {}
            (Token::Symbol(")"), _) => break,
            (_, at) => return Err(SelectorError::new(at, "expected a comma or a closing parenthesis")),
        }
    }
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

fn check_key(key: &str) -> Result<(), &'static str> {
    let name = match key.split_once('/') {
        None => key,
        Some((prefix, name)) => {
            if prefix.len() > PREFIX_LIMIT || !prefix.split('.').all(is_dns_label) {
                return Err("the prefix of a label key must be a lower-case DNS name");
            }
            name
        }
    };
    if name.is_empty() || !is_name(name) {
        return Err("a label key is 1 to 63 letters, digits, -, _ and ., and starts and ends with a letter or digit");
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), &'static str> {
    if is_name(value) {
        return Ok(());
    }
    Err("a label value is at most 63 letters, digits, -, _ and ., and starts and ends with a letter or digit")
}

fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= NAME_LIMIT && name.bytes().all(inner) && has_alphanumeric_ends(name)
}

fn is_dns_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty() && label.bytes().all(inner) && has_alphanumeric_ends(label)
}

fn has_alphanumeric_ends(text: &str) -> bool {
    let end = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    end(text.bytes().next()) && end(text.bytes().next_back())
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        let mut this = Self { text, start: 0, end: 0, ahead: Token::End };
        this.read();
        this
    }

    /// The token read ahead and where it starts.
    fn take(&mut self) -> (Token<'a>, usize) {
        let taken = (self.ahead, self.start);
        self.read();
        taken
    }

    fn read(&mut self) {
        let rest = self.text.get(self.end..).unwrap_or_default();
        let trimmed = rest.trim_start_matches(is_blank);
        self.start = self.text.len() - trimmed.len();
        let (token, length) = next(trimmed);
        self.ahead = token;
        self.end = self.start + length;
    }
}

fn next(text: &str) -> (Token<'_>, usize) {
    // Longer symbols first.
    for symbol in ["==", "!=", "=", "!", "(", ")", ",", "<", ">"] {
        if text.starts_with(symbol) {
            return (Token::Symbol(symbol), symbol.len());
        }
    }
    let length = text.find(|c| is_blank(c) || is_special(c)).unwrap_or(text.len());
    match text.get(..length) {
        Some(word) if length > 0 => (Token::Word(word), length),
        _ => (Token::End, 0),
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '<' | '>')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
        Requirement { key: key.to_owned(), operator, values: values.iter().map(|&value| value.to_owned()).collect() }
    }

    #[test]
    fn every_operator_is_understood() {
        let cases = [
            ("a", requirement("a", Operator::Exists, &[])),
            ("!a", requirement("a", Operator::DoesNotExist, &[])),
            (" ! a ", requirement("a", Operator::DoesNotExist, &[])),
            ("a=b", requirement("a", Operator::In, &["b"])),
            ("a==b", requirement("a", Operator::In, &["b"])),
            ("a = b", requirement("a", Operator::In, &["b"])),
            ("a=", requirement("a", Operator::In, &[""])),
            ("a!=b", requirement("a", Operator::NotIn, &["b"])),
            ("a!=", requirement("a", Operator::NotIn, &[""])),
            ("a in (c, b,c)", requirement("a", Operator::In, &["b", "c"])),
            ("a in(b)", requirement("a", Operator::In, &["b"])),
            ("a in (,b)", requirement("a", Operator::In, &["", "b"])),
            ("a in (b,,c)", requirement("a", Operator::In, &["", "b", "c"])),
            ("a notin (b)", requirement("a", Operator::NotIn, &["b"])),
            ("a>1", requirement("a", Operator::GreaterThan, &["1"])),
            ("a < 10", requirement("a", Operator::LessThan, &["10"])),
            ("in in (in)", requirement("in", Operator::In, &["in"])),
            ("notin", requirement("notin", Operator::Exists, &[])),
            ("a=in", requirement("a", Operator::In, &["in"])),
            ("example.dev/zone=DE", requirement("example.dev/zone", Operator::In, &["DE"])),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap().requirements, [expected], "{text}");
        }
    }

    #[test]
    fn requirements_are_joined_by_commas() {
        let selector = parse("a=b, !c ,d in (e),f").unwrap();
        assert_eq!(selector.to_string(), "a=b,!c,d=e,f");
        assert_eq!(parse("").unwrap().requirements, []);
        assert_eq!(parse("  ").unwrap().requirements, []);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_position() {
        let cases = [
            (",", 0),
            ("a,", 2),
            ("a,,b", 2),
            ("=b", 0),
            ("a b", 2),
            ("!a=b", 2),
            ("a in b", 5),
            ("a in ()", 6),
            ("a in (b", 7),
            ("a in (b c)", 8),
            ("a=b=c", 3),
            ("a==!b", 3),
            ("a>b", 2),
            ("a>", 2),
            ("a<1.5", 2),
            ("-a", 0),
            ("a/b/c", 0),
            ("/a", 0),
            ("A/b", 0),
            ("a=-b", 2),
            ("a=b$", 2),
            ("a=\u{e4}", 2),
            ("a in ((b))", 6),
        ];
        for (text, position) in cases {
            let error = parse(text).expect_err(text);
            assert_eq!(error.position, position, "{text}: {error}");
        }
        assert!(parse(&"a".repeat(64)).is_err());
        assert!(parse(&format!("a={}", "b".repeat(64))).is_err());
        assert!(parse(&format!("{}/a", "b".repeat(254))).is_err());
        assert!(parse(&format!("{}/a", "b".repeat(253))).is_ok());
    }

    #[test]
    fn matching_follows_the_meaning_of_the_operators() {
        let labels = |key: &str| match key {
            "zone" => Some("DE"),
            "cores" => Some("8"),
            "empty" => Some(""),
            _ => None,
        };
        let cases = [
            ("", true),
            ("zone", true),
            ("!zone", false),
            ("!other", true),
            ("zone=DE", true),
            ("zone=FR", false),
            ("zone in (FR,DE)", true),
            ("zone notin (FR)", true),
            ("other!=x", true),
            ("other=x", false),
            ("empty=", true),
            ("other=", false),
            ("cores>7", true),
            ("cores>8", false),
            ("cores<9", true),
            ("zone>1", false),
            ("other<1", false),
            ("zone=DE,cores<8", false),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap().matches(labels), expected, "{text}");
        }
    }

    fn arbitrary_requirement() -> impl Strategy<Value = Requirement> {
        let key =
            "([a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?(\\.[a-z0-9]{1,4}){0,2}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?";
        let value = "([A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?)?";
        let set = proptest::collection::btree_set(value, 1..4).prop_map(|set| set.into_iter().collect::<Vec<_>>());
        let comparison = prop_oneof![
            (Just(Operator::In), set.clone()),
            (Just(Operator::NotIn), set),
            Just((Operator::Exists, Vec::new())),
            Just((Operator::DoesNotExist, Vec::new())),
            (Just(Operator::GreaterThan), any::<u32>().prop_map(|bound| vec![bound.to_string()])),
            (Just(Operator::LessThan), any::<u32>().prop_map(|bound| vec![bound.to_string()])),
        ];
        (key, comparison).prop_map(|(key, (operator, values))| Requirement { key, operator, values })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(requirements in proptest::collection::vec(arbitrary_requirement(), 0..5)) {
            let selector = LabelSelector { requirements };
            prop_assert_eq!(parse(&selector.to_string()).unwrap(), selector);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[ -~\\t\\n\u{e4}]{0,40}") {
            if let Ok(selector) = parse(&text) {
                prop_assert_eq!(parse(&selector.to_string()).unwrap(), selector);
            }
        }

        #[test]
        fn no_mix_of_symbols_makes_it_panic(text in "([ab=!(),<> ]|in|notin){0,20}") {
            if let Ok(selector) = parse(&text) {
                prop_assert_eq!(parse(&selector.to_string()).unwrap(), selector);
            }
        }
    }
}
