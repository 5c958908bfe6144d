//! Exposition text that a writer of the tests made: read back exactly, and alike by `prometheus-parse` where that can.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jiff::Timestamp;
use kube_sci_signals::exposition::{Format, Options, Sample, SampleKind, parse};
use prometheus_parse::{Scrape, Value};
use proptest::{collection::btree_map, option, prelude::*, string::string_regex};

use crate::exposition::{Read, read_with};

/// How a line is laid out, where the formats leave a choice.
#[derive(Debug, Clone)]
struct Layout {
    blank: &'static str,
    trailing_comma: bool,
    quote_names: bool,
    line_end: &'static str,
    exemplar: bool,
}

fn layout() -> impl Strategy<Value = Layout> {
    let blank = prop_oneof![Just(""), Just(" "), Just("\t"), Just("  \t ")];
    let line_end = prop_oneof![Just("\n"), Just("\r\n"), Just(" \n")];
    (blank, any::<bool>(), any::<bool>(), line_end, any::<bool>()).prop_map(
        |(blank, trailing_comma, quote_names, line_end, exemplar)| Layout {
            blank,
            trailing_comma,
            quote_names,
            line_end,
            exemplar,
        },
    )
}

/// Any text of some length, with a liking for what has a meaning in the syntax.
fn text(least: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![meaningful(), any::<char>(), prop::char::range('a', 'e')];
    prop::collection::vec(character, least..12).prop_map(String::from_iter)
}

fn meaningful() -> impl Strategy<Value = char> {
    prop::sample::select("\"\\n\n{}=,#% \t".chars().collect::<Vec<_>>())
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![string_regex("[a-zA-Z_:][a-zA-Z0-9_:%./-]{0,10}").unwrap(), text(1)]
}

fn sample() -> impl Strategy<Value = Read> {
    let value = prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)];
    let at =
        option::of((-1_000_000_000_000_i64..4_000_000_000_000).prop_map(|at| Timestamp::from_millisecond(at).unwrap()));
    (name(), btree_map(name(), text(0), 0..6), value, at).prop_map(|(name, labels, value, at)| Read {
        name,
        labels,
        value,
        at,
        kind: SampleKind::Untyped,
    })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Bare where that is clear to every parser.
fn spelled(name: &str, layout: &Layout) -> String {
    let is_start = |first: char| first.is_ascii_alphabetic() || first == '_' || first == ':';
    let is_plain =
        name.starts_with(is_start) && !name.contains(|c: char| !c.is_ascii_graphic() || "{}\",=#\\".contains(c));
    if is_plain && !layout.quote_names { name.to_owned() } else { quoted(name) }
}

fn write_line(page: &mut String, sample: &Read, layout: &Layout, format: Format) {
    let blank = layout.blank;
    let name = spelled(&sample.name, layout);
    let mut parts: Vec<String> = sample
        .labels
        .iter()
        .map(|(name, value)| format!("{}{blank}={blank}{}", spelled(name, layout), quoted(value)))
        .collect();
    if name.starts_with('"') {
        parts.insert(0, name);
    } else {
        page.push_str(&name);
        page.push_str(blank);
    }
    let comma = if layout.trailing_comma && !parts.is_empty() { "," } else { "" };
    let separator = format!("{blank},{blank}");
    let _ = write!(page, "{{{blank}{}{blank}{comma}{blank}}} {}", parts.join(&separator), sample.value);
    match (sample.at, format) {
        (Some(at), Format::OpenMetrics) => {
            let nanoseconds = at.as_nanosecond();
            let sign = if nanoseconds < 0 { "-" } else { "" };
            let nanoseconds = nanoseconds.unsigned_abs();
            let _ = write!(page, " {sign}{}.{:03}", nanoseconds / 1_000_000_000, nanoseconds / 1_000_000 % 1_000);
        }
        (Some(at), _) => {
            let _ = write!(page, " {}", at.as_millisecond());
        }
        (None, _) => {}
    }
    if layout.exemplar {
        page.push_str(" # {trace_id=\"1\"} 1");
    }
    page.push_str(layout.line_end);
}

/// Bits of the value, so that NaN equals itself.
type Content = (String, BTreeMap<String, String>, u64, Option<Timestamp>);

fn content(samples: Vec<Read>) -> Vec<Content> {
    samples.into_iter().map(|read| (read.name, read.labels, read.value.to_bits(), read.at)).collect()
}

