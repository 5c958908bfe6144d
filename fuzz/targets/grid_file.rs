//! Files with intensities, as CSV and as JSON.
#![no_main]

use std::sync::Arc;

use jiff::Timestamp;
use kube_sci_signals::grid::{ParseContext, parse_csv, parse_json};
use libfuzzer_sys::fuzz_target;
use sci_core::intensity::{Quality, Signal, Zone};

fuzz_target!(|content: &[u8]| {
    let context = ParseContext {
        zone: Zone::new("DE").ok(),
        signal: Signal::default(),
        quality: Quality::Estimated,
        source: Arc::from("fuzz"),
    };
    for answer in [parse_csv(content, &context, Timestamp::UNIX_EPOCH), parse_json(content, &context, Timestamp::UNIX_EPOCH)] {
        for series in answer.into_iter().flat_map(|answer| answer.series) {
            for slot in series.slots() {
                assert!((0.0..=5_000.0).contains(&slot.value.get()));
            }
        }
    }
});
