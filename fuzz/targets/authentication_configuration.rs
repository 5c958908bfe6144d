//! Data of `extension-apiserver-authentication`: authorities and lists of names. The same data always says the same.
#![no_main]

use std::collections::BTreeMap;

use aggregated_apiserver::fuzzing::configuration;
use libfuzzer_sys::fuzz_target;

const KEYS: [&str; 7] = [
    "client-ca-file",
    "requestheader-client-ca-file",
    "requestheader-allowed-names",
    "requestheader-username-headers",
    "requestheader-uid-headers",
    "requestheader-group-headers",
    "requestheader-extra-headers-prefix",
];

// Values in the order of the keys, an empty line behind each. An empty value is no value.
fuzz_target!(|text: &str| {
    let values = KEYS.iter().zip(text.split("\n\n")).filter(|(_, value)| !value.is_empty());
    let data: BTreeMap<String, String> = values.map(|(key, value)| ((*key).to_owned(), value.to_owned())).collect();
    let usable = configuration(&data);
    assert!(!usable || KEYS[..2].iter().any(|key| data.contains_key(*key)), "usable without an authority");
    assert_eq!(configuration(&data), usable);
});
