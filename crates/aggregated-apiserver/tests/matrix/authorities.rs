//! The authentication configuration of the cluster changes while connections live.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aggregated_apiserver::{Server, ServerError};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rustls::HandshakeKind;

use crate::support::{
    client::{self, Connection, Protocol, get},
    cluster::Cluster,
    pki::{Authority, DAY, Leaf, pki},
    world::{Echo, RESOURCE, TestClock, World, eventually, front_proxy, options, write_pair},
};

const APPLIED: &str = "aggregated_apiserver_authentication_configuration_total{result=\"applied\"}";
const REFUSED: &str = "aggregated_apiserver_authentication_configuration_total{result=\"refused\"}";
const GONE: &str = "aggregated_apiserver_authentication_configuration_total{result=\"gone\"}";

/// Changes one key and waits until the server has seen it.
async fn change(world: &World, key: &str, value: &str, counted: &str) {
    // The first reading of the watch counts too: without it a change could go unseen between the two.
    eventually("the watch", async || world.metric(APPLIED) >= 1.0).await;
    let before = world.metric(counted);
    world.cluster.configure(|data| {
        data.insert(key.to_owned(), value.to_owned());
    });
    eventually("the change", async || world.metric(counted) > before).await;
}

async fn as_ada(connection: &mut Connection) -> u16 {
    connection.send(get(RESOURCE).remote_user("ada", &[])).await.code.as_u16()
}

/// Binding fails with this configuration of the cluster.
async fn refuses_to_start(cluster: &Cluster) -> ServerError {
    let folder = tempfile::tempdir().unwrap();
    write_pair(&folder, &pki().serving.server(client::HOST));
    let program = Arc::new(Echo { seen: 0.into(), gate: tokio::sync::Semaphore::new(0) });
    Server::bind(options(cluster, &folder, Arc::new(TestClock::default())), program).await.unwrap_err()
}

