//! Label and field selectors: what is understood reads the same when it is written again, what is not says where.
#![no_main]

use aggregated_apiserver::selector::{FieldSelector, LabelSelector};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match LabelSelector::parse(text) {
        Ok(selector) => {
            assert_eq!(LabelSelector::parse(&selector.to_string()), Ok(selector.clone()));
            // Both questions have an answer, whatever the labels are.
            selector.matches(|_| None);
            selector.matches(|_| Some("1"));
        }
        Err(error) => assert!(text.get(error.position..).is_some(), "{error}"),
    }
    match FieldSelector::parse(text) {
        Ok(selector) => {
            assert_eq!(FieldSelector::parse(&selector.to_string()), Ok(selector.clone()));
            if let Some(name) = selector.exact("metadata.name") {
                assert!(selector.requirements.iter().any(|requirement| requirement.value == name));
            }
        }
        Err(error) => assert!(text.get(error.position..).is_some(), "{error}"),
    }
});
