//! Exposition text: what is kept where `prometheus-parse` alone loses it, both formats, content that is no page.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube_sci_signals::{
    energy::SampleCounts,
    exposition::{
        Bucket, ExpositionError, Format, Grouped, Labels, Limits, Options, Quantile, SampleKind, histograms, parse,
        parse_with,
    },
};
use prometheus_parse::{Scrape, Value};

/// A sample that outlives its page.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
    pub at: Option<Timestamp>,
    pub kind: SampleKind,
}

fn sample(name: &str, labels: &[(&str, &str)], value: f64) -> Read {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Read { name: name.to_owned(), labels, value, at: None, kind: SampleKind::Untyped }
}

/// Every sample of a page.
pub fn read_with(text: &[u8], options: Options) -> Result<(Vec<Read>, SampleCounts), ExpositionError> {
    let mut samples = Vec::new();
    let counts = parse_with(
        text,
        options,
        |_| true,
        |sample| {
            let labels = sample.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let name = sample.name.to_owned();
            samples.push(Read { name, labels, value: sample.value, at: sample.at, kind: sample.kind });
        },
    )?;
    Ok((samples, counts))
}

pub fn read(text: impl AsRef<[u8]>) -> (Vec<Read>, SampleCounts) {
    read_with(text.as_ref(), Options::default()).unwrap()
}

/// The same page as `prometheus-parse` alone reads it.
fn read_alone(text: &str) -> Vec<Read> {
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let plain = |value| match value {
        Value::Counter(value) => Some((value, SampleKind::Counter)),
        Value::Gauge(value) => Some((value, SampleKind::Gauge)),
        Value::Untyped(value) => Some((value, SampleKind::Untyped)),
        Value::Histogram(_) | Value::Summary(_) => None,
    };
    let samples = scrape.samples.into_iter().filter_map(|sample| {
        let (value, kind) = plain(sample.value)?;
        let labels = sample.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Some(Read { name: sample.metric, labels, value, at: None, kind })
    });
    samples.collect()
}

fn counts(parsed: u64, skipped: u64, malformed: u64) -> SampleCounts {
    SampleCounts { parsed, skipped, malformed }
}

