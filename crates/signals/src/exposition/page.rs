//! A page line by line.

use std::{borrow::Cow, collections::HashMap, str};

use memchr::memchr;

use super::{
    ExpositionError, Format, Options, Sample, SampleKind,
    family::Families,
    labels::Piece,
    line::{Tokenizer, name_length, starts_name},
};
use crate::energy::SampleCounts;

/// Lines at the start of which one has to look like metrics.
const LOOKED_AT: usize = 16;
/// Of a page that is refused, so much is shown.
const SHOWN_CHARS: usize = 40;

/// Content that looks like a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'t> {
    text: &'t [u8],
    options: Options,
}

/// The state of reading it.
struct Reader<'t, Wanted> {
    options: Options,
    wanted: Wanted,
    tokenizer: Tokenizer<'t>,
    families: Families<'t>,
    /// Counts declarations: a decision made before one may have the wrong kind.
    declared: usize,
    decisions: HashMap<Cow<'t, str>, Decision>,
    /// Name and decision of the line before: families mostly stand together.
    last: Option<(&'t [u8], Decision)>,
    counts: SampleCounts,
}

/// What is known of a name.
#[derive(Debug, Clone, Copy)]
struct Decision {
    wanted: bool,
    kind: SampleKind,
    declared: usize,
}

impl<'t> Page<'t> {
    /// Tells pages from other content.
    pub(super) fn open(text: &'t [u8], mut options: Options) -> Result<Self, ExpositionError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let complete = is_complete(text);
        options.format = match options.format {
            Format::Detect if complete => Format::OpenMetrics,
            Format::Detect => Format::Text,
            known => known,
        };
        if let Some(error) = refuse(text, options) {
            return Err(error);
        }
        if options.format == Format::OpenMetrics && !complete {
            return Err(ExpositionError::CutOff);
        }
        Ok(Self { text, options })
    }

    /// Reads every line.
    pub(super) fn read(self, wanted: impl Fn(&str) -> bool, mut each: impl FnMut(Sample<'_>)) -> SampleCounts {
        let mut reader = Reader {
            options: self.options,
            wanted,
            tokenizer: Tokenizer::default(),
            families: Families::default(),
            declared: 0,
            decisions: HashMap::new(),
            last: None,
            counts: SampleCounts::default(),
        };
        let mut rest = self.text;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after.get(1..).unwrap_or_default();
            reader.line(line, &mut each);
        }
        // Without its line feed the line may be cut within a number.
        let cut = trim(rest);
        if !cut.is_empty() && !cut.starts_with(b"#") {
            reader.counts.malformed += 1;
        }
        reader.counts
    }
}

