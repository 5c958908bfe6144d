//! What the aggregator of the API server asks, header by header, and what it makes of the answers.

use serde_json::{Value, json};

use crate::support::{
    client::{Ask, Connection, Protocol, Reply, get, send_over},
    world::{World, front_proxy},
};

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const V2_BETA: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
const AVAILABILITY: &[(&str, &str)] = &[
    ("X-Remote-User", "system:kube-aggregator"),
    ("X-Remote-Group", "system:masters"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", "Go-http-client/2.0"),
];
const OPENAPI: &[(&str, &str)] = &[
    ("X-Remote-User", "system:aggregator"),
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", ""),
];

/// As `system:aggregator`, which comes without groups, may do by the default roles of a cluster.
fn by_default_roles(spec: &Value) -> bool {
    let authenticated = spec["groups"].as_array().is_some_and(|groups| groups.contains(&json!("system:authenticated")));
    let path = spec["nonResourceAttributes"]["path"].as_str().unwrap_or_default();
    let discovery = ["/apis", "/openapi", "/version", "/api"].iter().any(|prefix| path.starts_with(prefix));
    authenticated && (discovery || spec["user"] == "system:serviceaccount:kube-system:horizontal-pod-autoscaler")
}

async fn world() -> World {
    let world = World::start().await;
    world.cluster.state().policy = by_default_roles;
    world
}

async fn connection(world: &World) -> Connection {
    Connection::open(world.address, Some(&front_proxy()), Protocol::Http2).await
}

fn etag(reply: &Reply) -> String {
    let etag = reply.header("etag").to_owned();
    assert!(etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'), "quoted: {etag}");
    etag
}

/// The document, and 304 when it is asked for again by its tag.
async fn document(connection: &mut Connection, ask: Ask) -> Reply {
    let first = connection.send(ask.clone()).await;
    assert_eq!(first.code, 200, "{}", first.text());
    let again = connection.send(ask.clone().header("If-None-Match", &etag(&first))).await;
    assert_eq!((again.code.as_u16(), again.body.len()), (304, 0));
    assert_eq!(etag(&again), etag(&first));
    let other = connection.send(ask.header("If-None-Match", "\"other\"")).await;
    assert_eq!((other.code.as_u16(), &other.body), (200, &first.body));
    first
}

#[tokio::test]
async fn availability_is_probed_five_times_at_once() {
    let world = world().await;
    let connection = connection(&world).await;
    let probes =
        (0..5).map(|_| send_over(connection.another(), get("/apis/tests.example.dev/v1").headers(AVAILABILITY)));
    for reply in futures::future::join_all(probes).await {
        let reply = reply.unwrap();
        assert_eq!((reply.code.as_u16(), reply.header("content-type")), (200, "application/json"));
        let list = reply.json();
        assert_eq!((&list["kind"], &list["groupVersion"]), (&json!("APIResourceList"), &json!("tests.example.dev/v1")));
        assert_eq!(list["resources"].as_array().unwrap().len(), 2, "never empty");
    }
    assert_eq!(world.cluster.access_reviews(), 0, "of masters nobody is asked");
}

#[tokio::test]
async fn aggregated_discovery_has_its_exact_type_and_its_tag() {
    let world = world().await;
    let mut connection = connection(&world).await;
    for (accept, version) in [(V2, "v2"), (V2_BETA, "v2beta1")] {
        let ask = get("/apis").headers(AVAILABILITY).header("Accept", accept);
        let reply = document(&mut connection, ask).await;
        assert_eq!(reply.header("content-type"), accept, "byte by byte");
        assert_eq!(reply.header("vary"), "Accept");
        let list = reply.json();
        assert_eq!(list["kind"], "APIGroupDiscoveryList");
        assert_eq!(list["apiVersion"], format!("apidiscovery.k8s.io/{version}"));
        let group = &list["items"][0];
        assert_eq!(group["metadata"]["name"], "tests.example.dev");
        let versions: Vec<&Value> = group["versions"].as_array().unwrap().iter().map(|v| &v["version"]).collect();
        assert_eq!(versions, ["v1", "v1beta1"], "the preferred one first");
    }
}

#[tokio::test]
async fn unknown_form_of_discovery_is_answered_406_and_the_older_form_is_there() {
    let world = world().await;
    let mut connection = connection(&world).await;
    let newer = V2.replace("v=v2", "v=v9");
    let refused = connection.send(get("/apis").headers(AVAILABILITY).header("Accept", &newer)).await;
    assert_eq!(refused.reason(406), "NotAcceptable");
    let protobuf = "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    assert_eq!(
        connection.send(get("/apis").headers(AVAILABILITY).header("Accept", protobuf)).await.reason(406),
        "NotAcceptable"
    );
    let fallback = document(&mut connection, get("/apis/tests.example.dev/v1beta1").headers(AVAILABILITY)).await.json();
    assert_eq!(fallback["resources"][0]["name"], "greetings");
    let both = format!("{V2},{V2_BETA},application/json");
    let preferred = connection.send(get("/apis").headers(AVAILABILITY).header("Accept", &both)).await;
    assert_eq!(preferred.header("content-type"), V2);
    let legacy = connection.send(get("/apis").headers(AVAILABILITY).header("Accept", "application/json")).await;
    assert_eq!((legacy.header("content-type"), &legacy.json()["kind"]), ("application/json", &json!("APIGroupList")));
}

#[tokio::test]
async fn openapi_v2_is_a_valid_document_with_a_tag() {
    let world = world().await;
    let mut connection = connection(&world).await;
    let document = document(&mut connection, get("/openapi/v2").headers(OPENAPI)).await.json();
    assert_eq!(document["swagger"], "2.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"] == "v1.2.3");
    let definition = &document["definitions"]["dev.example.tests.v1.Greeting"];
    let kind = json!([{"group": "tests.example.dev", "version": "v1", "kind": "Greeting"}]);
    assert_eq!(definition["x-kubernetes-group-version-kind"], kind);
    // The aggregator keeps only what a path below the group versions refers to.
    let prefix = "/apis/tests.example.dev/";
    let paths = document["paths"].as_object().unwrap();
    assert!(!paths.is_empty() && paths.keys().all(|path| path.starts_with(prefix)));
    assert!(paths.values().any(|path| path.to_string().contains("#/definitions/dev.example.tests.v1.Greeting")));
    let users: Vec<Value> = world.cluster.state().access_reviews.iter().map(|spec| spec["user"].clone()).collect();
    assert_eq!(users, ["system:aggregator"], "allowed by the group that the server adds");
}

