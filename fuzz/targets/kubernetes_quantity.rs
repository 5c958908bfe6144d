//! Resource quantities of pods and nodes.
#![no_main]

use kube_sci_cluster::objects::{CpuMillis, MemoryBytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(cpu) = CpuMillis::parse(text) {
        assert_eq!(CpuMillis::parse(&cpu.to_string()), Ok(cpu));
    }
    if let Ok(memory) = MemoryBytes::parse(text) {
        assert_eq!(MemoryBytes::parse(&memory.to_string()), Ok(memory));
    }
});
