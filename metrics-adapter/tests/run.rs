//! The whole program, without a cluster to talk to, or with an empty one.

use std::{
    future::ready,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube_sci_metrics_adapter::config::AdapterConfig;
use kube_sci_server::{config::parse_yaml, telemetry::Telemetry};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::support::server::{api_server_of, certificate_files, client_of};

fn config(yaml: &str) -> AdapterConfig {
    parse_yaml("test", yaml).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_when_asked_even_without_a_cluster() {
    let config = config(
        "server: { address: '127.0.0.1:0' }\napi: { address: '127.0.0.1:0' }\nkeda: { address: '127.0.0.1:0' }\n",
    );
    let client = client_of("127.0.0.1:1".parse().unwrap());
    kube_sci_metrics_adapter::run(config, client, Telemetry::disabled(), ready(())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_plain_http_for_everybody() {
    let config = config("server: { address: '0.0.0.0:0' }\napi: { address: '127.0.0.1:0' }\n");
    let client = client_of("127.0.0.1:1".parse().unwrap());
    let error = kube_sci_metrics_adapter::run(config, client, Telemetry::disabled(), ready(())).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("server.tls") && text.contains("server.plainHttp"), "{text}");
}

/// A configuration for an empty cluster, with its certificate in a folder.
fn in_cluster(server: SocketAddr, certificates: &Path) -> AdapterConfig {
    let folder = certificates.display();
    config(&format!(
        "server: {{ address: '{server}', shutdownGraceSeconds: 2 }}\n\
         api: {{ address: '127.0.0.1:0', certificate: {{ files: {{ certFile: {folder}/tls.crt, keyFile: {folder}/tls.key }} }} }}\n\
         leaderElection: {{ enabled: false }}\nevents: {{ enabled: false }}\n"
    ))
}

/// An address that nobody listened on a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Status and text of readiness; nothing while nobody listens.
async fn readiness(server: SocketAddr) -> Option<(u16, String)> {
    let reply = reqwest::get(format!("http://{server}/readyz?verbose")).await.ok()?;
    Some((reply.status().as_u16(), reply.text().await.ok()?))
}

/// Asks until it is so, for half a minute at most.
async fn readiness_where(server: SocketAddr, is_so: impl Fn(u16, &str) -> bool) -> String {
    let end = Instant::now() + Duration::from_secs(30);
    let mut last = None;
    while Instant::now() < end {
        last = readiness(server).await;
        match &last {
            Some((code, text)) if is_so(*code, text) => return text.clone(),
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("not in time: {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_once_the_cluster_and_the_policies_are_known_and_not_before() {
    let installed = Arc::new(AtomicBool::new(false));
    let (address, cluster) = api_server_of(Arc::clone(&installed));
    let (files, server, stop) = (certificate_files(), free_address(), CancellationToken::new());
    let (config, stopped) = (in_cluster(server, files.path()), stop.clone().cancelled_owned());
    let running =
        tokio::spawn(kube_sci_metrics_adapter::run(config, client_of(address), Telemetry::disabled(), stopped));

    // The cluster is known and the API is served, but nobody knows what policies there are.
    let waiting = readiness_where(server, |_, text| {
        text.contains("[+]first-list") && text.contains("[+]delegation") && text.contains("GreenScalingPolicy of")
    })
    .await;
    assert!(waiting.contains("[-]policies"), "{waiting}");
    assert!(
        waiting.contains("CarbonBudget and GreenScalingPolicy of kube-sci.dev not installed: kubectl apply"),
        "{waiting}"
    );
    assert_eq!(readiness(server).await.unwrap().0, 503);

    installed.store(true, Ordering::SeqCst);
    let ready = readiness_where(server, |code, _| code == 200).await;
    assert!(ready.contains("[+]policies") && ready.contains("all installed"), "{ready}");

    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(readiness(server).await, None);
    cluster.stop(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_ends_the_program() {
    let (address, cluster) = api_server_of(Arc::new(AtomicBool::new(true)));
    let empty = tempfile::tempdir().unwrap();
    let config = in_cluster(free_address(), empty.path());
    let never = std::future::pending();
    let ended = kube_sci_metrics_adapter::run(config, client_of(address), Telemetry::disabled(), never).await;
    let text = format!("{:#}", ended.unwrap_err());
    assert!(text.contains("start the API server") && text.contains("tls.crt"), "{text}");
    cluster.stop(false).await;
}