#[tokio::test]
async fn openapi_v3_leads_from_the_index_to_documents_that_may_be_kept() {
    let world = world().await;
    let mut connection = connection(&world).await;
    let index = document(&mut connection, get("/openapi/v3").headers(OPENAPI)).await.json();
    let paths = index["paths"].as_object().unwrap().clone();
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["apis/tests.example.dev/v1", "apis/tests.example.dev/v1beta1"]);
    for (path, entry) in paths {
        let url = entry["serverRelativeURL"].as_str().unwrap();
        let reply = document(&mut connection, get(url).headers(OPENAPI)).await;
        assert_eq!(reply.json()["openapi"], "3.0.0", "{path}");
        assert!(reply.header("cache-control").contains("immutable"));
        assert!(url.ends_with(&etag(&reply).replace('"', "")), "the hash is the tag");
        let stale =
            connection.send(get(&format!("/openapi/{}?hash=OLD", &format!("v3/{path}"))).headers(OPENAPI)).await;
        assert_eq!((stale.code.as_u16(), stale.header("cache-control")), (200, "no-cache, private"));
    }
}

#[tokio::test]
async fn autoscaler_is_proxied_with_uid_and_encoded_extras() {
    let world = world().await;
    let ask = get("/apis/tests.example.dev/v1/namespaces/default/pods/*/load?labelSelector=app%3Dweb").headers(&[
        ("X-Remote-User", "system:serviceaccount:kube-system:horizontal-pod-autoscaler"),
        ("X-Remote-Group", "system:serviceaccounts"),
        ("X-Remote-Group", "system:serviceaccounts:kube-system"),
        ("X-Remote-Group", "system:authenticated"),
        ("X-Remote-Uid", "4711"),
        ("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id", "JTI=42"),
        ("Accept", "application/vnd.kubernetes.protobuf, */*"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Host", "server.tests.svc"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Uri", "/apis/tests.example.dev/v1/namespaces/default/pods/*/load"),
    ]);
    let reply = connection(&world).await.send(ask).await;
    assert_eq!(reply.header("content-type"), "application/json", "clients choose their decoder by it");
    let seen = reply.json();
    assert_eq!(
        (&seen["verb"], &seen["resource"], &seen["name"], &seen["subresource"]),
        (&json!("get"), &json!("pods"), &json!("*"), &json!("load"))
    );
    assert_eq!(seen["user"]["uid"], "4711");
    assert_eq!(seen["user"]["extra"], json!({"authentication.kubernetes.io/credential-id": ["JTI=42"]}));
    assert_eq!(seen["query"], json!([["labelSelector", "app=web"]]));
    let spec = world.cluster.last_access();
    assert_eq!(spec["groups"].as_array().unwrap().len(), 3);
    assert_eq!(
        spec["resourceAttributes"],
        json!({"group": "tests.example.dev", "version": "v1", "namespace": "default",
        "resource": "pods", "subresource": "load", "name": "*", "verb": "get"})
    );
}

