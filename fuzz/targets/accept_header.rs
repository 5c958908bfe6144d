//! `Accept` headers: who takes a form of discovery takes JSON.
#![no_main]

use aggregated_apiserver::fuzzing::accept;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    let before = accept(value);
    // Blanks around a header never matter.
    let padded = [b" ".as_slice(), value.trim_ascii(), b" "].concat();
    assert_eq!(accept(value.trim_ascii()), accept(&padded));
    // Another offer takes nothing away.
    let wider = [value, b", */*"].concat();
    let (json, form) = accept(&wider);
    assert!((json || !before.0) && (form || !before.1));
});
