//! The extender's YAML document.
#![no_main]

use kube_sci_extender::config::ExtenderConfig;
use kube_sci_server::config::parse_yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(config) = parse_yaml::<ExtenderConfig>("fuzz.yaml", text) {
        let _ = config.validate();
    }
});
