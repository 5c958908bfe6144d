//! One line of a page, from its name to its exemplar.

use jiff::Timestamp;
use memchr::memchr2;

use super::{
    Format, Limits,
    labels::{Label, Labels, Piece},
    number,
};

/// Reads one line after the other into the same buffers.
#[derive(Debug, Default)]
pub(super) struct Tokenizer<'t> {
    labels: Vec<Label<'t>>,
    unescaped: String,
}

/// What a line says beside its labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'t> {
    pub(super) name: Piece<'t>,
    pub(super) value: f64,
    pub(super) at: Option<Timestamp>,
}

/// The part of a line that is not read yet.
#[derive(Debug, Clone, Copy)]
struct Cursor<'t>(&'t str);

impl<'t> Tokenizer<'t> {
    /// Reads a sample. `None` where the line is malformed or exceeds a limit.
    pub(super) fn sample(&mut self, line: &'t str, format: Format, limits: &Limits) -> Option<Line<'t>> {
        self.labels.clear();
        self.unescaped.clear();
        let mut cursor = Cursor(line);
        cursor.skip_blanks();
        let mut name = match cursor.peek()? {
            b'{' => None,
            _ => Some(Piece::Plain(cursor.metric_name()?)),
        };
        let after_name = cursor;
        cursor.skip_blanks();
        if cursor.eat(b'{') {
            self.braces(&mut cursor, &mut name, limits)?;
            cursor.skip_blanks();
        } else if cursor.0.len() == after_name.0.len() {
            return None;
        }
        let name = name.filter(|name| (1..=limits.name_bytes).contains(&name.text(&self.unescaped).len()))?;
        let value = number::value(cursor.word())?;
        let at = cursor.timestamp(format)?;
        Some(Line { name, value, at })
    }

    /// A name in quotes, as in comments. `None` where it does not end.
    pub(super) fn quoted_name(&mut self, text: &'t str) -> Option<(&str, &'t str)> {
        self.unescaped.clear();
        let mut cursor = Cursor(text);
        let name = cursor.eat(b'"').then(|| cursor.quoted(&mut self.unescaped))??;
        Some((name.text(&self.unescaped), cursor.0))
    }

    /// Labels of the line read last.
    pub(super) fn labels(&self) -> Labels<'_> {
        Labels::from_page(&self.labels, &self.unescaped)
    }

    /// Text of a piece of the line read last.
    pub(super) fn text<'a>(&'a self, piece: Piece<'a>) -> &'a str {
        piece.text(&self.unescaped)
    }

    /// Labels up to the closing brace; among them may stand the metric's name in quotes.
    fn braces(&mut self, cursor: &mut Cursor<'t>, metric: &mut Option<Piece<'t>>, limits: &Limits) -> Option<()> {
        loop {
            cursor.skip_blanks();
            if cursor.eat(b'}') {
                return Some(());
            }
            let quoted = cursor.eat(b'"');
            let name = if quoted { cursor.quoted(&mut self.unescaped)? } else { Piece::Plain(cursor.label_name()?) };
            cursor.skip_blanks();
            if cursor.eat(b'=') {
                cursor.skip_blanks();
                let value = cursor.eat(b'"').then(|| cursor.quoted(&mut self.unescaped))??;
                self.push(Label { name, value }, limits)?;
            } else if quoted && metric.is_none() {
                *metric = Some(name);
            } else {
                return None;
            }
            cursor.skip_blanks();
            if !cursor.eat(b',') {
                return cursor.eat(b'}').then_some(());
            }
        }
    }

    /// A name that comes twice would let one of its values vanish.
    fn push(&mut self, label: Label<'t>, limits: &Limits) -> Option<()> {
        let name = label.name.text(&self.unescaped);
        let known = self.labels.iter().any(|other| other.name.text(&self.unescaped) == name);
        let fits = self.labels.len() < limits.labels && (1..=limits.name_bytes).contains(&name.len());
        (fits && !known).then(|| self.labels.push(label))
    }
}

impl<'t> Cursor<'t> {
    fn peek(&self) -> Option<u8> {
        self.0.as_bytes().first().copied()
    }

    /// Whether that ASCII character comes next; it is taken then.
    fn eat(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        if comes {
            self.take(1);
        }
        comes
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.take(1);
        }
    }

    /// The next bytes, which end before an ASCII character.
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or((self.0, ""));
        self.0 = rest;
        taken
    }

    /// Text up to a blank.
    fn word(&mut self) -> &'t str {
        self.until(|byte| matches!(byte, b' ' | b'\t'))
    }

    fn until(&mut self, stop: impl Fn(u8) -> bool) -> &'t str {
        let length = self.0.bytes().position(stop).unwrap_or(self.0.len());
        self.take(length)
    }

    fn metric_name(&mut self) -> Option<&'t str> {
        let name = self.until(ends_name);
        starts_name(name.as_bytes().first().copied()).then_some(name)
    }

    fn label_name(&mut self) -> Option<&'t str> {
        let name = self.until(ends_name);
        (!name.is_empty()).then_some(name)
    }

    /// Text up to the closing quote; the opening one is read already.
    fn quoted(&mut self, unescaped: &mut String) -> Option<Piece<'t>> {
        let end = memchr2(b'"', b'\\', self.0.as_bytes())?;
        let plain = self.take(end);
        if self.eat(b'"') {
            return Some(Piece::Plain(plain));
        }
        let start = unescaped.len();
        unescaped.push_str(plain);
        loop {
            // Here stands a quote or a backslash.
            if self.eat(b'"') {
                return Some(Piece::Unescaped { start, end: unescaped.len() });
            }
            self.take(1);
            self.escape(unescaped);
            let next = memchr2(b'"', b'\\', self.0.as_bytes())?;
            unescaped.push_str(self.take(next));
        }
    }

    /// What follows a backslash. Other letters are meant as they stand: some exporters do not escape backslashes.
    fn escape(&mut self, unescaped: &mut String) {
        let meant = match self.peek() {
            Some(b'n') => '\n',
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            _ => return unescaped.push('\\'),
        };
        self.take(1);
        unescaped.push(meant);
    }

    /// Time stamp and exemplar, of which the latter is not kept; the line has to end after them.
    #[allow(clippy::option_option, reason = "a malformed line is none, a line without time stamp has none")]
    fn timestamp(&mut self, format: Format) -> Option<Option<Timestamp>> {
        self.skip_blanks();
        let at = match self.peek() {
            None | Some(b'#') => None,
            Some(_) if format == Format::OpenMetrics => Some(number::seconds(self.word())?),
            Some(_) => Some(number::milliseconds(self.word())?),
        };
        self.skip_blanks();
        if self.eat(b'#') {
            self.skip_blanks();
            return self.eat(b'{').then_some(at);
        }
        self.0.is_empty().then_some(at)
    }
}

/// Length of the name at the start of a line.
pub(super) fn name_length(line: &[u8]) -> usize {
    line.iter().position(|byte| ends_name(*byte)).unwrap_or(line.len())
}

/// Digits and signs begin values and status texts, not names.
pub(super) fn starts_name(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || !byte.is_ascii())
}

/// Everything that has no meaning in the syntax may be part of a name, `%` for one.
const fn ends_name(byte: u8) -> bool {
    byte.is_ascii_control() || matches!(byte, b' ' | b'{' | b'}' | b'"' | b',' | b'=' | b'#' | b'\\')
}
