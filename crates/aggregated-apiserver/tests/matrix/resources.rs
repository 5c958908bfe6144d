//! Paths outside of `/apis` that stand for resources: a right in one namespace is one in that namespace only.

use serde_json::{Value, json};

use crate::support::{
    client::{Protocol, Reply, get, once},
    pki::pki,
    world::World,
};

/// A thing in namespace `a`, where `ada` may look at things.
const OWN: &str = "/why/namespaces/a/things/web";

/// Other ways to write `b`, or more than `a`. All are refused with 400, whoever asks.
#[rustfmt::skip]
const AMBIGUOUS: &[(&str, &str)] = &[
    ("resource_path_with_dots", "/why/namespaces/a/../b/things/web"),
    ("resource_path_with_encoded_dots", "/why/namespaces/a/%2e%2e/b/things/web"),
    ("resource_path_with_an_encoded_slash_in_the_namespace", "/why/namespaces/a%2f..%2fb/things/web"),
    ("resource_path_with_an_encoded_slash_in_the_name", "/why/namespaces/a/things/web%2Fother"),
    ("resource_path_with_a_slash_encoded_twice", "/why/namespaces/a%252fb/things/web"),
    ("resource_path_without_a_namespace", "/why/namespaces//things/web"),
    ("resource_path_with_a_backslash", "/why/namespaces/a%5c..%5cb/things/web"),
    ("resource_path_with_a_zero_byte", "/why/namespaces/a%00b/things/web"),
];

/// Paths that look like things in `a` and are none: they ask for a right to the path, which `ada` does not have.
const NEARLY: &[(&str, &str)] = &[
    ("resource_path_with_more_behind", "/why/namespaces/a/things/web/more"),
    ("resource_path_in_other_letters", "/Why/namespaces/a/things/web"),
    ("resource_path_below_another", "/x/why/namespaces/a/things/web"),
    ("resource_path_that_ends_early", "/why/namespaces/a"),
    ("resource_path_of_another_resource", "/why/namespaces/a/secrets/web"),
];

pub fn row_names() -> Vec<String> {
    AMBIGUOUS.iter().chain(NEARLY).map(|(name, _)| (*name).to_owned()).collect()
}

/// `ada` may read things of namespace `a`, as a Role there would say it.
fn role_in_a(spec: &Value) -> bool {
    let resource = &spec["resourceAttributes"];
    let rule = ["get", "list"].contains(&resource["verb"].as_str().unwrap_or_default())
        && resource["group"] == "tests.example.dev"
        && resource["resource"] == "things"
        && resource["subresource"] == "why";
    spec["user"] == "ada" && resource["namespace"] == "a" && rule
}

async fn world() -> World {
    let world = World::start().await;
    world.cluster.state().policy = role_in_a;
    world
}

async fn ask(world: &World, path: &str) -> Reply {
    world.through_proxy(get(path).remote_user("ada", &[])).await
}

#[tokio::test]
async fn ambiguous_resource_paths_are_refused() {
    let world = world().await;
    let root = pki().cluster.client("root", &["system:masters"]);
    for (name, path) in AMBIGUOUS {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let reply = once(world.address, Some(&root), protocol, get(path)).await;
            assert_eq!(reply.reason(400), "BadRequest", "{name}");
        }
        assert_eq!(ask(&world, path).await.reason(400), "BadRequest", "{name}");
    }
    assert_eq!((world.seen(), world.cluster.access_reviews()), (0, 0));
}

#[tokio::test]
async fn paths_that_only_look_like_resources_need_a_right_to_the_path() {
    let world = world().await;
    for (name, path) in NEARLY {
        assert_eq!(ask(&world, path).await.reason(403), "Forbidden", "{name}");
        let asked = json!({ "path": path, "verb": "get" });
        assert_eq!(world.cluster.last_access()["nonResourceAttributes"], asked, "{name}");
    }
    assert_eq!(world.seen(), 0);
}

cases! {
    async fn resource_path_is_allowed_in_one_namespace_and_refused_in_the_other() {
        let world = world().await;
        assert_eq!(ask(&world, OWN).await.user(), "ada");
        let asked = json!({
            "verb": "get", "group": "tests.example.dev", "namespace": "a", "resource": "things", "subresource": "why",
            "name": "web"
        });
        let spec = world.cluster.last_access();
        assert_eq!((&spec["resourceAttributes"], &spec["nonResourceAttributes"]), (&asked, &Value::Null));

        let refused = ask(&world, "/why/namespaces/b/things/web").await;
        assert_eq!(refused.reason(403), "Forbidden");
        let text = "things.tests.example.dev \"web\" is forbidden: User \"ada\" cannot get resource \"things/why\" in API \
                    group \"tests.example.dev\" in the namespace \"b\"";
        assert_eq!(refused.json()["message"], text);
        assert_eq!(world.seen(), 1);
    }

    async fn resource_path_without_a_name_is_a_list() {
        let world = world().await;
        assert_eq!(ask(&world, "/why/namespaces/a/things").await.json()["verb"], "list");
        assert_eq!(ask(&world, "/why/namespaces/b/things").await.reason(403), "Forbidden");
    }

    async fn program_sees_the_resource_that_was_authorised() {
        let world = world().await;
        // Letters may be encoded, and a slash at the end says nothing.
        for path in [OWN, "/wh%79/namespaces/%61/things/%77eb", "/why/namespaces/a/things/web/"] {
            let seen = ask(&world, path).await.json();
            let resource = ["namespace", "resource", "subresource", "name"].map(|key| seen[key].clone());
            assert_eq!(resource, ["a", "things", "why", "web"], "{path}");
        }
        assert_eq!(world.cluster.access_reviews(), 1, "the same question");
    }

    async fn right_to_the_path_is_none_to_the_resource() {
        let world = World::start().await;
        world.cluster.state().policy = |spec| spec["nonResourceAttributes"].is_object();
        assert_eq!(ask(&world, OWN).await.reason(403), "Forbidden");
        assert_eq!(ask(&world, "/text").await.text(), "plain");
    }

    async fn resource_path_is_not_written_with_a_right_to_read() {
        let world = world().await;
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let reply = world.through_proxy(get(OWN).method(method).remote_user("ada", &[])).await;
            assert_eq!(reply.reason(403), "Forbidden", "{method}");
        }
        let options = world.through_proxy(get(OWN).method("OPTIONS").remote_user("ada", &[])).await;
        assert_eq!(options.reason(405), "MethodNotAllowed");
        assert_eq!(world.seen(), 0);
    }

    async fn resource_path_of_a_stranger_is_refused() {
        let world = world().await;
        assert_eq!(world.direct(None, get(OWN)).await.reason(403), "Forbidden");
        assert_eq!(world.cluster.last_access()["user"], "system:anonymous");
    }
}
