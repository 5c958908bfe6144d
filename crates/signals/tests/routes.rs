//! The three routes of energy, from the wire to windows.

mod api_server;
mod fake_prometheus;
mod otlp;
mod prometheus;
mod scrape;

use std::time::Duration;

use jiff::Timestamp;
use kube_sci_signals::{
    config::{EnergyConfig, EnergySourceConfig},
    energy::{EnergyAnswer, EnergySource, NodeDirectory, NodeFacts, NodeNames, sources},
};
use sci_core::quantity::{Cores, Watts};

/// The start of every test.
fn start() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn at(seconds: u64) -> Timestamp {
    start() + Duration::from_secs(seconds)
}

/// Seconds as a number to reckon with.
fn float(seconds: u64) -> f64 {
    f64::from(u32::try_from(seconds).unwrap())
}

/// Nodes of this name, each with the address `10.0.0.<position>`.
fn directory(nodes: &[&str]) -> NodeDirectory {
    let directory = NodeDirectory::default();
    publish(&directory, nodes);
    directory
}

fn publish(directory: &NodeDirectory, nodes: &[&str]) {
    let facts = |(position, name): (usize, &&str)| NodeFacts {
        name: (*name).into(),
        addresses: vec![format!("10.0.0.{position}").into()],
        cores: Cores::new(16.0).unwrap(),
        max_power: Watts::new(1_000.0).unwrap(),
    };
    directory.publish(NodeNames::new(nodes.iter().enumerate().map(facts)));
}

/// The configuration of one source, as YAML, over windows of a minute.
fn config(source: &str) -> EnergyConfig {
    let source: EnergySourceConfig = serde_saphyr::from_str(source).unwrap();
    let config = EnergyConfig { sources: vec![source], ..EnergyConfig::default() };
    config.validate().unwrap();
    config
}

/// The one source of a configuration.
fn source(config: &EnergyConfig, client: &kube::Client, directory: &NodeDirectory) -> Box<dyn EnergySource> {
    sources(config, client, directory).unwrap().remove(0)
}

/// A client for sources that ask no API server.
fn no_client() -> kube::Client {
    api_server::ApiServer::start("/nowhere").client
}

/// What several answers say together.
#[derive(Debug, Default)]
struct Sum {
    answers: Vec<EnergyAnswer>,
}

impl Sum {
    fn add(&mut self, answer: EnergyAnswer) {
        self.answers.push(answer);
    }

    fn windows(&self, node: &str) -> Vec<&kube_sci_signals::energy::NodeWindow> {
        self.answers.iter().flat_map(|answer| &answer.windows).filter(|window| &*window.node == node).collect()
    }

    /// Joules and covered seconds of a node.
    fn joules(&self, node: &str) -> (f64, f64) {
        self.windows(node).iter().fold((0.0, 0.0), |(joules, covered), window| {
            let total = window.energy.total().map_or(0.0, sci_core::quantity::Joules::get);
            (joules + total, covered + window.covered.as_secs_f64())
        })
    }

    /// Joules of a pod, wherever it runs.
    fn pod_joules(&self, name: &str) -> f64 {
        let windows = self.answers.iter().flat_map(|answer| &answer.windows);
        let pods = windows.flat_map(|window| &window.pods).filter(|pod| &*pod.pod.name == name);
        pods.map(|pod| pod.energy.get()).sum()
    }

    fn gaps(&self) -> Vec<&kube_sci_signals::energy::Gap> {
        self.answers.iter().flat_map(|answer| &answer.gaps).collect()
    }
}

fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} instead of {expected}");
}

/// A server that keeps its connection.
async fn answer_forever(mut stream: tokio::net::TcpStream, page: &str) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut asked = Vec::new();
    loop {
        let mut part = [0; 4_096];
        let Ok(length @ 1..) = stream.read(&mut part).await else { return };
        asked.extend_from_slice(&part[..length]);
        if asked.ends_with(b"\r\n\r\n") {
            asked.clear();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", page.len());
            stream.write_all(format!("{head}{page}").as_bytes()).await.unwrap();
        }
    }
}
