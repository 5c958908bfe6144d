//! The way of an ordinary request.

use crate::support::{
    client::{Protocol, get},
    world::{RESOURCE, World},
};

#[tokio::test]
async fn a_request_of_the_front_proxy_reaches_the_program() {
    let world = World::start().await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut connection = world.proxy(protocol).await;
        let reply = connection.send(get(RESOURCE).as_user("ada", &["a", "b"])).await;
        assert_eq!(reply.user(), "ada");
        assert_eq!(reply.json()["user"]["groups"], serde_json::json!(["a", "b", "system:authenticated"]));
        assert_eq!(connection.send(get(RESOURCE).as_user("mallory", &[])).await.reason(403), "Forbidden");
    }
    world.stopped().await.unwrap();
}
