//! Agents' pods found through the API server, their pages over real HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header_regex, path},
};

use super::{Sum, api_server::ApiServer, assert_near, at, config, directory, publish, source, start};

const PODS: &str = "/api/v1/pods";
const KEPLER: [&str; 2] = [
    include_str!("../pages/kepler-0.11-reconstructed-t0.txt"),
    include_str!("../pages/kepler-0.11-reconstructed-t60.txt"),
];
const BY_LABEL: &str = "{ name: agents, period: 100ms, exporters: [kepler], scrape: { labelSelector: app=kepler } }";

/// A pod of a `DaemonSet` on a node, with the port of a server as its only one.
fn agent(node: &str, server: &MockServer) -> Value {
    agent_at(node, server.address().port())
}

fn agent_at(node: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": format!("kepler-{node}"), "namespace": "monitoring", "uid": format!("uid-{node}-{port}"),
            "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kepler", "uid": "ds",
                "controller": true }] },
        "spec": { "nodeName": node, "containers": [
            { "name": "kepler", "ports": [{ "name": "page", "containerPort": port }] }, { "name": "sidecar", "ports": null }
        ] },
        "status": { "phase": "Running", "podIP": "127.0.0.1" }
    })
}

async fn page(text: &str) -> MockServer {
    serving(ResponseTemplate::new(200).set_body_raw(text.to_owned(), "text/plain; version=0.0.4")).await
}

