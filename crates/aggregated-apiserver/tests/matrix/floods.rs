//! HTTP/2 as nobody means it.

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use tokio::{task::JoinHandle, time};

use crate::support::{
    client::{self, HOST, PATIENCE, Protocol, get},
    pki::Identity,
    world::{RESOURCE, World, eventually, front_proxy},
};

/// Opens a connection frame by frame.
async fn open(world: &World, identity: Option<&Identity>) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = client::tls(world.address, client::config(identity, Protocol::Http2)).await.unwrap();
    let (sender, connection) =
        h2::client::Builder::new().initial_max_send_streams(100_000).handshake(stream).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn request(path: &str) -> Request<()> {
    Request::get(format!("https://{HOST}{path}")).header("x-remote-user", "ada").body(()).unwrap()
}

async fn others_are_served(world: &World) {
    assert_eq!(world.through_proxy(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
    assert_eq!(world.direct(None, get("/livez")).await.text(), "ok");
}

cases! {
    async fn rapid_resets_end_the_connection_or_do_no_harm() {
        let world = World::start().await;
        let (sender, driving) = open(&world, Some(&front_proxy())).await;
        let flood = async {
            let mut sender = sender;
            for _ in 0..5_000 {
                let Ok(ready) = sender.ready().await else { return };
                sender = ready;
                let Ok((answer, mut stream)) = sender.send_request(request("/wait"), false) else { return };
                stream.send_reset(h2::Reason::CANCEL);
                drop(answer);
            }
        };
        time::timeout(PATIENCE, flood).await.expect("an end in time");
        others_are_served(&world).await;
        eventually("nothing left of it", async || world.metric("aggregated_apiserver_requests_in_flight") == 0.0).await;
        driving.abort();
    }

    async fn rapid_resets_of_a_stranger_end_the_connection() {
        let world = World::start().await;
        let (sender, driving) = open(&world, None).await;
        let flood = async {
            let mut sender = sender;
            loop {
                let Ok(ready) = sender.ready().await else { return };
                sender = ready;
                let Ok((answer, mut stream)) = sender.send_request(request(RESOURCE), false) else {
                    return;
                };
                // Everything runs on one thread: the server gets its turn.
                tokio::task::yield_now().await;
                stream.send_reset(h2::Reason::CANCEL);
                drop(answer);
            }
        };
        time::timeout(PATIENCE, flood).await.expect("the server ends it");
        others_are_served(&world).await;
        assert_eq!(world.seen(), 1, "only of the others");
        driving.abort();
    }

    async fn requests_given_up_all_at_once_leave_the_connection_of_the_proxy() {
        let world = World::start().await;
        let (sender, driving) = open(&world, Some(&front_proxy())).await;
        let mut sender = sender;
        for _ in 0..3 {
            let mut waiting = Vec::new();
            for _ in 0..200 {
                sender = sender.ready().await.unwrap();
                waiting.push(sender.send_request(request("/wait"), true).unwrap());
            }
            for (_answer, stream) in &mut waiting {
                stream.send_reset(h2::Reason::CANCEL);
            }
            drop(waiting);
            sender = sender.ready().await.unwrap();
            let (answer, _) = sender.send_request(request(RESOURCE), true).unwrap();
            assert_eq!(answer.await.unwrap().status(), 200);
        }
        eventually("no place is held", async || world.metric("aggregated_apiserver_requests_in_flight") == 0.0).await;
        driving.abort();
    }

    async fn streams_at_a_time_are_limited() {
        let world = World::with(|options| options.limits.streams = 10).await;
        let (sender, driving) = open(&world, Some(&front_proxy())).await;
        let mut sender = sender.ready().await.unwrap();
        let (first, _) = sender.send_request(request(RESOURCE), true).unwrap();
        first.await.unwrap();
        // The settings of the server have arrived with the first answer.
        assert_eq!(sender.current_max_send_streams(), 10);
        let mut waiting = Vec::new();
        for _ in 0..11 {
            sender = sender.ready().await.unwrap();
            waiting.push(sender.send_request(request("/wait"), true).unwrap().0);
        }
        eventually("one, then ten at a time", async || world.seen() == 11).await;
        others_are_served(&world).await;
        assert_eq!(world.seen(), 12, "the eleventh waits, the one of the others does not");
        world.program.gate.add_permits(11);
        for answer in waiting {
            assert_eq!(answer.await.unwrap().status(), 200);
        }
        driving.abort();
    }

    async fn streams_without_end_are_limited_by_the_deadline() {
        let world = World::with(|options| options.limits.request_time = Duration::from_millis(300)).await;
        let (sender, driving) = open(&world, Some(&front_proxy())).await;
        let mut sender = sender.ready().await.unwrap();
        let mut open = Vec::new();
        for _ in 0..20 {
            sender = sender.ready().await.unwrap();
            let put = Request::put(format!("https://{HOST}{RESOURCE}")).header("x-remote-user", "ada").body(()).unwrap();
            open.push(sender.send_request(put, false).unwrap());
        }
        for (answer, _body) in open {
            assert_eq!(time::timeout(PATIENCE, answer).await.expect("in time").unwrap().status(), 504);
        }
        driving.abort();
    }

    async fn ping_flood_does_no_harm() {
        let world = World::start().await;
        let stream = client::tls(world.address, client::config(None, Protocol::Http2)).await.unwrap();
        let (_sender, mut connection) = h2::client::Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
        let mut pings = connection.ping_pong().unwrap();
        let driving = tokio::spawn(connection);
        let flood = async {
            for _ in 0..2_000 {
                if pings.ping(h2::Ping::opaque()).await.is_err() {
                    return;
                }
            }
        };
        time::timeout(PATIENCE, flood).await.expect("an end in time");
        others_are_served(&world).await;
        driving.abort();
    }

    async fn unread_answers_do_not_hold_up_others() {
        let world = World::start().await;
        let stream = client::tls(world.address, client::config(Some(&front_proxy()), Protocol::Http2)).await.unwrap();
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(0);
        let (sender, connection) = builder.handshake::<_, Bytes>(stream).await.unwrap();
        let driving = tokio::spawn(connection);
        let mut sender = sender;
        let mut unread = Vec::new();
        for _ in 0..50 {
            sender = sender.ready().await.unwrap();
            unread.push(sender.send_request(request(RESOURCE), true).unwrap().0);
        }
        eventually("all are answered", async || world.seen() == 50).await;
        others_are_served(&world).await;
        eventually("no place is held", async || world.metric("aggregated_apiserver_requests_in_flight") == 0.0).await;
        driving.abort();
    }

    async fn pseudo_headers_are_judged_like_the_request_line() {
        let world = World::start().await;
        let (sender, driving) = open(&world, None).await;
        let mut sender = sender.ready().await.unwrap();
        let sneaky = Request::get(format!("https://{HOST}//healthz")).body(()).unwrap();
        let (answer, _) = sender.send_request(sneaky, true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 400);
        driving.abort();
    }
}
