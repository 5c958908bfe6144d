//! The scheduler's bytes in, our bytes out: `ExtenderArgs`, `HostPriorityList` and `ExtenderFilterResult` of
//! `k8s.io/kube-scheduler/extender/v1`.
//!
//! The Go types carry no JSON tags: keys begin upper-case, an absent value is `null`, and Go reads keys in any case,
//! so this parser does too. Everything is borrowed from the body; the pod is only scanned here and parsed by
//! [`crate::pod`] when an answer depends on it. In full-node form the scheduler goes on with the very nodes that it
//! gets back, so they are echoed byte by byte.

mod error;
mod parse;
mod text;
mod write;

use std::borrow::Cow;

use serde_json::value::RawValue;

pub(crate) use self::text::Text;
pub use self::{
    error::WireError,
    parse::parse,
    write::{FilterAnswer, NO_OPINION, write_filter, write_priorities},
};

/// One call of the scheduler: a pod and the nodes it may go to.
#[derive(Debug)]
pub struct Request<'a> {
    /// The pod, not parsed yet.
    pub pod: &'a RawValue,
    /// The nodes that are left after the scheduler's own filters.
    pub candidates: Candidates<'a>,
}

/// Candidate nodes in the form in which the scheduler sent them.
#[derive(Debug)]
pub enum Candidates<'a> {
    /// `nodeCacheCapable: true`: names only.
    Names(Vec<Cow<'a, str>>),
    /// `nodeCacheCapable: false`: whole objects.
    Nodes(Vec<FullNode<'a>>),
}

/// A node object as sent, and the one field of it that is read.
#[derive(Debug)]
pub struct FullNode<'a> {
    /// `metadata.name`.
    pub name: Cow<'a, str>,
    /// The whole object.
    pub raw: &'a RawValue,
}

impl Candidates<'_> {
    /// How many nodes were offered.
    pub fn len(&self) -> usize {
        match self {
            Self::Names(names) => names.len(),
            Self::Nodes(nodes) => nodes.len(),
        }
    }

    /// No node was offered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names in the order of the request.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let (names, nodes) = match self {
            Self::Names(names) => (names.as_slice(), [].as_slice()),
            Self::Nodes(nodes) => ([].as_slice(), nodes.as_slice()),
        };
        names.iter().map(AsRef::as_ref).chain(nodes.iter().map(|node| node.name.as_ref()))
    }
}

#[cfg(test)]
mod tests;
