//! Reviews of access that are slow, down, or untrue, and what is remembered of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    client::{Protocol, Reply, get, send_over},
    cluster::Mood,
    pki::pki,
    world::{RESOURCE, World, eventually},
};

const LIST: &str = "/apis/tests.example.dev/v1/namespaces/ns/greetings";

async fn patient() -> World {
    World::with(|options| options.delegation.timeout = Duration::from_millis(500)).await
}

async fn ask(world: &World, user: &str) -> Reply {
    world.through_proxy(get(RESOURCE).remote_user(user, &[])).await
}

async fn in_mood(mood: Mood) -> (World, Reply) {
    let world = patient().await;
    world.cluster.state().access = mood;
    let reply = ask(&world, "ada").await;
    (world, reply)
}

/// The answer is an error, and the program was not bothered.
fn closed(world: &World, reply: &Reply) {
    assert_eq!(reply.reason(500), "InternalError");
    assert_eq!(world.seen(), 0, "fail closed");
}

cases! {
    async fn access_review_that_hangs_is_a_no_in_time() {
        let started = Instant::now();
        let (world, reply) = in_mood(Mood::Hangs).await;
        closed(&world, &reply);
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    async fn access_review_that_is_down_is_a_no() {
        let (world, reply) = in_mood(Mood::Code(500)).await;
        closed(&world, &reply);
        assert_eq!(world.cluster.access_reviews(), 3, "asked again, but not for ever");
    }

    async fn access_review_that_is_forbidden_is_a_no() {
        let (world, reply) = in_mood(Mood::Code(403)).await;
        closed(&world, &reply);
        assert_eq!(world.cluster.access_reviews(), 1);
    }

    async fn access_review_that_recovers_is_a_yes() {
        let (_world, reply) = in_mood(Mood::FailsFirst(2)).await;
        assert_eq!(reply.user(), "ada");
    }

    async fn access_review_slow_but_in_time_is_a_yes() {
        let (_world, reply) = in_mood(Mood::Slow(Duration::from_millis(100))).await;
        assert_eq!(reply.user(), "ada");
    }

    async fn access_review_of_garbage_is_a_no() {
        let (world, reply) = in_mood(Mood::Says("allowed".to_owned())).await;
        closed(&world, &reply);
    }

    async fn access_review_of_nothing_is_a_no() {
        let (world, reply) = in_mood(Mood::Says(String::new())).await;
        closed(&world, &reply);
    }

    async fn access_review_of_another_kind_is_a_no() {
        let says = json!({"kind": "Pod", "apiVersion": "v1", "status": {"allowed": true}});
        let (world, reply) = in_mood(Mood::Says(says.to_string())).await;
        closed(&world, &reply);
    }

    async fn access_review_of_a_status_with_code_200_is_a_no() {
        let says = json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "allowed": true});
        let (world, reply) = in_mood(Mood::Says(says.to_string())).await;
        closed(&world, &reply);
    }

    async fn access_review_without_a_status_is_a_no() {
        let (world, reply) = in_mood(Mood::Status(Value::Null)).await;
        closed(&world, &reply);
    }

    async fn access_review_with_words_for_yes_is_a_no() {
        let (world, reply) = in_mood(Mood::Status(json!({"allowed": "true"}))).await;
        closed(&world, &reply);
    }

    async fn access_allowed_and_denied_is_denied() {
        let (world, reply) = in_mood(Mood::Status(json!({"allowed": true, "denied": true}))).await;
        assert_eq!(reply.reason(403), "Forbidden");
        assert_eq!(world.seen(), 0);
    }

    async fn access_with_an_empty_status_is_denied() {
        let (_world, reply) = in_mood(Mood::Status(json!({"evaluationError": "role not found"}))).await;
        assert_eq!(reply.reason(403), "Forbidden");
    }

    async fn access_refusal_says_why() {
        let (_world, reply) = in_mood(Mood::Status(json!({"allowed": false, "reason": "no role binds you"}))).await;
        assert_eq!(reply.reason(403), "Forbidden");
        let status = reply.json();
        assert_eq!(
            status["message"],
            "greetings.tests.example.dev \"hello\" is forbidden: User \"ada\" cannot get resource \"greetings\" \
             in API group \"tests.example.dev\" in the namespace \"ns\": no role binds you"
        );
        assert_eq!(status["details"], json!({"name": "hello", "group": "tests.example.dev", "kind": "greetings"}));
    }

    async fn access_is_remembered_for_its_time() {
        let world = World::with(|options| options.delegation.allowed_ttl = Duration::from_millis(300)).await;
        for _ in 0..5 {
            assert_eq!(ask(&world, "ada").await.user(), "ada");
        }
        assert_eq!(world.cluster.access_reviews(), 1);
        world.cluster.state().policy = |_| false;
        eventually("the end of a permission", async || ask(&world, "ada").await.code == 403).await;
    }

    async fn access_refusals_are_remembered_for_theirs() {
        let world = World::with(|options| options.delegation.denied_ttl = Duration::from_millis(300)).await;
        for _ in 0..5 {
            assert_eq!(ask(&world, "mallory").await.reason(403), "Forbidden");
        }
        assert_eq!(world.cluster.access_reviews(), 1);
        world.cluster.state().policy = |_| true;
        eventually("the end of a refusal", async || ask(&world, "mallory").await.code == 200).await;
    }

    async fn access_failures_are_not_remembered() {
        let (world, reply) = in_mood(Mood::Code(500)).await;
        closed(&world, &reply);
        world.cluster.state().access = Mood::Honest;
        assert_eq!(ask(&world, "ada").await.user(), "ada");
    }

    async fn access_of_one_is_not_that_of_another() {
        let world = World::start().await;
        let mut connection = world.proxy(Protocol::Http2).await;
        let asks = [
            get(RESOURCE).remote_user("ada", &[]),
            get(RESOURCE).remote_user("ada", &["a"]),
            get(RESOURCE).remote_user("ada", &[]).header("X-Remote-Uid", "7"),
            get(RESOURCE).remote_user("ada", &[]).header("X-Remote-Extra-A", "1"),
            get(RESOURCE).remote_user("ada", &[]).header("X-Remote-Extra-A", "2"),
            get(RESOURCE).remote_user("adam", &[]),
            get("/apis/tests.example.dev/v1/namespaces/ns/greetings/other").remote_user("ada", &[]),
            get("/apis/tests.example.dev/v1/namespaces/other/greetings/hello").remote_user("ada", &[]),
            get("/apis/tests.example.dev/v1beta1/namespaces/ns/greetings/hello").remote_user("ada", &[]),
            get(LIST).remote_user("ada", &[]),
            get(RESOURCE).method("PUT").remote_user("ada", &[]),
        ];
        for (asked, ask) in asks.into_iter().enumerate() {
            connection.send(ask).await;
            assert_eq!(world.cluster.access_reviews(), asked + 1);
        }
    }

    async fn access_of_large_attributes_is_asked_each_time() {
        let world = World::start().await;
        let name = "x".repeat(11_000);
        let path = format!("{LIST}/{name}");
        for _ in 0..3 {
            world.through_proxy(get(&path).remote_user("ada", &[])).await.user();
        }
        assert_eq!(world.cluster.access_reviews(), 3, "nobody fills the memory with them");
    }

    async fn access_asked_about_many_times_at_once_is_reviewed_once() {
        let world = World::start().await;
        world.cluster.state().access = Mood::Slow(Duration::from_millis(200));
        let connection = world.proxy(Protocol::Http2).await;
        let asks = (0..20).map(|_| send_over(connection.another(), get(RESOURCE).remote_user("ada", &[])));
        for reply in futures::future::join_all(asks).await {
            assert_eq!(reply.unwrap().user(), "ada");
        }
        assert_eq!(world.cluster.access_reviews(), 1);
    }

    async fn access_review_goes_on_when_its_asker_leaves() {
        let world = World::start().await;
        world.cluster.state().access = Mood::Slow(Duration::from_millis(300));
        let leaving = world.proxy(Protocol::Http2).await;
        let staying = world.proxy(Protocol::Http2).await;
        let first = tokio::spawn(send_over(leaving.another(), get(RESOURCE).remote_user("ada", &[])));
        eventually("the review", async || world.cluster.access_reviews() == 1).await;
        let second = tokio::spawn(send_over(staying.another(), get(RESOURCE).remote_user("ada", &[])));
        first.abort();
        leaving.ended.abort();
        assert_eq!(second.await.unwrap().unwrap().user(), "ada");
    }

    async fn access_review_has_everything_about_the_caller() {
        let world = World::start().await;
        let ask = get(&format!("{LIST}?labelSelector=a%3Db,c+notin+(d)&fieldSelector=metadata.name%3Dhello"))
            .remote_user("ada", &["devs"])
            .header("X-Remote-Uid", "7")
            .header("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id", "JTI=1");
        world.through_proxy(ask).await.user();
        let expected = json!({
            "user": "ada", "uid": "7", "groups": ["devs", "system:authenticated"],
            "extra": {"authentication.kubernetes.io/credential-id": ["JTI=1"]},
            "resourceAttributes": {
                "group": "tests.example.dev", "version": "v1", "namespace": "ns", "resource": "greetings",
                "verb": "list", "name": "hello",
                "labelSelector": {"requirements": [
                    {"key": "a", "operator": "In", "values": ["b"]}, {"key": "c", "operator": "NotIn", "values": ["d"]}]},
                "fieldSelector": {"requirements": [{"key": "metadata.name", "operator": "In", "values": ["hello"]}]},
            },
        });
        assert_eq!(world.cluster.last_access(), expected);
    }

    async fn access_review_of_a_bad_selector_asks_for_everything() {
        let world = World::start().await;
        let reply = world.through_proxy(get(&format!("{LIST}?labelSelector=a%3D%3D%3Db")).remote_user("ada", &[])).await;
        assert_eq!(reply.user(), "ada", "what is wrong with it is for the program to say");
        assert!(world.cluster.last_access()["resourceAttributes"].get("labelSelector").is_none());
    }

    async fn masters_are_never_asked_about() {
        let world = patient().await;
        world.cluster.state().access = Mood::Hangs;
        let root = pki().cluster.client("root", &["system:masters"]);
        assert_eq!(world.direct(Some(&root), get(RESOURCE)).await.user(), "root");
        assert_eq!(world.cluster.access_reviews(), 0);
    }

    async fn aggregator_that_authorised_already_is_asked_about_again() {
        let world = World::start().await;
        world.cluster.state().policy = |spec| spec["resourceAttributes"]["name"] != "hello";
        assert_eq!(ask(&world, "ada").await.reason(403), "Forbidden");
    }

    async fn access_to_paths_is_asked_about_by_path() {
        let world = World::start().await;
        world.through_proxy(get("/text?x=1").remote_user("ada", &[])).await;
        assert_eq!(world.cluster.last_access()["nonResourceAttributes"], json!({"path": "/text", "verb": "get"}));
    }
}