/// A server that ends when it is dropped; those of the pool would go on.
async fn serving(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::builder().start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn serve(server: &MockServer, text: &str) {
    server.reset().await;
    let answer = ResponseTemplate::new(200).set_body_raw(text.to_owned(), "text/plain; version=0.0.4");
    let openmetrics_first = header_regex("accept", "^application/openmetrics-text;version=1.0.0,text/plain");
    Mock::given(path("/metrics")).and(openmetrics_first).respond_with(answer).mount(server).await;
}

#[tokio::test]
async fn a_recorded_page_becomes_joules_of_the_node_and_its_pods() {
    let api = ApiServer::start(PODS);
    let server = page(KEPLER[0]).await;
    api.list(&[agent("node-a", &server)]);
    let mut source = source(&config(BY_LABEL), &api.client, &directory(&["node-a"]));
    let first = source.poll(start()).await.unwrap();
    assert_eq!((first.partial.as_deref(), first.windows.len()), (None, 0));
    assert!(first.counts.parsed > 0);
    serve(&server, KEPLER[1]).await;
    let mut sum = Sum::default();
    // A second later than the minute between the pages, so that the window is full whenever they come.
    sum.add(source.poll(at(61)).await.unwrap());
    let (joules, covered) = sum.joules("node-a");
    assert_eq!(covered, 60.0);
    assert_near(joules, (6_600.0 + 840.0) * 60.0 / 61.0, 40.0);
    assert_near(sum.pod_joules("web-7d9c6b5f4-abcde"), (660.0 + 84.0) * 60.0 / 61.0, 4.0);
    assert_near(sum.pod_joules("batch-0"), (577.5 + 73.5) * 60.0 / 61.0, 4.0);
    assert_eq!(sum.windows("node-a")[0].meter.to_string(), "kepler by scrape (agents)");
}

#[tokio::test]
async fn agents_that_fail_are_told_and_the_others_count() {
    let api = ApiServer::start(PODS);
    let good = page(KEPLER[0]).await;
    let broken = serving(ResponseTemplate::new(500)).await;
    let html = serving(ResponseTemplate::new(200).set_body_string("<html>\n<body>log in</body>\n</html>\n")).await;
    let slow = serving(ResponseTemplate::new(200).set_body_string(KEPLER[0]).set_delay(Duration::from_mins(1))).await;
    let large = page(&format!("{}{}", KEPLER[0], "# more\n".repeat(10_000))).await;
    let cut_off = "# TYPE kepler_node_cpu_watts gauge\nkepler_node_cpu_watts 1\n";
    let cut_off = ResponseTemplate::new(200).set_body_raw(cut_off, "application/openmetrics-text; version=1.0.0");
    let cut_off = serving(cut_off).await;
    let servers = [&broken, &html, &slow, &large, &cut_off, &good];
    let names = ["node-a", "node-b", "node-c", "node-d", "node-e", "node-f"];
    let pods: Vec<_> = names.iter().zip(servers).map(|(node, server)| agent(node, server)).collect();
    api.list(&pods);
    let text = BY_LABEL.replace("app=kepler", "app=kepler, timeout: 300ms, maxPageBytes: 50000");
    let mut source = source(&config(&text), &api.client, &directory(&names));
    let answer = source.poll(start()).await.unwrap();
    let partial = answer.partial.unwrap();
    assert!(partial.starts_with("5 of 6 agents did not answer, first: node-a: status 500"), "{partial}");
    assert!(answer.counts.parsed > 0);
}

#[tokio::test]
async fn an_agent_that_dies_leaves_a_gap_and_not_a_zero() {
    let api = ApiServer::start(PODS);
    let server = page(KEPLER[0]).await;
    api.list(&[agent("node-a", &server)]);
    let mut source = source(&config(BY_LABEL), &api.client, &directory(&["node-a"]));
    source.poll(start()).await.unwrap();
    drop(server);
    let mut sum = Sum::default();
    for second in [60, 120, 180, 240, 300] {
        let answer = source.poll(at(second)).await.unwrap();
        let partial = answer.partial.clone().unwrap();
        assert!(partial.starts_with("1 of 1 agents did not answer, first: node-a: 127.0.0.1:"), "{partial}");
        sum.add(answer);
    }
    assert!(sum.windows("node-a").is_empty());
    assert!(sum.gaps().iter().any(|gap| gap.reason.as_str() == "no-answer"), "{:?}", sum.gaps());
}

#[tokio::test]
async fn pods_that_come_and_go_are_followed() {
    let mut api = ApiServer::start(PODS);
    let (first, second) = (page(KEPLER[0]).await, page(KEPLER[0]).await);
    let (old, new) = (agent("node-a", &first), agent("node-b", &second));
    api.list(std::slice::from_ref(&old));
    let mut source = source(&config(BY_LABEL), &api.client, &directory(&["node-a", "node-b"]));
    source.poll(start()).await.unwrap();
    let listed = api.request().await;
    assert!(listed.contains("labelSelector=app%3Dkepler") && listed.contains("status.phase"), "{listed}");
    api.watch(&[("DELETED", &old), ("ADDED", &new)]);
    api.request().await;
    // The answer is on its way to the client: it is read in one of the next rounds.
    for round in 1.. {
        source.poll(at(round)).await.unwrap();
        if !second.received_requests().await.unwrap().is_empty() {
            break;
        }
    }
    let asked = first.received_requests().await.unwrap().len();
    source.poll(at(1_000)).await.unwrap();
    assert_eq!(first.received_requests().await.unwrap().len(), asked, "its pod is gone");
}

#[tokio::test]
async fn only_running_pods_on_known_nodes_are_asked() {
    let api = ApiServer::start(PODS);
    let server = page(KEPLER[0]).await;
    let changed = |pointer: &str, value: Value| {
        let mut pod = agent("node-a", &server);
        pod["metadata"]["uid"] = pointer.into();
        *pod.pointer_mut(pointer).unwrap() = value;
        pod
    };
    let mut ending = agent("node-a", &server);
    ending["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z".into();
    api.list(&[
        agent("node-z", &server),
        changed("/status/phase", "Pending".into()),
        changed("/status/podIP", Value::Null),
        changed("/spec/nodeName", "".into()),
        changed("/spec/containers", "unreadable".into()),
        ending,
    ]);
    let nodes = directory(&["node-a"]);
    let mut source = source(&config(BY_LABEL), &api.client, &nodes);
    source.poll(start()).await.unwrap();
    assert!(server.received_requests().await.unwrap().is_empty());
    publish(&nodes, &["node-a", "node-z"]);
    source.poll(at(1)).await.unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "the directory has its node now");
}

#[tokio::test]
async fn of_two_pods_of_one_daemon_set_on_a_node_the_newest_is_asked() {
    let api = ApiServer::start(PODS);
    let (old, new) = (page(KEPLER[0]).await, page(KEPLER[0]).await);
    let mut newer = agent("node-a", &new);
    newer["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z".into();
    api.list(&[newer, agent("node-a", &old)]);
    source(&config(BY_LABEL), &api.client, &directory(&["node-a"])).poll(start()).await.unwrap();
    assert!(old.received_requests().await.unwrap().is_empty());
    assert_eq!(new.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_namespace_and_a_named_port_find_agents_without_labels() {
    let api = ApiServer::start("/api/v1/namespaces/monitoring/pods");
    let (server, other) = (page(KEPLER[0]).await, page(KEPLER[0]).await);
    let mut stranger = agent("node-b", &other);
    stranger["spec"]["containers"][0]["ports"][0]["name"] = "web".into();
    let mut annotated = agent("node-a", &server);
    annotated["metadata"]["annotations"] = json!({ "prometheus.io/path": "/power" });
    api.list(&[annotated, stranger]);
    let text = "{ name: agents, period: 100ms, scrape: { namespace: monitoring, port: page } }";
    source(&config(text), &api.client, &directory(&["node-a", "node-b"])).poll(start()).await.unwrap();
    assert!(other.received_requests().await.unwrap().is_empty());
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked.iter().map(|request| request.url.path()).collect::<Vec<_>>(), ["/power"]);
}

#[tokio::test]
async fn an_api_server_that_refuses_is_an_error_only_while_nothing_is_known() {
    let api = ApiServer::start(PODS);
    let server = page(KEPLER[0]).await;
    api.fail(403, "pods is forbidden");
    let mut source = source(&config(BY_LABEL), &api.client, &directory(&["node-a"]));
    let error = source.poll(start()).await.unwrap_err().to_string();
    assert!(error.starts_with("the agents' pods cannot be watched: ") && error.contains("forbidden"), "{error}");
    api.list(&[agent("node-a", &server)]);
    assert_eq!(source.poll(at(1)).await.unwrap().partial, None);
    api.fail(500, "etcd is gone");
    let mut partial = None;
    for round in 2.. {
        partial = source.poll(at(round)).await.unwrap().partial;
        if partial.is_some() {
            break;
        }
    }
    assert!(partial.unwrap().contains("etcd is gone"), "agents are asked all the same");
}

#[tokio::test]
async fn a_selector_that_finds_nobody_is_told() {
    let api = ApiServer::start(PODS);
    api.list(&[]);
    let mut source = source(&config(BY_LABEL), &api.client, &directory(&["node-a"]));
    let partial = source.poll(start()).await.unwrap().partial.unwrap();
    assert!(partial.contains("no running pod in any namespace") && partial.contains("app=kepler"), "{partial}");
}

#[tokio::test]
async fn an_agent_is_asked_over_one_connection_a_round() {
    let api = ApiServer::start(PODS);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (connected, mut connections) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connected.send(()).unwrap();
            tokio::spawn(super::answer_forever(stream, KEPLER[0]));
        }
    });
    api.list(&[agent_at("node-a", port)]);
    let mut source = source(&config(BY_LABEL), &api.client, &directory(&["node-a"]));
    let rounds = 5;
    for second in 0..rounds {
        assert_eq!(source.poll(at(second)).await.unwrap().partial, None);
    }
    let mut made = 0;
    while connections.try_recv().is_ok() {
        made += 1;
    }
    assert!((1..=rounds).contains(&made), "{made} connections for {rounds} rounds");
}
