//! Queries to a Prometheus, and the ways in which it can fail.

use std::{fs, time::Duration};

use jiff::Timestamp;
use kube_sci_signals::energy::EnergySource;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{
    Sum, assert_near, at, config, directory, fake_prometheus::FakePrometheus, float, no_client, publish, source, start,
};

const PODS: [(&str, f64); 2] = [("web-0", 40.0), ("web-1", 10.0)];

fn asking(server: &MockServer, nodes: &[&str]) -> Box<dyn EnergySource> {
    asking_with(server, nodes, "")
}

fn asking_with(server: &MockServer, nodes: &[&str], http: &str) -> Box<dyn EnergySource> {
    let http = format!("{{ url: \"{}\" {http} }}", server.uri());
    let prometheus = format!("{{ http: {http}, nodeLabel: k8s_node }}");
    let config = config(&format!("{{ name: central, period: 15s, prometheus: {prometheus} }}"));
    source(&config, &no_client(), &directory(nodes))
}

/// A scrape of Kepler on a node that draws 110 W in packages and 14 W in memory, and has two pods.
fn scrape_kepler(prometheus: &FakePrometheus, labels: &[(&str, &str)], when: Timestamp) {
    let seconds = when.duration_since(start()).as_secs_f64();
    for (zone, watts) in [("package", 110.0), ("dram", 14.0), ("core", 70.0)] {
        let own = [("__name__", "kepler_node_cpu_joules_total"), ("zone", zone), ("path", "/sys/intel-rapl")];
        prometheus.add(&[&own, labels].concat(), when, 1_000.0 + watts * seconds);
    }
    for (pod, watts) in PODS {
        let own = [
            ("__name__", "kepler_pod_cpu_joules_total"),
            ("zone", "package"),
            ("pod_id", pod),
            ("pod_name", pod),
            ("pod_namespace", "shop"),
            ("state", "running"),
        ];
        prometheus.add(&[&own, labels].concat(), when, 500.0 + watts * seconds);
    }
}

fn target(node: &'static str) -> [(&'static str, &'static str); 3] {
    [("node_name", ""), ("instance", node), ("job", "kepler")]
}

/// Polls every 15 s and lets Prometheus scrape 3 s before each.
async fn run(source: &mut dyn EnergySource, seconds: u64, scrape: impl Fn(u64)) -> Sum {
    let mut sum = Sum::default();
    for second in 1..=seconds {
        scrape(second);
        if second % 15 == 0 {
            sum.add(source.poll(at(second)).await.unwrap());
        }
    }
    sum
}

#[tokio::test]
async fn counters_come_with_the_times_of_their_scrapes() {
    let prometheus = FakePrometheus::default();
    let server = prometheus.serve().await;
    let mut source = asking(&server, &["node-a", "node-b"]);
    let sum = run(&mut *source, 300, |second| {
        if second % 15 == 12 {
            scrape_kepler(&prometheus, &target("10.0.0.0:28282"), at(second));
        }
        if second % 15 == 4 {
            scrape_kepler(&prometheus, &target("node-b"), at(second));
        }
    })
    .await;
    for node in ["node-a", "node-b"] {
        let (joules, covered) = sum.joules(node);
        assert_eq!(covered, 240.0, "{node}");
        assert_near(joules, 124.0 * covered, 1e-6);
    }
    assert_near(sum.pod_joules("web-0"), 2.0 * 40.0 * 240.0, 1e-6);
    assert!(sum.gaps().is_empty(), "{:?}", sum.gaps());
    assert!(sum.answers.iter().skip(1).all(|answer| answer.partial.is_none() && answer.refused.is_empty()));
}

#[tokio::test]
async fn nothing_is_lost_while_prometheus_is_away() {
    let prometheus = FakePrometheus::default();
    let server = prometheus.serve().await;
    let mut source = asking(&server, &["node-a"]);
    let scrape = |second: u64| {
        if second % 15 == 4 {
            scrape_kepler(&prometheus, &target("node-a"), at(second));
        }
    };
    let mut sum = Sum::default();
    for second in 1..=600 {
        scrape(second);
        if second == 200 {
            server.reset().await;
            Mock::given(any()).respond_with(ResponseTemplate::new(503)).mount(&server).await;
        }
        if second == 300 {
            server.reset().await;
            prometheus.mount(&server).await;
        }
        if second % 15 == 0 {
            match source.poll(at(second)).await {
                Ok(answer) => sum.add(answer),
                Err(error) => {
                    assert!((200..300).contains(&second), "{error}");
                    assert_eq!(error.to_string(), "status 503 without a word of the Prometheus API; check the url");
                }
            }
        }
    }
    let (joules, covered) = sum.joules("node-a");
    assert_eq!((joules, covered), (124.0 * 540.0, 540.0));
}

