//! Certificates of both sides, and their change while the listener is in use.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use kube_sci_server::{
    config::{ListenConfig, TlsConfig},
    http::{self, ServeError},
    tls::TlsError,
};
use reqwest::tls::TlsInfo;

use crate::{
    pki::{Authority, Leaf, NOT_AFTER_SECONDS, Secret, pair},
    support::{Running, eventually, loopback, routes, shared},
};

const FAILURES: &str = "kube_sci_tls_reloads_total{result=\"failure\"}";
const SUCCESSES: &str = "kube_sci_tls_reloads_total{result=\"success\"}";

fn listen(tls: TlsConfig) -> ListenConfig {
    ListenConfig { tls: Some(tls), ..loopback() }
}

/// A listener with a client authority, and the authority of its own certificate.
fn with_client_authority(clients: &Authority, required: bool) -> (Running, Authority, Secret, Secret) {
    let authority = Authority::new("servers");
    let secret = Secret::with_pair(&authority.server());
    let trust = Secret::new(&[("ca.crt", &clients.pem)]);
    let tls = TlsConfig {
        client_ca_file: Some(trust.path("ca.crt")),
        require_client_certificate: required,
        ..secret.config()
    };
    (Running::start(&listen(tls)), authority, secret, trust)
}

async fn served_certificate(client: &reqwest::Client, running: &Running) -> Vec<u8> {
    let response = client.get(running.https("/livez")).send().await.unwrap();
    response.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap().to_vec()
}

async fn whoami(client: &reqwest::Client, running: &Running) -> reqwest::Result<String> {
    client.get(running.https("/whoami")).send().await?.text().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_served_without_a_failed_request() {
    let authority = Authority::new("servers");
    let (old, new) = (authority.server(), authority.server());
    let mut secret = Secret::with_pair(&old);
    let running = Arc::new(Running::start(&listen(secret.config())));
    let client = authority.trusting_client(None);
    assert_eq!(served_certificate(&client, &running).await, old.der);

    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU32::new(0));
    let traffic = tokio::spawn({
        let (client, running) = (client.clone(), Arc::clone(&running));
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        async move {
            while !stop.load(Ordering::Relaxed) {
                let response = client.get(running.https("/livez")).send().await.unwrap();
                assert_eq!(response.status(), 200);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    });

    eventually("traffic flows", async || answered.load(Ordering::Relaxed) > 5).await;
    secret.update(&pair(&new));
    eventually("new certificate", async || served_certificate(&client, &running).await == new.der).await;
    let seen = answered.load(Ordering::Relaxed);
    eventually("traffic still flows", async || answered.load(Ordering::Relaxed) > seen + 5).await;
    stop.store(true, Ordering::Relaxed);
    traffic.await.unwrap();

    assert_eq!(running.sample(SUCCESSES), Some(1.0));
    assert_eq!(running.sample(FAILURES), None);
    assert_eq!(running.sample("kube_sci_tls_certificate_not_after_seconds"), Some(NOT_AFTER_SECONDS));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_do_not_fit_together_leave_the_old_pair_in_use() {
    let authority = Authority::new("servers");
    let (old, new) = (authority.server(), authority.server());
    let mut secret = Secret::with_pair(&old);
    let running = Running::start(&listen(secret.config()));
    let client = authority.trusting_client(None);

    let mixed = Leaf { certificate: new.certificate.clone(), key: old.key.clone(), der: Vec::new() };
    let garbage = Leaf { certificate: "no certificate".to_owned(), key: new.key.clone(), der: Vec::new() };
    for (attempt, broken) in [(1.0, mixed), (2.0, garbage)] {
        secret.update(&pair(&broken));
        eventually("refused", async || running.sample(FAILURES) == Some(attempt)).await;
        assert_eq!(served_certificate(&client, &running).await, old.der);
    }

    secret.update(&pair(&new));
    eventually("taken over", async || running.sample(SUCCESSES) == Some(1.0)).await;
    assert_eq!(served_certificate(&client, &running).await, new.der);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_client_certificate_identifies_and_its_absence_does_not_matter() {
    let clients = Authority::new("clients");
    let (running, servers, ..) = with_client_authority(&clients, false);
    let scheduler = clients.client("system:kube-scheduler", "schedulers");

    let known = servers.trusting_client(Some(&scheduler));
    assert_eq!(whoami(&known, &running).await.unwrap(), "system:kube-scheduler [\"schedulers\"]");
    let unknown = servers.trusting_client(None);
    assert_eq!(whoami(&unknown, &running).await.unwrap(), "loopback");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_required_certificate_is_cut_off() {
    let clients = Authority::new("clients");
    let (running, servers, ..) = with_client_authority(&clients, true);

    whoami(&servers.trusting_client(None), &running).await.unwrap_err();
    let known = servers.trusting_client(Some(&clients.client("scheduler", "")));
    assert!(whoami(&known, &running).await.unwrap().starts_with("scheduler"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_refused_even_where_none_is_required() {
    let clients = Authority::new("clients");
    let stranger = Authority::new("strangers").client("system:kube-scheduler", "system:masters");
    for required in [false, true] {
        let (running, servers, ..) = with_client_authority(&clients, required);
        whoami(&servers.trusting_client(Some(&stranger)), &running).await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_client_authority_ends_resumable_sessions() {
    let (old, new) = (Authority::new("old clients"), Authority::new("new clients"));
    let (running, servers, _secret, mut trust) = with_client_authority(&old, true);
    // One client: its session cache survives between the connections.
    let client = servers.trusting_client(Some(&old.client("scheduler", "")));
    for _ in 0..3 {
        whoami(&client, &running).await.unwrap();
    }

    trust.update(&[("ca.crt", "no authority")]);
    eventually("refused", async || running.sample(FAILURES) == Some(1.0)).await;
    whoami(&client, &running).await.unwrap();

    trust.update(&[("ca.crt", &new.pem)]);
    eventually("taken over", async || running.sample(SUCCESSES) == Some(1.0)).await;
    whoami(&client, &running).await.unwrap_err();
    let renewed = servers.trusting_client(Some(&new.client("scheduler", "")));
    whoami(&renewed, &running).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_to_clients_that_offer_it() {
    let clients = Authority::new("clients");
    let (running, servers, ..) = with_client_authority(&clients, false);
    let client = servers.trusting_client(Some(&clients.client("scheduler", "")));
    let response = client.get(running.https("/whoami")).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert!(response.text().await.unwrap().starts_with("scheduler"));
}

#[test]
fn unusable_files_at_the_start_are_an_error_that_names_them() {
    let secret = Secret::new(&[("tls.crt", "no certificate"), ("tls.key", "no key")]);
    let error = http::serve(&listen(secret.config()), &shared(), routes).unwrap_err();
    let ServeError::Tls(TlsError::Pem { path, .. }) = error else { panic!("{error:?}") };
    assert_eq!(path, secret.path("tls.crt"));
}

#[test]
fn required_client_certificates_need_an_authority() {
    let secret = Secret::with_pair(&Authority::new("servers").server());
    let tls = TlsConfig { require_client_certificate: true, ..secret.config() };
    let error = http::serve(&listen(tls), &shared(), routes).unwrap_err();
    assert!(matches!(error, ServeError::Tls(TlsError::NoClientAuthority)), "{error:?}");
}
