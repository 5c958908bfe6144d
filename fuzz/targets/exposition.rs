//! Metrics pages in both formats: no label is lost or doubled, no line is counted twice.
#![no_main]

use std::collections::BTreeSet;

use kube_sci_signals::exposition::{Format, Options, Sample, histograms, parse_with};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let lines = content.split(|byte| *byte == b'\n').count() as u64;
    for format in [Format::Detect, Format::Text, Format::OpenMetrics] {
        let options = Options { format, ..Options::default() };
        let mut handed_over = 0;
        let each = |sample: Sample<'_>| {
            handed_over += 1;
            let names: BTreeSet<&str> = sample.labels.iter().map(|(name, _)| name).collect();
            assert!(!sample.name.is_empty() && !names.contains(""));
            assert_eq!(names.len(), sample.labels.len());
            assert!(sample.labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value)));
        };
        if let Ok(counts) = parse_with(content, options, |name| name.len() % 2 == 0, each) {
            assert_eq!(counts.parsed, handed_over);
            assert!(counts.parsed + counts.skipped + counts.malformed <= lines);
        }
        if let Ok(grouped) = histograms(content, options, |_| true) {
            let parts = grouped.histograms.len() + grouped.summaries.len();
            assert!(parts as u64 <= grouped.counts.parsed);
        }
    }
});
