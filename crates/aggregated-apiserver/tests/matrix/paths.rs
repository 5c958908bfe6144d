//! Paths and methods: what is open, what is refused, and that nobody learns what exists.

use serde_json::json;

use crate::support::{
    client::{Protocol, Reply, get, once},
    pki::pki,
    world::{RESOURCE, World},
};

/// Paths that could mean two things; all are refused with 400 whoever asks, and reach nobody.
#[rustfmt::skip]
const AMBIGUOUS: &[(&str, &str)] = &[
    ("path_with_two_slashes_at_the_start", "//apis"),
    ("path_with_two_slashes_before_a_probe", "//healthz"),
    ("path_with_two_slashes_inside", "/apis//tests.example.dev/v1/greetings"),
    ("path_with_an_encoded_slash", "/apis/tests.example.dev%2Fv1/greetings"),
    ("path_with_an_encoded_slash_in_a_name", "/apis/tests.example.dev/v1/namespaces/ns/greetings/a%2fb"),
    ("path_with_a_slash_encoded_twice", "/apis/tests.example.dev/v1/namespaces/ns/greetings/a%252fb"),
    ("path_with_dots", "/healthz/../apis/tests.example.dev/v1/namespaces/ns/greetings/hello"),
    ("path_with_one_dot", "/./healthz"),
    ("path_with_encoded_dots", "/healthz/%2e%2e/metrics"),
    ("path_with_half_encoded_dots", "/healthz/.%2e/metrics"),
    ("path_with_an_encoded_backslash", "/healthz/..%5cmetrics"),
    ("path_with_a_zero_byte", "/healthz%00"),
    ("path_with_a_line_end", "/healthz%0d%0aX-Remote-User:%20admin"),
    ("path_with_a_broken_escape", "/apis/%zz"),
    ("path_of_no_utf8", "/apis/%ff%fe"),
];

/// Paths that look open and are not: anonymous callers get 403.
const NEARLY_OPEN: &[(&str, &str)] = &[
    ("open_path_with_a_slash_at_the_end", "/healthz/"),
    ("open_path_with_more_behind", "/readyz/data"),
    ("open_path_with_an_unknown_check", "/livez/none"),
    ("open_path_that_only_starts_so", "/healthzz"),
    ("open_path_in_other_letters", "/HEALTHZ"),
    ("open_path_below_another", "/apis/healthz"),
    ("metrics_are_not_open", "/metrics"),
    ("version_is_not_open", "/version"),
    ("discovery_is_not_open", "/apis"),
    ("openapi_is_not_open", "/openapi/v2"),
    ("root_is_not_open", "/"),
];

pub fn row_names() -> Vec<String> {
    AMBIGUOUS.iter().chain(NEARLY_OPEN).map(|(name, _)| (*name).to_owned()).collect()
}

#[tokio::test]
async fn ambiguous_paths_are_refused() {
    let world = World::start().await;
    let root = pki().cluster.client("root", &["system:masters"]);
    for (name, path) in AMBIGUOUS {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            for identity in [None, Some(&root)] {
                let reply = once(world.address, identity, protocol, get(path)).await;
                assert_eq!(reply.code, 400, "{name}: {}", reply.text());
                assert_eq!(reply.reason(400), "BadRequest", "{name}");
            }
        }
    }
    assert_eq!((world.seen(), world.cluster.access_reviews()), (0, 0));
}

#[tokio::test]
async fn paths_that_look_open_are_not() {
    let world = World::start().await;
    for (name, path) in NEARLY_OPEN {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let reply = once(world.address, None, protocol, get(path)).await;
            assert_eq!(reply.code, 403, "{name}: {}", reply.text());
            let text = format!("forbidden: User \"system:anonymous\" cannot get path \"{path}\"");
            assert_eq!(reply.json()["message"], text, "{name}");
        }
    }
    assert_eq!(world.seen(), 0);
}

async fn anonymous(world: &World, path: &str) -> Reply {
    world.direct(None, get(path)).await
}

