//! Reviews of tokens that are slow, down, or untrue, and what is remembered of them.

use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    client::{Protocol, Reply, get, send_over},
    cluster::Mood,
    pki::pki,
    world::{RESOURCE, World, eventually},
};

async fn with_tia() -> World {
    let world = World::with(|options| options.delegation.timeout = Duration::from_millis(500)).await;
    world.cluster.know_token(
        "secret-of-tia",
        json!({"username": "tia", "uid": "7", "groups": ["devs"], "extra": {"Scope": ["x"]}}),
    );
    world
}

async fn ask(world: &World) -> Reply {
    world.direct(None, get(RESOURCE).token("secret-of-tia")).await
}

async fn in_mood(mood: Mood) -> (World, Reply) {
    let world = with_tia().await;
    world.cluster.state().token = mood;
    let reply = ask(&world).await;
    (world, reply)
}

/// Collects what is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

cases! {
    async fn token_user_comes_with_uid_groups_and_extras() {
        let world = with_tia().await;
        let user = ask(&world).await.json()["user"].clone();
        assert_eq!(user, json!({"name": "tia", "uid": "7", "groups": ["devs", "system:authenticated"], "extra": {"Scope": ["x"]}}));
    }

    async fn token_review_that_hangs_is_a_no_in_time() {
        let started = Instant::now();
        let (_world, reply) = in_mood(Mood::Hangs).await;
        assert_eq!(reply.reason(401), "Unauthorized");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    async fn token_review_that_is_down_is_a_no() {
        let (world, reply) = in_mood(Mood::Code(503)).await;
        assert_eq!(reply.reason(401), "Unauthorized");
        assert_eq!(world.cluster.token_reviews(), 3, "asked again, but not for ever");
    }

    async fn token_review_that_recovers_is_a_yes() {
        let (_world, reply) = in_mood(Mood::FailsFirst(2)).await;
        assert_eq!(reply.user(), "tia");
    }

    async fn token_review_that_is_forbidden_is_not_asked_again() {
        let (world, reply) = in_mood(Mood::Code(403)).await;
        assert_eq!(reply.reason(401), "Unauthorized");
        assert_eq!(world.cluster.token_reviews(), 1);
    }

    async fn token_review_slow_but_in_time_is_a_yes() {
        let (_world, reply) = in_mood(Mood::Slow(Duration::from_millis(100))).await;
        assert_eq!(reply.user(), "tia");
    }

    async fn token_review_of_garbage_is_a_no() {
        let (_world, reply) = in_mood(Mood::Says("{\"authenticated\":true".to_owned())).await;
        assert_eq!(reply.reason(401), "Unauthorized");
    }

    async fn token_review_of_another_kind_is_a_no() {
        let says = json!({"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
                          "status": {"allowed": true, "authenticated": true, "user": {"username": "tia"}}});
        let (_world, reply) = in_mood(Mood::Says(says.to_string())).await;
        assert_eq!(reply.reason(401), "Unauthorized");
    }

    async fn token_review_without_a_kind_is_a_no() {
        let says = json!({"status": {"authenticated": true, "user": {"username": "tia"}}});
        let (_world, reply) = in_mood(Mood::Says(says.to_string())).await;
        assert_eq!(reply.reason(401), "Unauthorized");
    }

    async fn token_review_without_a_user_is_a_no() {
        let (_world, reply) = in_mood(Mood::Status(json!({"authenticated": true}))).await;
        assert_eq!(reply.reason(401), "Unauthorized");
    }

    async fn token_review_with_an_empty_name_is_a_no() {
        let status = json!({"authenticated": true, "user": {"username": "", "groups": ["system:masters"]}});
        let (_world, reply) = in_mood(Mood::Status(status)).await;
        assert_eq!(reply.reason(401), "Unauthorized");
    }

    async fn token_review_with_user_and_error_is_a_no() {
        let status = json!({"authenticated": true, "error": "expired", "user": {"username": "tia"}});
        let (_world, reply) = in_mood(Mood::Status(status)).await;
        assert_eq!(reply.reason(401), "Unauthorized");
    }

    async fn token_review_with_a_user_but_not_authenticated_is_a_no() {
        let status = json!({"user": {"username": "admin", "groups": ["system:masters"]}});
        let (_world, reply) = in_mood(Mood::Status(status)).await;
        assert_eq!(reply.reason(401), "Unauthorized");
    }

    async fn token_for_another_audience_is_a_no() {
        let world = World::with(|options| options.delegation.audiences = vec!["us".to_owned()]).await;
        world.cluster.know_token("secret-of-tia", json!({"username": "tia"}));
        assert_eq!(ask(&world).await.reason(401), "Unauthorized");
        assert_eq!(world.cluster.state().token_reviews[0]["audiences"], json!(["us"]));
    }

    async fn token_answers_are_remembered_for_their_time() {
        let world = World::with(|options| options.delegation.token_ttl = Duration::from_millis(300)).await;
        world.cluster.know_token("secret-of-tia", json!({"username": "tia"}));
        for _ in 0..5 {
            assert_eq!(ask(&world).await.user(), "tia");
        }
        assert_eq!(world.cluster.token_reviews(), 1);
        world.cluster.state().tokens.clear();
        eventually("the end of a revoked token", async || ask(&world).await.code == 401).await;
    }

    async fn token_refusals_are_remembered_too() {
        let world = with_tia().await;
        for _ in 0..4 {
            assert_eq!(world.direct(None, get(RESOURCE).token("guess")).await.reason(401), "Unauthorized");
        }
        assert_eq!(world.cluster.token_reviews(), 1);
        assert_eq!(ask(&world).await.user(), "tia", "one refusal is not everybody's");
    }

    async fn token_failures_are_not_remembered() {
        let (world, reply) = in_mood(Mood::Code(500)).await;
        assert_eq!(reply.reason(401), "Unauthorized");
        world.cluster.state().token = Mood::Honest;
        assert_eq!(ask(&world).await.user(), "tia");
    }

    async fn token_asked_about_many_times_at_once_is_reviewed_once() {
        let world = with_tia().await;
        world.cluster.state().token = Mood::Slow(Duration::from_millis(200));
        let connection = world.proxy(Protocol::Http2).await;
        // The proxy without a user falls through to the token, so that one connection can carry all of them.
        let asks = (0..20).map(|_| send_over(connection.another(), get(RESOURCE).token("secret-of-tia")));
        for reply in futures::future::join_all(asks).await {
            assert_eq!(reply.unwrap().user(), "tia");
        }
        assert_eq!(world.cluster.token_reviews(), 1);
    }

    async fn token_of_a_hundred_kilobytes_is_reviewed_like_any_other() {
        let world = with_tia().await;
        let long = "x".repeat(100_000);
        assert_eq!(world.direct(None, get(RESOURCE).token(&long)).await.reason(401), "Unauthorized");
        assert_eq!(world.cluster.state().token_reviews[0]["token"].as_str().map(str::len), Some(100_000));
    }

    async fn token_never_shows_in_logs_answers_or_metrics() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        // Every task of this test runs on this thread.
        let guard = tracing::subscriber::set_default(subscriber);
        let world = with_tia().await;
        let echo = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {"token": "TOKEN"}, "status": "TOKEN"});
        let moods = [
            Mood::Honest, Mood::Code(500), Mood::Code(400), Mood::Hangs, Mood::Says("TOKEN".to_owned()),
            Mood::Says(echo.to_string()), Mood::Says("{\"TOKEN\":".to_owned()),
        ];
        for (number, mood) in moods.into_iter().enumerate() {
            world.cluster.state().token = mood;
            let token = format!("secret-of-tia-{number}");
            let reply = world.direct(None, get(RESOURCE).token(&token)).await;
            assert!(!reply.text().contains("secret-of-tia"));
            let rogue = pki().rogue.client("x", &[]);
            world.direct(Some(&rogue), get("/text").token(&token).header("X-Remote-User", "a")).await;
        }
        assert_eq!(ask(&world).await.code, 401, "still in the last mood");
        let page = world.page();
        world.stopped().await.unwrap();
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("a token could not be reviewed"), "the log was listened to");
        // Lines of the HTTP libraries on the wire are not ours to keep quiet; those of the server and of kube are.
        let ours = text.lines().filter(|line| line.contains("aggregated_apiserver") || line.contains("kube"));
        let leaks: Vec<&str> = ours.filter(|line| line.contains("secret-of-tia")).collect();
        assert!(leaks.is_empty(), "{leaks:#?}");
        assert!(!page.contains("secret-of-tia"));
    }
}
