//! OTLP over gRPC: agents, or a collector before them, push every point that they measure.
//!
//! ```text
//! export request --> points of wanted names --> buffer, oldest dropped when full --poll--> readings of each node
//! ```
//!
//! This is the one way on which nothing that ALUMET measures is lost: its page shows the last of many deltas. The agent
//! does not say which node it runs on; the collector has to add the resource attribute `k8s.node.name`.

mod buffer;
mod points;
mod server;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

use self::{
    buffer::{Drained, Inbox, Point, Series},
    points::Points,
    server::Server,
};
use super::{
    EnergyAnswer, EnergySource, EnergySourceError, NodePage, SampleCounts,
    directory::{NodeDirectory, NodeNames},
    fleet::{Fleet, NODES_UNKNOWN},
    readers::{PageReader, ReaderOptions, Unplaced},
    window::{Exporter, GapReason, Route},
};
use crate::{
    config::{EnergyConfig, EnergySourceConfig, OtlpConfig},
    exposition::{Labels, Sample, SampleKind},
};

/// What `k8s.node.name` becomes as a label.
const NODE_LABEL: &str = "k8s_node_name";

/// What a request says, by node: without a port, a buffer or a meter.
#[derive(Debug, Default)]
pub struct Pushed {
    /// Readings of nodes of the cluster.
    pub pages: Vec<(Arc<str>, NodePage)>,
    /// Points whose node nobody knows.
    pub unplaced: Vec<Unplaced>,
    /// What became of all points.
    pub counts: SampleCounts,
}

/// Reads a request at `now` for these exporters.
pub fn read(request: ExportMetricsServiceRequest, exporters: &[Exporter], nodes: &NodeNames, now: Timestamp) -> Pushed {
    let Points { points, counts } = Points::of(request, exporters);
    let mut reader = reader(exporters);
    for (series, value, at) in &points {
        reader.sample(&sample(series, *value, *at), now);
    }
    let (pages, unplaced) = reader.finish_by_node(nodes);
    Pushed { pages, unplaced, counts }
}

fn reader(exporters: &[Exporter]) -> PageReader {
    let options = ReaderOptions { route: Route::Otlp, node_label: Some(NODE_LABEL.to_owned()) };
    PageReader::new(exporters, options)
}

fn sample(series: &Series, value: f64, at: Timestamp) -> Sample<'_> {
    let labels = Labels::from_pairs(&series.labels);
    Sample { name: &series.name, labels, value, at: Some(at), kind: SampleKind::Untyped }
}

/// Points that are pushed.
#[derive(Debug)]
pub(super) struct OtlpSource {
    name: String,
    period: Duration,
    address: SocketAddr,
    exporters: Arc<[Exporter]>,
    inbox: Inbox,
    server: Server,
    fleet: Fleet,
}

impl OtlpSource {
    pub(super) fn new(
        config: &EnergyConfig,
        source: &EnergySourceConfig,
        otlp: &OtlpConfig,
        directory: &NodeDirectory,
    ) -> Self {
        let exporters: Arc<[Exporter]> = source.exporters.iter().map(|&exporter| exporter.into()).collect();
        let period = source.period.get();
        Self {
            name: source.name.clone(),
            period,
            address: otlp.address,
            inbox: Inbox::new(otlp.max_points),
            exporters,
            server: Server::default(),
            fleet: Fleet::new(config, source, (Route::Otlp, period), directory.clone()),
        }
    }

    fn round(&mut self, now: Timestamp) -> Result<EnergyAnswer, EnergySourceError> {
        let service = || points::Receiver::new(self.inbox.clone(), Arc::clone(&self.exporters));
        self.server.ensure(self.address, service).map_err(EnergySourceError::Route)?;
        if self.fleet.directory().load().is_empty() {
            // The buffer waits for the nodes, too.
            return Ok(self.fleet.answer(now, SampleCounts::default(), Some(NODES_UNKNOWN.into()), Vec::new()));
        }
        let Drained { points, lost, dropped, counts } = self.inbox.drain();
        let names = Arc::clone(&self.fleet.directory().load());
        let (pages, unplaced) = self.read(&points, now).finish_by_node(&names);
        for (node, page) in pages {
            self.fleet.observe(&node, page);
        }
        let (lost_of, _) = self.read(&lost, now).finish_by_node(&names);
        for (node, page) in lost_of {
            if let Some(at) = page.readings.iter().map(|reading| reading.at).max() {
                self.fleet.missed(&node, at, GapReason::Overflow);
            }
        }
        let partial = (dropped > 0)
            .then(|| format!("{dropped} points came faster than they could be kept; raise maxPoints or lower period"));
        Ok(self.fleet.answer(now, counts, partial.map(Arc::from), unplaced))
    }

    fn read(&self, points: &[Point], now: Timestamp) -> PageReader {
        let mut reader = reader(&self.exporters);
        for Point { series, value, at } in points {
            reader.sample(&sample(series, *value, *at), now);
        }
        reader
    }
}

impl EnergySource for OtlpSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn period(&self) -> Duration {
        self.period
    }

    fn poll(&mut self, now: Timestamp) -> BoxFuture<'_, Result<EnergyAnswer, EnergySourceError>> {
        // On the runtime, because the first one listens.
        async move { self.round(now) }.boxed()
    }
}