cases! {
    async fn proxy_authority_rotated_on_a_live_http2_connection() {
        let world = World::start().await;
        let mut live = world.proxy(Protocol::Http2).await;
        assert_eq!(as_ada(&mut live).await, 200);
        let successor = Authority::new("front-proxy-2");
        change(&world, "requestheader-client-ca-file", &successor.pem, APPLIED).await;
        assert_eq!(as_ada(&mut live).await, 401, "a withdrawn authority must not outlive its withdrawal");
        let fresh = successor.client("front-proxy-client", &[]);
        let mut fresh = Connection::open(world.address, Some(&fresh), Protocol::Http2).await;
        assert_eq!(as_ada(&mut fresh).await, 200);
    }

    async fn client_authority_rotated_on_a_live_http2_connection() {
        let world = World::start().await;
        let carl = pki().cluster.client("carl", &[]);
        let mut live = Connection::open(world.address, Some(&carl), Protocol::Http2).await;
        assert_eq!(live.send(get(RESOURCE)).await.user(), "carl");
        let successor = Authority::new("cluster-2");
        change(&world, "client-ca-file", &successor.pem, APPLIED).await;
        assert_eq!(live.send(get(RESOURCE)).await.reason(401), "Unauthorized");
    }

    async fn client_authority_rotated_on_a_live_http1_connection() {
        let world = World::start().await;
        let carl = pki().cluster.client("carl", &[]);
        let mut live = Connection::open(world.address, Some(&carl), Protocol::Http1).await;
        assert_eq!(live.send(get(RESOURCE)).await.user(), "carl");
        change(&world, "client-ca-file", &pki().rogue.pem, APPLIED).await;
        assert_eq!(live.send(get(RESOURCE)).await.reason(401), "Unauthorized");
        change(&world, "client-ca-file", &pki().cluster.pem, APPLIED).await;
        assert_eq!(live.send(get(RESOURCE)).await.user(), "carl", "the same connection may be good again");
    }

    async fn both_authorities_of_a_bundle_are_good_during_a_rotation() {
        let world = World::start().await;
        let mut old = world.proxy(Protocol::Http2).await;
        let successor = Authority::new("front-proxy-2");
        let both = format!("{}{}", successor.pem, pki().proxy.pem);
        change(&world, "requestheader-client-ca-file", &both, APPLIED).await;
        let new = successor.client("front-proxy-client", &[]);
        let mut new = Connection::open(world.address, Some(&new), Protocol::Http2).await;
        assert_eq!((as_ada(&mut old).await, as_ada(&mut new).await), (200, 200));
    }

    async fn swapped_authorities_swap_their_meaning() {
        let world = World::start().await;
        let mut connection = world.proxy(Protocol::Http1).await;
        change(&world, "requestheader-client-ca-file", &pki().cluster.pem, APPLIED).await;
        change(&world, "client-ca-file", &pki().proxy.pem, APPLIED).await;
        let reply = connection.send(get(RESOURCE).remote_user("admin", &["system:masters"])).await;
        assert_eq!(reply.user(), "front-proxy-client", "the former proxy speaks for itself only");
    }

    async fn unreadable_bundle_leaves_the_last_good_one() {
        let world = World::start().await;
        let mut live = world.proxy(Protocol::Http2).await;
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        change(&world, "requestheader-client-ca-file", broken, REFUSED).await;
        assert_eq!(as_ada(&mut live).await, 200);
        let half = format!("{}{broken}", pki().rogue.pem);
        change(&world, "client-ca-file", &half, REFUSED).await;
        let rogue = pki().rogue.client("admin", &[]);
        assert_eq!(world.direct(Some(&rogue), get(RESOURCE)).await.reason(401), "Unauthorized");
    }

    async fn unreadable_list_leaves_the_last_good_one() {
        let world = World::start().await;
        let mut live = world.proxy(Protocol::Http2).await;
        change(&world, "requestheader-allowed-names", "front-proxy-client", REFUSED).await;
        change(&world, "requestheader-username-headers", "[\"not a header\"]", REFUSED).await;
        assert_eq!(as_ada(&mut live).await, 200);
    }

    async fn removed_configuration_leaves_the_last_good_one() {
        let world = World::start().await;
        let mut live = world.proxy(Protocol::Http2).await;
        eventually("the watch", async || world.metric(APPLIED) >= 1.0).await;
        world.cluster.remove_configuration();
        eventually("the removal", async || world.metric(GONE) >= 1.0).await;
        assert_eq!(as_ada(&mut live).await, 200);
    }

    async fn emptied_configuration_leaves_the_last_good_one() {
        let world = World::start().await;
        let mut live = world.proxy(Protocol::Http2).await;
        eventually("the watch", async || world.metric(APPLIED) >= 1.0).await;
        world.cluster.configure(std::collections::BTreeMap::clear);
        eventually("the refusal", async || world.metric(REFUSED) >= 1.0).await;
        assert_eq!(as_ada(&mut live).await, 200);
    }

    async fn allowed_names_narrowed_on_a_live_connection() {
        let world = World::start().await;
        let mut live = world.proxy(Protocol::Http2).await;
        assert_eq!(as_ada(&mut live).await, 200);
        change(&world, "requestheader-allowed-names", r#"["another-proxy"]"#, APPLIED).await;
        assert_eq!(as_ada(&mut live).await, 401);
    }

    async fn no_allowed_names_allow_any_name_of_that_authority_only() {
        let world = World::start().await;
        change(&world, "requestheader-allowed-names", "[]", APPLIED).await;
        let any = pki().proxy.client("whoever", &[]);
        let claims = || get(RESOURCE).remote_user("ada", &[]);
        assert_eq!(world.direct(Some(&any), claims()).await.user(), "ada");
        assert_eq!(world.direct(Some(&pki().cluster.client("carl", &[])), claims()).await.user(), "carl");
        assert_eq!(world.direct(Some(&pki().rogue.client("x", &[])), claims()).await.reason(401), "Unauthorized");
        assert_eq!(world.direct(None, claims()).await.reason(403), "Forbidden", "a certificate must be presented");
    }

    async fn first_configured_header_with_a_user_counts() {
        let world = World::start().await;
        change(&world, "requestheader-username-headers", r#"["X-First","X-REMOTE-USER"]"#, APPLIED).await;
        let proxied = |ask| world.through_proxy(ask);
        assert_eq!(proxied(get(RESOURCE).header("x-first", "first").remote_user("ada", &[])).await.user(), "first");
        assert_eq!(proxied(get(RESOURCE).header("x-first", "").remote_user("ada", &[])).await.user(), "ada");
    }

    async fn uid_counts_only_if_configured() {
        let world = World::start().await;
        let ask = || get(RESOURCE).remote_user("ada", &[]).header("X-Remote-Uid", "7");
        let mut connection = world.proxy(Protocol::Http2).await;
        assert_eq!(connection.send(ask()).await.json()["user"]["uid"], "7");
        assert_eq!(world.cluster.last_access()["uid"], "7");
        change(&world, "requestheader-uid-headers", "[]", APPLIED).await;
        let seen = connection.send(ask()).await.json();
        assert_eq!(seen["user"]["uid"], "");
        assert!(!seen["headers"].to_string().contains("x-remote-uid"), "stripped all the same");
    }

    async fn without_a_proxy_authority_headers_mean_nothing() {
        let world = World::start().await;
        change(&world, "requestheader-client-ca-file", "", APPLIED).await;
        let mut live = world.proxy(Protocol::Http2).await;
        assert_eq!(as_ada(&mut live).await, 401);
        let carl = pki().cluster.client("carl", &[]);
        assert_eq!(world.direct(Some(&carl), get(RESOURCE).remote_user("ada", &[])).await.user(), "carl");
    }

    async fn tls_resumption_after_a_rotation_helps_nobody() {
        let world = World::start().await;
        let tls = Arc::new(client::config(Some(&front_proxy()), Protocol::Http2));
        let exchange = async || {
            let stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
            let name = rustls::pki_types::ServerName::try_from(client::HOST).unwrap();
            let stream = tokio_rustls::TlsConnector::from(Arc::clone(&tls)).connect(name, stream).await.unwrap();
            let kind = stream.get_ref().1.handshake_kind();
            let executor = hyper_util::rt::TokioExecutor::new();
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
            let driving = tokio::spawn(connection);
            let request = http::Request::get(format!("https://{}{RESOURCE}", client::HOST)).header("x-remote-user", "ada");
            let code = sender.send_request(request.body(Full::<bytes::Bytes>::default()).unwrap()).await.unwrap().status();
            driving.abort();
            (kind, code.as_u16())
        };
        assert_eq!(exchange().await, (Some(HandshakeKind::Full), 200));
        assert_eq!(exchange().await, (Some(HandshakeKind::Full), 200), "no session is kept");
        change(&world, "requestheader-client-ca-file", &pki().rogue.pem, APPLIED).await;
        assert_eq!(exchange().await, (Some(HandshakeKind::Full), 401));
    }

    async fn certificate_expires_on_a_live_connection() {
        let world = World::start().await;
        let leaf = Leaf { not_after: SystemTime::now() + Duration::from_hours(1), ..Leaf::client("front-proxy-client", &[]) };
        let mut live = Connection::open(world.address, Some(&pki().proxy.sign(&leaf)), Protocol::Http2).await;
        assert_eq!(as_ada(&mut live).await, 200);
        world.clock.advance(Duration::from_secs(3602));
        assert_eq!(as_ada(&mut live).await, 401);
    }

    async fn certificate_becomes_valid_on_a_live_connection() {
        let world = World::start().await;
        let leaf = Leaf {
            not_before: SystemTime::now() + Duration::from_mins(30),
            ..Leaf::client("carl", &[])
        };
        let mut live = Connection::open(world.address, Some(&pki().cluster.sign(&leaf)), Protocol::Http1).await;
        assert_eq!(live.send(get(RESOURCE)).await.reason(401), "Unauthorized");
        world.clock.advance(Duration::from_hours(1));
        assert_eq!(live.send(get(RESOURCE)).await.user(), "carl");
    }

    async fn expired_authority_vouches_for_nobody() {
        let world = World::start().await;
        let old = Authority::valid("old", SystemTime::now() - 3 * DAY, SystemTime::now() - DAY);
        change(&world, "requestheader-client-ca-file", &old.pem, APPLIED).await;
        let leaf = old.client("front-proxy-client", &[]);
        let mut connection = Connection::open(world.address, Some(&leaf), Protocol::Http2).await;
        assert_eq!(as_ada(&mut connection).await, 401);
    }

    async fn server_does_not_start_without_configuration() {
        let cluster = Cluster::start().await;
        cluster.remove_configuration();
        assert!(matches!(refuses_to_start(&cluster).await, ServerError::Authentication(_)));
    }

    async fn server_does_not_start_with_unusable_configuration() {
        let cluster = Cluster::start().await;
        cluster.configure(|data| {
            data.insert("client-ca-file".to_owned(), "nothing".to_owned());
        });
        assert!(matches!(refuses_to_start(&cluster).await, ServerError::Authentication(_)));
    }
}
