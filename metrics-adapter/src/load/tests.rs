use super::*;

#[test]
fn every_fault_has_a_word_that_metrics_know() {
    let faults = [
        LoadFault::NoSuchSource(String::new()),
        LoadFault::Unreachable(String::new()),
        LoadFault::Timeout(Duration::ZERO),
        LoadFault::Refused(String::new()),
        LoadFault::Malformed(String::new()),
        LoadFault::Nothing(String::new()),
        LoadFault::Ambiguous(2),
        LoadFault::Partial { answered: 0, expected: 1, first: String::new() },
        LoadFault::FirstReading,
        LoadFault::NoLoad(sci_core::scaling::LoadError::NotFinite),
        LoadFault::Target(String::new()),
    ];
    for fault in faults {
        assert!(LoadFault::KINDS.contains(&fault.kind()), "{fault:?}");
    }
}

#[test]
fn texts_of_others_are_cut_and_stay_in_one_line() {
    let text = shortened(&format!("a\nb{}", "x".repeat(1_000)));
    assert!(text.starts_with("a b") && text.chars().count() == MAX_TEXT);
}
