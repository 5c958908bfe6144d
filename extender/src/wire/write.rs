use serde_json::value::RawValue;

use sci_core::node::{SCORE_MAX, Score};

/// The answer to prioritize that changes nothing: no node gets points from us.
pub const NO_OPINION: &[u8] = b"[]";

/// One entry beside the name: `{"Host":"","Score":10},`.
const ENTRY_BYTES: usize = 24;
/// A filter answer beside its lists.
const ENVELOPE_BYTES: usize = 128;

/// What is left after filtering, in the form of the request.
#[derive(Debug)]
pub enum FilterAnswer<'a> {
    /// Names, for `nodeCacheCapable: true`.
    Names(Vec<&'a str>),
    /// The nodes as they came.
    Nodes(Vec<&'a RawValue>),
}

/// Writes a `HostPriorityList`, a bare array, from names and scores.
///
/// A wrapped list or a score such as `7.0` would be dropped by the scheduler without a word.
pub fn write_priorities<'n>(entries: impl Iterator<Item = (&'n str, Score)> + Clone) -> Vec<u8> {
    let length: usize = entries.clone().map(|(name, _)| name.len() + ENTRY_BYTES).sum();
    let mut out = Vec::with_capacity(length + NO_OPINION.len());
    write_list(&mut out, (b'[', b']'), entries, |out, (name, score)| {
        out.extend_from_slice(b"{\"Host\":");
        write_text(out, name);
        out.extend_from_slice(b",\"Score\":");
        write_score(out, score);
        out.push(b'}');
    });
    out
}

/// Writes an `ExtenderFilterResult`.
///
/// Exactly one of `Nodes` and `NodeNames` is set: with both null the scheduler would see an empty cluster.
/// Rejections are unresolvable, because preempting other pods makes no grid cleaner.
pub fn write_filter(kept: &FilterAnswer<'_>, rejected: &[(&str, &'static str)]) -> Vec<u8> {
    let kept_bytes: usize = match kept {
        FilterAnswer::Names(names) => names.iter().map(|name| name.len() + 3).sum(),
        FilterAnswer::Nodes(nodes) => nodes.iter().map(|node| node.get().len() + 1).sum(),
    };
    let rejected_bytes: usize = rejected.iter().map(|(name, reason)| name.len() + reason.len() + 6).sum();
    let mut out = Vec::with_capacity(ENVELOPE_BYTES + kept_bytes + rejected_bytes);
    match kept {
        FilterAnswer::Names(names) => {
            out.extend_from_slice(b"{\"Nodes\":null,\"NodeNames\":");
            write_list(&mut out, (b'[', b']'), names.iter(), |out, name| write_text(out, name));
        }
        FilterAnswer::Nodes(nodes) => {
            out.extend_from_slice(b"{\"Nodes\":{\"metadata\":{},\"items\":");
            write_list(&mut out, (b'[', b']'), nodes.iter(), |out, node| out.extend_from_slice(node.get().as_bytes()));
            out.extend_from_slice(b"},\"NodeNames\":null");
        }
    }
    out.extend_from_slice(b",\"FailedNodes\":{},\"FailedAndUnresolvableNodes\":");
    write_list(&mut out, (b'{', b'}'), rejected.iter(), |out, (name, reason)| {
        write_text(out, name);
        out.push(b':');
        write_text(out, reason);
    });
    out.extend_from_slice(b",\"Error\":\"\"}");
    out
}

fn write_list<T>(
    out: &mut Vec<u8>,
    (open, close): (u8, u8),
    items: impl Iterator<Item = T>,
    mut write_item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_item(out, item);
    }
    out.push(close);
}

fn write_score(out: &mut Vec<u8>, score: Score) {
    if score >= SCORE_MAX { out.extend_from_slice(b"10") } else { out.push(b'0' + score) }
}

/// Node names hold nothing to escape; whatever else somebody sends is escaped in full.
fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    // Looks at every byte, without an early end: that is done for many bytes at a time.
    let escapes = text.bytes().fold(false, |found, byte| found || byte < b' ' || byte == b'"' || byte == b'\\');
    if escapes {
        write_escaped(out, text);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

fn write_escaped(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => {
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
            }
            _ => out.push(byte),
        }
    }
}