cases! {
    async fn probes_are_open_to_everybody() {
        let world = World::start().await;
        for path in ["/healthz", "/livez", "/readyz", "/%68ealthz"] {
            let reply = anonymous(&world, path).await;
            assert_eq!((reply.code.as_u16(), reply.text()), (200, "ok"), "{path}");
        }
        assert_eq!(world.cluster.access_reviews(), 0);
    }

    async fn probes_tell_strangers_no_details() {
        let world = World::start().await;
        assert_eq!(
            anonymous(&world, "/readyz?verbose").await.text(),
            "[+]ping ok\n[+]shutdown ok\n[+]data ok\nreadyz check passed"
        );
        let told = world.through_proxy(get("/readyz?verbose").remote_user("ada", &[])).await;
        assert!(told.text().contains("[+]data ok: 3 zones"));
        let one = world.through_proxy(get("/readyz/data").remote_user("ada", &[])).await;
        assert_eq!((one.code.as_u16(), one.text()), (200, "ok"));
        let none = world.through_proxy(get("/readyz/none").remote_user("ada", &[])).await;
        assert_eq!(none.reason(404), "NotFound");
    }

    async fn probe_with_a_bad_token_is_refused() {
        let world = World::start().await;
        assert_eq!(world.direct(None, get("/healthz").token("bad")).await.reason(401), "Unauthorized");
    }

    async fn probe_can_only_be_read() {
        let world = World::start().await;
        assert_eq!(world.direct(None, get("/healthz").method("POST")).await.reason(405), "MethodNotAllowed");
        let head = world.direct(None, get("/healthz").method("HEAD")).await;
        assert_eq!((head.code.as_u16(), head.text(), head.header("content-length")), (200, "", "2"));
    }

    async fn unknown_paths_look_like_known_ones_to_strangers() {
        let world = World::start().await;
        let shape = |reply: &Reply, path: &str| (reply.code, reply.text().replace(path, "PATH"));
        let pairs = [("/text", "/nothing"), ("/apis/tests.example.dev", "/apis/nothing.example.dev"), ("/openapi/v3", "/openapi/v4")];
        for (known, unknown) in pairs {
            let (a, b) = (anonymous(&world, known).await, anonymous(&world, unknown).await);
            assert_eq!(shape(&a, known), shape(&b, unknown));
        }
        let served = anonymous(&world, "/apis/tests.example.dev/v1/greetings").await;
        let unserved = anonymous(&world, "/apis/tests.example.dev/v9/greetings").await;
        assert_eq!((served.code.as_u16(), served.text()), (403, unserved.text()));
        assert_eq!(world.seen(), 0);
    }

    async fn unknown_groups_and_versions_are_not_found() {
        let world = World::start().await;
        for path in ["/apis/nothing.example.dev/v1/x", "/apis/tests.example.dev/v9/x", "/api/v1/pods", "/apis/nothing.example.dev", "/apis/tests.example.dev/v9", "/openapi/v3/apis/nothing/v1"] {
            let reply = world.through_proxy(get(path).remote_user("ada", &[])).await;
            assert_eq!(reply.reason(404), "NotFound", "{path}");
        }
        assert_eq!(world.seen(), 0);
    }

    async fn errors_of_the_program_arrive_as_they_are() {
        let world = World::start().await;
        let path = "/apis/tests.example.dev/v1/namespaces/ns/greetings/nobody";
        let reply = world.through_proxy(get(path).remote_user("ada", &[])).await;
        assert_eq!(reply.reason(404), "NotFound");
        assert_eq!(reply.json()["message"], "there is no greeting for nobody");
    }

    async fn panic_of_the_program_is_an_error_of_one_request() {
        let world = World::start().await;
        let mut connection = world.proxy(Protocol::Http2).await;
        assert_eq!(connection.send(get("/panic").remote_user("ada", &[])).await.reason(500), "InternalError");
        assert_eq!(connection.send(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
    }

    async fn impersonation_is_refused_whoever_asks() {
        let world = World::start().await;
        let root = pki().cluster.client("root", &["system:masters"]);
        let headers = ["Impersonate-User", "impersonate-group", "Impersonate-Uid", "Impersonate-Extra-Scopes"];
        for header in headers {
            for identity in [Some(&root), None] {
                let reply = world.direct(identity, get(RESOURCE).header(header, "admin")).await;
                assert_eq!(reply.reason(403), "Forbidden", "{header}");
            }
            let ask = get(RESOURCE).remote_user("ada", &[]).header(header, "admin");
            assert_eq!(world.through_proxy(ask).await.reason(403), "Forbidden", "{header}");
        }
        assert_eq!(world.direct(Some(&root), get("/healthz").header("Impersonate-User", "x")).await.code, 403);
        assert_eq!(world.seen(), 0);
    }

    async fn credentials_do_not_reach_the_program() {
        let world = World::start().await;
        let ask = get(RESOURCE)
            .remote_user("ada", &["a"])
            .headers(&[
                ("Authorization", "Bearer x"),
                ("Proxy-Authorization", "Basic x"),
                ("Cookie", "session=x"),
                ("X-Remote-Uid", "7"),
                ("X-Remote-Extra-Scopes", "x"),
                ("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id", "x"),
                ("X-Harmless", "x"),
            ]);
        let reply = world.through_proxy(ask).await;
        assert_eq!(reply.json()["headers"], json!(["x-harmless"]));
    }

    async fn unknown_methods_are_refused() {
        let world = World::start().await;
        for method in ["TRACE", "BREW", "OPTIONS", "PROPFIND"] {
            let reply = world.through_proxy(get(RESOURCE).method(method).remote_user("ada", &[])).await;
            assert_eq!(reply.reason(405), "MethodNotAllowed", "{method}");
        }
    }

    async fn overriding_the_method_by_header_changes_nothing() {
        let world = World::start().await;
        let ask = get(RESOURCE).remote_user("ada", &[]).headers(&[("X-HTTP-Method-Override", "DELETE"), ("X-Original-URL", "/healthz"), ("X-Rewrite-URL", "/healthz")]);
        let reply = world.through_proxy(ask).await;
        assert_eq!((&reply.json()["verb"], &reply.json()["path"]), (&json!("get"), &json!(RESOURCE)));
        let ask = get("/metrics").headers(&[("X-Original-URL", "/healthz"), ("X-Forwarded-Uri", "/healthz")]);
        assert_eq!(world.direct(None, ask).await.code, 403);
    }

    async fn encoded_star_and_plain_star_are_the_same() {
        let world = World::start().await;
        for star in ["*", "%2A", "%2a"] {
            let path = format!("/apis/tests.example.dev/v1/namespaces/ns/pods/{star}/load");
            let reply = world.through_proxy(get(&path).remote_user("ada", &[])).await.json();
            assert_eq!((&reply["name"], &reply["subresource"]), (&json!("*"), &json!("load")));
        }
        assert_eq!(world.cluster.access_reviews(), 1);
    }
}