#[test]
fn what_prometheus_parse_alone_loses_is_kept() {
    let one = |labels: &[(&str, &str)]| sample("j", labels, 1.0);
    for (line, expected) in [
        (r#"j{cmd="run a,b",pod="p"} 1"#, one(&[("cmd", "run a,b"), ("pod", "p")])),
        (r#"j{cmd="x=1",pod="p"} 1"#, one(&[("cmd", "x=1"), ("pod", "p")])),
        (r#"j{cmd="{x}",pod="p"} 1"#, one(&[("cmd", "{x}"), ("pod", "p")])),
        (r#"j{cmd="a # b",pod="}"} 1"#, one(&[("cmd", "a # b"), ("pod", "}")])),
        ("a_total{} 1", sample("a_total", &[], 1.0)),
        (r#"job:energy:rate5m{pod="p"} 1"#, sample("job:energy:rate5m", &[("pod", "p")], 1.0)),
        (r#"{"my.metric",a="1"} 1"#, sample("my.metric", &[("a", "1")], 1.0)),
        (r#"j{"k8s.pod.name"="p"} 1"#, one(&[("k8s.pod.name", "p")])),
        (r#"j{a="1", pod="p"} 1"#, one(&[("a", "1"), ("pod", "p")])),
        (r#"j { a = "1" ,	pod = "p" , } 1 "#, one(&[("a", "1"), ("pod", "p")])),
        (r#"j{a="say \"hi\"",b="C:\\dir",c="two\nlines"} 1"#, {
            one(&[("a", "say \"hi\""), ("b", "C:\\dir"), ("c", "two\nlines")])
        }),
        (r#"cpu_percent_alumet_%{kind="total"} 1"#, sample("cpu_percent_alumet_%", &[("kind", "total")], 1.0)),
    ] {
        let page = format!("{line}\n");
        assert_eq!(read(&page), (vec![expected.clone()], counts(1, 0, 0)), "{line}");
        assert_ne!(read_alone(&page), [expected], "no reason any more for a tokenizer of our own: {line}");
    }
}

#[test]
fn what_prometheus_parse_reads_well_is_read_alike() {
    let page = "\
# HELP j Joules, as \"read\" from {the} meter.
# TYPE j counter
j{a=\"1\",b=\"two words\"} 1.5e3
j{a=\"2\",b=\"\"} +Inf
# TYPE w gauge
w -0.25
# any comment
w{a=\"1\"} -Inf 1700000000000

u 7
";
    let (mut samples, counted) = read(page);
    assert_eq!(counted, counts(5, 0, 0));
    assert_eq!(samples[3].at, Some("2023-11-14T22:13:20Z".parse().unwrap()));
    samples[3].at = None;
    assert_eq!(samples, read_alone(page));
    assert!(read("j NaN\n").0[0].value.is_nan());
}

#[test]
fn time_stamps_are_milliseconds_in_classic_text_and_seconds_in_open_metrics() {
    let at = |text: &str, format| {
        let (samples, _) = read_with(text.as_bytes(), Options { format, ..Options::default() }).unwrap();
        samples.first().and_then(|sample| sample.at)
    };
    let half_past = Some("2023-11-14T22:13:20.5Z".parse().unwrap());
    assert_eq!(at("j 1 1700000000500\n", Format::Detect), half_past);
    assert_eq!(at("j 1 1700000000.5\n# EOF\n", Format::Detect), half_past);
    assert_eq!(at("j 1 1.7000000005e9\n# EOF", Format::OpenMetrics), half_past);
    assert_eq!(at("j 1 1700000000500\n# EOF\n", Format::Text), half_past);
    let (_, counted) = read("w 1\nj 1 1700000000.5\n");
    assert_eq!(counted, counts(1, 0, 1), "seconds in classic text would be taken for milliseconds");
}

#[test]
fn the_content_type_tells_the_format() {
    for (content_type, format) in [
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics),
        ("Application/OpenMetrics-Text", Format::OpenMetrics),
        ("text/plain; version=0.0.4; charset=utf-8; escaping=values", Format::Text),
        ("text/plain", Format::Detect),
        ("", Format::Detect),
    ] {
        assert_eq!(Format::from_content_type(content_type), format, "{content_type:?}");
    }
}

#[test]
fn counters_of_open_metrics_are_counters() {
    let page = "# TYPE j counter\n# UNIT j joules\nj_total{a=\"1\"} 5\nj_created{a=\"1\"} 1.7e9\n# EOF\n";
    let (samples, _) = read(page);
    assert_eq!(samples[0].kind, SampleKind::Counter);
    assert_eq!(samples[1].kind, SampleKind::Untyped);
    assert_eq!(read_alone(page)[0].kind, SampleKind::Untyped);
}

#[test]
fn a_family_in_pieces_keeps_its_type() {
    let page = "# TYPE a counter\na 1\n# TYPE b gauge\nb 2\na 3\nb 4\n# TYPE a gauge\na 5\n";
    let (counter, gauge) = (SampleKind::Counter, SampleKind::Gauge);
    let kinds: Vec<_> = read(page).0.iter().map(|sample| sample.kind).collect();
    assert_eq!(kinds, [counter, gauge, counter, gauge, gauge]);
}

#[test]
fn quoted_names_have_types_too() {
    let (samples, counted) = read("# TYPE \"my.metric\" gauge\n{\"my.metric\"} 1\n{a=\"1\",\"my.metric\"} 2\n");
    assert_eq!(samples.iter().map(|sample| sample.kind).collect::<Vec<_>>(), [SampleKind::Gauge; 2]);
    assert_eq!(counted, counts(2, 0, 0));
}

#[test]
fn exemplars_are_passed_over() {
    let page = "a_total 1 # {trace_id=\"4bf9\"} 0.5 1700000000.1\na_total{a=\"#\"} 2 1700000000.5 # {} 1\n# EOF\n";
    let (samples, counted) = read(page);
    assert_eq!(samples.iter().map(|sample| sample.value).collect::<Vec<_>>(), [1.0, 2.0]);
    assert_eq!(counted, counts(2, 0, 0));
}

#[test]
fn lines_may_end_as_on_windows() {
    let (samples, counted) = read("# TYPE j counter\r\nj{a=\"1\"} 1\r\n\r\nj{a=\"2\"} 2\r\n# EOF\r\n");
    assert_eq!(counted, counts(2, 0, 0));
    assert_eq!(samples[0], Read { kind: SampleKind::Counter, ..sample("j", &[("a", "1")], 1.0) });
}

#[test]
fn malformed_lines_are_counted_and_the_rest_is_read() {
    for line in [
        "j",
        "j ",
        "j{a=\"1\"}",
        "j{a=\"1\"} one",
        "j{a=\"1\"} 0x10",
        "j{a=\"1\"} 1e999",
        "j{a=\"1} 1",
        "j{a=1} 1",
        "j{a} 1",
        "j{\"a\" 1",
        "j{=\"1\"} 1",
        "j{a=\"1\" b=\"2\"} 1",
        "j{,} 1",
        "j{a=\"1\",,b=\"2\"} 1",
        "j{a=\"1\",a=\"2\"} 1",
        "j{\"other.name\"} 1",
        "{\"a\",\"b\"} 1",
        "{a=\"1\"} 1",
        "{\"\"} 1",
        "{} 1",
        "j{a=\"1\"} 1 soon",
        "j{a=\"1\"} 1 1 1",
        "j{a=\"1\"} 1 # comment",
        "j{cmd=\"echo \"hi\"\"} 1",
        "1j 1",
        "# TYPE",
        "# TYPE j",
        "# TYPE j counter gauge",
        "# TYPE \"j counter",
    ] {
        let (samples, counted) = read(format!("before 1\n{line}\nafter 2\n"));
        let malformed = u64::from(line != "# TYPE");
        assert_eq!(samples, [sample("before", &[], 1.0), sample("after", &[], 2.0)], "{line}");
        assert_eq!(counted, counts(2, 0, malformed), "{line}");
    }
}

#[test]
fn a_line_that_is_no_utf_8_is_malformed_alone() {
    let page = b"a 1\nj{a=\"\xff\"} 1\nj\xff 1\n# HELP a \xff\n# TYPE \xff gauge\nb 2\n";
    let (samples, counted) = read(page);
    assert_eq!(samples, [sample("a", &[], 1.0), sample("b", &[], 2.0)]);
    assert_eq!(counted, counts(2, 0, 3));
}

#[test]
fn a_last_line_without_line_feed_may_be_half_a_number() {
    assert_eq!(read("j 1\nj 12"), (vec![sample("j", &[], 1.0)], counts(1, 0, 1)));
    assert_eq!(read("j 1\n# EOF").1, counts(1, 0, 0));
}

#[test]
fn unwanted_names_are_skipped_and_asked_about_once() {
    let asked = std::cell::RefCell::new(Vec::new());
    let page = "a 1\nb{x=\"} 1\nb 2\na 3\nb 4\nab 5\n{\"b\"} 6\n";
    let wanted = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        name == "a"
    };
    let mut values = Vec::new();
    let counted = parse(page.as_bytes(), wanted, |sample| values.push(sample.value)).unwrap();
    assert_eq!(values, [1.0, 3.0]);
    assert_eq!(counted, counts(2, 5, 0), "what nobody wants is not looked at");
    assert_eq!(*asked.borrow(), ["a", "b", "ab"]);
}

#[test]
fn limits_make_lines_malformed() {
    let malformed = |page: &str, limits| {
        let options = Options { limits, ..Options::default() };
        read_with(format!("ok 1\n{page}\n").as_bytes(), options).unwrap().1.malformed
    };
    let limits = Limits::default();
    let long_name = "n".repeat(20);
    assert_eq!(malformed("j{a=\"123456\"} 1", Limits { line_bytes: 14, ..limits }), 1);
    assert_eq!(malformed("j{a=\"123456\"} 1", Limits { line_bytes: 15, ..limits }), 0);
    assert_eq!(malformed("j{a=\"1\",b=\"2\"} 1", Limits { labels: 1, ..limits }), 1);
    for page in [format!("{long_name} 1"), format!("{{\"{long_name}\"}} 1"), format!("j{{{long_name}=\"\"}} 1")] {
        assert_eq!(malformed(&page, Limits { name_bytes: 19, ..limits }), 1, "{page}");
        assert_eq!(malformed(&page, Limits { name_bytes: 20, ..limits }), 0, "{page}");
    }
    assert_eq!(malformed("# TYPE a gauge\n# TYPE b gauge", Limits { families: 1, ..limits }), 1);
}

#[test]
fn content_that_is_no_page_is_refused_with_its_beginning() {
    let refusal = |content: &[u8]| read_with(content, Options::default()).unwrap_err();
    assert_eq!(
        refusal(b"\n<!DOCTYPE html>\n<html>\n<body>502 Bad Gateway</body>\n</html>\n").to_string(),
        "this is no metrics page: it begins with \"<!DOCTYPE html>\"; check port and path"
    );
    for content in ["404 page not found\n", "Unauthorized", "{\"error\":\"no such route\"}\n", "<html>"] {
        assert!(matches!(refusal(content.as_bytes()), ExpositionError::NotMetrics { .. }), "{content}");
    }
    assert_eq!(refusal(b"\x1f\x8b\x08\x00\x00\x00\x00\x00"), ExpositionError::Binary);
    let beginning = "<".repeat(40);
    assert_eq!(refusal("<".repeat(100_000).as_bytes()), ExpositionError::NotMetrics { beginning });
}

#[test]
fn an_empty_page_has_no_samples() {
    for page in ["", "\n", "# EOF\n", "\u{feff}# EOF\n"] {
        assert_eq!(read(page), (vec![], counts(0, 0, 0)), "{page:?}");
    }
}

#[test]
fn open_metrics_without_its_last_line_was_cut_off() {
    let options = Options { format: Format::OpenMetrics, ..Options::default() };
    assert_eq!(read_with(b"j 1\nj 2\n", options), Err(ExpositionError::CutOff));
    assert_eq!(read_with(b"j 1\n# EO", options), Err(ExpositionError::CutOff));
    assert!(read_with(b"j 1\n# EOF\n\n", options).is_ok());
}

#[test]
fn labels_from_elsewhere_read_alike() {
    let pairs = [("pod".into(), String::from("p").into()), ("zone".into(), "package".into())];
    let labels = Labels::from_pairs(&pairs);
    assert_eq!((labels.len(), labels.get("pod"), labels.get("node")), (2, Some("p"), None));
    assert_eq!(labels.iter().collect::<Vec<_>>(), [("pod", "p"), ("zone", "package")]);
    assert!(Labels::default().is_empty());
}

#[test]
fn histograms_and_summaries_are_grouped_with_every_label() {
    let page = r#"# TYPE rule:h histogram
rule:h_bucket{cmd="a,b={x}",le="1"} 2 1700000000000
rule:h_bucket{le="0.5",cmd="a,b={x}"} 1 1700000000000
rule:h_bucket{cmd="a",le="+Inf"} 9
rule:h_bucket{cmd="a,b={x}",le="+Inf"} 3 1700000000000
rule:h_sum{cmd="a,b={x}"} 2.5
rule:h_count{cmd="a,b={x}"} 3
rule:h_bucket{cmd="no bound"} 3
# TYPE s summary
s{quantile="0.9",cmd="\"q\""} 4
s{quantile="0.5",cmd="\"q\""} NaN
s_sum{cmd="\"q\""} 5
s_count{cmd="\"q\""} 6
# TYPE g gauge
g 1
"#;
    let Grouped { histograms, summaries, counts: counted } =
        histograms(page.as_bytes(), Options::default(), |name| name != "unwanted").unwrap();
    assert_eq!(counted, counts(10, 1, 1));
    let [first, second] = &histograms[..] else { panic!("{histograms:?}") };
    assert_eq!(first.series.name, "rule:h");
    assert_eq!(first.series.labels, BTreeMap::from([("cmd".to_owned(), "a,b={x}".to_owned())]));
    assert_eq!(first.series.at, Some("2023-11-14T22:13:20Z".parse().unwrap()));
    let bucket = |less_or_equal, count| Bucket { less_or_equal, count };
    assert_eq!(first.buckets, [bucket(0.5, 1.0), bucket(1.0, 2.0), bucket(f64::INFINITY, 3.0)]);
    assert_eq!((first.sum, first.count), (Some(2.5), Some(3.0)));
    assert_eq!((second.buckets.len(), second.sum), (1, None));
    let [summary] = &summaries[..] else { panic!("{summaries:?}") };
    assert_eq!(summary.series.labels, BTreeMap::from([("cmd".to_owned(), "\"q\"".to_owned())]));
    assert!(summary.quantiles[0].value.is_nan());
    assert_eq!(summary.quantiles[1], Quantile { quantile: 0.9, value: 4.0 });
    assert_eq!((summary.sum, summary.count), (Some(5.0), Some(6.0)));
}

#[test]
fn grouped_series_are_limited() {
    let page = "# TYPE s summary\ns_sum{a=\"1\"} 1\ns_sum{a=\"2\"} 2\ns_count{a=\"1\"} 3\n";
    let options = Options { limits: Limits { series: 1, ..Limits::default() }, ..Options::default() };
    let grouped = histograms(page.as_bytes(), options, |_| true).unwrap();
    assert_eq!((grouped.summaries.len(), grouped.counts), (1, counts(2, 0, 1)));
}
