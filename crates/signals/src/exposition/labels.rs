//! Labels of a sample, without a copy where the page spells them plainly.

use std::{borrow::Cow, fmt};

/// Labels of one sample, each name once, in the order of the page. Copying it copies a reference.
#[derive(Clone, Copy)]
pub struct Labels<'a>(Source<'a>);

/// Where the labels are kept.
#[derive(Clone, Copy)]
enum Source<'a> {
    Page { labels: &'a [Label<'a>], unescaped: &'a str },
    Pairs(&'a [(Cow<'a, str>, Cow<'a, str>)]),
}

/// A label as the tokenizer found it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label<'t> {
    pub(super) name: Piece<'t>,
    pub(super) value: Piece<'t>,
}

/// Text between quotes or blanks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'t> {
    /// As it stands on the page.
    Plain(&'t str),
    /// Had escapes: a range of the tokenizer's buffer.
    Unescaped { start: usize, end: usize },
}

impl<'a> Labels<'a> {
    /// Labels that do not come from a page: query results, pushed points. Each name is expected once.
    pub const fn from_pairs(pairs: &'a [(Cow<'a, str>, Cow<'a, str>)]) -> Self {
        Self(Source::Pairs(pairs))
    }

    pub(super) const fn from_page(labels: &'a [Label<'a>], unescaped: &'a str) -> Self {
        Self(Source::Page { labels, unescaped })
    }

    /// The value of a label. Empty and missing are told apart here, although Prometheus does not.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Name and value of each label.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let source = self.0;
        (0..self.len()).map_while(move |index| source.at(index))
    }

    /// How many labels there are.
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Page { labels, .. } => labels.len(),
            Source::Pairs(pairs) => pairs.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Labels<'_> {
    fn default() -> Self {
        Self::from_pairs(&[])
    }
}

impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'a> Source<'a> {
    fn at(self, index: usize) -> Option<(&'a str, &'a str)> {
        match self {
            Self::Page { labels, unescaped } => {
                labels.get(index).map(|label| (label.name.text(unescaped), label.value.text(unescaped)))
            }
            Self::Pairs(pairs) => pairs.get(index).map(|(name, value)| (name.as_ref(), value.as_ref())),
        }
    }
}

impl<'a> Piece<'a> {
    /// The text, given the buffer that it was read with.
    pub(super) fn text(self, unescaped: &'a str) -> &'a str {
        match self {
            Self::Plain(text) => text,
            Self::Unescaped { start, end } => unescaped.get(start..end).unwrap_or_default(),
        }
    }
}