#[tokio::test]
async fn replicas_are_never_mixed_nor_added() {
    let prometheus = FakePrometheus::default();
    let server = prometheus.serve().await;
    let mut source = asking(&server, &["node-a"]);
    let replica = |name: &'static str| [&target("node-a")[..], &[("prometheus_replica", name)]].concat();
    let sum = run(&mut *source, 600, |second| {
        // The first one dies in the middle; the second one was behind it by some seconds.
        if second % 15 == 4 && second < 310 {
            scrape_kepler(&prometheus, &replica("one"), at(second));
        }
        if second % 15 == 8 {
            scrape_kepler(&prometheus, &replica("two"), at(second));
        }
    })
    .await;
    let (joules, covered) = sum.joules("node-a");
    assert_near(joules / covered, 124.0, 1e-6);
    assert_near(sum.pod_joules("web-0") / covered, 40.0, 1e-6);
    assert_near(covered, 540.0, 20.0);
}

#[tokio::test]
async fn processes_of_scaphandre_are_summed_up_by_pod() {
    let prometheus = FakePrometheus::default();
    let server = prometheus.serve().await;
    let mut source = asking(&server, &["node-a"]);
    let sum = run(&mut *source, 300, |second| {
        if second % 15 != 4 {
            return;
        }
        let node = [("instance", "node-a")];
        let joules = 60.0 * float(second);
        let socket = [("__name__", "scaph_socket_energy_microjoules"), ("socket_id", "0")];
        prometheus.add(&[&socket[..], &node].concat(), at(second), joules * 1e6);
        for (pid, pod, watts) in [("1", "web-0", 5.0), ("2", "web-0", 7.0), ("3", "web-1", 3.0)] {
            let process = [
                ("__name__", "scaph_process_power_consumption_microwatts"),
                ("pid", pid),
                ("kubernetes_pod_name", pod),
                ("kubernetes_pod_namespace", "shop"),
            ];
            prometheus.add(&[&process[..], &node].concat(), at(second), watts * 1e6);
        }
    })
    .await;
    let (joules, covered) = sum.joules("node-a");
    assert_eq!(covered, 240.0);
    assert_near(joules, 60.0 * covered, 1e-6);
    assert_near(sum.pod_joules("web-0"), 12.0 * covered, 12.0 * 15.0);
    assert_near(sum.pod_joules("web-1"), 3.0 * covered, 3.0 * 15.0);
}

#[tokio::test]
async fn sums_of_alumet_are_each_counted_once() {
    let prometheus = FakePrometheus::default();
    let server = prometheus.serve().await;
    let mut source = asking(&server, &["node-a"]);
    let joules = |second: u64| if second.is_multiple_of(2) { 1_500.0 } else { 1_200.0 };
    let sum = run(&mut *source, 600, |second| {
        if second % 15 == 4 {
            let labels = [
                ("__name__", "rapl_consumed_energy_sum_alumet"),
                ("domain", "package_total"),
                ("resource_kind", "local_machine"),
                ("instance", "10.0.0.0:9091"),
                ("namespace", "monitoring"),
            ];
            prometheus.add(&labels, at(second), joules(second / 15) + float(second) * 1e-6);
        }
    })
    .await;
    let (joules, covered) = sum.joules("node-a");
    assert!(covered >= 480.0, "{covered}");
    assert_near(joules / covered, 90.0, 1.0);
}

#[tokio::test]
async fn warnings_of_a_partial_response_are_told() {
    let prometheus = FakePrometheus::with_warnings(&["store 10.1.2.3:10901: context deadline exceeded"]);
    scrape_kepler(&prometheus, &target("node-a"), at(1));
    let server = prometheus.serve().await;
    let answer = asking(&server, &["node-a"]).poll(at(15)).await.unwrap();
    assert_eq!(answer.partial.as_deref(), Some("store 10.1.2.3:10901: context deadline exceeded"));
}

