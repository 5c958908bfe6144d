//! Answers of the Prometheus HTTP API: whole or an error, and every point is handed over or counted.
#![no_main]

use kube_sci_signals::energy::prometheus::answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let (mut series, mut labels) = (0, 0);
    let read = answer::read(body, |one| {
        series += 1;
        labels += one.labels.len();
    });
    if let Ok(outcome) = read {
        assert_eq!(outcome.series, series);
        // Name and value of each label, with their quotes.
        assert!(labels * 4 <= body.len());
        // A part of an answer is none.
        let end = body.trim_ascii_end().len().saturating_sub(1);
        assert!(answer::read(body.get(..end).unwrap_or_default(), |_| {}).is_err());
    }
});
