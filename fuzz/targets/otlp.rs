//! Export requests: every point is taken, skipped or counted, and no reading is of a node that the cluster does not have.
#![no_main]

use jiff::Timestamp;
use kube_sci_signals::energy::{Exporter, NodeFacts, NodeNames, otlp};
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{Metric, metric::Data},
};
use prost::Message;
use sci_core::quantity::{Cores, Watts};

fn points(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        _ => 0,
    }
}

fuzz_target!(|body: &[u8]| {
    let Ok(request) = ExportMetricsServiceRequest::decode(body) else { return };
    let scopes = request.resource_metrics.iter().flat_map(|metrics| &metrics.scope_metrics);
    let sent: usize = scopes.flat_map(|scope| &scope.metrics).map(points).sum();
    let facts = NodeFacts {
        name: "n1".into(),
        addresses: vec!["10.0.0.1".into()],
        cores: Cores::ZERO,
        max_power: Watts::ZERO,
    };
    let pushed = otlp::read(request, &Exporter::ALL, &NodeNames::new([facts]), Timestamp::UNIX_EPOCH);
    let counts = pushed.counts;
    assert_eq!(counts.parsed + counts.skipped + counts.malformed, sent as u64);
    let readings = pushed.pages.iter().map(|(_, page)| page.reading_count());
    assert!(readings.sum::<usize>() as u64 <= counts.parsed);
    assert!(pushed.pages.iter().all(|(node, _)| &**node == "n1"));
});