#[tokio::test]
async fn an_answer_that_calls_itself_partial_is_partial() {
    for partial in [true, false] {
        let prometheus = FakePrometheus::calling_itself_partial(partial);
        scrape_kepler(&prometheus, &target("node-a"), at(1));
        let server = prometheus.serve().await;
        let answer = asking(&server, &["node-a"]).poll(at(15)).await.unwrap();
        let told = answer.partial.as_deref().is_some_and(|told| told.contains("(isPartial)"));
        assert_eq!(told, partial, "{:?}", answer.partial);
    }
}

#[tokio::test]
async fn a_target_that_is_no_node_is_refused_with_its_name() {
    let prometheus = FakePrometheus::default();
    scrape_kepler(&prometheus, &target("172.16.0.9:28282"), at(1));
    scrape_kepler(&prometheus, &target("node-a"), at(1));
    let server = prometheus.serve().await;
    let mut source = asking(&server, &["node-a"]);
    for second in [15, 20] {
        let refused = source.poll(at(second)).await.unwrap().refused;
        assert_eq!(refused.len(), 1);
        assert_eq!((&*refused[0].node, refused[0].refusal.as_str()), ("172.16.0.9:28282", "unknown-node"));
        assert_eq!(refused[0].since, at(15));
    }
}

#[tokio::test]
async fn a_node_that_left_the_cluster_is_forgotten() {
    let prometheus = FakePrometheus::default();
    let server = prometheus.serve().await;
    let nodes = directory(&["node-a"]);
    let prometheus_config = format!("{{ http: {{ url: \"{}\" }} }}", server.uri());
    let config = config(&format!("{{ name: central, period: 15s, prometheus: {prometheus_config} }}"));
    let mut source = source(&config, &no_client(), &nodes);
    let mut sum = Sum::default();
    for second in (15..=120).step_by(15) {
        scrape_kepler(&prometheus, &target("node-a"), at(second - 6));
        sum.add(source.poll(at(second)).await.unwrap());
    }
    assert_eq!(sum.windows("node-a").len(), 1);
    publish(&nodes, &["node-b"]);
    let answer = source.poll(at(135)).await.unwrap();
    assert!(answer.windows.is_empty() && answer.gaps.is_empty());
    assert_eq!(&*answer.refused[0].node, "node-a");
}

#[tokio::test]
async fn nothing_is_asked_before_nodes_are_known() {
    let prometheus = FakePrometheus::default();
    let server = prometheus.serve().await;
    let answer = asking(&server, &[]).poll(start()).await.unwrap();
    assert_eq!(answer.partial.as_deref(), Some("the nodes of the cluster are not known yet"));
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_prometheus_without_any_series_says_so() {
    let server = FakePrometheus::default().serve().await;
    let answer = asking(&server, &["node-a"]).poll(start()).await.unwrap();
    assert!(answer.partial.unwrap().starts_with("it has no series of the configured exporters"));
}

#[tokio::test]
async fn a_wrong_token_is_told_without_the_token() {
    let server = MockServer::start().await;
    let refusal = r#"{"status":"error","errorType":"unauthorized","error":"token s3cr3t-t0k3n is unknown"}"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "s3cr3t-t0k3n").unwrap();
    let http = format!(", bearerTokenFile: \"{}\"", file.display());
    let mut source = asking_with(&server, &["node-a"], &http);
    for (body, expected) in [
        ("no", "status 401; check bearerTokenFile, basicAuth or the client certificate"),
        (refusal, "the query was refused (unauthorized): token *** is unknown"),
    ] {
        server.reset().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(401).set_body_string(body)).mount(&server).await;
        assert_eq!(source.poll(start()).await.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error_that_says_what_to_check() {
    let whole = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    for (answer, expected) in [
        (
            ResponseTemplate::new(502).set_body_string("<html>bad gateway"),
            "status 502 without a word of the Prometheus API",
        ),
        (ResponseTemplate::new(200).set_body_string("<html>log in"), "this is no whole answer of the Prometheus API ("),
        (ResponseTemplate::new(200).set_body_string(&whole[..40]), "this is no whole answer of the Prometheus API ("),
        (
            ResponseTemplate::new(422)
                .set_body_string(r#"{"status":"error","errorType":"execution","error":"too many samples"}"#),
            "the query was refused (execution): too many samples",
        ),
        (ResponseTemplate::new(200).set_body_string(whole).set_delay(Duration::from_mins(1)), "127.0.0.1"),
    ] {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let error = asking_with(&server, &["node-a"], ", timeout: 300ms").poll(start()).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