/// What `prometheus-parse` alone reads without loss: plain names, and values without any meaning in its expressions.
fn simple_sample() -> impl Strategy<Value = Read> {
    let text = |pattern| string_regex(pattern).unwrap();
    let labels = btree_map(text("[a-z_][a-z0-9_]{0,5}"), text("[a-zA-Z0-9/. _-]{0,8}"), 0..5);
    let at = option::of((0..4_000_000_000_000_i64).prop_map(|at| Timestamp::from_millisecond(at).unwrap()));
    let kind = prop::sample::select(vec![SampleKind::Counter, SampleKind::Gauge, SampleKind::Untyped]);
    (text("[a-z_][a-z0-9_]{0,8}"), labels, any::<f64>(), at, kind).prop_map(|(name, labels, value, at, kind)| Read {
        name,
        labels,
        value,
        at,
        kind,
    })
}

fn simple_page(samples: &[Read]) -> String {
    let mut page = String::new();
    for Read { name, labels, value, at, kind } in samples {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let at = at.map(|at| format!(" {}", at.as_millisecond())).unwrap_or_default();
        let word = format!("{kind:?}").to_lowercase();
        let _ = writeln!(page, "# HELP {name} Of a test.\n# TYPE {name} {word}\n{name}{labels} {value}{at}");
    }
    page
}

fn read_by_peer(page: &str) -> Vec<(Content, SampleKind)> {
    let scrape = Scrape::parse(page.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let samples = scrape.samples.into_iter().map(|sample| {
        let (value, kind) = match sample.value {
            Value::Counter(value) => (value, SampleKind::Counter),
            Value::Gauge(value) => (value, SampleKind::Gauge),
            Value::Untyped(value) => (value, SampleKind::Untyped),
            Value::Histogram(_) | Value::Summary(_) => unreachable!("not written to the page"),
        };
        let labels = sample.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let at = Timestamp::from_millisecond(sample.timestamp.timestamp_millis()).ok();
        ((sample.metric, labels, value.to_bits(), at), kind)
    });
    samples.collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        lines in prop::collection::vec((sample(), layout()), 1..8),
        format in prop::sample::select(vec![Format::Text, Format::OpenMetrics]),
    ) {
        let mut page = String::new();
        for (sample, layout) in &lines {
            write_line(&mut page, sample, layout, format);
        }
        if format == Format::OpenMetrics {
            page.push_str("# EOF\n");
        }
        let (read, counts) = read_with(page.as_bytes(), Options { format, ..Options::default() }).unwrap();
        prop_assert_eq!(counts.malformed, 0, "{}", page);
        let written = lines.into_iter().map(|(sample, _)| sample).collect();
        prop_assert_eq!(content(read), content(written), "{}", page);
    }

    #[test]
    fn simple_pages_read_as_prometheus_parse_reads_them(
        mut samples in prop::collection::vec(simple_sample(), 0..8),
    ) {
        // Each family once: a second declaration would change the type of what was read.
        samples.sort_by(|a, b| a.name.cmp(&b.name));
        samples.dedup_by(|a, b| a.name == b.name);
        let page = simple_page(&samples);
        let (read, _) = read_with(page.as_bytes(), Options::default()).unwrap();
        let peer = read_by_peer(&page);
        prop_assert_eq!(read.len(), peer.len());
        for (read, (peer, kind)) in read.into_iter().zip(peer) {
            prop_assert_eq!(read.kind, kind);
            let at = read.at.or(peer.3);
            prop_assert_eq!(content(vec![Read { at, ..read }]), vec![peer]);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..200)) {
        check_invariants(&text);
    }

    #[test]
    fn any_text_of_the_syntax_is_read_or_refused(text in "(a|b_total|le|\"|\\\\|\n|\\{|\\}|=|,|#| |TYPE|gauge|1|\\.5|é){0,40}") {
        check_invariants(text.as_bytes());
    }
}

/// Names are never empty, label names unlike, and every line of the page is counted once at most.
fn check_invariants(text: &[u8]) {
    let mut handed_over = 0;
    let each = |sample: Sample<'_>| {
        handed_over += 1;
        let names: BTreeSet<_> = sample.labels.iter().map(|(name, _)| name).collect();
        assert!(!sample.name.is_empty() && !names.contains(""));
        assert_eq!(names.len(), sample.labels.len());
        assert!(sample.labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value)));
    };
    if let Ok(counts) = parse(text, |name| !name.starts_with('b'), each) {
        let lines = u64::try_from(text.split(|byte| *byte == b'\n').count()).unwrap();
        assert_eq!(counts.parsed, handed_over);
        assert!(counts.parsed + counts.skipped + counts.malformed <= lines);
    }
}
