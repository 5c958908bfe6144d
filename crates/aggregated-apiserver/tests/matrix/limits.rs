//! What one caller may use up.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

use crate::support::{
    client::{self, Connection, PATIENCE, Protocol, get, send_over},
    cluster::Mood,
    pki::pki,
    world::{RESOURCE, World, eventually, front_proxy},
};

/// Bytes of one MiB.
const MEBIBYTE: usize = 1024 * 1024;

cases! {
    async fn one_mebibyte_of_headers_over_http1_is_refused_clearly() {
        let world = World::start().await;
        let large = "x".repeat(MEBIBYTE);
        let mut stream = client::tls(world.address, client::config(None, Protocol::Http1)).await.unwrap();
        let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: {large}\r\n\r\n");
        // The answer may come before all of it is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end in time");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        assert_eq!(world.direct(None, get("/healthz")).await.text(), "ok", "others are served");
    }

    async fn one_mebibyte_of_headers_over_http2_is_refused_clearly() {
        let world = World::start().await;
        let mut connection = world.proxy(Protocol::Http2).await;
        let mut ask = get(RESOURCE).remote_user("ada", &[]);
        for number in 0..64 {
            ask = ask.header(&format!("X-Large-{number}"), &"x".repeat(MEBIBYTE / 64));
        }
        assert_eq!(connection.send(ask).await.code, 431);
        assert_eq!(world.seen(), 0);
        assert_eq!(connection.send(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada", "the connection is not lost");
    }

    async fn a_hundred_kilobytes_of_headers_are_served() {
        let world = World::start().await;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut connection = world.proxy(protocol).await;
            let groups: Vec<String> = (0..500).map(|number| format!("{number:0>200}")).collect();
            let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
            let reply = connection.send(get(RESOURCE).remote_user("ada", &groups)).await;
            assert_eq!(reply.json()["user"]["groups"].as_array().unwrap().len(), 501);
        }
    }

    async fn forty_thousand_headers_are_refused() {
        let world = World::start().await;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut connection = world.proxy(protocol).await;
            let ask = (0..40_000).fold(get(RESOURCE).remote_user("ada", &[]), |ask, _| ask.header("a", ""));
            assert_eq!(connection.send(ask).await.code, 431);
        }
        assert_eq!(world.seen(), 0);
    }

    async fn endless_address_is_refused() {
        let world = World::start().await;
        let mut stream = client::tls(world.address, client::config(None, Protocol::Http1)).await.unwrap();
        let request = format!("GET /apis/{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000));
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end in time");
        assert!(answer.starts_with(b"HTTP/1.1 414 "), "{}", String::from_utf8_lossy(&answer));
    }

    async fn slow_headers_end_the_connection() {
        let world = World::with(|options| options.limits.header_time = Duration::from_millis(300)).await;
        let mut stream = client::tls(world.address, client::config(None, Protocol::Http1)).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        let started = Instant::now();
        // One more header every now and then must not prolong it.
        let dripping = async {
            let mut buffer = [0; 1024];
            loop {
                tokio::select! {
                    read = stream.read(&mut buffer) => if matches!(read, Ok(0) | Err(_)) { return },
                    () = time::sleep(Duration::from_millis(50)) => {
                        if stream.write_all(b"X-Slow: 1\r\n").await.is_err() { return }
                    }
                }
            }
        };
        time::timeout(PATIENCE, dripping).await.expect("an end in time");
        assert!(started.elapsed() < Duration::from_secs(5));
        eventually("no connection left", async || world.metric("aggregated_apiserver_connections") == 0.0).await;
    }

    async fn slow_handshake_ends_the_connection() {
        let world = World::with(|options| options.limits.handshake = Duration::from_millis(200)).await;
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
        let mut rest = Vec::new();
        let _ = time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end in time");
        assert_eq!(world.metric("aggregated_apiserver_handshakes_total{result=\"timeout\"}"), 1.0);
    }

    async fn http2_connection_without_requests_ends() {
        let world = World::with(|options| options.limits.header_time = Duration::from_millis(200)).await;
        let connection = world.proxy(Protocol::Http2).await;
        connection.ended().await;
    }

    async fn quiet_connection_ends_after_its_time() {
        let world = World::with(|options| options.limits.idle = Duration::from_millis(300)).await;
        let mut connection = world.proxy(Protocol::Http2).await;
        assert_eq!(connection.send(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
        connection.ended().await;
    }

    async fn body_over_the_limit_is_refused_by_its_length() {
        let world = World::with(|options| options.limits.body_bytes = 1000).await;
        let ask = |bytes: usize| get(RESOURCE).method("PUT").remote_user("ada", &[]).body(vec![b'x'; bytes]);
        let mut connection = world.proxy(Protocol::Http2).await;
        assert_eq!(connection.send(ask(1000)).await.json()["body"], 1000);
        assert_eq!(connection.send(ask(1001)).await.reason(413), "RequestEntityTooLarge");
        assert_eq!(world.seen(), 1);
    }

    async fn body_over_the_limit_is_refused_without_a_length() {
        let world = World::with(|options| options.limits.body_bytes = 1000).await;
        let mut stream = client::tls(world.address, client::config(Some(&front_proxy()), Protocol::Http1)).await.unwrap();
        let head = format!("PUT {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..4 {
            let _ = stream.write_all(format!("190\r\n{}\r\n", "x".repeat(400)).as_bytes()).await;
        }
        let mut answer = Vec::new();
        let _ = time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end in time");
        assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
        assert_eq!(world.seen(), 0);
    }

    async fn body_of_a_stranger_is_not_read() {
        let world = World::start().await;
        let mut stream = client::tls(world.address, client::config(None, Protocol::Http1)).await.unwrap();
        let head = format!("PUT {RESOURCE} HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 13];
        time::timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer in time").unwrap();
        assert_eq!(&answer, b"HTTP/1.1 403 ", "answered before the body came");
    }

    async fn body_that_never_ends_meets_the_deadline() {
        let world = World::with(|options| options.limits.request_time = Duration::from_millis(300)).await;
        let mut stream = client::tls(world.address, client::config(Some(&front_proxy()), Protocol::Http1)).await.unwrap();
        let head = format!("PUT {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\nContent-Length: 10\r\n\r\nabc");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 13];
        time::timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer in time").unwrap();
        assert_eq!(&answer, b"HTTP/1.1 504 ");
    }

    async fn answer_that_takes_too_long_meets_the_deadline() {
        let world = World::with(|options| options.limits.request_time = Duration::from_millis(200)).await;
        let reply = world.through_proxy(get("/wait").remote_user("ada", &[])).await;
        assert_eq!(reply.reason(504), "Timeout");
    }

    async fn too_many_requests_at_once_are_told_so_and_probes_pass() {
        let world = World::with(|options| {
            options.limits.in_flight = 2;
            options.limits.queue = Duration::from_millis(100);
        }).await;
        let connection = world.proxy(Protocol::Http2).await;
        let waiting: Vec<_> = (0..2).map(|_| tokio::spawn(send_over(connection.another(), get("/wait").remote_user("ada", &[])))).collect();
        eventually("two in flight", async || world.seen() == 2).await;
        assert_eq!(world.metric("aggregated_apiserver_requests_in_flight"), 2.0);
        let refused = send_over(connection.another(), get(RESOURCE).remote_user("ada", &[])).await.unwrap();
        assert_eq!(refused.reason(503), "ServiceUnavailable");
        assert_eq!(world.direct(None, get("/readyz")).await.text(), "ok");
        world.program.gate.add_permits(2);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap().unwrap().code, 200);
        }
        assert_eq!(world.through_proxy(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
    }

    async fn places_of_callers_who_leave_are_free_again() {
        let world = World::with(|options| options.limits.in_flight = 1).await;
        for _ in 0..3 {
            let connection = world.proxy(Protocol::Http2).await;
            let before = world.seen();
            let waiting = tokio::spawn(send_over(connection.another(), get("/wait").remote_user("ada", &[])));
            eventually("one in flight", async || world.seen() == before + 1).await;
            waiting.abort();
            connection.ended.abort();
        }
        assert_eq!(world.through_proxy(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
    }

    async fn further_connections_wait_for_a_place() {
        let world = World::with(|options| options.limits.connections = 2).await;
        let first = world.proxy(Protocol::Http2).await;
        let _second = world.proxy(Protocol::Http2).await;
        let third = world.proxy(Protocol::Http2);
        tokio::pin!(third);
        assert!(time::timeout(Duration::from_millis(200), &mut third).await.is_err(), "no place yet");
        first.ended.abort();
        drop(first);
        let mut third = time::timeout(PATIENCE, third).await.expect("a place in time");
        assert_eq!(third.send(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
    }

    async fn http2_connection_of_an_anonymous_caller_ends_after_its_answer() {
        let world = World::start().await;
        let mut connection = Connection::open(world.address, None, Protocol::Http2).await;
        assert_eq!(connection.send(get("/healthz")).await.text(), "ok");
        connection.ended().await;
    }

    async fn http2_connection_of_an_unauthenticated_caller_ends_after_its_answer() {
        let world = World::start().await;
        let rogue = pki().rogue.client("x", &[]);
        let mut connection = Connection::open(world.address, Some(&rogue), Protocol::Http2).await;
        assert_eq!(connection.send(get(RESOURCE)).await.reason(401), "Unauthorized");
        connection.ended().await;
    }

    async fn http2_connection_of_a_known_caller_stays() {
        let world = World::start().await;
        let mut connection = world.proxy(Protocol::Http2).await;
        for _ in 0..50 {
            assert_eq!(connection.send(get(RESOURCE).remote_user("mallory", &[])).await.reason(403), "Forbidden");
        }
        assert!(!connection.ended.is_finished());
        assert_eq!(world.metric("aggregated_apiserver_handshakes_total{result=\"ok\"}"), 1.0);
    }

    async fn http2_connection_of_the_proxy_survives_strangers_behind_it() {
        let world = World::start().await;
        let mut connection = world.proxy(Protocol::Http2).await;
        assert_eq!(connection.send(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
        for _ in 0..5 {
            let anonymous = get(RESOURCE).remote_user("system:anonymous", &["system:unauthenticated"]);
            assert_eq!(connection.send(anonymous).await.reason(403), "Forbidden");
            assert_eq!(connection.send(get("/apis//x").remote_user("mallory", &[])).await.reason(400), "BadRequest");
            assert_eq!(connection.send(get(RESOURCE).header("Impersonate-User", "x")).await.reason(403), "Forbidden");
        }
        assert_eq!(connection.send(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
        assert_eq!(world.metric("aggregated_apiserver_handshakes_total{result=\"ok\"}"), 1.0);
    }

    async fn http2_connection_of_a_stranger_with_bad_paths_ends() {
        let world = World::start().await;
        let mut connection = Connection::open(world.address, None, Protocol::Http2).await;
        assert_eq!(connection.send(get("/apis//x")).await.reason(400), "BadRequest");
        connection.ended().await;
    }

    async fn stopping_server_finishes_what_it_began() {
        let world = World::start().await;
        let connection = world.proxy(Protocol::Http2).await;
        let waiting = tokio::spawn(send_over(connection.another(), get("/wait").remote_user("ada", &[])));
        eventually("one in flight", async || world.seen() == 1).await;
        world.stop.cancel();
        eventually("not ready", async || !world.ready.is_ready()).await;
        eventually("no new connections", async || TcpStream::connect(world.address).await.is_err()).await;
        world.program.gate.add_permits(1);
        assert_eq!(waiting.await.unwrap().unwrap().code, 200);
        world.stopped().await.unwrap();
    }

    async fn stopping_server_does_not_wait_for_ever() {
        let world = World::with(|options| options.limits.grace = Duration::from_millis(200)).await;
        let connection = world.proxy(Protocol::Http2).await;
        let waiting = tokio::spawn(send_over(connection.another(), get("/wait").remote_user("ada", &[])));
        eventually("one in flight", async || world.seen() == 1).await;
        world.stopped().await.unwrap();
        assert!(waiting.await.unwrap().is_err());
    }

    async fn stopping_server_serves_until_the_news_has_spread() {
        let world = World::with(|options| options.limits.drain = Duration::from_millis(400)).await;
        world.stop.cancel();
        eventually("not ready", async || !world.ready.is_ready()).await;
        let reply = world.direct(None, get("/readyz")).await;
        assert_eq!(reply.code, 500);
        assert_eq!(world.through_proxy(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
        world.stopped().await.unwrap();
    }

    async fn slow_cluster_does_not_make_probes_fail() {
        let world = World::start().await;
        world.cluster.state().access = Mood::Hangs;
        let connection = world.proxy(Protocol::Http2).await;
        let _hanging: Vec<_> = (0..20).map(|n| tokio::spawn(send_over(connection.another(), get(RESOURCE).remote_user(&format!("u{n}"), &[])))).collect();
        eventually("twenty questions", async || world.cluster.access_reviews() == 20).await;
        assert_eq!(world.direct(None, get("/livez")).await.text(), "ok");
    }
}
