//! An API server with pods that change while they are watched.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

/// Answers to lists and watches of one path, in order. A request waits until there is one for it.
pub struct ApiServer {
    pub client: Client,
    replies: mpsc::UnboundedSender<(StatusCode, String)>,
    requests: mpsc::UnboundedReceiver<String>,
}

impl ApiServer {
    pub fn start(path: &'static str) -> Self {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let (replies, reply) = mpsc::unbounded_channel::<(StatusCode, String)>();
        let (seen, requests) = mpsc::unbounded_channel();
        let reply = Arc::new(Mutex::new(reply));
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                assert_eq!(request.uri().path(), path);
                let (seen, reply) = (seen.clone(), Arc::clone(&reply));
                tokio::spawn(async move {
                    let query = request.uri().query().unwrap_or_default().to_owned();
                    let Some((status, body)) = reply.lock().await.recv().await else { return };
                    drop(seen.send(query));
                    answer.send_response(Response::builder().status(status).body(body.into_bytes().into()).unwrap());
                });
            }
        });
        Self { client: Client::new(service, "default"), replies, requests }
    }

    pub fn list(&self, pods: &[Value]) {
        let metadata = json!({ "resourceVersion": "1" });
        let list = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": pods });
        self.replies.send((StatusCode::OK, list.to_string())).unwrap();
    }

    /// Events of one watch, which then ends.
    pub fn watch(&self, events: &[(&str, &Value)]) {
        let line = |(kind, object): &(&str, &Value)| format!("{}\n", json!({ "type": kind, "object": object }));
        self.replies.send((StatusCode::OK, events.iter().map(line).collect())).unwrap();
    }

    pub fn fail(&self, status: u16, reason: &str) {
        let body = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason,
            "reason": reason, "code": status });
        self.replies.send((StatusCode::from_u16(status).unwrap(), body.to_string())).unwrap();
    }

    /// The query of the next request that was answered.
    pub async fn request(&mut self) -> String {
        self.requests.recv().await.unwrap()
    }
}