impl<'t, Wanted: Fn(&str) -> bool> Reader<'t, Wanted> {
    fn line(&mut self, line: &'t [u8], each: &mut impl FnMut(Sample<'_>)) {
        if let Some(decision) = self.same_name(line)
            && !decision.wanted
        {
            self.counts.skipped += 1;
            return;
        }
        let line = trim(line);
        let understood = match line.first() {
            None => true,
            Some(b'#') => self.comment(line),
            Some(_) => self.sample(line, each).is_some(),
        };
        self.counts.malformed += u64::from(!understood);
    }

    /// The decision of the line before, where this line begins with the same name.
    fn same_name(&self, line: &[u8]) -> Option<Decision> {
        let (name, decision) = self.last?;
        let after = line.strip_prefix(name)?.first();
        matches!(after, Some(b'{' | b' ' | b'\t')).then_some(decision)
    }

    /// `None` where the line cannot be read.
    fn sample(&mut self, line: &'t [u8], each: &mut impl FnMut(Sample<'_>)) -> Option<()> {
        let known = if line.starts_with(b"{") { None } else { Some(self.decide_plain(line)?) };
        if known.is_some_and(|decision| !decision.wanted) {
            self.counts.skipped += 1;
            return Some(());
        }
        let line = str::from_utf8(line).ok().filter(|line| line.len() <= self.options.limits.line_bytes)?;
        let read = self.tokenizer.sample(line, self.options.format, &self.options.limits)?;
        let decision = match (known, read.name) {
            (Some(decision), _) => decision,
            (None, Piece::Plain(name)) => self.decide(Cow::Borrowed(name)),
            (None, name) => self.decide(Cow::Owned(self.tokenizer.text(name).to_owned())),
        };
        if !decision.wanted {
            self.counts.skipped += 1;
            return Some(());
        }
        self.counts.parsed += 1;
        each(Sample {
            name: self.tokenizer.text(read.name),
            labels: self.tokenizer.labels(),
            value: read.value,
            at: read.at,
            kind: decision.kind,
        });
        Some(())
    }

    /// Decides by a name that is not in quotes. `None` where the line does not begin with one.
    fn decide_plain(&mut self, line: &'t [u8]) -> Option<Decision> {
        if let Some(decision) = self.same_name(line) {
            return Some(decision);
        }
        let (name, rest) = line.split_at_checked(name_length(line))?;
        let fits = starts_name(name.first().copied()) && name.len() <= self.options.limits.name_bytes;
        if !fits || !matches!(rest.first(), Some(b'{' | b' ' | b'\t')) {
            return None;
        }
        let decision = self.decide(Cow::Borrowed(str::from_utf8(name).ok()?));
        self.last = Some((name, decision));
        Some(decision)
    }

    fn decide(&mut self, name: Cow<'t, str>) -> Decision {
        let known = self.decisions.get(name.as_ref()).copied();
        if let Some(decision) = known.filter(|decision| !decision.wanted || decision.declared == self.declared) {
            return decision;
        }
        let wanted = known.map_or_else(|| (self.wanted)(&name), |decision| decision.wanted);
        let kind = if wanted { self.families.kind(&name) } else { SampleKind::Untyped };
        let decision = Decision { wanted, kind, declared: self.declared };
        if known.is_some() || self.decisions.len() < self.options.limits.families {
            self.decisions.insert(name, decision);
        }
        decision
    }

    /// Keeps the type of a family. `false` where a declaration cannot be read; other comments are nobody's business.
    fn comment(&mut self, line: &'t [u8]) -> bool {
        let comment = line.strip_prefix(b"#").unwrap_or(line).trim_ascii_start();
        match comment.strip_prefix(b"TYPE") {
            Some(declaration @ [b' ' | b'\t', ..]) => self.declaration(declaration.trim_ascii_start()).is_some(),
            _ => true,
        }
    }

    fn declaration(&mut self, declaration: &'t [u8]) -> Option<()> {
        let limits = &self.options.limits;
        let text = str::from_utf8(declaration).ok().filter(|text| text.len() <= limits.line_bytes)?;
        let (name, rest) =
            if text.starts_with('"') { self.tokenizer.quoted_name(text)? } else { text.split_once([' ', '\t'])? };
        let mut words = rest.split_ascii_whitespace();
        let word = words.next().filter(|_| words.next().is_none())?;
        self.families.declare(name, word, limits)?;
        self.declared += 1;
        self.last = None;
        Some(())
    }
}

/// Whether the last line says that nothing is missing.
fn is_complete(text: &[u8]) -> bool {
    text.trim_ascii_end().strip_suffix(b"# EOF").is_some_and(|before| before.is_empty() || before.ends_with(b"\n"))
}

/// Why the content is no page: among its first lines is neither a comment nor a sample.
fn refuse(text: &[u8], options: Options) -> Option<ExpositionError> {
    let mut lines = text.split(|byte| *byte == b'\n').map(trim).filter(|line| !line.is_empty()).peekable();
    let first = *lines.peek()?;
    let is_sample = |line: &str| Tokenizer::default().sample(line, options.format, &options.limits).is_some();
    let looks_like_metrics = |line: &[u8]| {
        let fits = line.len() <= options.limits.line_bytes;
        line.starts_with(b"#") || (fits && str::from_utf8(line).is_ok_and(is_sample))
    };
    if lines.take(LOOKED_AT).any(looks_like_metrics) {
        return None;
    }
    let beginning: String = String::from_utf8_lossy(first).chars().take(SHOWN_CHARS).collect();
    let is_binary = beginning.contains(|shown: char| shown == char::REPLACEMENT_CHARACTER || shown.is_control());
    Some(if is_binary { ExpositionError::Binary } else { ExpositionError::NotMetrics { beginning } })
}

/// Without blanks and carriage returns around it.
const fn trim(line: &[u8]) -> &[u8] {
    line.trim_ascii()
}
