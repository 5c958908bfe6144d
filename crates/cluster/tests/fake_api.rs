//! An API server that answers by script, for failures that a real one does not produce on demand.

use std::{collections::HashMap, sync::Arc};

use http::{Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

/// Answers for one resource, in order. A request waits until there is one for it.
pub struct Script {
    replies: mpsc::UnboundedSender<Reply>,
    requests: mpsc::UnboundedReceiver<String>,
}

struct Reply {
    status: StatusCode,
    body: Vec<u8>,
    watch: bool,
}

pub struct FakeApi {
    pub client: Client,
    pub nodes: Script,
    pub pods: Script,
    pub namespaces: Script,
}

type Backend = (mpsc::UnboundedSender<String>, Arc<Mutex<mpsc::UnboundedReceiver<Reply>>>);

impl FakeApi {
    pub fn start() -> Self {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let mut backends: HashMap<&str, Backend> = HashMap::new();
        let mut script = |path| {
            let (replies, reply) = mpsc::unbounded_channel();
            let (request, requests) = mpsc::unbounded_channel();
            backends.insert(path, (request, Arc::new(Mutex::new(reply))));
            Script { replies, requests }
        };
        let (nodes, pods, namespaces) = (script("/api/v1/nodes"), script("/api/v1/pods"), script("/api/v1/namespaces"));
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                let (seen, replies) = backends[request.uri().path()].clone();
                tokio::spawn(async move {
                    let query = request.uri().query().unwrap_or_default().to_owned();
                    let Some(reply) = replies.lock().await.recv().await else { return };
                    assert_eq!(query.contains("watch=true"), reply.watch, "{query}");
                    let _ = seen.send(query);
                    answer.send_response(Response::builder().status(reply.status).body(reply.body.into()).unwrap());
                });
            }
        });
        Self { client: Client::new(service, "default"), nodes, pods, namespaces }
    }

    /// Lists without anything in them, for the kinds a test is not about.
    pub fn list_nothing(scripts: &[&Script]) {
        for script in scripts {
            script.list(&[]);
        }
    }
}

impl Script {
    pub fn list(&self, items: &[Value]) {
        self.page(items, "");
    }

    /// A page with more behind it, unless `next` is empty.
    pub fn page(&self, items: &[Value], next: &str) {
        let list = json!({
            "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "1", "continue": next }, "items": items
        });
        self.reply(StatusCode::OK, list.to_string(), false);
    }

    /// Events of one watch, which then ends.
    pub fn watch(&self, events: &[(&str, Value)]) {
        let line = |(kind, object): &(&str, Value)| format!("{}\n", json!({ "type": kind, "object": object }));
        self.reply(StatusCode::OK, events.iter().map(line).collect(), true);
    }

    /// The history that the watch wants is gone.
    pub fn gone(&self) {
        self.watch(&[("ERROR", status(410, "Expired"))]);
    }

    pub fn fail_watch(&self, code: StatusCode) {
        self.reply(code, status(code.as_u16(), "InternalError").to_string(), true);
    }

    pub fn fail_list(&self, code: StatusCode) {
        self.reply(code, status(code.as_u16(), "InternalError").to_string(), false);
    }

    /// The query of the next request that was answered.
    pub async fn request(&mut self) -> String {
        super::observing::in_time(self.requests.recv()).await.unwrap()
    }

    fn reply(&self, status: StatusCode, body: String, watch: bool) {
        self.replies.send(Reply { status, body: body.into_bytes(), watch }).unwrap();
    }
}

fn status(code: u16, reason: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason, "reason": reason, "code": code })
}
