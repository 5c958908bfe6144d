//! What kube-scheduler, or anybody else, posts.
#![no_main]

use kube_sci_cluster::objects::{CpuMillis, DefaultRequests, MemoryBytes};
use kube_sci_extender::{pod::Pod, wire};
use libfuzzer_sys::fuzz_target;

const DEFAULTS: DefaultRequests = DefaultRequests { cpu: CpuMillis(100), memory: MemoryBytes(1 << 27) };

fuzz_target!(|body: &[u8]| {
    let Ok(request) = wire::parse(body) else { return };
    let answer = wire::write_priorities(request.candidates.names().zip(std::iter::repeat(7)));
    assert!(answer.starts_with(b"[") && answer.ends_with(b"]"));
    if let Ok(pod) = Pod::parse(request.pod) {
        pod.spec().requests(&DEFAULTS).demand();
    }
});