#[tokio::test]
async fn clients_that_want_another_form_only_are_told_so() {
    let world = World::start().await;
    let mut connection = connection(&world).await;
    let resource = "/apis/tests.example.dev/v1/namespaces/ns/greetings/hello";
    let cases = [
        ("*/*", 200),
        ("application/*", 200),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", 200),
        ("application/vnd.kubernetes.protobuf,application/json", 200),
        ("application/vnd.kubernetes.protobuf", 406),
        ("application/json;as=Table;v=v1;g=meta.k8s.io", 406),
        ("text/html", 406),
    ];
    for (accept, code) in cases {
        for path in [resource, "/apis/tests.example.dev", "/apis/tests.example.dev/v1", "/version", "/openapi/v2"] {
            let reply = connection.send(get(path).remote_user("ada", &[]).header("Accept", accept)).await;
            assert_eq!(reply.code, code, "{path} {accept}");
        }
    }
    let text = connection.send(get("/text").remote_user("ada", &[]).header("Accept", "text/html")).await;
    assert_eq!(
        (text.code.as_u16(), text.text()),
        (200, "plain"),
        "what the program serves outside is its own business"
    );
}

#[tokio::test]
async fn version_says_major_and_minor() {
    let world = World::start().await;
    let version = connection(&world).await.send(get("/version").remote_user("ada", &[])).await.json();
    assert_eq!(
        (&version["major"], &version["minor"], &version["gitVersion"]),
        (&json!("1"), &json!("2"), &json!("v1.2.3"))
    );
}

#[tokio::test]
async fn discovery_is_answered_without_a_question_to_the_cluster_once_it_is_known() {
    let world = world().await;
    let mut connection = connection(&world).await;
    for _ in 0..20 {
        connection.send(get("/openapi/v2").headers(OPENAPI)).await;
        connection.send(get("/apis").header("X-Remote-User", "system:aggregator").header("Accept", V2)).await;
    }
    assert_eq!(world.cluster.access_reviews(), 2);
    assert_eq!(world.metric("aggregated_apiserver_review_lookups_total{review=\"access\",cache=\"hit\"}"), 38.0);
    assert_eq!(world.metric("aggregated_apiserver_requests_total{verb=\"get\",group=\"\",code=\"200\"}"), 40.0);
}
