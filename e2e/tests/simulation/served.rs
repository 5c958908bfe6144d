//! Pages over HTTP and points over gRPC, in real time.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube_sci_e2e::simulation::{
    Agent, AgentServer, Alumet, AlumetPusher, AlumetVersion, CpuUse, Fault, HardwareClass, Kepler, LiveNode, Program,
    Scaphandre, SimulatedNode, SimulatedPod, SimulationClock,
};
use kube_sci_e2e::wait::eventually;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use tokio::net::TcpListener;

const PASSED: Duration = Duration::from_mins(5);
const FOREVER: Duration = Duration::from_hours(1_000);

fn node(name: &str) -> Arc<LiveNode> {
    let pod = SimulatedPod::new("shop", "web-0", CpuUse::Constant(8.0));
    Arc::new(SimulatedNode::new(name, HardwareClass::efficient()).pod(pod).start())
}

fn client() -> reqwest::Client {
    // A second installation changes nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn alumet() -> Program {
    Program::Alumet(Alumet::raw(AlumetVersion::Main))
}

#[tokio::test]
async fn every_agent_has_a_path_on_the_shared_port() {
    let server = AgentServer::new(SimulationClock::real_time(PASSED));
    let address = server.listen().await.unwrap();
    for name in ["n1", "n2"] {
        server.add(Agent::new(node(name), Program::Kepler(Kepler::default())));
    }
    server.add(Agent::new(node("n1"), alumet()));
    server.add(Agent::new(node("n2"), Program::Scaphandre(Scaphandre::default())));
    let client = client();
    let get = async |path: String| client.get(format!("http://{address}{path}")).send().await.unwrap();
    let expected = [
        ("n1", "kepler", Some("text/plain; version=0.0.4; charset=utf-8"), "node_name=\"n1\""),
        ("n2", "kepler", Some("text/plain; version=0.0.4; charset=utf-8"), "node_name=\"n2\""),
        ("n1", "alumet", Some("application/openmetrics-text; version=1.0.0; charset=utf-8"), "# EOF"),
        ("n2", "scaphandre", None, "scaph_socket_energy_microjoules{socket_id=\"0\"}"),
    ];
    for (node, slug, content_type, text) in expected {
        let response = get(AgentServer::path(node, slug)).await;
        let header = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header.as_deref(), content_type, "{slug}");
        let page = response.text().await.unwrap();
        assert!(page.contains(text), "{page}");
    }
    assert_eq!(get(AgentServer::path("n3", "kepler")).await.status(), 404);
    assert_eq!(server.agents().scrapes(), 5);
}

#[tokio::test]
async fn an_agent_can_have_an_address_of_its_own() {
    let server = AgentServer::new(SimulationClock::real_time(PASSED));
    server.add(Agent::new(node("n1"), Program::Kepler(Kepler::default())));
    let own = SocketAddr::from((Ipv4Addr::new(127, 0, 17, 1), 0));
    let address = server.listen_for(own, "n1", "kepler").await.unwrap();
    assert_eq!(address.ip(), own.ip());
    let page = client().get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("kepler_node_cpu_joules_total"));
}

#[tokio::test]
async fn faults_show_on_the_wire() {
    let server = AgentServer::new(SimulationClock::real_time(PASSED));
    let address = server.listen().await.unwrap();
    server.add(Agent::new(node("n1"), Program::Kepler(Kepler::default())));
    let url = format!("http://{address}{}", AgentServer::path("n1", "kepler"));
    let client = client();
    let get = || client.get(&url).timeout(Duration::from_millis(300)).send();
    let with_fault = |fault: Fault| {
        let set = server.agents().with("n1", "kepler", |agent| {
            agent.clear_faults();
            agent.add_fault(fault);
        });
        assert!(set.is_some());
    };
    assert_eq!(get().await.unwrap().status(), 200);
    with_fault(Fault::Status { from: Duration::ZERO, to: FOREVER, status: 503 });
    assert_eq!(get().await.unwrap().status(), 503);
    with_fault(Fault::AgentDead { from: Duration::ZERO });
    let refused = get().await.unwrap_err();
    assert!(!refused.is_timeout(), "{refused:?}");
    with_fault(Fault::Hang { from: Duration::ZERO, to: FOREVER });
    assert!(get().await.unwrap_err().is_timeout());
    server.agents().with("n1", "kepler", Agent::clear_faults);
    assert_eq!(get().await.unwrap().status(), 200);
}

/// Keeps what is pushed.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<ExportMetricsServiceRequest>>>);

#[tonic::async_trait]
impl MetricsService for Sink {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(tonic::Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// Joules of `package_total`, and seconds between the first and the last point, over all requests.
fn pushed(requests: &[ExportMetricsServiceRequest]) -> (f64, f64) {
    let metrics = requests.iter().flat_map(|request| &request.resource_metrics).flat_map(|of| &of.scope_metrics);
    let metrics =
        metrics.flat_map(|scope| &scope.metrics).filter(|metric| metric.name == "rapl_consumed_energy_alumet");
    let (mut joules, mut times) = (0.0, Vec::new());
    for metric in metrics {
        let Some(metric::Data::Gauge(gauge)) = &metric.data else { panic!("{metric:?}") };
        for point in &gauge.data_points {
            let text = format!("{:?}", point.attributes);
            if text.contains("package_total") {
                let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
                times.push(point.time_unix_nano);
                // The first point's energy lies before it.
                joules += if times.len() > 1 { value } else { 0.0 };
            }
        }
    }
    let span = times.last().zip(times.first()).map_or(0, |(last, first)| last.saturating_sub(*first));
    (joules, Duration::from_nanos(span).as_secs_f64())
}

#[tokio::test]
async fn pushed_points_are_lossless() {
    let sink = Sink::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let connections = futures::stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.map(|(stream, _peer)| stream);
        Some((accepted, listener))
    });
    let service = tonic::transport::Server::builder().add_service(MetricsServiceServer::new(sink.clone()));
    let receiver = tokio::spawn(service.serve_with_incoming(Box::pin(connections)));

    let fast = Alumet { poll: Duration::from_millis(100), ..Alumet::raw(AlumetVersion::Main) };
    let server = AgentServer::new(SimulationClock::real_time(PASSED));
    let node = node("n1");
    let watts = node.window(PASSED, PASSED + Duration::from_secs(1)).package();
    server.add(Agent::new(node, Program::Alumet(fast)));
    let _pusher = AlumetPusher::start(Arc::clone(server.agents()), &endpoint, Duration::from_millis(200)).unwrap();

    let (joules, seconds) = eventually(Duration::from_secs(20), "a second of points", async || {
        let (joules, seconds) = pushed(&sink.0.lock().unwrap());
        if seconds >= 1.0 { Ok((joules, seconds)) } else { Err(format!("{seconds} s")) }
    })
    .await
    .unwrap();
    assert!((joules / seconds / watts - 1.0).abs() < 1e-3, "{joules} J in {seconds} s, not {watts} W");
    let resource = format!("{:?}", sink.0.lock().unwrap()[0].resource_metrics[0].resource);
    assert!(resource.contains("alumet-otlp-grpc") && resource.contains("k8s.node.name"), "{resource}");
    receiver.abort();
}
